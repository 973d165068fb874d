package main

import (
	"errors"
	"regexp"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxNested bounds the levels of a text or a value that a builtin reads by recursion. Go ends the process when a stack has a
// gigabyte, and nothing can recover from that; those readers need some 300,000 levels for it.
const maxNested = 10_000

// errNested ends the evaluation. An error of a builtin would only make it undefined, and a rule that denies by way of it
// would not apply.
var errNested = topdown.Halt{Err: errors.New("a text or a value that may nest too deeply")}

// readers are the builtins that read texts by recursion, each with the number of its operands that are such texts.
var readers = map[string]int{
	"glob.match": 1, "graphql.is_valid": 2, "graphql.parse": 2, "graphql.parse_and_verify": 2, "graphql.parse_query": 1,
	"graphql.parse_schema": 1, "graphql.schema_is_valid": 1,
}

func init() {
	for name, texts := range readers {
		topdown.RegisterBuiltinFunc(name, bounded(topdown.GetBuiltin(name), texts, opened))
	}
	const rego, render = "rego.parse_module", "strings.render_template"
	topdown.RegisterBuiltinFunc(rego, bounded(topdown.GetBuiltin(rego), 2, branches))
	topdown.RegisterBuiltinFunc(render, bounded(topdown.GetBuiltin(render), 1, calls))
}

// bounded refuses a text with more brackets than anybody nests, whether or not they nest. Those in comments and strings
// count too: to leave them out would take a second reader of each grammar, and where the two differ the process ends.
func bounded(read topdown.BuiltinFunc, texts int, levels func(string) int) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		for _, operand := range operands[:texts] {
			text, isText := operand.Value.(ast.String)
			if isText && levels(string(text)) > maxNested {
				return errNested
			}
		}
		return read(context, operands, iter)
	}
}

func opened(text string) int {
	return strings.Count(text, "{") + strings.Count(text, "[") + strings.Count(text, "(")
}

// branches are those of a rule and, twenty times as dear, strings that hold expressions: OPA bounds all else that nests in
// a module by itself.
func branches(text string) int {
	return strings.Count(text, "else") + 20*templates(text)
}

var call = regexp.MustCompile(`\{\{-?\s*(?:block|template)\b`)

// calls makes one template that calls another nest too deeply: it may call itself, a hundred thousand times, out of as many
// conditions as its text has.
func calls(text string) int {
	if call.MatchString(text) {
		return maxNested + 1
	}
	return opened(text)
}
