package main

import (
	"errors"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// maxSteps bounds the paths that graph.reachable_paths goes, by the sum of their lengths at each of their vertices: it
// copies a path and the set of its vertices there, some 80 bytes for each of them. A chain of n vertices has n²/2 steps, and
// where each vertex leads to all that follow there are 2^n paths.
const maxSteps = 1_000_000

// maxCompared bounds the comparisons of paths in the set that OPA puts them into. The hash of an array is the sum of those
// of its elements, so all ways through the same vertices have one, and each is compared with all before it.
const maxCompared = 10_000_000

// errPaths ends the evaluation, as errNested does.
var errPaths = topdown.Halt{Err: errors.New("a graph whose paths are too many or too long")}

func init() {
	wrap("graph.reachable_paths", short)
	wrap("graph.reachable", reached)
}

// reached stands in for OPA's search, which puts a vertex into its queue once for each way to it: thirty layers of two
// vertices are gigabytes. What comes out is the same.
func reached(reach topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		graph, isObject := operands[0].Value.(ast.Object)
		_, isArray := operands[1].Value.(*ast.Array)
		_, isSet := operands[1].Value.(ast.Set)
		if !isObject || !isArray && !isSet {
			return reach(context, operands, iter) // which says so
		}
		found, queue := ast.NewSet(), []*ast.Term{}
		push := func(vertex *ast.Term) { queue = append(queue, vertex) }
		for eachVertex(operands[1], push); len(queue) > 0; queue = queue[1:] {
			if isOver(context.Cancel) {
				return errStopped
			}
			if edges := graph.Get(queue[0]); edges != nil && !found.Contains(queue[0]) {
				found.Add(queue[0])
				eachVertex(edges, push)
			}
		}
		return iter(ast.NewTerm(found))
	}
}

// short refuses a graph whose paths take more than maxSteps or maxCompared. OPA follows them without a look at the deadline.
func short(reach topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if graph, ok := operands[0].Value.(ast.Object); ok {
			w := &wanderer{graph, context.Cancel, maxSteps, maxCompared, map[int]int{}}
			eachVertex(operands[1], func(first *ast.Term) {
				eachVertex(graph.Get(first), func(next *ast.Term) { w.enter(next, []*ast.Term{first}, first.Hash()) })
			})
			if w.isOver() {
				return errPaths
			}
		}
		return reach(context, operands, iter)
	}
}

// wanderer goes the paths that OPA goes, and keeps none of them.
type wanderer struct {
	graph            ast.Object
	cancel           topdown.Cancel
	left, uncompared int
	kept             map[int]int // paths by their hashes
}

// isOver also tells that the evaluation is to stop: a name as long as the body is read at each step.
func (w *wanderer) isOver() bool {
	return w.left < 0 || w.uncompared < 0 || isOver(w.cancel)
}

func (w *wanderer) enter(vertex *ast.Term, path []*ast.Term, hash int) {
	w.left -= len(path) + 1
	edges := w.graph.Get(vertex)
	path, hash = append(path, vertex), hash+vertex.Hash()
	ends := true
	eachVertex(edges, func(next *ast.Term) {
		ends = false
		switch {
		case w.isOver():
		case slices.ContainsFunc(path, next.Equal): // a circle; OPA keeps the path that led to it
			w.left -= len(path)
			w.keep(hash)
		default:
			w.enter(next, path, hash)
		}
	})
	if ends {
		w.keep(hash)
	}
}

func (w *wanderer) keep(hash int) {
	w.uncompared -= w.kept[hash]
	w.kept[hash]++
}

func eachVertex(vertices *ast.Term, look func(*ast.Term)) {
	if vertices == nil {
		return
	}
	switch value := vertices.Value.(type) {
	case *ast.Array:
		value.Foreach(look)
	case ast.Set:
		value.Foreach(look)
	}
}
