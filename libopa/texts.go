package main

import (
	"regexp/syntax"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	maxWidth  = 1_000_000 // of what a directive of sprintf writes: Go takes no more
	widened   = 4         // a text in directives that quote or spell it, about
	maxIndent = 16        // bytes that nobody counts
	maxGroups = 16 << 20  // of all matches of a regular expression, some 60 bytes each
)

func init() {
	for name, isHuge := range map[string]func([]*ast.Term) bool{
		"json.marshal_with_options": isWide, "regex.find_all_string_submatch_n": areManyGroups, "regex.replace": isLongReplacement,
		"sprintf": isLongFormat,
	} {
		topdown.RegisterBuiltinFunc(name, refusing(topdown.GetBuiltin(name), isHuge))
	}
}

// refusing ends an evaluation that asks for a text of gigabytes, as joined does. The estimates are from above, and far from
// what anybody writes.
func refusing(write topdown.BuiltinFunc, isHuge func([]*ast.Term) bool) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if isHuge(operands) {
			return errHuge
		}
		return write(context, operands, iter)
	}
}

func textAt(operands []*ast.Term, place int) string {
	text, _ := operands[place].Value.(ast.String)
	return string(text)
}

// isLongFormat: any directive may write any argument, by its index, and be as wide as it says.
func isLongFormat(operands []*ast.Term) bool {
	format := textAt(operands, 0)
	directives, width, number := strings.Count(format, "%"), maxWidth*strings.Count(format, "*"), 0
	for i := range len(format) {
		if number = number*10 + int(format[i]-'0'); !isDigit(format[i]) {
			number = 0
		}
		number = min(number, maxWidth)
		if i+1 == len(format) || !isDigit(format[i+1]) {
			width += number
		}
	}
	longest := 0
	if arguments, isArray := operands[1].Value.(*ast.Array); isArray {
		arguments.Foreach(func(argument *ast.Term) {
			if text, isText := argument.Value.(ast.String); isText {
				longest = max(longest, len(text))
				return
			}
			longest = max(longest, bytesOf(argument))
		})
	}
	return width+directives*widened*longest > maxJoined
}

// isLongReplacement: a replacement may write the match any number of times.
func isLongReplacement(operands []*ast.Term) bool {
	written := strings.Count(textAt(operands, 2), "$") * len(textAt(operands, 0))
	return written > maxJoined || areManyGroups([]*ast.Term{operands[1], operands[0]})
}

// areManyGroups: there may be a match wherever the text has room for one, with all groups of the pattern, but for those that
// capture nothing.
func areManyGroups(operands []*ast.Term) bool {
	pattern, length := textAt(operands, 0), len(textAt(operands, 1))
	groups := 1 + strings.Count(pattern, "(") - strings.Count(pattern, "(?:")
	if groups*length <= maxGroups {
		return false
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	return err == nil && groups*(1+length/max(1, shortest(parsed))) > maxGroups // where it is none OPA says why
}

// shortest is the number of bytes that a match has at least.
func shortest(expression *syntax.Regexp) (bytes int) {
	switch expression.Op {
	case syntax.OpLiteral:
		return len(expression.Rune) // another case of a letter may have fewer bytes than itself
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpCharClass:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return shortest(expression.Sub[0])
	case syntax.OpRepeat:
		return expression.Min * shortest(expression.Sub[0])
	case syntax.OpConcat:
		for _, part := range expression.Sub {
			bytes += shortest(part)
		}
	case syntax.OpAlternate:
		bytes = shortest(expression.Sub[0])
		for _, one := range expression.Sub[1:] {
			bytes = min(bytes, shortest(one))
		}
	}
	return bytes
}

// isWide: each part stands in a line of its own, after the prefix and as many times the indent as it is deep, which is no deeper than an input.
func isWide(operands []*ast.Term) bool {
	options, isObject := operands[1].Value.(ast.Object)
	if !isObject {
		return false
	}
	lengthOf := func(name string) int {
		option := options.Get(ast.InternedTerm(name))
		if option == nil {
			return 0
		}
		text, _ := option.Value.(ast.String)
		return len(text)
	}
	before, indent := lengthOf("prefix"), lengthOf("indent")
	if before+indent <= maxIndent {
		return false
	}
	return bytesOf(operands[0])*(before+indent*maxDepth) > maxJoined
}

// bytesOf is what a value has as JSON text, or more than maxJoined.
func bytesOf(value *ast.Term) int {
	whole := &scale{nil, maxJoined}
	whole.holds(value)
	return maxJoined - whole.left
}
