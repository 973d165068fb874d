package main

import (
	"errors"
	"regexp/syntax"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	entryBytes       = 1024 // of what is next to nothing
	instructionBytes = 128  // of a compiled regular expression, in both of its forms
	runeBytes        = 16   // of a class of characters
)

// maxTemplate bounds one template. OPA keeps a hundred of them for the whole process, and lets nobody say which.
const maxTemplate = 1 << 20

// errTemplate ends the evaluation, as errNested does.
var errTemplate = topdown.Halt{Err: errors.New("a template that is too large once it is compiled")}

func init() {
	const name = "regex.template_match"
	topdown.RegisterBuiltinFunc(name, small(topdown.GetBuiltin(name)))
}

// costOf estimates, from above, what a regular expression takes once it is compiled: x{1000} is a thousand instructions. One
// that does not compile takes nothing.
func costOf(pattern string) int64 {
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return 0
	}
	return entryBytes + 2*int64(len(pattern)) + costOfTree(parsed)
}

func costOfTree(tree *syntax.Regexp) int64 {
	cost := int64(2 * instructionBytes) // a group has two
	switch tree.Op {
	case syntax.OpLiteral:
		cost = instructionBytes * int64(len(tree.Rune))
	case syntax.OpCharClass:
		cost += runeBytes * int64(len(tree.Rune))
	}
	for _, sub := range tree.Sub {
		cost += costOfTree(sub)
	}
	if tree.Op == syntax.OpRepeat {
		cost *= int64(max(tree.Max, tree.Min+1))
	}
	return cost
}

// small refuses a template that takes too much once it is compiled.
func small(match topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		template, isText := operands[0].Value.(ast.String)
		start, startIsText := operands[2].Value.(ast.String)
		end, endIsText := operands[3].Value.(ast.String)
		if isText && startIsText && endIsText && len(start) == 1 && len(end) == 1 {
			if costOfTemplate(string(template), start[0], end[0]) > maxTemplate {
				return errTemplate
			}
		}
		return match(context, operands, iter)
	}
}

// costOfTemplate adds up the regular expressions between delimiters, which may nest, and takes the rest as it is written.
func costOfTemplate(template string, start, end byte) int64 {
	cost, level, from := instructionBytes*int64(len(template)), 0, 0
	for i := range len(template) {
		switch template[i] {
		case start:
			if level++; level == 1 {
				from = i + 1
			}
		case end:
			if level--; level == 0 {
				// OPA compiles a part as a group, and once more between anchors: "?:x{9}" is an expression only there.
				part := template[from:i]
				cost += costOf("("+part+")") + costOf("^"+part+"$")
			}
		}
	}
	return cost
}
