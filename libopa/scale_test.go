package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestAResultThatHoldsItsPartsABillionTimesIsTooLarge(t *testing.T) {
	doublings := "a0 := [input]\n"
	for n := range 60 {
		doublings += fmt.Sprintf("a%d := [a%d, a%d]\n", n+1, n, n)
	}
	p := policyFrom(t, "package a\n"+doublings+"d := a60", `{}`, "a/d")
	if _, fail := ask(p, `"x"`, time.Minute); fail == nil || *fail != *tooLarge {
		t.Errorf("%+v", fail)
	}
}

func TestAPatchThatCopiesItsDocumentAgainAndAgainEndsTheEvaluation(t *testing.T) {
	p := policyFrom(t, "package a\nd := count(json.patch(input.document, input.patch))", `{}`, "a/d")
	for copies, want := range map[int]string{12: "13", 40: ""} {
		patch := []string{}
		for n := range copies {
			patch = append(patch, fmt.Sprintf(`{"op": "copy", "from": "", "path": "/k%d"}`, n))
		}
		input := `{"document": {"a": "x"}, "patch": [` + strings.Join(patch, ", ") + `]}`
		got, fail := ask(p, input, time.Minute)
		if string(got) != want || (fail == nil) != (want != "") || fail != nil && fail.Kind != kindEvaluation {
			t.Errorf("%d: %s %+v", copies, got, fail)
		}
	}
}

func TestANumberIsNotShiftedToGigabytes(t *testing.T) {
	p := policyFrom(t, "package a\nd := count(sprintf(`%d`, [bits.lsh(1, input)]))", `{}`, "a/d")
	if got, fail := ask(p, `64`, time.Minute); string(got) != "20" || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
	for _, by := range []string{"268435457", "10000000000000", "1e18"} {
		if _, fail := ask(p, by, time.Minute); fail == nil || fail.Kind != kindEvaluation {
			t.Errorf("%s: %+v", by, fail)
		}
	}
}

func TestPartsAreNotJoinedToGigabytes(t *testing.T) {
	p := policyFrom(t, "package a\nd := count(concat(input.d, input.parts))", `{}`, "a/d")
	for parts, want := range map[int]string{3: "2097155", 1_000: ""} {
		input := `{"d": "` + strings.Repeat("x", 1<<20) + `", "parts": ["y"` + strings.Repeat(`, "y"`, parts-1) + `]}`
		got, fail := ask(p, input, time.Minute)
		if string(got) != want || (fail == nil) != (want != "") {
			t.Errorf("%d: %s %+v", parts, got, fail)
		}
	}
}

func TestKeysOfOneHashAreGatheredNoLongerThanTheDeadline(t *testing.T) {
	numbers := make([]string, 50_000)
	for n := range numbers {
		numbers[n] = fmt.Sprintf("0.1%06d", n)
	}
	many := "[" + strings.Join(numbers, ",") + "]"
	for _, name := range []string{"object.remove", "object.filter"} {
		p := policyFrom(t, "package a\nd := "+name+"({`a`: 1, `b`: 2}, input)", `{}`, "a/d")
		if _, fail := ask(p, `["a"]`, time.Minute); fail != nil {
			t.Errorf("%s: %+v", name, fail)
		}
		w := newWatch()
		run := w.begin(time.Now().Add(50*time.Millisecond), func() {})
		a := p.evaluate(question{input: many, time: noon}, run)
		if w.end(run) && (a.fail == nil || a.fail.Kind != kindDeadline) {
			t.Errorf("%s: %s %+v", name, a.result, a.fail)
		}
	}
}

// A hash that is known outside lets a client choose names that all have the same.
func TestTheHashesOfTextsAreOfThisProcessAlone(t *testing.T) {
	const known = 0xef46db3751d8e999 // of the empty text, xxHash's specification
	if hash := uint64(ast.String("").Hash()); hash == known {
		t.Errorf("%x", hash)
	}
}
