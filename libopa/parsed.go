package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxParsed bounds the parts of a module that a policy parses, each as often as there are levels above it. OPA writes a part
// as JSON and copies that once more at each of these: three thousand levels are a gigabyte.
const maxParsed = 3_000_000

func init() {
	const name = "rego.parse_module"
	topdown.RegisterBuiltinFunc(name, level(topdown.GetBuiltin(name)))
}

// level refuses a module that nests deeply, be it by brackets, by operators in a row or by `else`.
func level(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		name, nameIsText := operands[0].Value.(ast.String)
		text, isText := operands[1].Value.(ast.String)
		if nameIsText && isText {
			module, err := ast.ParseModule(string(name), string(text))
			if err != nil {
				return err
			}
			if copiesOf(module) > maxParsed {
				return errNested
			}
		}
		return read(context, operands, iter)
	}
}

func copiesOf(module *ast.Module) (copies int) {
	level := 0
	ast.NewBeforeAfterVisitor(
		func(any) bool {
			level++
			copies += level
			return false
		},
		func(any) { level-- },
	).Walk(module)
	return copies
}
