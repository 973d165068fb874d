package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func specOf(t *testing.T, rego, data string, entrypoints ...string) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"modules": map[string]string{"p.rego": rego}, "data": json.RawMessage(data), "entrypoints": entrypoints,
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func policyFrom(t *testing.T, rego, data string, entrypoints ...string) *policy {
	t.Helper()
	p, problems := prepare(specOf(t, rego, data, entrypoints...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

// spent is the CPU time of this process: what a test may bound on a machine that does other things as well.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ask evaluates the first entrypoint under the watch.
func ask(p *policy, input string, timeout time.Duration) ([]byte, *failure) {
	a := askWith(p, question{input: input, time: noon}, timeout)
	return a.result, a.fail
}

func askWith(p *policy, q question, timeout time.Duration) answer {
	w := newWatch()
	run := w.begin(time.Now().Add(timeout), func() {})
	defer w.end(run)
	return p.evaluate(q, run)
}

func TestAnEntrypointIsAnswered(t *testing.T) {
	for _, c := range []struct{ name, rego, input, want string }{
		{"object", `d := {"allowed": input.a == 1, "x": {3, 1, 2}}`, `{"a": 1}`, `{"allowed":true,"x":[1,2,3]}`},
		{"null", `d := null`, `{}`, `null`},
		{"undefined", `d if input.a`, `{}`, ``},
		{"big integer", `d := input.n + 1`, `{"n": 10000000000000000000000000}`, `10000000000000000000000001`},
		{"digits", `d := input.n`, `{"n": 1.10}`, `1.10`},
		{"no HTML escapes", `d := input.s`, `{"s": "<&>é"}`, `"<&>é"`},
		{"time", `d := time.format(time.now_ns())`, `{}`, `"2026-01-02T12:00:00Z"`},
		{"data", `d := data.limits.max`, `{}`, `5`},
		{"metadata", "d := rego.metadata.rule().title", `{}`, `"T"`},
		{"a failing builtin is undefined, as in OPA's server", `d := to_number("x")`, `{}`, ``},
	} {
		p := policyFrom(t, "package a\n# METADATA\n# title: T\n"+c.rego, `{"limits": {"max": 5}}`, "a/d")
		if got, fail := ask(p, c.input, time.Minute); fail != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, fail, c.want)
		}
	}
}

func TestAConflictNamesItsPlaceAndNotTheInput(t *testing.T) {
	p := policyFrom(t, "package a\nd := 1 if input.x\nd := 2 if input.y\n", `{}`, "a/d")
	_, fail := ask(p, `{"x": "secret", "y": "secret"}`, time.Minute)
	want := &failure{"evaluation", "eval_conflict_error", "p.rego", 3, "the evaluation failed"}
	if !reflect.DeepEqual(fail, want) {
		t.Errorf("got %+v", fail)
	}
}

func TestBadInputFailsAsInput(t *testing.T) {
	p := policyFrom(t, "package a\nd := true", `{}`, "a/d")
	_, fail := ask(p, `{"x": 1, "x": 2}`, time.Minute)
	want := &failure{Kind: "input", Message: "duplicate key in the object that ends at byte 16"}
	if !reflect.DeepEqual(fail, want) {
		t.Errorf("got %+v", fail)
	}
}

func TestABombEndsAtItsDeadline(t *testing.T) {
	p := policyFrom(t, `package a
d := [1 | some i in numbers.range(1, 30000); some j in numbers.range(1, 30000); i == j]`, `{}`, "a/d")
	start := spent(t)
	_, fail := ask(p, `{}`, 100*time.Millisecond)
	if took := spent(t) - start; fail == nil || fail.Kind != kindDeadline || took > time.Second {
		t.Errorf("%+v after %v", fail, took)
	}
}

func TestADeadlineThatHasPassedIsOne(t *testing.T) {
	p := policyFrom(t, "package a\nd := true", `{}`, "a/d")
	for _, timeout := range []time.Duration{0, -1} {
		if result, fail := ask(p, `{}`, timeout); fail == nil || fail.Kind != kindDeadline {
			t.Errorf("%s %+v", result, fail)
		}
	}
}

func TestThreadsShareAPolicy(t *testing.T) {
	p := policyFrom(t, `package a
d := [regex.match(input.p, "abc"), time.now_ns()]`, `{}`, "a/d")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				if got, fail := ask(p, `{"p": "^a.c$"}`, time.Minute); fail != nil || !strings.HasPrefix(string(got), "[true,") {
					t.Error(string(got), fail)
				}
			}
		})
	}
	group.Wait()
}

