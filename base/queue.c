#include "base/queue.h"

#include "base/deadline.h"
#include "base/err.h"
#include "base/watch.h"

struct Queue {
        QueueFreeFn free_item;
        QueueWakeFn wake;
        void *wake_arg;
        size_t capacity;

        pthread_mutex_t lock;
        pthread_cond_t not_empty; /* or closed: the consumer waits */
        pthread_cond_t not_full;  /* or closed: producers wait */
        bool closed;              /* {lock} */
        size_t head;              /* {lock} index of the oldest item */
        size_t n_items;           /* {lock} */
        void *ring[];             /* {lock} */
};

int queue_new(Queue **ret_queue, size_t capacity, QueueFreeFn free_item) {
        Queue *queue;

        assert(capacity > 0);

        if (capacity > (SIZE_MAX / 2 - sizeof(*queue)) / sizeof(queue->ring[0]))
                return err_new(-ENOMEM);
        queue = calloc(1, sizeof(*queue) + capacity * sizeof(queue->ring[0]));
        if (!queue)
                return err_new(-ENOMEM);

        queue->capacity = capacity;
        queue->free_item = free_item;
        MUST(pthread_cond_init(&queue->not_empty, NULL));
        MUST(pthread_cond_init(&queue->not_full, NULL));
        MUST(pthread_mutex_init(&queue->lock, NULL));

        *ret_queue = queue;
        return 0;
}

Queue *queue_free(Queue *queue) {
        if (!queue)
                return NULL;

        for (size_t i = 0; i < queue->n_items && queue->free_item; ++i)
                queue->free_item(queue->ring[(queue->head + i) % queue->capacity]);

        MUST(pthread_mutex_destroy(&queue->lock));
        MUST(pthread_cond_destroy(&queue->not_full));
        MUST(pthread_cond_destroy(&queue->not_empty));
        free(queue);
        return NULL;
}

void queue_set_wake(Queue *queue, QueueWakeFn wake, void *arg) {
        queue->wake = wake;
        queue->wake_arg = arg;
}

int queue_push(Queue *queue, void *item, int timeout_ms) {
        size_t n = 0;

        return queue_push_many(queue, &item, 1, timeout_ms, &n);
}

/* Called with the lock held: as many as there is room for; whether the consumer must be woken. */
static bool queue_put(Queue *queue, void *const items[], size_t n, size_t *ret_n) {
        size_t n_room = queue->capacity - queue->n_items;
        bool was_empty = queue->n_items == 0;
        size_t n_put = n < n_room ? n : n_room;

        for (size_t i = 0; i < n_put; ++i)
                queue->ring[(queue->head + queue->n_items++) % queue->capacity] = items[i];
        *ret_n = n_put;
        return was_empty && n_put > 0;
}

int queue_push_many(Queue *queue, void *const items[], size_t n, int timeout_ms, size_t *ret_n) {
        struct timespec deadline = deadline_in(timeout_ms);
        size_t n_done = 0;
        int r = 0;

        while (n_done < n && r == 0) {
                size_t n_put = 0;
                bool wake;

                pthread_mutex_lock(&queue->lock);
                while (queue->n_items == queue->capacity && !queue->closed &&
                       deadline_wait(&queue->not_full, &queue->lock, &deadline))
                        continue;
                wake = !queue->closed && queue_put(queue, items + n_done, n - n_done, &n_put);
                if (queue->closed)
                        r = QUEUE_E_CLOSED;
                else if (n_put == 0)
                        r = QUEUE_E_FULL;
                if (wake)
                        pthread_cond_signal(&queue->not_empty);
                pthread_mutex_unlock(&queue->lock);

                n_done += n_put;
                if (wake && queue->wake)
                        queue->wake(queue->wake_arg);
        }

        *ret_n = n_done;
        return r;
}

size_t queue_pop(Queue *queue, void *ret_items[], size_t n_max, int timeout_ms) {
        struct timespec deadline = deadline_in(timeout_ms);
        bool was_full;
        size_t n = 0;

        watch_turn(); /* whoever lives on a queue moves each time it looks into it */
        pthread_mutex_lock(&queue->lock);
        while (queue->n_items == 0 && !queue->closed &&
               deadline_wait(&queue->not_empty, &queue->lock, &deadline))
                continue;

        was_full = queue->n_items == queue->capacity;
        for (; n < n_max && queue->n_items > 0; ++n, --queue->n_items) {
                ret_items[n] = TAKE(&queue->ring[queue->head]);
                queue->head = (queue->head + 1) % queue->capacity;
        }
        if (was_full && n > 0)
                pthread_cond_broadcast(&queue->not_full);
        if (n > 0 && queue->n_items > 0) /* another consumer may sleep: a push wakes only one */
                pthread_cond_signal(&queue->not_empty);
        pthread_mutex_unlock(&queue->lock);

        return n;
}

size_t queue_length(Queue *queue) {
        size_t n;

        pthread_mutex_lock(&queue->lock);
        n = queue->n_items;
        pthread_mutex_unlock(&queue->lock);
        return n;
}

void queue_close(Queue *queue) {
        pthread_mutex_lock(&queue->lock);
        queue->closed = true;
        pthread_cond_broadcast(&queue->not_empty);
        pthread_cond_broadcast(&queue->not_full);
        pthread_mutex_unlock(&queue->lock);

        if (queue->wake)
                queue->wake(queue->wake_arg);
}

bool queue_is_drained(Queue *queue) {
        bool drained;

        pthread_mutex_lock(&queue->lock);
        drained = queue->closed && queue->n_items == 0;
        pthread_mutex_unlock(&queue->lock);
        return drained;
}

bool queue_wait_closed(Queue *queue, int timeout_ms) {
        struct timespec deadline = deadline_in(timeout_ms);
        bool closed;

        pthread_mutex_lock(&queue->lock);
        while (!queue->closed && deadline_wait(&queue->not_full, &queue->lock, &deadline))
                continue;
        closed = queue->closed;
        pthread_mutex_unlock(&queue->lock);
        return closed;
}
