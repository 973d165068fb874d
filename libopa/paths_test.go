package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// graph is one of n vertices, each of which leads to those that follow it, at most so many.
func graph(n, edges int) string {
	vertices := []string{}
	for from := range n {
		next := []string{}
		for to := from + 1; to <= min(n, from+edges); to++ {
			next = append(next, fmt.Sprintf(`"%d"`, to))
		}
		vertices = append(vertices, fmt.Sprintf(`"%d": [%s]`, from, strings.Join(next, ", ")))
	}
	return "{" + strings.Join(vertices, ", ") + "}"
}

// complete is a graph in which each vertex leads to all others.
func complete(n int) string {
	vertices := []string{}
	for from := range n {
		next := []string{}
		for to := range n {
			if to != from {
				next = append(next, fmt.Sprintf(`"%d"`, to))
			}
		}
		vertices = append(vertices, fmt.Sprintf(`"%d": [%s]`, from, strings.Join(next, ", ")))
	}
	return "{" + strings.Join(vertices, ", ") + "}"
}

func TestAGraphIsFollowedOnlyAsFarAsItsPathsFitIntoMemory(t *testing.T) {
	p := policyFrom(t, "package a\nd := count(graph.reachable_paths(input, {`0`}))", `{}`, "a/d")
	for _, c := range []struct {
		name, graph, want string
	}{
		{"a tree", `{"0": ["1", "2"], "1": ["3"], "2": []}`, "2"},
		{"a circle", `{"0": ["1"], "1": ["0", "2"], "2": ["1"]}`, "2"},
		{"edges that are none", `{"0": "1"}`, "1"},
		{"many vertices beside one another", strings.Replace(graph(20_000, 0), "[]", `["5"]`, 1), "1"},
		{"a chain", graph(1_000, 1), "1"},
		{"a chain that is too long", graph(2_000, 1), ""},
		{"ways that are too many", graph(18, 18), ""},
		{"ways through the same vertices", complete(5), "64"},
		{"too many ways through the same vertices", complete(9), ""},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		got, fail := ask(p, c.graph, time.Minute)
		runtime.ReadMemStats(&after)
		if string(got) != c.want || (fail == nil) != (c.want != "") || (fail != nil && fail.Kind != kindEvaluation) {
			t.Errorf("%s: %s %+v", c.name, got, fail)
		}
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 128 {
			t.Errorf("%s: %d MiB", c.name, took)
		}
	}
}

func TestAGraphThatIsNoneIsLeftToOPA(t *testing.T) {
	p := policyFrom(t, "package a\nd := graph.reachable_paths(input.graph, input.first)", `{}`, "a/d")
	for _, input := range []string{`{"graph": 1, "first": []}`, `{"graph": {}, "first": 1}`} {
		if got, fail := ask(p, input, time.Minute); got != nil || fail != nil {
			t.Errorf("%s: %s %+v", input, got, fail)
		}
	}
}

func TestWhatIsReachedOverEndlesslyManyWaysIsFoundOnce(t *testing.T) {
	p := policyFrom(t, "package a\nd := graph.reachable(input.graph, input.from)", `{}`, "a/d")
	graph := []string{`"r": ["a0", "b0"]`}
	for n := range 40 {
		for _, side := range "ab" {
			graph = append(graph, fmt.Sprintf(`"%c%d": ["a%d", "b%d"]`, side, n, n+1, n+1))
		}
	}
	layers := "{" + strings.Join(graph, ", ") + "}"
	for name, c := range map[string][3]string{
		"a circle":        {`{"a": ["b"], "b": ["a", "c", "d"], "c": []}`, `["a", "x"]`, `["a","b","c"]`},
		"edges of no use": {`{"a": 1, "b": {"c": "d"}, "c": ["a", 1, null]}`, `["b", "c"]`, `["a","b","c"]`},
		"no edges":        {`{}`, `["a"]`, `[]`},
		"no graph":        {`[]`, `["a"]`, ``},
		"no beginning":    {`{"a": []}`, `"a"`, ``},
	} {
		got, fail := ask(p, `{"graph": `+c[0]+`, "from": `+c[1]+`}`, time.Minute)
		if string(got) != c[2] || fail != nil {
			t.Errorf("%s: %s %+v", name, got, fail)
		}
	}
	got, fail := ask(p, `{"graph": `+layers+`, "from": ["r"]}`, time.Minute)
	if fail != nil || strings.Count(string(got), ",") != 80 {
		t.Errorf("%s %+v", got, fail)
	}
}