func TestAProblemNamesItsPlace(t *testing.T) {
	for _, c := range []struct {
		rego, data, entrypoint string
		want                   problem
	}{
		{"package a\nd := http.send({})", `{}`, "a/d", problem{"builtin_withheld", "p.rego", 2, 6, "http.send is off, and rule data.a.d calls it"}},
		{"package a\nd := opa.runtime()", `{}`, "a/d", problem{"builtin_withheld", "p.rego", 2, 6, "opa.runtime is off, and rule data.a.d calls it"}},
		{"package a\nd := net.lookup_ip_addr(\"x\")", `{}`, "a/d", problem{"builtin_withheld", "p.rego", 2, 6, "net.lookup_ip_addr is off, and rule data.a.d calls it"}},
		{"package a\nd := x", `{}`, "a/d", problem{"rego_unsafe_var_error", "p.rego", 2, 6, "var x is unsafe"}},
		{"package a\nd := true", `{}`, "a/e", problem{Code: "entrypoint", Message: "no policy defines the entrypoint a/e"}},
		{"package a\nd(x) := x", `{}`, "a/d", problem{Code: "entrypoint", Message: "no policy defines the entrypoint a/d"}},
		{"package a\nd := true", `{"a": {"d": 1}}`, "a/d", problem{"rego_compile_error", "p.rego", 1, 1, ""}},
		{"package a\nd := true", `[]`, "a/d", problem{Code: "data"}},
	} {
		_, problems := prepare(specOf(t, c.rego, c.data, c.entrypoint))
		if len(problems) != 1 {
			t.Errorf("%s: %+v", c.rego, problems)
			continue
		}
		if got := problems[0]; c.want.Message == "" {
			if got.Code != c.want.Code {
				t.Errorf("got %+v", got)
			}
		} else if got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}

func TestEveryFileWithASyntaxErrorIsReported(t *testing.T) {
	_, problems := prepare([]byte(`{"modules": {"b.rego": "package b\nd := {", "a.rego": "package a\nd := ["}, "entrypoints": []}`))
	files := map[string]bool{}
	for _, p := range problems {
		files[p.File] = true
	}
	if !reflect.DeepEqual(files, map[string]bool{"a.rego": true, "b.rego": true}) {
		t.Errorf("%+v", problems)
	}
}

func TestAWithheldBuiltinCanBeAllowedByName(t *testing.T) {
	_, problems := prepare([]byte(`{"modules": {"a.rego": "package a\nd := opa.runtime()"}, "entrypoints": ["a/d"], "allow_builtins": ["opa.runtime"]}`))
	if len(problems) > 0 {
		t.Error(problems)
	}
}

func TestAPanicBecomesAFailure(t *testing.T) {
	var fail *failure
	func() {
		defer recoverAs(&fail)
		panic("secret of the input")
	}()
	if want := (&failure{Kind: "internal", Message: "panic (string)"}); !reflect.DeepEqual(fail, want) {
		t.Errorf("%+v", fail)
	}
}

func BenchmarkSimplePolicy(b *testing.B) {
	spec := []byte(`{"modules": {"a.rego": "package a\ndefault d := {\"allowed\": false}\nd := {\"allowed\": true} if input.parsed_body.amount < 1000"}, "entrypoints": ["a/d"]}`)
	p, problems := prepare(spec)
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	input := `{"parsed_body": {"amount": 10, "items": ["` + strings.Repeat("abcdefgh\", \"", 50) + `"]}}`
	b.ReportAllocs()
	for b.Loop() {
		if _, fail := ask(p, input, time.Minute); fail != nil {
			b.Fatal(fail)
		}
	}
}
