package main

/*
#include "queue.h"
*/
import "C"

import (
	"fmt"
	"time"
	"unsafe"
)

const maxOutput = C.LIBOPA_MAX_OUTPUT

var (
	withdrawn = &failure{Kind: kindWithdrawn, Message: "withdrawn before it began"}
	late      = &failure{Kind: kindDeadline, Message: "the deadline passed while the decision was waiting for a thread"}
	lost      = &failure{Kind: kindDeadline, Message: "the policy did not answer, and could not be stopped at the deadline"}
	stuck     = &failure{Kind: kindOverloaded, Message: "too many evaluations could not be stopped at their deadlines and still run"}
	tooLong   = &failure{Kind: kindInput, Message: fmt.Sprintf("input is longer than %d bytes", C.LIBOPA_MAX_INPUT)}
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
	if fail := refusal(job); fail != nil {
		e.answer(job, 0, answer{fail: fail})
		return true
	}
	start := time.Now()
	handle := int64(job.handle)
	asked := question{
		entrypoint: int(job.entrypoint),
		absent:     job.input == nil,
		input:      copyOf(job.input, job.input_length),
		time:       time.Unix(0, int64(job.time_ns)),
		seed:       uint64(job.seed),
	}
	run := watching.begin(start.Add(time.Duration(job.left_ns)), func() { e.lose(job, start) })
	a := evaluate(handle, asked, run)
	if !watching.end(run) {
		return false
	}
	e.answer(job, time.Since(start), a)
	return true
}

// refusal is why a job is not begun.
func refusal(job *C.libopa_job) *failure {
	switch {
	case job.withdrawn != 0:
		return withdrawn
	case job.left_ns <= 0:
		return late
	case job.refused != 0:
		return stuck
	case job.input_length > C.LIBOPA_MAX_INPUT:
		return tooLong
	case memory.isFull():
		return crowded
	}
	return nil
}

func (e *evaluators) lose(job *C.libopa_job, start time.Time) {
	counts.lost.Add(1)
	C.libopa_queue_lose(e.queue)
	e.answer(job, time.Since(start), answer{fail: lost})
	go e.work()
}

func (e *evaluators) answer(job *C.libopa_job, elapsed time.Duration, a answer) {
	counts.count(a)
	job.status = C.LIBOPA_RESULT
	switch {
	case a.fail != nil:
		job.status, a.result = C.LIBOPA_FAILURE, document(a.fail)
	case a.result == nil:
		job.status = C.LIBOPA_UNDEFINED
	}
	job.elapsed_ns = C.int64_t(elapsed)
	job.output_length, job.notes_length = C.uint32_t(len(a.result)), C.uint32_t(len(a.notes))
	C.libopa_queue_answer(e.queue, job, pointer(a.result), pointer(a.notes))
}

func pointer(text []byte) *C.char { return (*C.char)(unsafe.Pointer(unsafe.SliceData(text))) }

func evaluate(handle int64, q question, run *run) answer {
	p, fail := policyOf(handle)
	if fail != nil {
		return answer{fail: fail}
	}
	return p.evaluate(q, run)
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
