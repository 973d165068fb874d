package main

/*
#include "queue.h"
*/
import "C"

import (
	"time"
	"unsafe"
)

// Statuses of an answer.
const (
	statusResult    = 0 // the output is the value of the entrypoint
	statusUndefined = 1 // the output is empty
	statusFailure   = 2 // the output is a failure document
)

var (
	withdrawn = &failure{Kind: kindWithdrawn, Message: "withdrawn before it began"}
	late      = &failure{Kind: kindDeadline, Message: "the deadline passed while the decision was waiting for a thread"}
	lost      = &failure{Kind: kindDeadline, Message: "the policy did not answer, and could not be stopped at the deadline"}
)

// evaluators are a number of goroutines that take the jobs of a queue in order. One whose evaluation is given up is
// replaced, and ends with it.
type evaluators struct{ queue *C.libopa_queue }

// watching is one for all queues: Go's processors are the process's.
var watching = newWatch()

func (e *evaluators) work() {
	for {
		job := C.libopa_queue_next(e.queue)
		if job == nil {
			return
		}
		if !e.take(job) {
			C.libopa_queue_regain(e.queue)
			return
		}
	}
}

// take answers a job. It reports whether the evaluator is still ours; if not, the job has been answered by lose.
func (e *evaluators) take(job *C.libopa_job) bool {
	switch {
	case job.withdrawn != 0:
		e.answer(job, 0, nil, withdrawn)
		return true
	case job.left_ns <= 0:
		e.answer(job, 0, nil, late)
		return true
	}
	start := time.Now()
	input := copyOf(job.input, job.input_length)
	handle, entrypoint, now := int64(job.handle), int(job.entrypoint), time.Unix(0, int64(job.time_ns))
	run := watching.begin(start.Add(time.Duration(job.left_ns)), func() { e.lose(job, start) })
	result, fail := evaluate(handle, entrypoint, input, run, now)
	if !watching.end(run) {
		return false
	}
	e.answer(job, time.Since(start), result, fail)
	return true
}

func (e *evaluators) lose(job *C.libopa_job, start time.Time) {
	C.libopa_queue_lose(e.queue)
	e.answer(job, time.Since(start), nil, lost)
	go e.work()
}

func (e *evaluators) answer(job *C.libopa_job, elapsed time.Duration, result []byte, fail *failure) {
	status := C.int32_t(statusResult)
	switch {
	case fail != nil:
		status, result = statusFailure, document(fail)
	case result == nil:
		status = statusUndefined
	}
	output := (*C.char)(unsafe.Pointer(unsafe.SliceData(result)))
	C.libopa_queue_answer(e.queue, job, status, C.int64_t(elapsed), output, C.size_t(len(result)))
}

func evaluate(handle int64, entrypoint int, input string, run *run, now time.Time) ([]byte, *failure) {
	found, ok := policies.Load(handle)
	if !ok {
		return nil, &failure{Kind: kindInternal, Message: "no such handle"}
	}
	return found.(*policy).evaluate(entrypoint, input, run, now)
}

//export libopa_open
func libopa_open(number, maxLost C.int32_t, fd *C.int32_t) *C.libopa_queue {
	e := &evaluators{queue: C.libopa_queue_new(number, maxLost, fd)}
	if e.queue == nil {
		return nil
	}
	for range number {
		go e.work()
	}
	return e.queue
}
