package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

func TestTheReaderKeepsWhatOPAWouldRead(t *testing.T) {
	for _, text := range []string{
		`null`, `true`, ` false `, `""`, `[]`, `{}`, `0`, `-0`, `-1`, `511`, `99999`, `1.10`, `1e3`, `1E-7`,
		`10000000000000000000000001`, `"\u0041\n\t\"\\\/\b\f\r"`, `"😀\ud83d\ude00é"`, "\"\u2028\x7f\"",
		`{"a":[1,{"b":null}],"":{"c":"d"}}`, `[[],[[]],{}]`, "\t[\r\n1 , 2 ]\n",
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"m":13}`,
	} {
		got, err := readInput(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want, err := ast.ValueFromReader(strings.NewReader(text))
		if err != nil || got.Compare(want) != 0 || got.String() != want.String() {
			t.Errorf("%s: got %v, OPA reads %v (%v)", text, got, want, err)
		}
	}
}

func TestTheReaderKeepsTheDigitsOfANumber(t *testing.T) {
	for _, text := range []string{`1.10`, `10000000000000000000000001`, `-0`, `1E+2`, `0.1000000000000000055511151231257827`} {
		if got, err := readInput(text); err != nil || got.String() != text {
			t.Errorf("%s became %v (%v)", text, got, err)
		}
	}
}

func TestTheReaderRefusesByNameAndByte(t *testing.T) {
	for text, want := range map[string]string{
		``:                               "input ends too early",
		` `:                              "input ends too early",
		`[`:                              "input ends too early",
		`[1`:                             "input ends too early",
		`{"a":1`:                         "input ends too early",
		`"a`:                             "input ends too early",
		`"\u00`:                          "input ends too early",
		`"\`:                             "invalid escape at byte 3",
		`"\x"`:                           "invalid escape at byte 3",
		`"\u+123"`:                       `invalid \u escape at byte 3`,
		`nul`:                            "invalid literal at byte 0",
		`NaN`:                            "invalid character at byte 0",
		`'a'`:                            "invalid character at byte 0",
		"\ufeff1":                        "invalid character at byte 0",
		`01`:                             "trailing data at byte 1",
		`1 2`:                            "trailing data at byte 2",
		`-`:                              "invalid number at byte 1",
		`1.`:                             "invalid number at byte 2",
		`1e`:                             "invalid number at byte 2",
		`.5`:                             "invalid character at byte 0",
		`1e400`:                          "number out of range at byte 5",
		`1e-4000`:                        "number out of range at byte 7",
		`0e9999`:                         "number out of range at byte 6",
		"0." + strings.Repeat("1", 1500): "number out of range at byte 1502",
		`[1,]`:                           "invalid character at byte 3",
		`[1;2]`:                          "expected a comma or the closing bracket at byte 2",
		`{"a":1,}`:                       "expected a key at byte 7",
		`{a:1}`:                          "expected a key at byte 1",
		`{"a" 1}`:                        "expected a colon at byte 5",
		`{"a":1,"a":1}`:                  "duplicate key in the object that ends at byte 13",
		`{"a":1,"\u0061":1}`:             "duplicate key in the object that ends at byte 18",
		"\"\n\"":                         "control character in a string at byte 1",
		"\"\\n\n\"":                      "control character in a string at byte 4",
		"\"\xff\"":                       "input is not valid UTF-8",
		"\"\xed\xa0\x80\"":               "input is not valid UTF-8",
		`"\ud800"`:                       "lone surrogate at byte 7",
		`"\udc00\ud800"`:                 "lone surrogate at byte 13",
		`"\ud800\ud800"`:                 "lone surrogate at byte 13",
		strings.Repeat("[", 1025):        "nested too deeply at byte 1025",
		strings.Repeat("9", 400):         "number out of range at byte 400",
		`{"a":{"b":1},"b":1,"a":null}`:   "duplicate key in the object that ends at byte 28",
	} {
		if got, err := readInput(text); err == nil || err.Error() != want {
			t.Errorf("%.40q: got %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestADuplicateAmongManyKeysIsRefused(t *testing.T) {
	text := `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"l":12,"a":13}`
	if _, err := readInput(text); err == nil || !strings.HasPrefix(err.Error(), "duplicate key") {
		t.Error(err)
	}
}

// FuzzReader holds the reader against two others: what it accepts, encoding/json accepts, and OPA reads the same value.
func FuzzReader(f *testing.F) {
	for _, seed := range []string{`{"a":[1.5e3,"\ud83d\ude00",null,true,{"b":-0}]}`, `{"a":1,"a":2}`, `"\ud800"`, `1e400`, "[\xff]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readInput(string(data))
		if err != nil {
			if strings.Contains(err.Error(), "invalid") && !strings.Contains(err.Error(), "UTF-8") && json.Valid(data) {
				t.Fatalf("refused as %v, but encoding/json accepts it", err)
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted as %v, but encoding/json refuses it", got)
		}
		want, err := ast.ValueFromReader(strings.NewReader(string(data)))
		if err != nil || got.Compare(want) != 0 {
			t.Fatalf("got %v, OPA reads %v (%v)", got, want, err)
		}
	})
}
