package main

/*
#include "libopa.h"
*/
import "C"

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxSources bounds the Rego of a policy set: what OPA makes of it takes some hundred times as much.
const maxSources = C.LIBOPA_MAX_SOURCES

// making is how all policy sets of the process are compiled. OPA has no way to stop a compilation, so one that takes too
// long is given up: it goes on by itself, and what it makes is dropped.
var making = newMaker(time.Minute, 2)

// maker compiles no more than so many policy sets at a time, for each of them may be given up.
type maker struct {
	limit  time.Duration
	places chan struct{} // one is taken by each compilation, until it ends, given up or not
	lost   atomic.Int64  // that were given up and still go on
}

func newMaker(limit time.Duration, places int) *maker {
	return &maker{limit: limit, places: make(chan struct{}, places)}
}

type outcome struct {
	made     *policy
	problems []problem
}

var stillMaking = []problem{{Code: kindDeadline, Message: "policy sets that took too long are still being compiled"}}

// within makes a policy, in time or not at all. It may wait for a place as long as it may take to compile then.
func (m *maker) within(from func() (*policy, []problem)) (*policy, []problem) {
	if m.lost.Load() == int64(cap(m.places)) {
		return nil, stillMaking
	}
	alarm := time.NewTimer(m.limit)
	defer alarm.Stop()
	select {
	case m.places <- struct{}{}:
	case <-alarm.C:
		return nil, stillMaking
	}
	done := begun(from)
	alarm.Reset(m.limit)
	select {
	case o := <-done:
		<-m.places
		return o.made, o.problems
	case <-alarm.C:
		m.lost.Add(1)
		go func() {
			<-done
			m.lost.Add(-1)
			<-m.places
		}()
		return nil, []problem{{Code: kindDeadline, Message: fmt.Sprintf("the policy set is not compiled after %v", m.limit)}}
	}
}

// begun makes a policy beside its caller. The channel has room, so that nobody need wait for it.
func begun(from func() (*policy, []problem)) <-chan outcome {
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		o.problems = safely(func() (problems []problem) {
			o.made, problems = from()
			return problems
		})
		done <- o
	}()
	return done
}

// Strings that hold expressions, in one file and within one another. OPA's parser takes the square of their number in memory
// if they nest, and its compiler twice the time for each level.
const (
	maxTemplates      = 1_000
	maxTemplateLevels = 8
)

const codeLimit = "limit_exceeded"

func parse(file, text string, options ast.ParserOptions) (*ast.Module, error) {
	if templates(text) > maxTemplates {
		whole := ast.NewLocation(nil, file, 1, 1)
		return nil, ast.Errors{ast.NewError(codeLimit, whole, "more than %d template strings", maxTemplates)}
	}
	module, err := ast.ParseModuleWithOpts(file, text, options)
	if err == nil && templateLevels(module) > maxTemplateLevels {
		whole := module.Package.Location
		return nil, ast.Errors{ast.NewError(codeLimit, whole, "template strings in more than %d levels", maxTemplateLevels)}
	}
	return module, err
}

// templates is no less than the number of template strings in a text.
func templates(text string) int { return strings.Count(text, "$\"") + strings.Count(text, "$`") }

func templateLevels(in any) (levels int) {
	ast.NewGenericVisitor(func(part any) bool {
		template, is := part.(*ast.TemplateString)
		if !is {
			return false
		}
		for _, part := range template.Parts {
			levels = max(levels, 1+templateLevels(part))
		}
		return true
	}).Walk(in)
	return levels
}
