package main

import (
	"regexp"
	"strings"

	"github.com/gobwas/glob"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
)

// What one policy set keeps of patterns, GraphQL schemas and keys, in bytes as they are estimated.
const (
	maxPatterns = 16 << 20
	maxSchemas  = 64 << 20
	maxKeys     = 8 << 20
)

// Estimates from above, for each byte of a text; those of regular expressions are in patterns.go.
const (
	globBytes   = 64
	schemaBytes = 768
	keyBytes    = 8
)

func init() {
	for _, name := range []string{
		"graphql.is_valid", "graphql.parse", "graphql.parse_and_verify", "graphql.parse_schema", "graphql.schema_is_valid",
	} {
		topdown.RegisterBuiltinFunc(name, copied(topdown.GetBuiltin(name)))
	}
	topdown.RegisterBuiltinFunc("glob.match", apart(topdown.GetBuiltin("glob.match")))
}

// values is what OPA keeps between evaluations, in the place of its own cache. That one counts entries, and what it keeps
// are slices of the input, each of which holds on to the whole of it. A client could fill the heap with a thousand patterns,
// and nothing would come out again. Here everything is a copy, and bytes are counted.
type values struct {
	patterns, schemas, keys *shelf
	schemaCost              int64 // of what this evaluation may put among the schemas
}

func newValues() *values {
	return &values{patterns: newShelf(maxPatterns), schemas: newShelf(maxSchemas), keys: newShelf(maxKeys)}
}

// bytes is what is kept now, as it is estimated.
func (v *values) bytes() int64 { return v.patterns.bytes() + v.schemas.bytes() + v.keys.bytes() }

// Get, Insert, Delete, GetCache and UpdateConfig are OPA's InterQueryValueCache.
func (v *values) Get(key ast.Value) (any, bool) { return v.patterns.Get(key) }

// Insert keeps a compiled pattern, compiled anew from a copy, for it holds on to its text. What else a builtin would keep
// (a JSON schema) is of unknown size, and is not kept.
func (v *values) Insert(key ast.Value, value any) int {
	id, isText := key.(ast.String)
	switch pattern := value.(type) {
	case *regexp.Regexp:
		if cost := costOf(pattern.String()); isText && v.patterns.takes(cost) {
			copied, err := regexp.Compile(strings.Clone(pattern.String()))
			if err == nil {
				return v.patterns.put(string(id), copied, cost)
			}
		}
	case *glob.Pattern:
		cost := entryBytes + globBytes*int64(len(id))
		if !isText || !v.patterns.takes(cost) {
			return 0
		}
		if copied, err := glob.Compile(strings.Clone(pattern.String()), pattern.Separators()...); err == nil {
			return v.patterns.put(string(id), copied, cost)
		}
	}
	return 0
}

func (v *values) Delete(key ast.Value) { v.patterns.Delete(key) }

// GetCache knows the caches that are worth their copies. What OPA builds for strings.any_prefix_match and its sibling are
// slices of the input that nobody can copy: nil is a cache that is off.
func (v *values) GetCache(name string) cache.InterQueryValueCacheBucket {
	switch name {
	case "graphql":
		return priced{v.schemas, func(ast.String) int64 { return v.schemaCost }}
	case "io_jwt_keys":
		return priced{v.keys, func(text ast.String) int64 { return entryBytes + keyBytes*int64(len(text)) }}
	}
	return nil
}

func (*values) UpdateConfig(*cache.Config) {}

// copied gives a builtin copies of its texts: the schema that it keeps consists of slices of them. One that comes as an
// object is of unknown size, and is not kept. The last operand may be the variable that the result goes to.
func copied(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		kept, ok := context.InterQueryBuiltinValueCache.(*values)
		if !ok {
			return read(context, operands, iter)
		}
		own := *kept
		copies := make([]*ast.Term, len(operands))
		for i, operand := range operands {
			copies[i] = operand
			switch value := operand.Value.(type) {
			case ast.String:
				own.schemaCost += schemaBytes * int64(len(value))
				copies[i] = ast.StringTerm(strings.Clone(string(value)))
			case ast.Object:
				own.schemas = newShelf(0)
			}
		}
		context.InterQueryBuiltinValueCache = &own
		return read(context, copies, iter)
	}
}

// apart keeps the globs with a hyphen among their delimiters away from the others. OPA's name for a glob is its pattern, a
// hyphen and its delimiters, so that "a-" with none and "a" with "-" have one name, and who comes first decides for both.
func apart(match topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		delimiters, isArray := operands[1].Value.(*ast.Array)
		if isArray && delimiters.Until(func(one *ast.Term) bool { return one.Value.Compare(ast.String("-")) == 0 }) {
			context.InterQueryBuiltinValueCache = &values{newShelf(0), newShelf(0), newShelf(0), 0}
		}
		return match(context, operands, iter)
	}
}
