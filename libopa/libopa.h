/*
 * libopa: OPA's evaluator in a C library.
 *
 * Words. A policy set is prepared once, and its handle is good from any thread until it is closed; handles are random,
 * never used twice, and checked. Evaluations go through a queue: submit a job, wait until the queue's descriptor is
 * readable, take the answers. Texts are UTF-8 without a closing NUL; a `char *` that a function returns belongs to the
 * caller, has *length bytes, and is released with libopa_free. Times are nanoseconds.
 *
 * Threads and processes. Functions of the first part enter Go, may take their time, and may be called from any thread.
 * Those of the second part are C alone, never wait, and belong to one thread for each queue. Load the library after a
 * fork: a child of a process that had loaded it must call nothing in here, for Go's threads did not come along and a
 * call would hang. (extproc/engines/library.py refuses by process id.)
 *
 * No panic crosses the interface. README.md says what is promised of an evaluation.
 */
#ifndef LIBOPA_H
#define LIBOPA_H

#include <stddef.h>
#include <stdint.h>

#define LIBOPA_ABI 4                 /* changes with a signature, or with what a status or document means */
#define LIBOPA_MAX_INPUT (1L << 30)  /* bytes of an input; a longer one fails as `input` */
#define LIBOPA_MAX_SOURCES (8 << 20) /* bytes of the Rego of a policy set */
#define LIBOPA_MAX_OUTPUT (16 << 20) /* bytes of a result; a longer one fails as `evaluation`, result_too_large */
#define LIBOPA_MAX_NOTES (256 << 10) /* bytes of notes, about; what is over is left out and `truncated` says so */

enum {
	LIBOPA_RESULT = 0,    /* the output is the value of the entrypoint, JSON; null and false are values */
	LIBOPA_UNDEFINED = 1, /* no rule applied: the output is empty */
	LIBOPA_FAILURE = 2,   /* the output is a failure document */
};

/* ---- 1. Into Go -------------------------------------------------------------------------------------------------- */

/* {"abi": 4, "cpus": 2, "go": "go1.26.8", "opa": "1.22.2"}: cpus is what this process may use, its cgroup counted. */
extern char *libopa_version(size_t *length);

/*
 * Compile a policy set:
 *
 *   {"modules": {file name: Rego v1 text}, "data": {...}, "entrypoints": ["extproc/request/decision"],
 *    "allow_builtins": ["http.send"], "strict_builtin_errors": false, "explain": false}
 *
 * Only modules and entrypoints are required. An empty entrypoint is all of `data`. The answer is a list of all problems
 * found, {code, file, row, col, message}, row and col counted from 1, 0 and an empty file where there is no place.
 * Without a problem it is [] and *handle is a handle; else *handle is 0. More than LIBOPA_MAX_SOURCES of Rego, or what
 * is not compiled after a minute, is refused; and what finds no place within a minute, for two are compiled at a time.
 */
extern char *libopa_prepare(char *spec, size_t n, int64_t *handle, size_t *length);

/* The same policy set over another data document, without compiling again; the old handle stays as it is. */
extern char *libopa_replace_data(int64_t handle, char *data, size_t n, int64_t *new_handle, size_t *length);

/* Forget a policy set. Evaluations that run on it end undisturbed; one that waits, or comes later, fails. */
extern void libopa_close(int64_t handle);

/*
 * Verify the signature of an OPA bundle, whose archive the caller has read:
 *
 *   {"files": {name without a leading slash: base64},
 *    "keys": {key id: {"key": PEM or secret, "algorithm": "ES256", "scope": ""}}}
 *
 * The answer is a list of problems, as of libopa_prepare; [] means: a known key signed exactly these files.
 */
extern char *libopa_verify_bundle(char *spec, size_t n, size_t *length);

/*
 * Settings of the process; a negative one stays as it is. gc_percent is Go's GOGC (400 unless that is set). soft_bytes
 * is Go's GOMEMLIMIT, which collects more and never fails. Above ceiling_bytes of Go's heap, evaluations that are due
 * fail as `memory`, and so do those that have run for 10 ms; 0: no ceiling.
 */
extern void libopa_tune(int32_t gc_percent, int64_t soft_bytes, int64_t ceiling_bytes);

/*
 * Counts since the library was loaded, and the state now:
 *
 *   {"results", "undefined", "failures": {kind: n}, "lost", "running", "slow", "handles",
 *    "kept_bytes", "heap_bytes", "memory_bytes", "collections"}
 *
 * lost: given up, counted among the failures of kind deadline too. running and slow (10 ms or more) hold those that
 * were given up and still run. kept_bytes: patterns, schemas and keys that are kept between evaluations, estimated from
 * above. memory_bytes: what Go has from the kernel.
 */
extern char *libopa_statistics(size_t *length);

extern void libopa_free(char *buffer);

/* ---- 2. The queue ------------------------------------------------------------------------------------------------ */

typedef struct libopa_queue libopa_queue;

/* Enters Go, once: a queue with so many evaluators, and a descriptor (eventfd) that is readable while there are
 * answers. NULL: no descriptor or no memory. */
extern libopa_queue *libopa_open(int32_t evaluators, int32_t max_lost, int32_t *fd);

/*
 * The ticket of a new job, above 0, with a copy of the input; NULL leaves `input` undefined. 0: not taken, for there is
 * no memory, max_lost evaluations that could not be stopped still run, or NULL has a length. The deadline counts from
 * here. time_ns is what time.now_ns() says, since 1970; seed is what rand.intn, uuid.rfc4122 and the like draw from:
 * with equal time, seed, input and policy an answer is equal.
 */
int64_t libopa_submit(libopa_queue *queue, int64_t handle, int32_t entrypoint, const char *input, size_t length,
		int64_t timeout_ns, int64_t time_ns, uint64_t seed);

/*
 * Write answers that are there to the buffer, and return the bytes written; 0: none is there; below 0: the first one
 * needs a buffer of so many bytes. Every ticket is answered once, by
 *
 *   {int64_t ticket, elapsed_ns; int32_t status; uint32_t n, m; char output[n], notes[m]}   without padding.
 *
 * elapsed_ns is the evaluation alone, 0 if it never began. A failure document is {kind, code, file, row, message}; kind
 * is deadline, evaluation (with OPA's code, file and row), input, memory, overloaded (max_lost evaluations that could
 * not be stopped run by now), withdrawn or internal; none quotes the input. Notes are empty but for a policy set that
 * explains: {"printed": [{file, row, text}], "rules": [{rule, file, row, title}], "error": OPA's own words,
 * "truncated"}; they may quote the input.
 */
int64_t libopa_take(libopa_queue *queue, char *buffer, size_t capacity);

/* A job that has not begun never will, and is answered as withdrawn; any other ticket means nothing. */
void libopa_withdraw(libopa_queue *queue, int64_t ticket);

/* The last call: closes the descriptor and frees the queue. All answers must have been taken. */
void libopa_shut(libopa_queue *queue);

#endif
