package main

/*
#include "libopa.h"
*/
import "C"

import (
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
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
		seen: map[*ast.Rule]struct{}{}, left: C.LIBOPA_MAX_NOTES / 2, // JSON may write it longer
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
	if _, known := n.seen[rule]; known || !n.spend(100) {
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
	n.Rules = append(n.Rules, note)
}

func (n *notes) spend(bytes int) bool {
	n.left -= bytes
	n.Truncated = n.Truncated || n.left < 0
	return n.left >= 0
}

// Print keeps what print() says, OPA's own Hook.
func (n *notes) Print(at print.Context, text string) error {
	if n.spend(len(text) + len(at.Location.File)) {
		n.Printed = append(n.Printed, printNote{at.Location.File, at.Location.Row, text})
	}
	return nil
}

func (n *notes) text(err error) []byte {
	if err != nil {
		n.Error = err.Error()
	}
	text := document(n)
	if len(text) <= C.LIBOPA_MAX_NOTES {
		return text
	}
	return document(&notes{Printed: []printNote{}, Rules: []ruleNote{}, Truncated: true})
}
