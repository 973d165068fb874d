package main

import (
	"encoding/json"
	"regexp/syntax"
	"strings"
	"testing"
	"time"
)

func TestTextsOfGigabytesAreNotWritten(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct {
		rego  string
		input any
		want  string
	}{
		"directives":     {"sprintf(input, [1, `a`, 1.5])", "%d %s: %5.1f 100%%", "15"},
		"a long text":    {"sprintf(`%s, %s and %v`, [input, input, [input]])", long, "3145739"},
		"wide":           {"sprintf(input, [1])", strings.Repeat("%999999[1]d", 300), ""},
		"wide by a star": {"sprintf(input, [999999, 1])", strings.Repeat("%[1]*[2]d", 300), ""},
		"again":          {"sprintf(input[0], [input[1]])", []string{strings.Repeat("%[1]s", 300), long}, ""},
		"again, a value": {"sprintf(input[0], [input])", []string{strings.Repeat("%[1]s", 300), long}, ""},
		"the match":      {"regex.replace(input, `x+`, `<$0>`)", long, "1048578"},
		"many matches":   {"regex.replace(input[0], `.*`, input[1])", []string{long, strings.Repeat("$0", 300)}, ""},
		"groups":         {"regex.find_all_string_submatch_n(`(y)(x)(x)(x)?`, input, -1)", long, "0"},
		"no groups":      {"regex.replace(input[0], input[1], ``)", []string{long, strings.Repeat("(?:ab|cd)", 40)}, "1048576"},
		"long matches":   {"regex.replace(input, `\\\\u\\{0*([0-9a-f]{2})\\}`, `$1`)", strings.Repeat(`\u{0041}`, 5<<18), "2621440"},
		"short ones":     {"regex.replace(input, `(?:\\\\u)?([0-9a-f]{2}|(x))`, `$1`)", strings.Repeat(long, 9), ""},
		"many groups":    {"regex.find_all_string_submatch_n(input[0], input[1], -1)", []string{strings.Repeat("()", 300), long}, ""},
		"an indent":      {"json.marshal_with_options(input, {`indent`: `    `})", []string{long}, "1048586"},
		"a long indent":  {"json.marshal_with_options(input.o, {`indent`: input.i})", map[string]any{"o": make([]int, 300), "i": long}, ""},
		"a long prefix":  {"json.marshal_with_options(input.o, {`prefix`: input.i})", map[string]any{"o": make([]int, 300), "i": long}, ""},
	} {
		p := policyFrom(t, "package a\nd := count("+c.rego+")", `{}`, "a/d")
		input, err := json.Marshal(c.input)
		if err != nil {
			t.Fatal(err)
		}
		got, fail := ask(p, string(input), time.Minute)
		if string(got) != c.want || (fail == nil) != (c.want != "") || fail != nil && fail.Kind != kindEvaluation {
			t.Errorf("%s: %s %+v", name, got, fail)
		}
	}
}

func TestAMatchHasNoFewerBytesThanIsSaid(t *testing.T) {
	for pattern, want := range map[string]int{
		``: 0, `.`: 1, `x*`: 0, `(ab|c)?`: 0, `ab|c|def`: 1, `(?:ab|cd)+x`: 3, `^[a-z]{2,9}\.$`: 3, `(ab){3}`: 6, `(?i)K`: 1, `(?s).\bé`: 2,
	} {
		parsed, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		if got := shortest(parsed); got != want {
			t.Errorf("%s: %d", pattern, got)
		}
	}
}
