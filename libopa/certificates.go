package main

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	verifyPlain = "crypto.x509.parse_and_verify_certificates"
	verifyWith  = "crypto.x509.parse_and_verify_certificates_with_options"
	parseOnly   = "crypto.x509.parse_certificates"
)

func init() {
	wrap(verifyWith, onTime)
	wrap(verifyPlain, func(topdown.BuiltinFunc) topdown.BuiltinFunc {
		return asParsed(topdown.GetBuiltin(verifyWith), topdown.GetBuiltin(parseOnly))
	})
}

// onTime adds the time of the question to a verification that names none: OPA would take the machine's, and the same
// question would not have the same answer.
func onTime(verify topdown.BuiltinFunc) topdown.BuiltinFunc {
	name := ast.StringTerm("CurrentTime")
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		options, isObject := operands[1].Value.(ast.Object)
		if !isObject || options.Get(name) != nil {
			return verify(context, operands, iter)
		}
		own := options.Copy()
		own.Insert(name, context.Time)
		return verify(context, []*ast.Term{operands[0], ast.NewTerm(own)}, iter)
	}
}

// asParsed verifies without options. What OPA answers then has the certificates as they are parsed, with texts of their URIs.
func asParsed(verify, parse topdown.BuiltinFunc) topdown.BuiltinFunc {
	raw := ast.StringTerm("Raw")
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		certificates := operands[0]
		if _, isText := certificates.Value.(ast.String); !isText {
			return parse(context, operands, iter) // which says so
		}
		verified, err := valueOf(verify, context, certificates, ast.ObjectTerm())
		if err != nil {
			return err
		}
		if !verified.Get(ast.InternedTerm(0)).Equal(ast.InternedTerm(true)) {
			return iter(verified)
		}
		parsed, err := valueOf(parse, context, certificates)
		if err != nil {
			return err
		}
		chain := ast.NewArray()
		verified.Get(ast.InternedTerm(1)).Value.(*ast.Array).Foreach(func(one *ast.Term) {
			parsed.Value.(*ast.Array).Until(func(same *ast.Term) bool {
				found := same.Get(raw).Equal(one.Get(raw))
				if found {
					chain = chain.Append(same)
				}
				return found
			})
		})
		return iter(ast.ArrayTerm(ast.InternedTerm(true), ast.NewTerm(chain)))
	}
}

// valueOf is what a builtin makes of its operands.
func valueOf(call topdown.BuiltinFunc, context topdown.BuiltinContext, operands ...*ast.Term) (value *ast.Term, err error) {
	err = call(context, operands, func(made *ast.Term) error {
		value = made
		return nil
	})
	return value, err
}
