package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAGlobIsTriedInSoManyWaysAlone(t *testing.T) {
	p := policyFrom(t, "package a\nd := glob.match(input.p, input.d, input.s)", `{}`, "a/d")
	hosts := strings.Repeat("host.example,", 500)
	path := "/" + strings.Repeat("a", 300) + "/" + strings.Repeat("b", 300) + "/" + strings.Repeat("c", 300) + "/d"
	for _, c := range []struct {
		pattern    string
		delimiters any
		text, want string
	}{
		{"*.{com,net}", []string{}, "a.com", "true"},
		{"*.{com,net}", nil, strings.Repeat("a", 1<<20) + ".net", "true"},
		{"*-*-*-{prod,dev}", []string{}, "a-" + strings.Repeat("b", 200) + "-c-dev", "true"},
		{"{" + hosts + "other}", []string{"."}, "other", "true"},
		{"{*.a.com,*.b.com,*.c.com,*.d.com,*.{e,f}.com}", []string{}, "x.e.com", "true"},
		{"{" + strings.Repeat("*.host.example,", 500) + "*-*}", []string{}, strings.Repeat("a-", 40), "true"},
		{"/*/*/*/{d,e}", []string{"/"}, path, "true"},
		{"/*/*/*/*/*/*/{d,e}", []string{"/"}, path, "false"},
		{"**/{admin,internal}/**", []string{"/"}, "/shop/" + strings.Repeat("a", 1_000) + "/admin/x", "true"},
		{"/api/**/{v1,v2}/**", []string{"/"}, "/api/" + strings.Repeat("a/", 1_000) + "v3/x", "false"},
		{"[/]**/{v1,v2}/**", []string{"/"}, "/api/" + strings.Repeat("a/", 1_000) + "v2/x", "true"},
		{strings.Repeat("*a", 50), []string{}, strings.Repeat("a", 5_000), "true"},
		{"[a-c]*{x,y}", nil, "bcx", "true"},
		{"*-*-*-*-{a,b}", []string{}, strings.Repeat("-", 1_000), ""},
		{"*{a,b}*{a,b}*{a,b}*{a,b}{b,c}", []string{}, strings.Repeat("a", 200), ""},
		{strings.Repeat("{a,aa}", 40) + "{b,c}", []string{}, strings.Repeat("a", 100), ""},
		{"*{/,}*{/,}*{/,}*{a,b}", []string{"/"}, strings.Repeat("a", 1_000), ""},
		{"***/***/***{a,b}", []string{"/"}, strings.Repeat("/", 1_000), ""},
		{"**/**/**/**{a,b}", []string{"/"}, strings.Repeat("/", 1_000), ""},
		{`*[}/]*[}/]*[}/]*{a,b}`, []string{"/"}, strings.Repeat("}", 1_000), ""},
		{"}" + strings.Repeat("{a,aa}", 40) + "{b,c}", []string{}, "}" + strings.Repeat("a", 100), ""},
		{`\{` + strings.Repeat("{a,aa}", 40) + "{b,c}", []string{}, "{" + strings.Repeat("a", 100), ""},
		{"*}", []string{}, "x}", "true"},
		{"{*a,b}{*a,b}{*a,b}{*a,b}", nil, strings.Repeat("a", 1_000), ""},
	} {
		input, err := json.Marshal(map[string]any{"p": c.pattern, "d": c.delimiters, "s": c.text})
		if err != nil {
			t.Fatal(err)
		}
		got, fail := ask(p, string(input), time.Minute)
		if string(got) != c.want || (fail == nil) != (c.want != "") || fail != nil && fail.Kind != kindEvaluation {
			t.Errorf("%.40s: %s %+v", c.pattern, got, fail)
		}
	}
}

func TestClassesOfAGlobHaveSoManyCharactersAlone(t *testing.T) {
	p := policyFrom(t, "package a\nd := regex.globs_match(input[0], input[1])", `{}`, "a/d")
	for glob, want := range map[string]string{
		"a.[a-z0-9]+-x":                          "true",
		strings.Repeat("[\u0001-\U0010ffff]", 2): "",
	} {
		input, err := json.Marshal([]string{glob, glob})
		if err != nil {
			t.Fatal(err)
		}
		got, fail := ask(p, string(input), time.Minute)
		if string(got) != want || (fail == nil) != (want != "") {
			t.Errorf("%s: %s %+v", glob, got, fail)
		}
	}
}
