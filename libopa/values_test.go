package main

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// living is the heap that a collection leaves.
func living() int64 {
	runtime.GC()
	runtime.GC()
	return int64(measure(heapBytes)[0])
}

// noise is what the heap may have more of something else.
const noise = 64 << 10

// grown is what the heap has more after a number of evaluations. The policy stays.
func grown(t *testing.T, p *policy, number int, input func(n int) string) int64 {
	t.Helper()
	before := living()
	for n := range number {
		if _, fail := ask(p, input(n), time.Minute); fail != nil {
			t.Fatalf("%+v", fail)
		}
	}
	after := living()
	runtime.KeepAlive(p)
	return after - before
}

func TestNoBuiltinHoldsOnToTheInputOfAnEarlierEvaluation(t *testing.T) {
	for _, call := range []string{
		`regex.match(input.p, "x")`,
		`glob.match(input.p, [], "x")`,
		`strings.any_prefix_match("x", [input.p, "y"])`,
		`graphql.schema_is_valid(input.schema)`,
		`io.jwt.verify_rs256("e30.e30.e30", input.keys)`,
		`regex.template_match(input.p, "x", "<", ">")`,
	} {
		p := policyFrom(t, "package a\nd := [x | x := "+call+"]", `{}`, "a/d")
		megabyte := strings.Repeat("x", 1<<20)
		held := grown(t, p, 40, func(n int) string {
			return fmt.Sprintf(`{"p": "pattern %d", "schema": "type Query { a%d: Int }", "keys": %q, "body": "%s"}`,
				n, n, fmt.Sprintf(`{"keys": [{"kty": "oct", "k": "AA", "kid": "%d"}]}`, n), megabyte)
		})
		if held > 4<<20 {
			t.Errorf("%s: %d MiB", call, held>>20)
		}
	}
}

func TestPatternsOfClientsAreBoundedInBytesOnceCompiled(t *testing.T) {
	p := policyFrom(t, "package a\nd := regex.match(input.p, `x`)", `{}`, "a/d")
	for _, c := range []struct{ name, pattern string }{
		{"long", strings.Repeat("x", 100_000)},
		{"repeated", strings.Repeat("a{1000}", 100)},
		{"classes", strings.Repeat(`\\pL`, 2_000)},
		{"of text alone", "[" + strings.Repeat("x", 1_000_000) + "]"},
	} {
		held := grown(t, p, 30, func(n int) string { return fmt.Sprintf(`{"p": "%d%s"}`, n, c.pattern) })
		if held > maxPatterns+4<<20 {
			t.Errorf("%s: %d MiB", c.name, held>>20)
		}
	}
}

func TestTemplatesAreBoundedOnceCompiled(t *testing.T) {
	p := policyFrom(t, "package a\nd := regex.template_match(input.p, `urn:5`, `<`, `>`)", `{}`, "a/d")
	if got, fail := ask(p, `{"p": "urn:<[0-9]{1,3}>"}`, time.Minute); string(got) != "true" || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
	for _, template := range []string{strings.Repeat("x", 10_000), strings.Repeat("<a{1000}>", 10)} {
		if _, fail := ask(p, `{"p": "`+template+`"}`, time.Minute); fail == nil || fail.Kind != kindEvaluation {
			t.Errorf("%.20s: %+v", template, fail)
		}
	}
	if got, fail := ask(p, `{"p": "<"}`, time.Minute); got != nil || fail != nil { // OPA's own error, which is undefined
		t.Errorf("%s %+v", got, fail)
	}
}

func TestAnEstimateIsNoLessThanWhatIsHeld(t *testing.T) {
	for _, pattern := range []string{
		`a`, `^[0-9]{4}$`, strings.Repeat("a{1000}", 10), `(?i)^\pL{200}$`, `\pL{1000}`, strings.Repeat("(a|b)*", 500),
		strings.Repeat("xyz", 10_000), "[" + strings.Repeat("x", 100_000) + "]", `((((a{0,10}){10})?){10})+`, `^(?:(a)|(b)|(c)){50,}$`,
	} {
		compiled := make([]*regexp.Regexp, 20)
		before := living()
		for i := range compiled {
			compiled[i] = regexp.MustCompile(strings.Clone(pattern))
		}
		held := living() - before
		runtime.KeepAlive(compiled)
		if cost := costOf(pattern) * int64(len(compiled)); held > cost+noise {
			t.Errorf("%.20s: %d bytes, estimated %d", pattern, held, cost)
		}
	}
}

