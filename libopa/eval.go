package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Kinds of failure, the `kind` of a failure document.
const (
	kindDeadline   = "deadline"   // the time was up; the message says in which way
	kindEvaluation = "evaluation" // OPA reported an error; code, file and row are its own
	kindInput      = "input"      // the input is not strict JSON; the message names the byte
	kindMemory     = "memory"     // Go's heap is above its ceiling
	kindOverloaded = "overloaded" // too many evaluations that could not be stopped still run
	kindWithdrawn  = "withdrawn"  // the caller did not want it any more
	kindInternal   = "internal"   // a bug: a bad handle, a panic
)

var kinds = []string{kindDeadline, kindEvaluation, kindInput, kindMemory, kindOverloaded, kindWithdrawn, kindInternal}

// failure is why an evaluation has no answer. It never holds content of the input.
type failure struct {
	Kind    string `json:"kind"`
	Code    string `json:"code"`
	File    string `json:"file"`
	Row     int    `json:"row"`
	Message string `json:"message"`
}

var (
	crowded  = &failure{Kind: kindMemory, Message: "the policy engine's heap is above its ceiling"}
	tardy    = &failure{Kind: kindDeadline, Message: "the policy did not answer before the deadline"}
	notJSON  = &failure{Kind: kindEvaluation, Code: "encode_error", Message: "the result is not JSON"}
	tooLarge = &failure{Kind: kindEvaluation, Code: "result_too_large", Message: "the result is too large"}
)

// question is what an evaluation depends on beside its policy: with all of it equal, so is the answer.
type question struct {
	entrypoint int
	input      string // JSON text
	absent     bool   // `input` is undefined; not the same as an empty text, which is none
	time       time.Time
	seed       uint64
}

// answer has a result, nil for undefined, or a failure; and notes where the policy explains.
type answer struct {
	result, notes []byte
	fail          *failure
}

// dice is the stream that OPA's random builtins draw from. Most policies never do.
type dice struct {
	seed   uint64
	stream *rand.ChaCha8
}

func (d *dice) Read(into []byte) (int, error) {
	if d.stream == nil {
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], d.seed)
		d.stream = rand.NewChaCha8(key)
	}
	return d.stream.Read(into)
}

// evaluate answers one entrypoint. The result is JSON text with sets as sorted arrays. OPA looks at run.cancel between
// steps: only a single builtin call that is long by itself overruns it.
func (p *policy) evaluate(q question, run *run) (a answer) {
	defer recoverAs(&a.fail)
	if q.entrypoint < 0 || q.entrypoint >= len(p.queries) {
		return answer{fail: &failure{Kind: kindInternal, Message: "no such entrypoint"}}
	}
	options := []rego.EvalOption{
		rego.EvalTime(q.time),
		rego.EvalSeed(&dice{seed: q.seed}),
		rego.EvalMetrics(metrics.NoOp()),
		rego.EvalInterQueryBuiltinValueCache(p.values),
		rego.EvalExternalCancel(run.cancel), // without one, OPA starts a goroutine for each evaluation
	}
	if !q.absent {
		value, err := readInput(q.input)
		if err != nil {
			return answer{fail: &failure{Kind: kindInput, Message: err.Error()}}
		}
		options = append(options, rego.EvalParsedInput(value))
	}
	var said *notes
	if p.Explain {
		said = newNotes(p.compiler.GetAnnotationSet())
		options = append(options, said.options()...)
	}
	ctx, done := p.context(run)
	defer done()
	answers, err := p.queries[q.entrypoint].Eval(ctx, options...)
	if said != nil {
		a.notes = said.text(err)
	}
	a.result, a.fail = run.judge(answers, err)
	return a
}

// context has the deadline only for policies that may wait for the network: it is a timer for each evaluation.
func (p *policy) context(run *run) (context.Context, context.CancelFunc) {
	if len(p.AllowBuiltins) == 0 {
		return context.Background(), func() {}
	}
	return context.WithDeadline(context.Background(), run.due)
}

// judge turns what OPA says into an answer. A builtin that was cut short may look undefined to its rule: nothing that OPA
// says counts once the evaluation was told to stop.
func (r *run) judge(answers rego.ResultSet, err error) ([]byte, *failure) {
	switch {
	case r.crowded.Load():
		return nil, crowded
	case r.cancel.Cancelled() || !time.Now().Before(r.due):
		return nil, tardy
	case err != nil:
		return nil, failureOf(err)
	case len(answers) == 0:
		return nil, nil
	}
	return r.encode(answers[0].Expressions[0].Value.(*ast.Term))
}

// asItIs leaves the result to encode: OPA would make it a tree of Go's values, whatever it takes and without a look at the
// time, and of some thirty parts that share theirs comes a billion.
func asItIs(result *ast.Term, _ *rego.EvalContext) (any, error) { return result, nil }

func (r *run) encode(result *ast.Term) ([]byte, *failure) {
	if !(&scale{r.cancel, maxOutput}).holds(result) {
		switch {
		case r.crowded.Load():
			return nil, crowded
		case r.cancel.Cancelled():
			return nil, tardy
		}
		return nil, tooLarge
	}
	value, err := ast.JSONWithOpt(result.Value, ast.JSONOpt{SortSets: true})
	if err != nil {
		return nil, notJSON
	}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, notJSON
	}
	if text.Len() > maxOutput {
		return nil, tooLarge
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// failureOf keeps OPA's code and place and drops its message, which may quote the input.
func failureOf(err error) *failure {
	fail := &failure{Kind: kindEvaluation, Code: "unknown_error", Message: "the evaluation failed"}
	var located *topdown.Error
	if errors.As(err, &located) {
		fail.Code = located.Code
		if at := located.Location; at != nil {
			fail.File, fail.Row = at.File, at.Row
		}
	}
	return fail
}
