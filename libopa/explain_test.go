package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

const explained = `package a

# METADATA
# title: Large
# labels:
#   team: shop
large if input.n > 10

d := "no" if {
	large
	print("n is", input.n, input.missing)
}

d := "yes" if not large
`

func explaining(t *testing.T, rego string) *policy {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"modules": map[string]string{"p.rego": rego}, "entrypoints": []string{"a/d"}, "explain": true,
	})
	if err != nil {
		t.Fatal(err)
	}
	p, problems := prepare(text)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func TestAnExplainedAnswerHasWhatWasPrintedAndTheRulesThatApplied(t *testing.T) {
	a := askWith(explaining(t, explained), question{input: `{"n": 11}`}, time.Minute)
	want := `{"printed":[{"file":"p.rego","row":11,"text":"n is 11 \u003cundefined\u003e"}],` +
		`"rules":[{"rule":"data.a.large","file":"p.rego","row":7,"title":"Large"},` +
		`{"rule":"data.a.d","file":"p.rego","row":9,"title":""}],"error":"","truncated":false}`
	if string(a.result) != `"no"` || string(a.notes) != want {
		t.Errorf("%s %s", a.result, a.notes)
	}
}

func TestARuleThatDoesNotApplyIsNotNamed(t *testing.T) {
	a := askWith(explaining(t, explained), question{input: `{"n": 1}`}, time.Minute)
	want := `{"printed":[],"rules":[{"rule":"data.a.d","file":"p.rego","row":14,"title":""}],"error":"","truncated":false}`
	if string(a.result) != `"yes"` || string(a.notes) != want {
		t.Errorf("%s %s", a.result, a.notes)
	}
}

func TestOPAsOwnWordsAreInTheNotesAlone(t *testing.T) {
	a := askWith(explaining(t, "package a\nd := 1 if input.x\nd := 2 if input.x"), question{input: `{"x": 1}`}, time.Minute)
	var said notes
	if err := json.Unmarshal(a.notes, &said); err != nil {
		t.Fatal(err)
	}
	want := "p.rego:3: eval_conflict_error: rule data.a.d produced conflicting values:\n  1 at p.rego:2\n  2 at p.rego:3"
	if said.Error != want || a.fail.Message != "the evaluation failed" {
		t.Errorf("%q %+v", said.Error, a.fail)
	}
}

func TestNotesAreBounded(t *testing.T) {
	a := askWith(explaining(t, `package a
d if {
	some i in numbers.range(1, 100000)
	print(sprintf("%100d<<<<", [i]))
	i == 100000
}`), question{input: `{}`}, 30*time.Second)
	var said notes
	if err := json.Unmarshal(a.notes, &said); err != nil || !said.Truncated || len(a.notes) > 256<<10 || len(a.notes) < 150<<10 {
		t.Errorf("%d bytes, truncated: %v, %v", len(a.notes), said.Truncated, err)
	}
	if string(a.result) != "true" {
		t.Errorf("%s %+v", a.result, a.fail)
	}
}

func TestOneHugePrintIsCutAndTheOthersAreKept(t *testing.T) {
	a := askWith(explaining(t, `package a
d if {
	print("before")
	print(concat("", [input.s | some _ in numbers.range(1, 500)]))
	print("after")
}`), question{input: `{"s": "` + strings.Repeat("<é", 1_000) + `"}`}, 30*time.Second)
	var said notes
	if err := json.Unmarshal(a.notes, &said); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("<é", (16<<10)/(len(`\u003c`)+len("é")))
	texts := []string{}
	for _, note := range said.Printed {
		texts = append(texts, note.Text)
	}
	if !reflect.DeepEqual(texts, []string{"before", want, "after"}) || len(said.Rules) != 1 || !said.Truncated {
		t.Errorf("%d notes, %d rules, truncated: %v", len(texts), len(said.Rules), said.Truncated)
	}
}

func TestAPolicyThatDoesNotExplainHasNoNotes(t *testing.T) {
	if a := askWith(policyFrom(t, explained, `{}`, "a/d"), question{input: `{"n": 11}`}, time.Minute); a.notes != nil {
		t.Errorf("%s", a.notes)
	}
}

func TestExplainingDoesNotChangeWhatAPolicySeesOfItself(t *testing.T) {
	rego := "package a\n# METADATA\n# title: T\nd := rego.metadata.chain()"
	plain := askWith(policyFrom(t, rego, `{}`, "a/d"), question{input: `{}`}, time.Minute)
	noted := askWith(explaining(t, rego), question{input: `{}`}, time.Minute)
	if string(plain.result) != string(noted.result) || plain.result == nil {
		t.Errorf("%s, explained %s", plain.result, noted.result)
	}
}
