package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func arrayOf(n int, element func(int) string) string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = element(i)
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

func TestPathsAndNetworksAreGatheredNoLongerThanTheDeadline(t *testing.T) {
	sameHash := arrayOf(30_000, func(n int) string { return fmt.Sprintf("[0.%d]", 100_000+n) })
	again := arrayOf(60_000, func(n int) string { return fmt.Sprintf(`"p%d"`, min(n, 30_000)) })
	addresses := arrayOf(30_000, func(n int) string { return fmt.Sprintf(`"10.0.%d.%d"`, n/256, n%256) })
	edits := arrayOf(10_000, func(n int) string { return fmt.Sprintf(`{"op": "add", "path": [0.%d], "value": 1}`, 100_000+n) })
	inserts := arrayOf(20_000, func(int) string { return `{"op": "add", "path": "/0", "value": 1}` })
	for name, c := range map[string][2]string{
		"paths of one hash":                {"json.filter({`a`: 1}, input)", sameHash},
		"paths that are there":             {"json.remove({`a`: 1}, input)", again},
		"addresses in two networks":        {"net.cidr_contains_matches([`10.0.0.0/8`, `10.0.0.0/9`], input)", addresses},
		"a patch of many operations":       {"json.patch({}, input)", edits},
		"a patch that moves what there is": {"json.patch([], input)", inserts},
	} {
		p := policyFrom(t, "package a\nd := count("+c[0]+")", `{}`, "a/d")
		start := spent(t)
		if got, fail := ask(p, c[1], 100*time.Millisecond); fail == nil {
			t.Errorf("%s: %s", name, got)
		}
		if took := spent(t) - start; took > 2*time.Second {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func TestPathsAndNetworksAnswerAsOPADoes(t *testing.T) {
	for rego, want := range map[string]string{
		"json.filter({`a`: {`b`: 1, `c/d`: 2}, `e`: 3}, [`a/b`, `/a/c~1d`, `a`, [`e`], ``])":                         `{"a":{"b":1,"c/d":2},"e":3}`,
		"json.remove({`a`: {`b`: 1, `c`: 2}, `e`: [3, 4]}, {`a/b`, `e/0`, `x/y`, ``})":                               `{"a":{"c":2},"e":[4]}`,
		"net.cidr_contains_matches(`10.0.0.0/8`, `10.1.0.0/16`)":                                                     `[["10.0.0.0/8","10.1.0.0/16"]]`,
		"net.cidr_contains_matches([`10.0.0.0/8`, [`11.0.0.0/8`, `x`]], {`a`: `11.0.0.1`, `b`: [`10.0.0.1`, true]})": `[[0,"b"],[1,"a"]]`,
		"net.cidr_contains_matches({[`10.0.0.0/8`, 7]}, [`10.0.0.1`, `12.0.0.1`])":                                   `[[["10.0.0.0/8",7],0]]`,
		"net.cidr_contains_matches([[]], `10.0.0.1`)":                                                                ``,
		"net.cidr_contains_matches(input.n, `10.0.0.1`)":                                                             ``,
		"net.cidr_contains_matches(`x`, `10.0.0.1`)":                                                                 ``,
		"net.cidr_contains_matches([], input.n)":                                                                     `[]`,
	} {
		p := policyFrom(t, "package a\nd := "+rego, `{}`, "a/d")
		if got, fail := ask(p, `{"n": [1]}`, time.Minute); string(got) != want || fail != nil {
			t.Errorf("%s: %s %+v", rego, got, fail)
		}
	}
}

func TestAPatchOfManyOperationsIsWhatOPAMakesOfIt(t *testing.T) {
	p := policyFrom(t, "package a\nd := json.patch(input.d, input.p)", `{}`, "a/d")
	add := func(n int) string { return fmt.Sprintf(`{"op": "add", "path": "/%d", "value": %d}`, n, n) }
	fault := func(n int) string {
		if n == 150 {
			return `{"op": "remove", "path": "/x"}`
		}
		return add(n)
	}
	for want, edits := range map[string]string{
		strings.ReplaceAll(arrayOf(1_000, func(n int) string { return fmt.Sprint(n) }), " ", ""): arrayOf(1_000, add),
		"": arrayOf(1_000, fault),
	} {
		if got, fail := ask(p, `{"d": [], "p": `+edits+`}`, time.Minute); string(got) != want || fail != nil {
			t.Errorf("%.40s: %.40s %+v", want, got, fail)
		}
	}
}
