package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// withheld are the builtins that reach out of the process or into its environment, and those that can end it: the schema
// builtins read files that a $ref names, and follow one that names itself until the stack is full; a template is a program,
// and one that counts to a billion fills the memory, with nothing to stop it. A policy that calls one of them does not
// compile, unless the specification allows that one by name.
var withheld = []string{
	"http.send", "json.match_schema", "json.verify_schema", "net.lookup_ip_addr", "opa.runtime", "strings.render_template",
}

// specification is the JSON document that libopa_prepare takes.
type specification struct {
	Modules             map[string]string `json:"modules"`               // file name to Rego v1 source
	Data                json.RawMessage   `json:"data"`                  // base document, an object; absent means {}
	Entrypoints         []string          `json:"entrypoints"`           // policy paths, "extproc/request/decision"
	AllowBuiltins       []string          `json:"allow_builtins"`        // names out of withheld
	StrictBuiltinErrors bool              `json:"strict_builtin_errors"` // a builtin that fails is an error, not undefined
	Explain             bool              `json:"explain"`               // evaluations have notes
}

// policy is a prepared policy set. It never changes, and any number of threads may evaluate it at once.
type policy struct {
	specification
	compiler *ast.Compiler
	queries  []rego.PreparedEvalQuery // one for each entrypoint, in the order of the specification
	values   *values
}

// prepare compiles a specification. The problems are all that OPA found, not only the first.
func prepare(text []byte) (*policy, []problem) {
	p := &policy{}
	if err := p.specification.read(text); err != nil {
		return nil, problemsOf("specification", err)
	}
	if fault := p.fault(); fault != "" {
		return nil, []problem{{Code: "specification", Message: fault}}
	}
	p.values = newValues()
	var problems []problem
	if p.compiler, problems = p.compile(); len(problems) > 0 {
		return nil, problems
	}
	data := string(p.Data)
	if data == "" {
		data = "{}"
	}
	p.Modules, p.Data = nil, nil // the compiler has the one, the store the other
	return p.over(data)
}

// read refuses a name that it does not know: a typing error in an option must not leave it off.
func (s *specification) read(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(s); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("there is something after the specification")
	}
	return nil
}

// fault is what is wrong with a specification before a word of Rego was read.
func (s *specification) fault() string {
	if s.Modules == nil || s.Entrypoints == nil {
		return "modules and entrypoints are required"
	}
	size := 0
	for file, text := range s.Modules {
		size += len(file) + len(text)
	}
	if size > maxSources {
		return fmt.Sprintf("the Rego of the policy set is longer than %d bytes", maxSources)
	}
	for _, name := range s.AllowBuiltins {
		if !slices.Contains(withheld, name) {
			return name + " is no builtin that is off"
		}
	}
	return ""
}

func (s *specification) compile() (*ast.Compiler, []problem) {
	options := ast.ParserOptions{
		RegoVersion:       ast.RegoV1,
		Capabilities:      capabilities(s.AllowBuiltins),
		ProcessAnnotation: true, // rego.metadata.rule() sees them, as in OPA's server
	}
	modules := map[string]*ast.Module{}
	var problems []problem
	for _, file := range slices.Sorted(maps.Keys(s.Modules)) {
		module, err := parse(file, s.Modules[file], options)
		if err != nil {
			problems = append(problems, problemsOf("parse", err)...)
			continue
		}
		modules[file] = module
	}
	if len(problems) > 0 {
		return nil, problems
	}
	compiler := ast.NewCompiler().
		WithCapabilities(options.Capabilities).
		WithDefaultRegoVersion(ast.RegoV1).
		WithEnablePrintStatements(s.Explain)
	if compiler.Compile(modules); compiler.Failed() {
		return nil, explainWithheld(problemsOf("compile", compiler.Errors), modules)
	}
	return compiler, nil
}

func capabilities(allowed []string) *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	all.Builtins = slices.DeleteFunc(slices.Clone(all.Builtins), func(b *ast.Builtin) bool {
		return slices.Contains(withheld, b.Name) && !slices.Contains(allowed, b.Name)
	})
	if !slices.Contains(allowed, "http.send") {
		all.AllowNet = []string{} // nil allows every host; the schema builtins fetch what a $ref names
	}
	return all
}

// over is the same policy over another data document. It has a store of its own: writing to one waits for whoever reads,
// and keeps out whoever comes, so that a single evaluation that cannot be stopped would stop them all.
func (p *policy) over(data string) (*policy, []problem) {
	value, err := readInput(data)
	if err != nil {
		return nil, problemsOf("data", err)
	}
	object, ok := value.(ast.Object)
	if !ok {
		return nil, problemsOf("data", errors.New("the data document is not an object"))
	}
	ctx := context.Background()
	store := inmem.NewFromASTObject(object)
	if problems := p.conflicts(ctx, store); len(problems) > 0 {
		return nil, problems
	}
	made := *p
	made.queries = nil
	var problems []problem
	for _, entrypoint := range p.Entrypoints {
		query, err := p.prepareEntrypoint(ctx, store, entrypoint)
		if err != nil {
			problems = append(problems, problemsOf("entrypoint", err)...)
		}
		made.queries = append(made.queries, query)
	}
	return &made, problems
}

// conflicts are the places that both a rule and the data document define.
func (p *policy) conflicts(ctx context.Context, store storage.Store) []problem {
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return problemsOf("data", err)
	}
	defer store.Abort(ctx, txn)
	found := ast.CheckPathConflicts(p.compiler, storage.NonEmpty(ctx, store, txn))
	if len(found) == 0 {
		return nil
	}
	return problemsOf("data", found)
}

// prepareEntrypoint refuses an entrypoint that no rule defines: OPA would answer it with undefined for ever.
func (p *policy) prepareEntrypoint(ctx context.Context, store storage.Store, entrypoint string) (rego.PreparedEvalQuery, error) {
	ref := ast.DefaultRootRef.Copy()
	if entrypoint != "" {
		for segment := range strings.SplitSeq(entrypoint, "/") {
			ref = append(ref, ast.StringTerm(segment))
		}
	}
	isDocument := func(rule *ast.Rule) bool { return len(rule.Head.Args) == 0 } // and no function
	if !slices.ContainsFunc(p.compiler.GetRules(ref), isDocument) {
		return rego.PreparedEvalQuery{}, fmt.Errorf("no policy defines the entrypoint %s", entrypoint)
	}
	return rego.New(
		rego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(ref)))),
		rego.Compiler(p.compiler),
		rego.Store(store),
		rego.StrictBuiltinErrors(p.StrictBuiltinErrors),
		rego.GenerateJSON(asItIs),
	).PrepareForEval(ctx)
}
