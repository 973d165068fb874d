package main

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
)

func init() {
	wrap("json.patch", flat(deepensByPatches))
	wrap("json.filter", flat(deepensByPaths))
	wrap("json.remove", flat(deepensByPaths))
}

// flat refuses to make a value of more than maxNested levels: OPA writes, compares and copies values by recursion. Most
// builtins make nothing that is deeper than what they are given, and those that read texts of JSON and YAML stop at 10,000
// levels by themselves. A patch can double the depth with each of its operations.
func flat(deepens func(*plumb, []*ast.Term) bool) func(topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(change topdown.BuiltinFunc) topdown.BuiltinFunc {
		return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
			if deepens(&plumb{context.Cancel}, operands) {
				return errNested
			}
			return change(context, operands, iter)
		}
	}
}

// deepensByPatches: an operation that adds a value makes nothing deeper than its path and the value together; one that
// copies or moves may put all that there is below its path.
func deepensByPatches(p *plumb, operands []*ast.Term) bool {
	operations, ok := operands[1].Value.(*ast.Array)
	if !ok {
		return false
	}
	deepest, moved := 0, 0
	operations.Foreach(func(operation *ast.Term) {
		patch, ok := operation.Value.(ast.Object)
		if !ok {
			return
		}
		path := p.segments(patch.Get(ast.InternedTerm("path")))
		deepest = max(deepest, path+p.levels(patch.Get(ast.InternedTerm("value"))))
		if from := patch.Get(ast.InternedTerm("from")); from != nil {
			deepest = max(deepest, p.segments(from))
			moved += path
		}
	})
	if moved > 0 {
		deepest = max(deepest, p.levels(operands[0])) + moved
	}
	return deepest > maxNested
}

// deepensByPaths: OPA makes an object of all paths.
func deepensByPaths(p *plumb, operands []*ast.Term) bool {
	deepest := 0
	look := func(path *ast.Term) { deepest = max(deepest, p.segments(path)) }
	switch paths := operands[1].Value.(type) {
	case *ast.Array:
		paths.Foreach(look)
	case ast.Set:
		paths.Foreach(look)
	}
	return deepest > maxNested
}

// plumb measures how deep values are. Where the evaluation is to stop all are too deep: a policy can make a value of thirty
// parts that is a billion when it is walked.
type plumb struct{ cancel topdown.Cancel }

// segments is the number of steps of a path, with the levels of the deepest of them.
func (p *plumb) segments(path *ast.Term) int {
	if path == nil {
		return 0
	}
	switch steps := path.Value.(type) {
	case ast.String:
		return strings.Count(string(steps), "/") + 1
	case *ast.Array:
		return steps.Len() + p.levels(path)
	}
	return 0
}

// levels is the depth of a value: 0 of one that has no parts, and little more than maxNested at most.
func (p *plumb) levels(term *ast.Term) int {
	if term == nil {
		return 0
	}
	return p.below(term, 0)
}

func (p *plumb) below(term *ast.Term, level int) (deepest int) {
	switch {
	case isOver(p.cancel):
		return maxNested + 1
	case level > maxNested:
		return level
	}
	deepest = level
	look := func(part *ast.Term) { deepest = max(deepest, p.below(part, level+1)) }
	switch value := term.Value.(type) {
	case *ast.Array:
		value.Foreach(look)
	case ast.Set:
		value.Foreach(look)
	case ast.Object:
		value.Foreach(func(key, part *ast.Term) {
			look(key)
			look(part)
		})
	}
	return deepest
}
