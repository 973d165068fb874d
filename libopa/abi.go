// Command libopa is OPA's evaluator as a C shared library: JSON bytes in, JSON bytes out. libopa.h has the interface.
package main

/*
#include <stdlib.h>
#include "libopa.h"
*/
import "C"

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"unsafe"

	"github.com/open-policy-agent/opa/v1/version"
)

// gcPercent lets the heap grow fivefold between collections: 36 % more evaluations than with Go's 100, for 40 to 65 MB.
const gcPercent = 400

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}

var (
	policies sync.Map                // handle (int64) to *policy
	cpus     = runtime.GOMAXPROCS(0) // what this process may use, its cgroup's limit included
)

// keep gives a policy its handle: a random one, so that a stale or invented one finds nothing.
func keep(p *policy) C.int64_t {
	for {
		handle := rand.Int64()
		if _, taken := policies.LoadOrStore(handle, p); handle != 0 && !taken {
			return C.int64_t(handle)
		}
	}
}

func policyOf(handle int64) (*policy, *failure) {
	found, ok := policies.Load(handle)
	if !ok {
		return nil, &failure{Kind: kindInternal, Message: "no such handle"}
	}
	return found.(*policy), nil
}

// copyOf takes a copy of the caller's memory: what OPA caches may outlive the call.
func copyOf(memory *C.char, length C.size_t) string {
	return strings.Clone(unsafe.String((*byte)(unsafe.Pointer(memory)), int(length)))
}

// textOf is copyOf for what another caller than ours may get wrong.
func textOf(memory *C.char, length C.size_t) (string, []problem) {
	if memory == nil && length > 0 {
		return "", []problem{{Code: kindInternal, Message: "NULL has a length"}}
	}
	return copyOf(memory, length), nil
}

// handOver copies text into memory that the caller releases with libopa_free.
func handOver(text []byte, length *C.size_t) *C.char {
	*length = C.size_t(len(text))
	return (*C.char)(C.CBytes(text))
}

func document(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil { // strings and integers only: cannot happen
		panic(err)
	}
	return text
}

// recoverAs turns a panic into a failure: none may cross the interface. Of its text only what the Go runtime says is kept.
func recoverAs(fail **failure) {
	caught := recover()
	if caught == nil {
		return
	}
	message := fmt.Sprintf("panic (%T)", caught)
	if err, ok := caught.(runtime.Error); ok {
		message = err.Error()
	}
	*fail = &failure{Kind: kindInternal, Message: message}
}

// safely runs what may find problems, a panic being one.
func safely(find func() []problem) (problems []problem) {
	var fail *failure
	defer func() {
		if fail != nil {
			problems = []problem{{Code: fail.Kind, Message: fail.Message}}
		}
	}()
	defer recoverAs(&fail)
	return find()
}

// made hands over the problems of making a policy from a text, or its handle and none.
func made(text *C.char, n C.size_t, from func(string) (*policy, []problem), handle *C.int64_t, length *C.size_t) *C.char {
	*handle = 0
	return handOver(list(safely(func() []problem {
		given, problems := textOf(text, n)
		if len(problems) > 0 {
			return problems
		}
		p, problems := from(given)
		if len(problems) == 0 {
			*handle = keep(p)
		}
		return problems
	})), length)
}

func list(problems []problem) []byte {
	if len(problems) == 0 {
		return []byte("[]")
	}
	return document(problems)
}

//export libopa_version
func libopa_version(length *C.size_t) *C.char {
	return handOver(document(map[string]any{
		"abi": C.LIBOPA_ABI, "cpus": cpus, "opa": version.Version, "go": runtime.Version(),
	}), length)
}

//export libopa_prepare
func libopa_prepare(spec *C.char, n C.size_t, handle *C.int64_t, length *C.size_t) *C.char {
	return made(spec, n, func(text string) (*policy, []problem) {
		return making.within(func() (*policy, []problem) { return prepare([]byte(text)) })
	}, handle, length)
}

//export libopa_replace_data
func libopa_replace_data(old C.int64_t, data *C.char, n C.size_t, handle *C.int64_t, length *C.size_t) *C.char {
	return made(data, n, func(text string) (*policy, []problem) {
		p, fail := policyOf(int64(old))
		if fail != nil {
			return nil, []problem{{Code: fail.Kind, Message: fail.Message}}
		}
		return p.over(text)
	}, handle, length)
}

//export libopa_close
func libopa_close(handle C.int64_t) { policies.Delete(int64(handle)) }

//export libopa_verify_bundle
func libopa_verify_bundle(spec *C.char, n C.size_t, length *C.size_t) *C.char {
	return handOver(list(safely(func() []problem {
		text, problems := textOf(spec, n)
		if len(problems) > 0 {
			return problems
		}
		return verify([]byte(text))
	})), length)
}

//export libopa_tune
func libopa_tune(percent C.int32_t, softBytes, ceilingBytes C.int64_t) {
	if percent >= 0 {
		debug.SetGCPercent(int(percent))
	}
	if softBytes >= 0 {
		debug.SetMemoryLimit(int64(softBytes))
	}
	if ceilingBytes >= 0 {
		memory.ceiling.Store(int64(ceilingBytes))
	}
}

//export libopa_statistics
func libopa_statistics(length *C.size_t) *C.char { return handOver(document(counts.now()), length) }

//export libopa_free
func libopa_free(buffer *C.char) { C.free(unsafe.Pointer(buffer)) }

func main() {}
