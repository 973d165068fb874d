#define _GNU_SOURCE
#include "queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

typedef struct {
	libopa_job *first, **last;
} list;

struct libopa_queue {
	pthread_mutex_t lock;
	pthread_cond_t work;
	list waiting, answered;
	int64_t tickets;
	int32_t users, lost, max_lost; // users: evaluators that are ours or lost; the last one frees the queue
	int32_t shut;
	int fd; // readable while there is an answer
};

// What libopa_take writes before each output.
typedef struct {
	int64_t ticket, elapsed_ns;
	int32_t status;
	uint32_t output_length, notes_length;
} __attribute__((packed)) record;

static void append(list *into, libopa_job *job) {
	job->next = NULL;
	*into->last = job;
	into->last = &job->next;
}

static libopa_job *pop(list *from) {
	libopa_job *job = from->first;
	from->first = job->next;
	if (from->first == NULL)
		from->last = &from->first;
	return job;
}

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// memcpy takes no NULL, which an empty text may be.
static char *copy(char *to, const char *from, size_t length) {
	if (length > 0)
		memcpy(to, from, length);
	return to + length;
}

// The lock is held, and is let go.
static void leave(libopa_queue *queue) {
	int last = --queue->users == 0;
	pthread_mutex_unlock(&queue->lock);
	if (last) {
		pthread_mutex_destroy(&queue->lock);
		pthread_cond_destroy(&queue->work);
		free(queue);
	}
}

libopa_queue *libopa_queue_new(int32_t evaluators, int32_t max_lost, int32_t *fd) {
	libopa_queue *queue = calloc(1, sizeof *queue);
	if (queue == NULL)
		return NULL;
	queue->fd = *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->fd < 0) {
		free(queue);
		return NULL;
	}
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->work, NULL);
	queue->waiting.last = &queue->waiting.first;
	queue->answered.last = &queue->answered.first;
	queue->users = evaluators;
	queue->max_lost = max_lost;
	return queue;
}

int64_t libopa_submit(libopa_queue *queue, int64_t handle, int32_t entrypoint, const char *input, size_t length,
		int64_t timeout_ns, int64_t time_ns, uint64_t seed) {
	if (input == NULL && length > 0)
		return 0;
	size_t kept = length > LIBOPA_MAX_INPUT ? 0 : length; // the reader refuses it by its length
	libopa_job *job = malloc(sizeof *job + kept);
	if (job == NULL)
		return 0;
	int64_t now = now_ns();
	int64_t due = timeout_ns > INT64_MAX - now ? INT64_MAX : timeout_ns < 0 ? now : now + timeout_ns;
	*job = (libopa_job){.handle = handle, .entrypoint = entrypoint, .due_ns = due,
			.time_ns = time_ns, .seed = seed, .input_length = length, .input = input ? (char *)(job + 1) : NULL};
	copy(job->input, input, kept);
	pthread_mutex_lock(&queue->lock);
	int64_t ticket = queue->lost < queue->max_lost ? ++queue->tickets : 0;
	job->ticket = ticket; // the job may be gone once the lock is
	if (ticket)
		append(&queue->waiting, job);
	pthread_mutex_unlock(&queue->lock);
	if (ticket)
		pthread_cond_signal(&queue->work);
	else
		free(job);
	return ticket;
}

void libopa_withdraw(libopa_queue *queue, int64_t ticket) {
	pthread_mutex_lock(&queue->lock);
	for (libopa_job *job = queue->waiting.first; job != NULL; job = job->next)
		if (job->ticket == ticket) {
			job->withdrawn = 1;
			break;
		}
	pthread_mutex_unlock(&queue->lock);
}

libopa_job *libopa_queue_next(libopa_queue *queue) {
	pthread_mutex_lock(&queue->lock);
	while (queue->waiting.first == NULL) {
		if (queue->shut) {
			leave(queue);
			return NULL;
		}
		pthread_cond_wait(&queue->work, &queue->lock);
	}
	libopa_job *job = pop(&queue->waiting);
	job->refused = queue->lost >= queue->max_lost; // it was below when the job came
	pthread_mutex_unlock(&queue->lock);
	job->left_ns = job->due_ns - now_ns();
	return job;
}

void libopa_queue_answer(libopa_queue *queue, libopa_job *job, const char *output, const char *notes) {
	job->output = malloc((size_t)job->output_length + job->notes_length + 1);
	if (job->output == NULL)
		abort(); // an answer that is lost would never be missed
	copy(copy(job->output, output, job->output_length), notes, job->notes_length);
	pthread_mutex_lock(&queue->lock);
	int silent = queue->answered.first == NULL;
	append(&queue->answered, job);
	if (silent) // under the lock, for libopa_shut closes the descriptor
		eventfd_write(queue->fd, 1);
	pthread_mutex_unlock(&queue->lock);
}

int64_t libopa_take(libopa_queue *queue, char *buffer, size_t capacity) {
	size_t used = 0, size = 0;
	pthread_mutex_lock(&queue->lock);
	while (queue->answered.first != NULL) {
		libopa_job *job = queue->answered.first;
		size_t text = (size_t)job->output_length + job->notes_length;
		size = sizeof(record) + text;
		if (size > capacity - used)
			break;
		record head = {job->ticket, job->elapsed_ns, job->status, job->output_length, job->notes_length};
		memcpy(buffer + used, &head, sizeof head);
		memcpy(buffer + used + sizeof head, job->output, text);
		used += size;
		pop(&queue->answered);
		free(job->output);
		free(job);
	}
	if (queue->answered.first == NULL) {
		eventfd_t ignored;
		eventfd_read(queue->fd, &ignored);
	}
	pthread_mutex_unlock(&queue->lock);
	return used > 0 ? (int64_t)used : -(int64_t)size;
}

void libopa_shut(libopa_queue *queue) {
	pthread_mutex_lock(&queue->lock);
	close(queue->fd);
	queue->shut = 1;
	pthread_cond_broadcast(&queue->work);
	pthread_mutex_unlock(&queue->lock);
}

void libopa_queue_lose(libopa_queue *queue) {
	pthread_mutex_lock(&queue->lock);
	queue->lost++;
	queue->users++;
	pthread_mutex_unlock(&queue->lock);
}

void libopa_queue_regain(libopa_queue *queue) {
	pthread_mutex_lock(&queue->lock);
	queue->lost--;
	leave(queue);
}
