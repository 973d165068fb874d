// The queue between one event loop and Go's evaluators. It is C so that the loop never enters Go: there it would wait for
// a processor of Go's scheduler, up to 10 ms for each evaluation that is ahead of it, and for the garbage collector.
#ifndef LIBOPA_QUEUE_H
#define LIBOPA_QUEUE_H

#include <stddef.h>
#include <stdint.h>

// One evaluation. From submit until take it belongs to the queue; its address is the ticket.
typedef struct libopa_job {
	struct libopa_job *next;
	int64_t handle, due_ns, time_ns; // due_ns is of CLOCK_MONOTONIC
	int64_t left_ns;                 // until due_ns, when an evaluator took it
	int32_t entrypoint, withdrawn, taken, status;
	int64_t elapsed_ns;
	size_t input_length, output_length;
	char *input, *output; // the input lies behind the job
} libopa_job;

typedef struct libopa_queue libopa_queue;

// For the loop's thread; README.md has the promises.
int64_t libopa_submit(libopa_queue *queue, int64_t handle, int32_t entrypoint, const char *input, size_t length,
		int64_t timeout_ns, int64_t time_ns);
void libopa_withdraw(libopa_queue *queue, int64_t ticket);
int64_t libopa_take(libopa_queue *queue, char *buffer, size_t capacity);
void libopa_shut(libopa_queue *queue);

// For the evaluators.
libopa_queue *libopa_queue_new(int32_t evaluators, int32_t max_lost, int32_t *fd); // NULL: no memory or descriptor
libopa_job *libopa_queue_next(libopa_queue *queue); // waits; NULL once the queue is shut, which is then out of bounds
void libopa_queue_answer(libopa_queue *queue, libopa_job *job, int32_t status, int64_t elapsed_ns, const char *output,
		size_t length);
void libopa_queue_lose(libopa_queue *queue);   // an evaluator is given up, another takes its place
void libopa_queue_regain(libopa_queue *queue); // it has ended after all; the queue is out of bounds for it

#endif
