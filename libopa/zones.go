package main

import (
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// errZone ends the evaluation, as errNested does.
var errZone = topdown.Halt{Err: errors.New("a time zone under a name that is not its own")}

func init() {
	time.Local = time.UTC // the zone of the process is no part of a question: "Local" and the letters of a zone would follow it
	for _, name := range []string{
		"time.add_date", "time.clock", "time.date", "time.diff", "time.format", "time.weekday",
	} {
		topdown.RegisterBuiltinFunc(name, zoned(topdown.GetBuiltin(name)))
	}
}

// zoned gives a builtin copies of the names of time zones, and each zone has one name. OPA keeps every zone under every
// name that was asked for, for ever and for the whole process: "Europe//Paris" would be one more, and so would be
// "posix/Europe/Paris", for many systems have all zones a second and a third time.
func zoned(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		copies := slices.Clone(operands)
		for i, operand := range operands {
			moment, isArray := operand.Value.(*ast.Array)
			if !isArray || moment.Len() < 2 {
				continue
			}
			name, isText := moment.Elem(1).Value.(ast.String)
			if !isText || name == "" {
				continue
			}
			if path.Clean(string(name)) != string(name) || isSecond(string(name)) {
				return errZone
			}
			own := moment.Copy()
			own.Set(1, ast.StringTerm(strings.Clone(string(name))))
			copies[i] = ast.NewTerm(own)
		}
		return read(context, copies, iter)
	}
}

// isSecond tells the further names of all zones, and those of the machine's own.
func isSecond(name string) bool {
	return strings.HasPrefix(name, "posix/") || strings.HasPrefix(name, "right/") || name == "localtime" || name == "posixrules"
}
