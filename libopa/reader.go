package main

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDepth bounds the nesting of an input: the reader recurses, and a Go stack that overflows ends the process. The
// server's own limit on bodies is lower (64 by default).
const maxDepth = 1024

// smallObject is the number of keys up to which comparing each pair beats building a map.
const smallObject = 12

var errEnd = errors.New("input ends too early")

// reader turns one JSON text into the values that OPA evaluates, without OPA's detour through Go maps. It accepts
// RFC 8259 restricted as I-JSON (RFC 7493): valid UTF-8, no lone surrogate, no duplicate key, numbers within the range of
// a double (their digits are kept). Its errors name a byte offset and never quote the input.
type reader struct {
	text  string
	pos   int
	depth int

	// What is open, innermost last: one growing slice, not one for each value.
	pairs    [][2]*ast.Term // members of objects
	elements []*ast.Term    // of arrays
	terms    []ast.Term     // a block of terms that are not used yet
}

// block is the number of terms that are allocated at once, which saves a fifth of the time.
const block = 32

func (r *reader) term(value ast.Value) *ast.Term {
	if len(r.terms) == 0 {
		r.terms = make([]ast.Term, block)
	}
	term := &r.terms[0]
	r.terms = r.terms[1:]
	term.Value = value
	return term
}

// readInput reads the whole of text as one JSON value.
func readInput(text string) (ast.Value, error) {
	if !utf8.ValidString(text) {
		return nil, errors.New("input is not valid UTF-8")
	}
	r := reader{text: text}
	r.space()
	term, err := r.value()
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos != len(r.text) {
		return nil, r.bad("trailing data")
	}
	return term.Value, nil
}

func (r *reader) bad(what string) error { return fmt.Errorf("%s at byte %d", what, r.pos) }

// peek returns the next byte, or 0 at the end; a literal NUL is never valid where it is called.
func (r *reader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}

func (r *reader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\n', '\t', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *reader) value() (*ast.Term, error) {
	switch c := r.peek(); {
	case c == '"':
		s, err := r.str()
		return r.term(ast.String(s)), err
	case c == '{':
		return r.object()
	case c == '[':
		return r.array()
	case c == 't':
		return r.literal("true", ast.InternedTerm(true))
	case c == 'f':
		return r.literal("false", ast.InternedTerm(false))
	case c == 'n':
		return r.literal("null", ast.InternedNullTerm)
	case c == '-' || isDigit(c):
		return r.number()
	case r.pos >= len(r.text):
		return nil, errEnd
	default:
		return nil, r.bad("invalid character")
	}
}

func (r *reader) literal(word string, term *ast.Term) (*ast.Term, error) {
	if len(r.text)-r.pos < len(word) || r.text[r.pos:r.pos+len(word)] != word {
		return nil, r.bad("invalid literal")
	}
	r.pos += len(word)
	return term, nil
}

// open enters an array or object and reports whether it closes at once.
func (r *reader) open(closing byte) (bool, error) {
	r.pos++
	if r.depth++; r.depth > maxDepth {
		return false, r.bad("nested too deeply")
	}
	r.space()
	if r.peek() != closing {
		return false, nil
	}
	r.pos++
	r.depth--
	return true, nil
}

// next steps over the comma before a further element, or over the closing bracket, and reports whether it was the latter.
func (r *reader) next(closing byte) (bool, error) {
	r.space()
	switch c := r.peek(); {
	case c == ',':
		r.pos++
		r.space()
		return false, nil
	case c == closing:
		r.pos++
		r.depth--
		return true, nil
	case r.pos >= len(r.text):
		return false, errEnd
	default:
		return false, r.bad("expected a comma or the closing bracket")
	}
}

func (r *reader) array() (*ast.Term, error) {
	closed, err := r.open(']')
	outer := len(r.elements)
	for !closed && err == nil {
		var element *ast.Term
		if element, err = r.value(); err != nil {
			return nil, err
		}
		r.elements = append(r.elements, element)
		closed, err = r.next(']')
	}
	elements := slices.Clone(r.elements[outer:]) // the array keeps it
	r.elements = r.elements[:outer]
	return r.term(ast.NewArray(elements...)), err
}

func (r *reader) object() (*ast.Term, error) {
	closed, err := r.open('}')
	outer := len(r.pairs)
	for !closed && err == nil {
		var pair [2]*ast.Term
		if pair, err = r.pair(); err != nil {
			return nil, err
		}
		r.pairs = append(r.pairs, pair)
		closed, err = r.next('}')
	}
	if err == nil && repeats(r.pairs[outer:]) {
		err = r.bad("duplicate key in the object that ends")
	}
	object := ast.NewObject(r.pairs[outer:]...) // a copy
	r.pairs = r.pairs[:outer]
	return r.term(object), err
}

func (r *reader) pair() (pair [2]*ast.Term, err error) {
	if r.peek() != '"' {
		return pair, r.bad("expected a key")
	}
	key, err := r.str()
	if err != nil {
		return pair, err
	}
	r.space()
	if r.peek() != ':' {
		return pair, r.bad("expected a colon")
	}
	r.pos++
	r.space()
	pair[0] = r.term(ast.String(key))
	pair[1], err = r.value()
	return pair, err
}

func repeats(pairs [][2]*ast.Term) bool {
	key := func(i int) ast.String { return pairs[i][0].Value.(ast.String) }
	if len(pairs) > smallObject {
		seen := make(map[ast.String]struct{}, len(pairs))
		for i := range pairs {
			seen[key(i)] = struct{}{}
		}
		return len(seen) != len(pairs)
	}
	for i := range pairs {
		for j := range i {
			if key(i) == key(j) {
				return true
			}
		}
	}
	return false
}
