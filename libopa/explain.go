package main

/*
#include "libopa.h"
*/
import "C"

import (
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
)

// What one text of a note may take, and what the keys of a note do, in bytes of JSON.
const (
	maxText  = 16 << 10
	noteKeys = 64
)

// ruleNote is a rule that applied. Its title is that of its annotation.
type ruleNote struct {
	Rule  string `json:"rule"`
	File  string `json:"file"`
	Row   int    `json:"row"`
	Title string `json:"title"`
}

type printNote struct {
	File string `json:"file"`
	Row  int    `json:"row"`
	Text string `json:"text"`
}

// notes is what one evaluation says of itself. It may quote the input, and is made only where the caller asked for it.
type notes struct {
	Printed   []printNote `json:"printed"`
	Rules     []ruleNote  `json:"rules"`
	Error     string      `json:"error"`
	Truncated bool        `json:"truncated"`

	annotations *ast.AnnotationSet
	seen        map[*ast.Rule]struct{}
	left        int // bytes
}

func newNotes(annotations *ast.AnnotationSet) *notes {
	return &notes{
		Printed: []printNote{}, Rules: []ruleNote{}, annotations: annotations,
		seen: map[*ast.Rule]struct{}{}, left: C.LIBOPA_MAX_NOTES - maxText - noteKeys, // less the error
	}
}

// options are what makes OPA write into the notes. OPA's own tracker of evaluated rules is cheaper, but tells only the
// labels of their annotations: rules without any would need some, which rego.metadata would show to the policy.
func (n *notes) options() []rego.EvalOption {
	return []rego.EvalOption{rego.EvalPrintHook(n), rego.EvalQueryTracer(n)}
}

// Enabled, Config and TraceEvent are OPA's QueryTracer.
func (*notes) Enabled() bool { return true }

func (*notes) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent keeps the rules that are left by their end: they applied.
func (n *notes) TraceEvent(event topdown.Event) {
	rule, ok := event.Node.(*ast.Rule)
	if !ok || event.Op != topdown.ExitOp {
		return
	}
	if _, known := n.seen[rule]; known {
		return
	}
	n.seen[rule] = struct{}{}
	note := ruleNote{Rule: nameOf(rule)}
	if at := rule.Location; at != nil {
		note.File, note.Row = at.File, at.Row
	}
	for _, annotation := range n.annotations.GetRuleScope(rule) {
		note.Title = annotation.Title
	}
	if n.spend(&note.Rule, &note.File, &note.Title) {
		n.Rules = append(n.Rules, note)
	}
}

// spend cuts each text of a note to maxText, and reports whether there is room left for it.
func (n *notes) spend(texts ...*string) bool {
	bytes := noteKeys
	for _, text := range texts {
		bytes += n.cut(text)
	}
	if bytes > n.left {
		n.Truncated = true
		return false
	}
	n.left -= bytes
	return true
}

// cut is the length of a text in JSON, once it is no longer than maxText there.
func (n *notes) cut(text *string) int {
	length := 0
	for i, char := range *text {
		bytes := utf8.RuneLen(char)
		if char < 0x20 || char == '"' || char == '\\' || char == '<' || char == '>' || char == '&' || char == 0x2028 ||
			char == 0x2029 || char == utf8.RuneError {
			bytes = len(`\u0000`)
		}
		if length+bytes > maxText {
			*text, n.Truncated = (*text)[:i], true
			break
		}
		length += bytes
	}
	return length
}

// Print keeps what print() says, OPA's own Hook.
func (n *notes) Print(at print.Context, text string) error {
	note := printNote{at.Location.File, at.Location.Row, text}
	if n.spend(&note.File, &note.Text) {
		n.Printed = append(n.Printed, note)
	}
	return nil
}

func (n *notes) text(err error) []byte {
	if err != nil {
		n.Error = err.Error()
		n.cut(&n.Error)
	}
	return document(n)
}
