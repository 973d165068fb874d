package main

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDataIsReplacedWithoutTouchingTheOldPolicy(t *testing.T) {
	old := policyFrom(t, "package a\nd := data.limit", `{"limit": 1}`, "a/d")
	renewed, problems := old.over(`{"limit": 2}`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for want, p := range map[string]*policy{"1": old, "2": renewed} {
		if got, fail := ask(p, `{}`, time.Minute); string(got) != want || fail != nil {
			t.Errorf("%s %+v, want %s", got, fail, want)
		}
	}
}

func TestDataThatCannotBeUsedIsRefused(t *testing.T) {
	p := policyFrom(t, "package a\nd := data.limit", `{}`, "a/d")
	for data, want := range map[string][]problem{
		`{"a": 1, "a": 2}`: {{Code: "data", Message: "duplicate key in the object that ends at byte 16"}},
		`[]`:               {{Code: "data", Message: "the data document is not an object"}},
		``:                 {{Code: "data", Message: "input ends too early"}},
		`{"a": {"d": 1}}`: {{"rego_compile_error", "p.rego", 2, 1,
			"conflicting rule for data path a/d found"}},
	} {
		if _, problems := p.over(data); !reflect.DeepEqual(problems, want) {
			t.Errorf("%s: %+v", data, problems)
		}
	}
}

func TestTimeAndSeedMakeAnAnswerRepeat(t *testing.T) {
	p := policyFrom(t, `package a
d := [rand.intn("x", 1000000000), rand.intn("y", 1000000000), uuid.rfc4122("z"), time.now_ns()]`, `{}`, "a/d")
	answer := func(seed uint64, at time.Time) string {
		a := askWith(p, question{input: `{}`, seed: seed, time: at}, time.Minute)
		return string(a.result)
	}
	first, later := answer(7, noon), answer(7, noon.Add(1))
	if again := answer(7, noon); again != first || first == "" {
		t.Errorf("%s, then %s", first, again)
	}
	if other := answer(8, noon); reflect.DeepEqual(first, other) || first == later {
		t.Errorf("%s, %s and %s", first, other, later)
	}
}

func TestAResultThatIsTooLargeIsAFailure(t *testing.T) {
	p := policyFrom(t, `package a
d := concat("", [input.s | some _ in numbers.range(1, 17)])`, `{}`, "a/d")
	megabyte := make([]byte, 1<<20)
	for i := range megabyte {
		megabyte[i] = 'x'
	}
	_, fail := ask(p, `{"s": "`+string(megabyte)+`"}`, 30*time.Second)
	want := &failure{Kind: kindEvaluation, Code: "result_too_large", Message: "the result is too large"}
	if !reflect.DeepEqual(fail, want) {
		t.Errorf("%+v", fail)
	}
}

func TestABuiltinThatFailsIsAnErrorWhereTheSpecificationSaysSo(t *testing.T) {
	p, problems := prepare([]byte(`{"modules": {"p.rego": "package a\nd := to_number(\"x\")"}, "entrypoints": ["a/d"], "strict_builtin_errors": true}`))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	_, fail := ask(p, `{}`, time.Minute)
	want := &failure{kindEvaluation, "eval_builtin_error", "p.rego", 2, "the evaluation failed"}
	if !reflect.DeepEqual(fail, want) {
		t.Errorf("%+v", fail)
	}
}

func TestASpecificationNeedsItsModulesAndEntrypoints(t *testing.T) {
	want := []problem{{Code: "specification", Message: "modules and entrypoints are required"}}
	for _, spec := range []string{`null`, `{}`, `{"modules": {}}`, `{"entrypoints": []}`} {
		if p, problems := prepare([]byte(spec)); p != nil || !reflect.DeepEqual(problems, want) {
			t.Errorf("%s: %+v", spec, problems)
		}
	}
}

func TestASpecificationHasNoNamesThatNobodyReads(t *testing.T) {
	for _, text := range []string{
		`{"modules": {}, "entrypoints": [], "allow_bultins": []}`,
		`{"modules": {}, "entrypoints": []} {}`,
	} {
		if _, problems := prepare([]byte(text)); len(problems) != 1 || problems[0].Code != "specification" {
			t.Errorf("%s: %+v", text, problems)
		}
	}
}

func TestSourcesAreBounded(t *testing.T) {
	comment := "# " + strings.Repeat("x", maxSources/2)
	text, _ := json.Marshal(map[string]any{
		"modules": map[string]string{"a.rego": "package a\n" + comment, "b.rego": "package b\n" + comment}, "entrypoints": []string{},
	})
	want := []problem{{Code: "specification", Message: "the Rego of the policy set is longer than 8388608 bytes"}}
	if p, problems := prepare(text); p != nil || !reflect.DeepEqual(problems, want) {
		t.Errorf("%+v", problems)
	}
}

func TestOnlyWhatIsOffCanBeAllowed(t *testing.T) {
	_, problems := prepare([]byte(`{"modules": {}, "entrypoints": [], "allow_builtins": ["http.sent"]}`))
	want := []problem{{Code: "specification", Message: "http.sent is no builtin that is off"}}
	if !reflect.DeepEqual(problems, want) {
		t.Errorf("%+v", problems)
	}
}
