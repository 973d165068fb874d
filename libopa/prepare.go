package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown/cache"
	"github.com/open-policy-agent/opa/v1/util"
)

// withheld are the builtins that reach out of the process or into its environment. A policy that calls one of them does
// not compile, unless the specification allows that one by name.
var withheld = []string{"http.send", "net.lookup_ip_addr", "opa.runtime"}

// valueCache bounds what OPA keeps between evaluations (compiled patterns), which it does not by itself: a pattern may be
// made of what a client sent.
const valueCache = `{"inter_query_builtin_value_cache": {"max_num_entries": 1000}}`

// specification is the JSON document that libopa_prepare takes.
type specification struct {
	Modules       map[string]string `json:"modules"`        // file name to Rego v1 source
	Data          json.RawMessage   `json:"data"`           // base document, an object; absent means {}
	Entrypoints   []string          `json:"entrypoints"`    // policy paths, "extproc/request/decision"
	AllowBuiltins []string          `json:"allow_builtins"` // names out of withheld
}

// policy is a prepared policy set. It never changes, and any number of threads may evaluate it at once.
type policy struct {
	queries []rego.PreparedEvalQuery // one for each entrypoint, in the order of the specification
	values  cache.InterQueryValueCache
}

// prepare compiles a specification. The problems are all that OPA found, not only the first.
func prepare(text []byte) (*policy, []problem) {
	var spec specification
	if err := util.UnmarshalJSON(text, &spec); err != nil {
		return nil, problemsOf("specification", err)
	}
	data := map[string]any{}
	if len(spec.Data) > 0 {
		if err := util.UnmarshalJSON(spec.Data, &data); err != nil {
			return nil, problemsOf("data", err)
		}
	}
	ctx := context.Background()
	store := inmem.NewFromObjectWithOpts(data, inmem.OptReturnASTValuesOnRead(true))
	compiler, problems := compile(ctx, spec, store)
	if len(problems) > 0 {
		return nil, problems
	}
	config, err := cache.ParseCachingConfig([]byte(valueCache))
	if err != nil {
		return nil, problemsOf("cache", err)
	}
	p := &policy{values: cache.NewInterQueryValueCache(ctx, config)}
	for _, entrypoint := range spec.Entrypoints {
		query, err := prepareEntrypoint(ctx, compiler, store, entrypoint)
		if err != nil {
			problems = append(problems, problemsOf("entrypoint", err)...)
		}
		p.queries = append(p.queries, query)
	}
	return p, problems
}

func compile(ctx context.Context, spec specification, store storage.Store) (*ast.Compiler, []problem) {
	options := ast.ParserOptions{
		RegoVersion:       ast.RegoV1,
		Capabilities:      capabilities(spec.AllowBuiltins),
		ProcessAnnotation: true, // rego.metadata.rule() sees them, as in OPA's server
	}
	modules := map[string]*ast.Module{}
	var problems []problem
	for _, file := range slices.Sorted(maps.Keys(spec.Modules)) {
		module, err := ast.ParseModuleWithOpts(file, spec.Modules[file], options)
		if err != nil {
			problems = append(problems, problemsOf("parse", err)...)
			continue
		}
		modules[file] = module
	}
	if len(problems) > 0 {
		return nil, problems
	}
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, problemsOf("data", err)
	}
	defer store.Abort(ctx, txn)
	compiler := ast.NewCompiler().
		WithCapabilities(options.Capabilities).
		WithDefaultRegoVersion(ast.RegoV1).
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn))
	if compiler.Compile(modules); compiler.Failed() {
		return nil, problemsOf("compile", compiler.Errors)
	}
	return compiler, nil
}

func capabilities(allowed []string) *ast.Capabilities {
	all := ast.CapabilitiesForThisVersion()
	all.Builtins = slices.DeleteFunc(slices.Clone(all.Builtins), func(b *ast.Builtin) bool {
		return slices.Contains(withheld, b.Name) && !slices.Contains(allowed, b.Name)
	})
	return all
}

// prepareEntrypoint refuses an entrypoint that no rule defines: OPA would answer it with undefined for ever.
func prepareEntrypoint(ctx context.Context, compiler *ast.Compiler, store storage.Store, entrypoint string) (rego.PreparedEvalQuery, error) {
	ref := ast.DefaultRootRef.Copy()
	for segment := range strings.SplitSeq(entrypoint, "/") {
		ref = append(ref, ast.StringTerm(segment))
	}
	isDocument := func(rule *ast.Rule) bool { return len(rule.Head.Args) == 0 } // and no function
	if !slices.ContainsFunc(compiler.GetRules(ref), isDocument) {
		return rego.PreparedEvalQuery{}, fmt.Errorf("no policy defines the entrypoint %s", entrypoint)
	}
	return rego.New(
		rego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(ref)))),
		rego.Compiler(compiler),
		rego.Store(store),
	).PrepareForEval(ctx)
}

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
