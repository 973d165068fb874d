package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAQueryThatNamesTheSameFieldsTooOftenIsNotValidated(t *testing.T) {
	many := func(field string, n int) string { return strings.Repeat(field+" ", n) }
	chain := "{...f0}"
	for n := range 12 {
		chain += fmt.Sprintf(" fragment f%d on Query {a{...f%d} a{...f%d}}", n, n+1, n+1)
	}
	distinct := ""
	for n := range 900 {
		distinct += fmt.Sprintf("n%d: a{b id: b} ", n)
	}
	circle := "{...f} fragment f on Query {a{...f}}"
	for query, isFine := range map[string]bool{
		"{a{b} a{b}}":                       true,
		"{a{" + distinct + "}}":             true,
		"{" + many("b", 1_000) + "}":        true,
		"{" + many("a{b}", 20_000/10) + "}": false,
		"{" + many("b", 20_000) + "}":       false,
		"{" + many("a{...f}", 100) + "} fragment f on Query {" + many("b", 100) + "}": false,
		"{" + many("... on Query {b}", 2_000) + "}":                                   false,
		chain + " fragment f12 on Query {b}":                                          false,
		circle:                                                                        false,
	} {
		for _, builtin := range []string{"graphql.is_valid(input, s)", "graphql.parse_and_verify(input, s)[0]", "count(graphql.parse(input, s)) > 0"} {
			p := policyFrom(t, "package a\ns := `type Query { a: Query b: Int }`\nd := "+builtin, `{}`, "a/d")
			got, fail := ask(p, yamlOf(t, query), time.Minute)
			if isFine != (string(got) == "true") || !isFine && (fail == nil || fail.Kind != kindEvaluation) {
				t.Errorf("%.40s, %s: %s %+v", query, builtin, got, fail)
			}
		}
	}
}

func TestAQueryThatIsAnObjectIsCountedToo(t *testing.T) {
	p := policyFrom(t, "package a\nd := graphql.is_valid(graphql.parse_query(input), `type Query { b: Int }`)", `{}`, "a/d")
	if got, fail := ask(p, `"{b c: b}"`, time.Minute); string(got) != "true" || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
	if got, fail := ask(p, `"{`+strings.Repeat("b ", 20_000)+`}"`, time.Minute); fail == nil || fail.Kind != kindEvaluation {
		t.Errorf("%s %+v", got, fail)
	}
}
