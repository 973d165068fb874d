package main

import (
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// Bounds of a number, as wide as those of the server's own body reader (extproc/core/decoding/json.py), within which OPA
// computes in microseconds. Beyond them, adding 1 to 1e-400000 takes it minutes, a fraction of a million digits 14 s, and
// it panics when it compares 1e-9999999 or 0e9999999999.
const (
	maxDigits         = 1500 // of the mantissa; the smallest double has 1,074 decimal places
	maxExponentDigits = 3
)

func isDigit(c byte) bool { return c-'0' < 10 }

func (r *reader) digits() bool {
	start := r.pos
	for r.pos < len(r.text) && isDigit(r.text[r.pos]) {
		r.pos++
	}
	return r.pos > start
}

// number keeps the digits as they were written, as OPA does: 10**25+1 stays exact and 1.10 keeps its last zero.
func (r *reader) number() (*ast.Term, error) {
	start := r.pos
	integer, err := r.scanNumber()
	if err != nil {
		return nil, err
	}
	digits := r.text[start:r.pos]
	if integer && len(digits) < 5 && digits != "-0" { // OPA shares the terms of small integers
		small, err := strconv.Atoi(digits)
		return ast.InternedTerm(small), err
	}
	if !integer || len(digits) > 300 { // every integer of up to 300 digits is within the range of a double
		if !isDouble(digits) {
			return nil, r.bad("number out of range")
		}
	}
	return r.term(ast.Number(digits)), nil
}

// isDouble reports whether a number is no greater than a double and not written beyond the bounds.
func isDouble(digits string) bool {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(digits), "e")
	if len(mantissa) > maxDigits || len(strings.Trim(exponent, "+-")) > maxExponentDigits {
		return false
	}
	_, err := strconv.ParseFloat(digits, 64)
	return err == nil
}

// scanNumber steps over a number and reports whether it has neither fraction nor exponent.
func (r *reader) scanNumber() (integer bool, err error) {
	if r.peek() == '-' {
		r.pos++
	}
	if r.peek() == '0' {
		r.pos++
	} else if !r.digits() {
		return false, r.bad("invalid number")
	}
	integer = true
	if r.peek() == '.' {
		r.pos++
		if integer = false; !r.digits() {
			return false, r.bad("invalid number")
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		if integer = false; !r.digits() {
			return false, r.bad("invalid number")
		}
	}
	return integer, nil
}
