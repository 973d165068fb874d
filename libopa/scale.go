package main

import (
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

const (
	maxPatched = 64 << 20    // bytes of what json.patch makes, as JSON text
	maxShift   = "268435456" // bits: 32 MiB
	maxJoined  = 256 << 20   // bytes
)

// These end the evaluation, as errNested does.
var (
	errHuge    = topdown.Halt{Err: errors.New("a value that is too large")}
	errStopped = topdown.Halt{Err: errors.New("stopped at the deadline")}
)

func init() {
	wrap("bits.lsh", shifted)
	wrap("concat", joined)
	wrap("json.patch", sized)
	wrap("object.filter", keyed)
	wrap("object.remove", keyed)
}

// wrap puts something around a builtin. It gets a context too where OPA would save to make one.
func wrap(name string, around func(topdown.BuiltinFunc) topdown.BuiltinFunc) {
	ast.BuiltinMap[name].CanSkipBctx = false
	topdown.RegisterBuiltinFunc(name, around(topdown.GetBuiltin(name)))
}

// isOver tells that the evaluation is to stop.
func isOver(cancel topdown.Cancel) bool { return cancel != nil && cancel.Cancelled() }

// scale weighs a value: its bytes as JSON text, from below. A part that stands in it many times counts each time, as it does
// to whoever writes or copies the value, though the memory has it once.
type scale struct {
	cancel topdown.Cancel
	left   int
}

// holds is false for what is heavier, and where the evaluation is to stop.
func (s *scale) holds(term *ast.Term) bool {
	s.left -= 2 // itself, and what parts it from the next
	if s.left < 0 || isOver(s.cancel) {
		return false
	}
	refuses := func(part *ast.Term) bool { return !s.holds(part) }
	switch value := term.Value.(type) {
	case ast.String:
		s.left -= len(value)
	case ast.Number:
		s.left -= len(value) - 1 // it has no quotes
	case *ast.Array:
		return !value.Until(refuses)
	case ast.Set:
		return !value.Until(refuses)
	case ast.Object:
		return !value.Until(func(key, part *ast.Term) bool { return refuses(key) || refuses(part) })
	}
	return s.left >= 0
}

// sized refuses what a patch makes if it is huge: each of its operations may copy all there is.
func sized(change topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		return change(context, operands, func(made *ast.Term) error {
			if !(&scale{context.Cancel, maxPatched}).holds(made) {
				return errHuge
			}
			return iter(made)
		})
	}
}

// shifted refuses to make a number of gigabytes: Go ends the process that has no memory for it.
func shifted(shift topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if by, isNumber := operands[1].Value.(ast.Number); isNumber && by.Compare(ast.Number(maxShift)) > 0 {
			return errHuge
		}
		return shift(context, operands, iter)
	}
}

// joined refuses a text for which OPA would ask so much memory at once: a delimiter of a megabyte can stand between a hundred
// thousand parts.
func joined(join topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		parts, size := 0, 0
		add := func(part *ast.Term) {
			text, _ := part.Value.(ast.String)
			parts, size = parts+1, size+len(text)
		}
		switch value := operands[1].Value.(type) {
		case *ast.Array:
			value.Foreach(add)
		case ast.Set:
			value.Foreach(add)
		}
		if delimiter, _ := operands[0].Value.(ast.String); size+parts*len(delimiter) > maxJoined {
			return errHuge
		}
		return join(context, operands, iter)
	}
}

// keyed makes the set of keys that OPA makes of an array, and looks at the deadline meanwhile. Strings have seeded hashes,
// but numbers between two whole ones have one hash, and so have arrays of the same elements in another order.
func keyed(change topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		keys, isArray := operands[1].Value.(*ast.Array)
		if !isArray {
			return change(context, operands, iter)
		}
		set := ast.NewSetWithCapacity(keys.Len())
		stopped := keys.Until(func(key *ast.Term) bool {
			set.Add(key)
			return isOver(context.Cancel)
		})
		if stopped {
			return errStopped
		}
		own := slices.Clone(operands)
		own[1] = ast.NewTerm(set)
		return change(context, own, iter)
	}
}