func TestTheEstimateOfAGlobOrASchemaIsNoLessThanWhatIsHeld(t *testing.T) {
	for _, c := range []struct{ name, call, input string }{
		{"a small glob", "glob.match(input, [], `x`)", "a"},
		{"stars", "glob.match(input, [], `x`)", strings.Repeat("a*?", 5_000)},
		{"alternatives", "glob.match(input, [], `x`)", "{" + strings.Repeat("a,b,*,", 2_000) + "c}"},
		{"classes", "glob.match(input, [], `x`)", strings.Repeat("[a-z]", 2_000)},
		{"a small schema", "graphql.schema_is_valid(input)", "type Query{a:Int}"},
		{"fields", "graphql.schema_is_valid(input)", "type Query{" + numbered("a%d:Int ", 5_000) + "}"},
		{"types", "graphql.schema_is_valid(input)", "type Query{a:Int}" + numbered("type A%d{a:Int}", 2_000)},
		{"arguments", "graphql.schema_is_valid(input)", "type Query{a(" + numbered("b%d:[Int!] ", 5_000) + "):Int}"},
		{"the tree of fields", "graphql.parse_schema(input)", "type Query{" + numbered("a%d:Int ", 2_000) + "}"},
		{"the tree of a list", "graphql.parse_schema(input)", "type Query{a(b:[Int]=[" + strings.Repeat("1 ", 5_000) + "]):Int}"},
		{"the tree of lists", "graphql.parse_schema(input)", "type Query{a(b:[Int]=" + strings.Repeat("[", 2_000) + strings.Repeat("]", 2_000) + "):Int}"},
		{"an enumeration", "graphql.parse(`{a}`, input)", "type Query{a:A}enum A{" + numbered("B%d ", 2_000) + "}"},
	} {
		p := policyFrom(t, "package a\nd := [x | x := "+c.call+"]", `{}`, "a/d")
		held := grown(t, p, 1, func(int) string { return `"` + c.input + `"` })
		if kept := p.values.bytes(); kept == 0 || held > kept+noise {
			t.Errorf("%s: %d bytes, estimated %d, of a text of %d", c.name, held, kept, len(c.input))
		}
	}
}

func TestTheEstimateOfKeysIsNoLessThanWhatIsHeld(t *testing.T) {
	p := policyFrom(t, "package a\nd := io.jwt.verify_rs256(`e30.e30.e30`, json.marshal(input))", `{}`, "a/d")
	set := func(n, number int) string {
		return fmt.Sprintf(`{"keys": [%s {"kty": "oct", "k": "AA", "kid": "%d"}]}`, strings.Repeat(`{"kty":"oct","k":"AA"},`, number), n)
	}
	held := grown(t, p, 20, func(n int) string { return set(n, 500) })
	if kept := p.values.keys.bytes(); kept == 0 || held > kept+noise {
		t.Errorf("%d bytes, estimated %d", held, kept)
	}
}

func TestASchemaThatComesAsAnObjectIsNotKept(t *testing.T) {
	p := policyFrom(t, `package a
d := graphql.is_valid("{a}", graphql.parse_schema(input))`, `{}`, "a/d")
	if got, fail := ask(p, `"type Query { a: Int }"`, time.Minute); string(got) != "true" || fail != nil {
		t.Fatalf("%s %+v", got, fail)
	}
	kept := len(p.values.schemas.items)
	again := policyFrom(t, `package a
d := graphql.parse_schema(input)`, `{}`, "a/d")
	if _, fail := ask(again, `"type Query { a: Int }"`, time.Minute); fail != nil || kept != len(again.values.schemas.items) {
		t.Errorf("%d kept, %d of them the text's, %+v", kept, len(again.values.schemas.items), fail)
	}
}

func numbered(format string, number int) string {
	var text strings.Builder
	for n := range number {
		fmt.Fprintf(&text, format, n)
	}
	return text.String()
}

func TestWhatIsUsedAgainIsKept(t *testing.T) {
	p := policyFrom(t, `package a
d := [regex.match("^a$", "a"), glob.match("b", [], "b"), graphql.schema_is_valid("type Query { c: Int }")]`, `{}`, "a/d")
	for range 2 {
		if got, fail := ask(p, `{}`, time.Minute); string(got) != "[true,true,true]" || fail != nil {
			t.Fatalf("%s %+v", got, fail)
		}
	}
	if patterns, schemas := len(p.values.patterns.items), len(p.values.schemas.items); patterns != 2 || schemas != 1 {
		t.Errorf("%d patterns, %d schemas", patterns, schemas)
	}
}

func TestAShelfForgetsRatherThanToHoldMore(t *testing.T) {
	s := newShelf(10)
	for n := range 100 {
		s.put(fmt.Sprint(n), n, 3)
	}
	s.put("99", "again", 4)
	got, ok := s.Get(ast.String("99"))
	if len(s.items) > 3 || s.held > 10 || got != "again" || !ok {
		t.Errorf("%d items, %d held, %v", len(s.items), s.held, got)
	}
	s.Delete(ast.String("99"))
	if _, ok := s.Get(ast.String("99")); ok {
		t.Error("it is still there")
	}
}

func TestWhatIsKeptIsAnEighthOfTheCeilingAtMost(t *testing.T) {
	s := newShelf(100)
	s.put("before", 1, 90)
	ceiling(t, 160)
	if s.put("after", 2, 20); s.held != 20 || s.takes(21) || newShelf(0).takes(1) {
		t.Errorf("%d bytes", s.held)
	}
}

func TestAGlobOfAClientDoesNotDecideForAnotherOne(t *testing.T) {
	p := policyFrom(t, "package a\nd := [glob.match(input.p, null, `x`), glob.match(`*`, [`.`, `-`], `x`)]", `{}`, "a/d")
	for range 2 {
		if got, fail := ask(p, `{"p": "*-."}`, time.Minute); string(got) != "[false,true]" || fail != nil {
			t.Errorf("%s %+v", got, fail)
		}
	}
}
