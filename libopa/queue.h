// The queue between one event loop and Go's evaluators. It is C so that the loop never enters Go: there it would wait for
// a processor of Go's scheduler, up to 10 ms for each evaluation that is ahead of it, and for the garbage collector.
#ifndef LIBOPA_QUEUE_H
#define LIBOPA_QUEUE_H

#include "libopa.h"

// One evaluation. From submit until take it belongs to the queue.
typedef struct libopa_job {
	struct libopa_job *next;
	int64_t ticket, handle, due_ns, time_ns; // due_ns is of CLOCK_MONOTONIC
	int64_t left_ns;                         // until due_ns, when an evaluator took it
	uint64_t seed;
	int32_t entrypoint, withdrawn, refused, status; // refused: too many are lost
	uint32_t output_length, notes_length;
	int64_t elapsed_ns;
	size_t input_length;
	char *input, *output; // the input, if there is one, lies behind the job, the notes behind the output
} libopa_job;

// For the evaluators. Output and notes are no longer than LIBOPA_MAX_OUTPUT and LIBOPA_MAX_NOTES allow.
libopa_queue *libopa_queue_new(int32_t evaluators, int32_t max_lost, int32_t *fd); // NULL: no memory or descriptor
libopa_job *libopa_queue_next(libopa_queue *queue); // waits; NULL once the queue is shut, which is then out of bounds
void libopa_queue_answer(libopa_queue *queue, libopa_job *job, const char *output, const char *notes);
void libopa_queue_lose(libopa_queue *queue);   // an evaluator is given up, another takes its place
void libopa_queue_regain(libopa_queue *queue); // it has ended after all; the queue is out of bounds for it

#endif
