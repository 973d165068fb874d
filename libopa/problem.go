package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// problem is one reason why a policy set cannot be prepared. File, Row and Col are OPA's, counted from 1, and empty where
// a problem has no place.
type problem struct {
	Code    string `json:"code"`
	File    string `json:"file"`
	Row     int    `json:"row"`
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// problemsOf spreads OPA's error lists; an error of another kind becomes one problem with the given code.
func problemsOf(code string, err error) []problem {
	var list ast.Errors
	if !errors.As(err, &list) {
		return []problem{{Code: code, Message: err.Error()}}
	}
	problems := make([]problem, len(list))
	for i, e := range list {
		problems[i] = problem{Code: e.Code, Message: e.Message}
		if at := e.Location; at != nil {
			problems[i].File, problems[i].Row, problems[i].Col = at.File, at.Row, at.Col
		}
	}
	return problems
}

// explainWithheld says of an unknown function that it is known and off, and in which rule it is called.
func explainWithheld(problems []problem, modules map[string]*ast.Module) []problem {
	for i, p := range problems {
		name, undefined := strings.CutPrefix(p.Message, "undefined function ")
		if undefined && slices.Contains(withheld, name) {
			problems[i].Code = "builtin_withheld"
			problems[i].Message = fmt.Sprintf("%s is off, and %s calls it", name, ruleAt(modules[p.File], p.Row))
		}
	}
	return problems
}

// ruleAt names the last rule that begins no later than a row.
func ruleAt(module *ast.Module, row int) string {
	name := "the policy"
	if module != nil {
		for _, rule := range module.Rules {
			if rule.Location != nil && rule.Location.Row <= row {
				name = "rule " + nameOf(rule)
			}
		}
	}
	return name
}

// nameOf is the policy path of a rule, such as data.extproc.request.decision.
func nameOf(rule *ast.Rule) string { return rule.Module.Package.Path.Extend(rule.Head.Ref()).String() }
