package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func yamlOf(t *testing.T, text string) string {
	t.Helper()
	input, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(input)
}

func TestYAMLThatIsHugeOnceItsAliasesAreWrittenOutEndsTheEvaluation(t *testing.T) {
	nested := "a0: &a0 " + strings.Repeat("x", 1_000) + "\n"
	for n := range 20 {
		nested += fmt.Sprintf("a%d: &a%d [*a%d, *a%d]\n", n+1, n+1, n, n)
	}
	keys := "{k"
	for n := range 20_000 {
		keys += fmt.Sprintf(", k%d", n)
	}
	again := "- &a " + keys[:60_000] + "}\n" + strings.Repeat("- *a\n", 100)
	for name, text := range map[string]string{
		"one long text":   "a: &a " + strings.Repeat("x", 100_000) + "\nb: [*a" + strings.Repeat(", *a", 20_000) + "]",
		"aliases within":  nested,
		"a merge":         "a: &a {k: " + strings.Repeat("x", 1<<20) + "}\nb: [" + strings.Repeat("{<<: *a}, ", 100) + "]",
		"keys":            keys + "}",
		"keys at aliases": again,
	} {
		for _, builtin := range []string{"count(yaml.unmarshal(input))", "yaml.is_valid(input)"} {
			p := policyFrom(t, "package a\nd := "+builtin, `{}`, "a/d")
			if got, fail := ask(p, yamlOf(t, text), time.Minute); fail == nil || fail.Kind != kindEvaluation {
				t.Errorf("%s, %s: %s %+v", name, builtin, got, fail)
			}
		}
	}
}

func TestYAMLWithAliasesIsReadAsByOPA(t *testing.T) {
	p := policyFrom(t, "package a\nd := yaml.unmarshal(input)", `{}`, "a/d")
	for text, want := range map[string]string{
		"base: &b {x: 1}\nown: {<<: *b, y: 2}\nagain: [*b, *b]": `{"again":[{"x":1},{"x":1}],"base":{"x":1},"own":{"x":1,"y":2}}`,
		"a: &a [*a]":                       "", // an anchor that holds its own alias
		"a: *b":                            "",
		"a: {":                             "",
		"b: '*'":                           `{"b":"*"}`,
		"":                                 "null",
		"a: 1\n---\nb: *c":                 "",
		strings.Repeat("- a*b\n", 2) + "-": `["a*b","a*b",null]`,
	} {
		if got, fail := ask(p, yamlOf(t, text), time.Minute); string(got) != want || fail != nil {
			t.Errorf("%q: %s %+v", text, got, fail)
		}
	}
}
