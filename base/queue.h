#pragma once

/*
 * Queue: bounded hand-over of pointers from one thread to the next.
 *
 * Any thread may push; one thread pops, or several that share the work. A queue that stays full
 * for @timeout_ms refuses the item and leaves it with the producer, who decides what that means.
 * With a time-out of 0 nothing ever waits.
 *
 * @wake runs on the producer's thread, with no lock held, when the queue stops
 * being empty and when it is closed. The consumer then pops until it gets 0.
 * What is still inside at queue_free() is released with @free_item.
 */

#include "base/base.h"

typedef struct Queue Queue;
typedef void (*QueueWakeFn)(void *arg);
typedef void (*QueueFreeFn)(void *item);

enum {
        QUEUE_E_FULL = 1,
        QUEUE_E_CLOSED,
};

MUST_CHECK int queue_new(Queue **ret_queue, size_t capacity, QueueFreeFn free_item);
Queue *queue_free(Queue *queue);

void queue_set_wake(Queue *queue, QueueWakeFn wake, void *arg); /* before the first push */

MUST_CHECK int queue_push(Queue *queue, void *item, int timeout_ms); /* takes item on success */

/* All of @items in order or, when the queue stays full, the first *ret_n of them. */
MUST_CHECK int queue_push_many(Queue *queue,
                               void *const items[],
                               size_t n,
                               int timeout_ms,
                               size_t *ret_n);
size_t queue_pop(Queue *queue, void *ret_items[], size_t n_max, int timeout_ms);

size_t queue_length(Queue *queue);
void queue_close(Queue *queue); /* no more pushes; pops drain what is left */
bool queue_is_drained(Queue *queue);
bool queue_wait_closed(Queue *queue, int timeout_ms);

DEFINE_CLEANUP(Queue *, queue_free);
