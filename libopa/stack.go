package main

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxOpened bounds what may be open at once in a text that a builtin reads by recursion. Go ends the process when a stack
// has a gigabyte, and nothing can recover from that; these readers need some 300,000 levels for it.
const maxOpened = 10_000

// errNested ends the evaluation. An error of a builtin would only make it undefined, and a rule that denies by way of it
// would not apply.
var errNested = topdown.Halt{Err: errors.New("a text that may nest too deeply")}

func init() {
	for _, name := range []string{
		"graphql.is_valid", "graphql.parse", "graphql.parse_and_verify", "graphql.parse_query", "graphql.parse_schema",
		"graphql.schema_is_valid", "strings.render_template",
	} {
		topdown.RegisterBuiltinFunc(name, bounded(topdown.GetBuiltin(name)))
	}
}

// bounded refuses a text with more brackets than anybody nests, whether or not they nest. Those in comments and strings
// count too: to leave them out would take a second reader of each grammar, and where the two differ the process ends.
func bounded(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		for _, operand := range operands {
			text, isText := operand.Value.(ast.String)
			if isText && opened(string(text)) > maxOpened {
				return errNested
			}
		}
		return read(context, operands, iter)
	}
}

func opened(text string) int {
	return strings.Count(text, "{") + strings.Count(text, "[") + strings.Count(text, "(")
}
