package main

import (
	"errors"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	maxWays  = 30_000_000 // by which a glob with alternatives may be tried on a text: a second, and some 200 MB
	maxRunes = 1_000_000  // of the classes in a glob for regex.globs_match, which has each of them in a map
)

// errWays ends the evaluation, as errNested does.
var errWays = topdown.Halt{Err: errors.New("a glob that may match in too many ways")}

func init() {
	const match, meet = "glob.match", "regex.globs_match"
	topdown.RegisterBuiltinFunc(match, tried(topdown.GetBuiltin(match)))
	topdown.RegisterBuiltinFunc(meet, classed(topdown.GetBuiltin(meet)))
}

// tried refuses to try a glob that has alternatives in too many ways. Without any, a star forgets those before it; with some,
// all are tried anew, and what was tried stays in memory: "*-*-*-*-{a,b}" on a thousand hyphens is gigabytes.
func tried(match topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		pattern, text := textAt(operands, 0), textAt(operands, 2)
		if strings.Contains(pattern, "{") && ways(pattern, delimitersOf(operands[1].Value), text) > maxWays {
			return errWays
		}
		return match(context, operands, iter)
	}
}

// delimitersOf are OPA's: a dot where the array is empty, and none for null.
func delimitersOf(operand ast.Value) (delimiters string) {
	array, isArray := operand.(*ast.Array)
	if !isArray {
		return ""
	}
	array.Foreach(func(one *ast.Term) {
		text, _ := one.Value.(ast.String)
		delimiters += string(text)
	})
	if array.Len() == 0 {
		return "."
	}
	return delimiters
}

// ways is an estimate from above. Stars between two delimiters choose among each other's places alone.
func ways(pattern, delimiters, text string) float64 {
	isDelimiter := func(char rune) bool { return strings.ContainsRune(delimiters, char) }
	parts, longest := []string{pattern}, len(text)
	if isPlain(pattern) && !strings.Contains(pattern, "**") {
		if parts = outside(pattern, isDelimiter); len(parts) > 1 {
			longest = 0
			for piece := range strings.FieldsFuncSeq(text, isDelimiter) {
				longest = max(longest, len(piece))
			}
		}
	}
	number := float64(len(text) + 1)
	for _, part := range parts {
		choices, stars := choicesOf(part)
		number *= choices
		for star := 1; star < stars && number <= maxWays; star++ {
			number *= float64(longest+star) / float64(star)
		}
	}
	return number
}

// isPlain tells a glob of which the braces are all braces, and pairs.
func isPlain(glob string) bool {
	level := 0
	for i := 0; i < len(glob) && level >= 0; i++ {
		switch glob[i] {
		case '{':
			level++
		case '}':
			level--
		case '[', '\\':
			return false
		}
	}
	return level == 0
}

// outside cuts a plain glob at what stands outside of braces.
func outside(glob string, isCut func(rune) bool) (parts []string) {
	level, from := 0, 0
	for i, char := range glob {
		switch {
		case char == '{':
			level++
		case char == '}':
			level--
		case level == 0 && isCut(char):
			parts, from = append(parts, glob[from:i]), i+utf8.RuneLen(char)
		}
	}
	return append(parts, glob[from:])
}

// choicesOf are the ways to choose among the alternatives of a glob, and the stars that may stand in one of them.
func choicesOf(glob string) (choices float64, stars int) {
	if !isPlain(glob) { // the most that its groups and commas could be
		groups := strings.Count(glob, "{")
		each := 1 + float64(strings.Count(glob, ","))/float64(max(groups, 1))
		return math.Pow(each, float64(groups)), strings.Count(glob, "*") - strings.Count(glob, "**")
	}
	choices = 1
	for level, from, i := 0, 0, 0; i < len(glob); i++ {
		switch char := glob[i]; {
		case char == '{':
			if level++; level == 1 {
				from = i + 1
			}
		case char == '}':
			if level--; level == 0 {
				sum, most := 0.0, 0
				for _, one := range outside(glob[from:i], func(char rune) bool { return char == ',' }) {
					its, itsStars := choicesOf(one)
					sum, most = sum+its, max(most, itsStars)
				}
				choices, stars = choices*sum, stars+most
			}
		case char == '*' && level == 0:
			stars++
			if strings.HasPrefix(glob[i:], "**") { // one star, which no delimiter stops
				i++
			}
		}
	}
	return choices, stars
}

// classed refuses globs of which the classes have too many characters.
func classed(meet topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if runesOf(textAt(operands, 0))+runesOf(textAt(operands, 1)) > maxRunes {
			return errHuge
		}
		return meet(context, operands, iter)
	}
}

// runesOf counts what stands between two characters with a hyphen, be it in a class or not.
func runesOf(glob string) (number int) {
	first, last := rune(0), rune(0)
	for _, char := range glob {
		if last == '-' && char > first {
			number += int(char - first)
		}
		first, last = last, char
	}
	return number
}
