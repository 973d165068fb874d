package main

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// str reads the string that starts at the current quote; one without escapes is a slice of the text, not a copy.
func (r *reader) str() (string, error) {
	r.pos++
	for start := r.pos; r.pos < len(r.text); r.pos++ {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return r.text[start : r.pos-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.bad("control character in a string")
		}
	}
	return "", errEnd
}

// escaped reads the rest of a string from its first backslash on.
func (r *reader) escaped(start int) (string, error) {
	out := append(make([]byte, 0, r.pos-start+32), r.text[start:r.pos]...)
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		switch {
		case c == '"':
			return string(out), nil
		case c < 0x20:
			return "", r.bad("control character in a string")
		case c != '\\':
			out = append(out, c)
		default:
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", errEnd
}

// shortEscapes maps the letter after a backslash to its byte (RFC 8259 section 7).
var shortEscapes = [256]byte{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (r *reader) escape(out []byte) ([]byte, error) {
	letter := r.peek()
	r.pos++
	if letter != 'u' {
		if b := shortEscapes[letter]; b != 0 {
			return append(out, b), nil
		}
		return nil, r.bad("invalid escape")
	}
	char, err := r.hex()
	if err != nil || !utf16.IsSurrogate(char) {
		return utf8.AppendRune(out, char), err
	}
	if len(r.text)-r.pos < 6 || r.text[r.pos:r.pos+2] != `\u` {
		return nil, r.bad("lone surrogate")
	}
	r.pos += 2
	low, err := r.hex()
	if err != nil {
		return nil, err
	}
	pair := utf16.DecodeRune(char, low)
	if pair == utf8.RuneError { // no pair decodes to U+FFFD: they start at U+10000
		return nil, r.bad("lone surrogate")
	}
	return utf8.AppendRune(out, pair), nil
}

func (r *reader) hex() (rune, error) {
	if len(r.text)-r.pos < 4 {
		return 0, errEnd
	}
	digits := r.text[r.pos : r.pos+4]
	for i := range digits {
		if c := digits[i] | 0x20; !isDigit(digits[i]) && (c < 'a' || c > 'f') {
			return 0, r.bad("invalid \\u escape")
		}
	}
	r.pos += 4
	code, err := strconv.ParseUint(digits, 16, 16)
	return rune(code), err
}
