package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zones are names of time zones of this machine.
func zones(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("/usr/share/zoneinfo/Europe/*")
	if err != nil || len(files) < 20 {
		t.Skip("this machine has no time zones")
	}
	names := []string{}
	for _, file := range files {
		if about, err := os.Stat(file); err == nil && about.Mode().IsRegular() {
			names = append(names, "Europe/"+filepath.Base(file))
		}
	}
	return names
}

func TestTheNameOfATimeZoneHoldsOnToNoInput(t *testing.T) {
	p, names := policyFrom(t, "package a\nd := [x | x := time.clock([0, input.zone])]", `{}`, "a/d"), zones(t)
	megabyte := strings.Repeat("x", 1<<20)
	held := grown(t, p, len(names), func(n int) string { return fmt.Sprintf(`{"zone": "%s", "body": "%s"}`, names[n], megabyte) })
	if held > 4<<20 {
		t.Errorf("%d MiB after %d zones", held>>20, len(names))
	}
}

func TestATimeZoneHasOneName(t *testing.T) {
	zones(t)
	p := policyFrom(t, "package a\nd := time.clock([0, input])", `{}`, "a/d")
	for name, want := range map[string]string{"Europe/Berlin": "[1,0,0]", "": "[0,0,0]", "UTC": "[0,0,0]", "Europe/None": ""} {
		if got, fail := ask(p, `"`+name+`"`, time.Minute); string(got) != want || fail != nil {
			t.Errorf("%s: %s %+v", name, got, fail)
		}
	}
	for _, name := range []string{"Europe//Berlin", "./Europe/Berlin", "Europe/./Berlin", "posix/Europe/Berlin", "right/Europe/Berlin"} {
		if got, fail := ask(p, `"`+name+`"`, time.Minute); fail == nil || fail.Kind != kindEvaluation {
			t.Errorf("%s: %s %+v", name, got, fail)
		}
	}
}

func TestTheZoneOfTheProcessChangesNoAnswer(t *testing.T) {
	zones(t)
	const inside = "LIBOPA_TEST_INSIDE"
	if os.Getenv(inside) == "" {
		command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		command.Env = append(os.Environ(), inside+"=1", "TZ=America/New_York")
		if said, err := command.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, said)
		}
		return
	}
	p := policyFrom(t, "package a\nd := [time.clock([0, `Local`]), time.parse_ns(`2006-01-02 MST`, `2026-07-01 EDT`)]", `{}`, "a/d")
	if got, fail := ask(p, `{}`, time.Minute); string(got) != "[[0,0,0],1782864000000000000]" || fail != nil {
		t.Errorf("%s %+v", got, fail)
	}
}
