package main

import (
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"
	"go.yaml.in/yaml/v3"
)

const (
	maxUnfolded  = 16 << 20   // bytes that YAML comes to as JSON, each alias written out
	maxKeyPairs  = 50_000_000 // the reader compares each key of an object with all others, at each alias anew
	shortOfPairs = 8 << 10    // bytes of YAML that cannot hold so many
)

// errFolded ends the evaluation, as errNested does.
var errFolded = topdown.Halt{Err: errors.New("a YAML text whose aliases or keys are too many")}

func init() {
	for _, name := range []string{"yaml.is_valid", "yaml.unmarshal"} {
		topdown.RegisterBuiltinFunc(name, unfolded(topdown.GetBuiltin(name)))
	}
}

// unfolded refuses YAML that is huge once its aliases are written out. The reader counts the aliases and not what they stand
// for: a hundred thousand of one long text are gigabytes of JSON, in one call.
func unfolded(read topdown.BuiltinFunc) topdown.BuiltinFunc {
	return func(context topdown.BuiltinContext, operands []*ast.Term, iter func(*ast.Term) error) error {
		if text, isText := operands[0].Value.(ast.String); isText && isFolded(string(text)) {
			return errFolded
		}
		return read(context, operands, iter)
	}
}

func isFolded(text string) bool {
	if len(text) <= shortOfPairs && !strings.Contains(text, "*") {
		return false
	}
	var document yaml.Node
	if yaml.Unmarshal([]byte(text), &document) != nil {
		return false // OPA's reader says why
	}
	whole := unfolding{}.weigh(&document)
	return whole.bytes > maxUnfolded || whole.pairs > maxKeyPairs
}

type weight struct{ bytes, pairs int }

// unfolding holds what each part weighs with all that it stands for. An anchor comes before its aliases, so that it has been
// weighed; one that holds its own alias is an error of the reader.
type unfolding map[*yaml.Node]weight

func (u unfolding) weigh(part *yaml.Node) weight {
	if part.Kind == yaml.AliasNode {
		return u.weigh(part.Alias)
	}
	if known, ok := u[part]; ok {
		return known
	}
	u[part] = weight{}
	sum := weight{bytes: len(part.Value) + len(`"",`)}
	if part.Kind == yaml.MappingNode {
		keys := len(part.Content) / 2
		sum.pairs = keys * keys / 2
	}
	for _, one := range part.Content {
		its := u.weigh(one)
		sum.bytes = min(sum.bytes+its.bytes, maxUnfolded+1) // no sum of them overflows
		sum.pairs = min(sum.pairs+its.pairs, maxKeyPairs+1)
	}
	u[part] = sum
	return sum
}
