package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/open-policy-agent/opa/v1/metrics"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// Kinds of failure, the `kind` of a failure document.
const (
	kindDeadline   = "deadline"   // the time was up; the message says in which way
	kindEvaluation = "evaluation" // OPA reported an error; code, file and row are its own
	kindInput      = "input"      // the input is not strict JSON; the message names the byte
	kindInternal   = "internal"   // a bug: a bad handle, a panic
	kindWithdrawn  = "withdrawn"  // the caller did not want it any more
)

// failure is why an evaluation has no answer. It never holds content of the input.
type failure struct {
	Kind    string `json:"kind"`
	Code    string `json:"code"`
	File    string `json:"file"`
	Row     int    `json:"row"`
	Message string `json:"message"`
}

// evaluate answers one entrypoint. The result is JSON text with sets as sorted arrays; nil without a failure means
// undefined. OPA looks at run.cancel between steps: only a single builtin call that is long by itself overruns it.
func (p *policy) evaluate(entrypoint int, input string, run *run, now time.Time) (result []byte, fail *failure) {
	defer recoverAs(&fail)
	if entrypoint < 0 || entrypoint >= len(p.queries) {
		return nil, &failure{Kind: kindInternal, Message: "no such entrypoint"}
	}
	value, err := readInput(input)
	if err != nil {
		return nil, &failure{Kind: kindInput, Message: err.Error()}
	}
	answers, err := p.queries[entrypoint].Eval(context.Background(),
		rego.EvalParsedInput(value),
		rego.EvalTime(now),
		rego.EvalSortSets(true),
		rego.EvalMetrics(metrics.NoOp()),
		rego.EvalInterQueryBuiltinValueCache(p.values),
		rego.EvalExternalCancel(run.cancel), // without one, OPA starts a goroutine for each evaluation
	)
	// A builtin that was cut short may look undefined to its rule: no answer counts once the time is up.
	if run.cancel.Cancelled() || !time.Now().Before(run.due) {
		return nil, &failure{Kind: kindDeadline, Message: "the policy did not answer before the deadline"}
	}
	if err != nil {
		return nil, failureOf(err)
	}
	if len(answers) == 0 {
		return nil, nil
	}
	return encode(answers[0].Expressions[0].Value)
}

func encode(value any) ([]byte, *failure) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, &failure{Kind: kindEvaluation, Code: "encode_error", Message: "the result is not JSON"}
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
