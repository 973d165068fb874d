// What a Go engineer writes with OPA's SDK: prepare once, then decode, evaluate and encode each document.
//
//	sdk POLICY=PATH... POLICY:BYTES=PATH...
//
// It is built within the module of libopa (`cd libopa && go build ../benchmarks/engines/sdk/main.go`), so that it is the
// same OPA. Each line on standard input is `POLICY BYTES SECONDS`; the answer is one line of JSON, as subject.py's.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/util"
)

const patience = 30 * time.Second

type answer struct {
	US     []float64       `json:"us"`
	Result json.RawMessage `json:"result"`
}

func main() {
	log.SetFlags(0)
	queries, documents := load(os.Args[1:])
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var policy, size string
		var seconds float64
		if _, err := fmt.Sscan(lines.Text(), &policy, &size, &seconds); err != nil {
			log.Fatal(err)
		}
		duration := time.Duration(seconds * float64(time.Second))
		if err := out.Encode(run(queries[policy], documents[policy+":"+size], duration)); err != nil {
			log.Fatal(err)
		}
	}
}

// load reads the files that the arguments name: `simple=PATH` is a policy, `simple:690=PATH` a document for it.
func load(arguments []string) (map[string]rego.PreparedEvalQuery, map[string][]byte) {
	queries, documents := map[string]rego.PreparedEvalQuery{}, map[string][]byte{}
	for _, argument := range arguments {
		name, path, _ := strings.Cut(argument, "=")
		content, err := os.ReadFile(path)
		if err != nil {
			log.Fatal(err)
		}
		if strings.Contains(name, ":") {
			documents[name] = content
			continue
		}
		query := rego.New(rego.Query("data.bench."+name+".decision"), rego.Module(path, string(content)))
		if queries[name], err = query.PrepareForEval(context.Background()); err != nil {
			log.Fatal(err)
		}
	}
	return queries, documents
}

func run(query rego.PreparedEvalQuery, document []byte, duration time.Duration) answer {
	var result answer
	end := time.Now().Add(duration)
	for start := time.Now(); start.Before(end); {
		value, err := evaluate(query, document)
		if err != nil {
			log.Fatal(err)
		}
		now := time.Now()
		result.US = append(result.US, float64(now.Sub(start).Nanoseconds())/1000)
		result.Result, start = value, now
	}
	return result
}

func evaluate(query rego.PreparedEvalQuery, document []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var input any
	if err := util.UnmarshalJSON(document, &input); err != nil {
		return nil, err
	}
	results, err := query.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		return nil, err
	}
	return json.Marshal(results[0].Expressions[0].Value)
}
