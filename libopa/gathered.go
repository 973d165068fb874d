package main

import (
	"fmt"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

func init() {
	wrap("json.filter", planted)
	wrap("json.patch", rehearsed)
	wrap("json.remove", planted)
	wrap("net.cidr_contains_matches", matched)
}

// planted makes of paths the tree that OPA makes of them, and looks at the deadline meanwhile: paths of numbers between two
// whole ones have one hash, and to name a path again takes as long as there are others. OPA then needs no more than that.
func planted(change topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		tree, stopped := ast.NewObject(), false
		plant := func(path *ast.Term) {
			if stopped = stopped || isOver(context.Cancel); !stopped {
				addPath(tree, path)
			}
		}
		eachVertex(operands[1], plant)
		if stopped {
			return errStopped
		}
		return change(context, operands, iter)
	}
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func addPath(tree ast.Object, path *ast.Term) {
	var steps []*ast.Term
	switch path := path.Value.(type) {
	case ast.String:
		for step := range strings.SplitSeq(strings.TrimLeft(string(path), "/"), "/") {
			steps = append(steps, ast.StringTerm(unescape.Replace(step)))
		}
	case *ast.Array:
		path.Foreach(func(step *ast.Term) { steps = append(steps, step) })
	}
	for i, step := range steps {
		child := tree.Get(step)
		switch {
		case i == len(steps)-1:
			tree.Insert(step, ast.InternedNullTerm)
			return
		case child == nil:
			child = ast.ObjectTerm()
			tree.Insert(step, child)
		}
		below, isObject := child.Value.(ast.Object)
		if !isObject { // a shorter path ended here
			return
		}
		tree = below
	}
}

// matched stands in for OPA's, and looks at the deadline between two comparisons. What it finds are pairs of numbers, whose
// hashes are their sums: where two networks hold the same ten thousand addresses, each pair meets ten thousand others.
func matched(topdown.BuiltinFunc) topdown.BuiltinFunc {
	contains := topdown.GetBuiltin("net.cidr_contains")
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		found := ast.NewSet()
		err := eachCIDR(1, operands[0].Value, func(network, key *ast.Term) error {
			return eachCIDR(2, operands[1].Value, func(address, other *ast.Term) error {
				if isOver(context.Cancel) {
					return errStopped
				}
				holds, err := valueOf(contains, context, network, address)
				if err == nil && ast.Boolean(true).Equal(holds.Value) {
					found.Add(ast.ArrayTerm(key, other))
				}
				return err
			})
		})
		if err != nil {
			return err
		}
		return iter(ast.NewTerm(found))
	}
}

// fewEdits are operations of a patch that are not worth a look at the deadline.
const fewEdits = 100

// rehearsed makes a patch of many operations by a few at a time first, and looks at the deadline meanwhile: one may take as
// long as the longest array or object is. OPA then makes it as a whole, for an answer that is its own.
func rehearsed(change topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		edits, isArray := operands[1].Value.(*ast.Array)
		made := operands[0]
		for from := 0; isArray && from+fewEdits < edits.Len(); from += fewEdits {
			if isOver(context.Cancel) {
				return errStopped
			}
			var err error
			few := ast.NewTerm(edits.Slice(from, from+fewEdits))
			made, err = valueOf(change, context, made, few)
			switch {
			case err != nil:
				return err // and so it would be of the whole
			case made == nil: // nothing is left, which OPA might still add to
				return errHuge
			}
		}
		return change(context, operands, iter)
	}
}

// eachCIDR calls with a CIDR and what OPA names it by: itself, its index, or its key.
func eachCIDR(number int, operand ast.Value, call func(cidr, key *ast.Term) error) error {
	named := func(element, key *ast.Term) error {
		switch value := element.Value.(type) {
		case ast.String:
			return call(element, key)
		case *ast.Array:
			if value.Len() > 0 {
				return call(value.Elem(0), key)
			}
		}
		return fmt.Errorf("operand %d: element must be string or non-empty array", number)
	}
	switch operand := operand.(type) {
	case ast.String:
		whole := ast.NewTerm(operand)
		return call(whole, whole)
	case *ast.Array:
		index := -1
		return operand.Iter(func(element *ast.Term) error {
			index++
			return named(element, ast.InternedTerm(index))
		})
	case ast.Set:
		return operand.Iter(func(element *ast.Term) error { return named(element, element) })
	case ast.Object:
		return operand.Iter(func(key, element *ast.Term) error { return named(element, key) })
	}
	return nil
}
