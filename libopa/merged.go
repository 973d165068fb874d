package main

import (
	"encoding/json"
	"errors"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	gql "github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxMerged bounds the comparisons of a GraphQL query. Its fields are compared by pairs where they stand under one name in
// one place, by whatever fragments they come there, and so is what is below them.
const maxMerged = 2_000_000

// errMerged ends the evaluation, as errNested does.
var errMerged = topdown.Halt{Err: errors.New("a GraphQL query that names the same fields too often")}

func init() {
	for _, name := range []string{"graphql.is_valid", "graphql.parse", "graphql.parse_and_verify"} {
		topdown.RegisterBuiltinFunc(name, mergeable(topdown.GetBuiltin(name)))
	}
}

// mergeable refuses a query of which the validation would take the square of its fields, without a look at the deadline.
func mergeable(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if query := queryOf(operands[0].Value); query != nil {
			m := &merging{fragments: map[string]gql.SelectionSet{}, left: maxMerged}
			for _, fragment := range query.Fragments {
				m.fragments[fragment.Name] = fragment.SelectionSet
			}
			for _, operation := range query.Operations {
				m.compare([]gql.SelectionSet{operation.SelectionSet}, 1)
			}
			for _, fragment := range query.Fragments {
				m.compare([]gql.SelectionSet{fragment.SelectionSet}, 1)
			}
			if m.left < 0 {
				return errMerged
			}
		}
		return read(context, operands, iter)
	}
}

// queryOf is nil for what is none: OPA says why.
func queryOf(operand ast.Value) *gql.QueryDocument {
	switch operand := operand.(type) {
	case ast.String:
		if query, err := parser.ParseQuery(&gql.Source{Input: string(operand)}); err == nil {
			return query
		}
	case ast.Object:
		var query gql.QueryDocument
		value, err := ast.JSON(operand)
		if err != nil {
			return nil
		}
		if text, err := json.Marshal(value); err == nil && json.Unmarshal(text, &query) == nil {
			return &query
		}
	}
	return nil
}

// merging counts down the comparisons that are left. A fragment that holds itself uses them up.
type merging struct {
	fragments map[string]gql.SelectionSet
	left      int
}

// compare takes what comes to stand in one place. All levels above look at a pair once more.
func (m *merging) compare(sets []gql.SelectionSet, level int) {
	below := map[string][]gql.SelectionSet{}
	for _, set := range sets {
		m.gather(set, below, map[string]bool{})
	}
	for _, fields := range below {
		m.left -= level * len(fields) * len(fields)
	}
	for _, fields := range below {
		if m.left >= 0 {
			m.compare(fields, level+1)
		}
	}
}

func (m *merging) gather(set gql.SelectionSet, into map[string][]gql.SelectionSet, spread map[string]bool) {
	for _, selection := range set {
		if m.left--; m.left < 0 {
			return
		}
		switch selection := selection.(type) {
		case *gql.Field:
			into[selection.Alias] = append(into[selection.Alias], selection.SelectionSet)
		case *gql.InlineFragment:
			m.gather(selection.SelectionSet, into, spread)
		case *gql.FragmentSpread:
			if !spread[selection.Name] {
				spread[selection.Name] = true
				m.gather(m.fragments[selection.Name], into, spread)
			}
		}
	}
}
