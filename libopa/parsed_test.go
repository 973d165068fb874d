package main

import (
	"strings"
	"testing"
	"time"
)

func TestAModuleThatNestsDeeplyIsNotMadeJSON(t *testing.T) {
	p := policyFrom(t, "package a\nd := rego.parse_module(`f.rego`, input).package.path[1].value", `{}`, "a/d")
	for name, text := range map[string][3]string{
		"arrays":         {"x := ", "[", "]"},
		"comprehensions": {"x := ", "[1 | ", "]"},
		"calls":          {"x := ", "f(", ")"},
		"references":     {"x := a", "[a", "]"},
		"operators":      {"x := 1", " + 1", ""},
		"else":           {"x := 1 if false", " else := 1 if false", ""},
		"every":          {"x if ", "{every y in [1] ", "}"},
		"many rules":     {"", "x" + strings.Repeat(" if {1} else := 1", 20) + "\n", ""},
	} {
		for levels, isFine := range map[int]bool{20: true, 1_500: false} {
			inner := "1"
			if text[2] == "" || name == "references" {
				inner = ""
			}
			if name == "every" {
				inner = "{1}"
			}
			module := "package b\n" + text[0] + strings.Repeat(text[1], levels) + inner + strings.Repeat(text[2], levels)
			got, fail := ask(p, yamlOf(t, module), time.Minute)
			if isFine != (fail == nil && string(got) == `"b"`) || !isFine && (fail == nil || fail.Kind != kindEvaluation) {
				t.Errorf("%s, %d: %s %+v", name, levels, got, fail)
			}
		}
	}
}
