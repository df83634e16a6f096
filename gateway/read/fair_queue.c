#include "gateway/read/fair_queue.h"

#include "base/deadline.h"
#include "base/err.h"
#include "base/watch.h"

typedef struct FairEntry FairEntry;

/* Its turn: the number of the round in which the party gets this one, or so many behind. The
 * queue's is without those: who stands back would else take along who comes after him. */
struct FairEntry {
        FairItem item;
        uint64_t turn;
};

struct FairQueue {
        FairQueueOptions options;

        pthread_mutex_t lock;
        pthread_cond_t changed; /* something to take, or closed */
        bool closed;            /* {lock} */
        uint64_t turn;          /* {lock} of what was taken last */
        size_t n_entries;       /* {lock} */
        size_t n_busy;          /* {lock} */
        uint64_t *busy;         /* {lock} [n_workers]: the parties whose items are worked on */
        FairEntry entries[];    /* {lock} oldest first */
};

int fair_queue_new(FairQueue **ret_queue, const FairQueueOptions *options) {
        CLEANUP(fair_queue_free) FairQueue *queue = NULL;

        assert(options->capacity > 0 && options->n_workers > 0 && options->n_busy > 0);

        queue = calloc(1, sizeof(*queue) + options->capacity * sizeof(queue->entries[0]));
        if (!queue)
                return err_new(-ENOMEM);
        queue->options = *options;
        MUST(pthread_cond_init(&queue->changed, NULL));
        MUST(pthread_mutex_init(&queue->lock, NULL));
        queue->busy = calloc(options->n_workers, sizeof(queue->busy[0]));
        if (!queue->busy)
                return err_new(-ENOMEM);

        *ret_queue = TAKE(&queue);
        return 0;
}

FairQueue *fair_queue_free(FairQueue *queue) {
        if (!queue)
                return NULL;

        for (size_t i = 0; i < queue->n_entries; ++i)
                queue->options.free_item(queue->entries[i].item.item);
        MUST(pthread_mutex_destroy(&queue->lock));
        MUST(pthread_cond_destroy(&queue->changed));
        free(queue->busy);
        free(queue);
        return NULL;
}

/* {lock} Behind the party's newest item, at the earliest in the next round: a party that brings one
 * item after the other would else be in the running round each time. */
static uint64_t fair_queue_turn(const FairQueue *queue, uint64_t party, size_t *ret_n) {
        uint64_t turn = queue->turn + 1;

        *ret_n = 0;
        for (size_t i = 0; i < queue->n_entries; ++i)
                if (queue->entries[i].item.party == party) {
                        if (queue->entries[i].turn >= turn)
                                turn = queue->entries[i].turn + 1;
                        ++*ret_n;
                }
        return turn;
}

int fair_queue_push(FairQueue *queue, const FairItem *item) {
        uint64_t turn;
        size_t n_own;
        int r = 0;

        pthread_mutex_lock(&queue->lock);
        turn = fair_queue_turn(queue, item->party, &n_own) + item->n_behind;
        if (queue->closed)
                r = FAIR_QUEUE_E_CLOSED;
        else if (n_own >= queue->options.n_share)
                r = FAIR_QUEUE_E_SHARE;
        else if (queue->n_entries >= queue->options.capacity)
                r = FAIR_QUEUE_E_FULL;
        if (r == 0) {
                queue->entries[queue->n_entries++] = (FairEntry){ .item = *item, .turn = turn };
                pthread_cond_signal(&queue->changed);
        }
        pthread_mutex_unlock(&queue->lock);
        return r;
}

/* {lock} */
static bool fair_queue_may_take(const FairQueue *queue, uint64_t party) {
        size_t n = 0;

        for (size_t i = 0; i < queue->n_busy; ++i)
                n += queue->busy[i] == party;
        return n < queue->options.n_busy;
}

/* {lock} The one whose turn it is, the oldest of several; n_entries: none may be taken now. */
static size_t fair_queue_find(const FairQueue *queue) {
        size_t best = queue->n_entries;

        if (queue->n_busy == queue->options.n_workers)
                return best;
        for (size_t i = 0; i < queue->n_entries; ++i)
                if ((best == queue->n_entries ||
                     queue->entries[i].turn < queue->entries[best].turn) &&
                    fair_queue_may_take(queue, queue->entries[i].item.party))
                        best = i;
        return best;
}

/* {lock} */
static void fair_queue_take(FairQueue *queue, size_t i, FairItem *ret_item) {
        const FairEntry *entry = &queue->entries[i];

        *ret_item = entry->item;
        if (entry->turn - entry->item.n_behind > queue->turn)
                queue->turn = entry->turn - entry->item.n_behind;
        queue->busy[queue->n_busy++] = entry->item.party;
        --queue->n_entries;
        memmove(&queue->entries[i],
                &queue->entries[i + 1],
                (queue->n_entries - i) * sizeof(queue->entries[0]));
}

bool fair_queue_pop(FairQueue *queue, int timeout_ms, FairItem *ret_item) {
        struct timespec deadline = deadline_in(timeout_ms);
        bool found;
        size_t i;

        watch_turn(); /* whoever lives on a queue moves each time it looks into it */
        pthread_mutex_lock(&queue->lock);
        while ((i = fair_queue_find(queue)) == queue->n_entries &&
               !(queue->closed && queue->n_entries == 0) &&
               deadline_wait(&queue->changed, &queue->lock, &deadline))
                continue;
        found = i < queue->n_entries;
        if (found)
                fair_queue_take(queue, i, ret_item);
        pthread_mutex_unlock(&queue->lock);
        return found;
}

void fair_queue_done(FairQueue *queue, const FairItem *item) {
        pthread_mutex_lock(&queue->lock);
        for (size_t i = 0; i < queue->n_busy; ++i)
                if (queue->busy[i] == item->party) {
                        queue->busy[i] = queue->busy[--queue->n_busy];
                        break;
                }
        pthread_cond_broadcast(&queue->changed); /* any worker may have waited for this party */
        pthread_mutex_unlock(&queue->lock);
}

void fair_queue_close(FairQueue *queue) {
        pthread_mutex_lock(&queue->lock);
        queue->closed = true;
        pthread_cond_broadcast(&queue->changed);
        pthread_mutex_unlock(&queue->lock);
}

bool fair_queue_is_drained(FairQueue *queue) {
        bool drained;

        pthread_mutex_lock(&queue->lock);
        drained = queue->closed && queue->n_entries == 0;
        pthread_mutex_unlock(&queue->lock);
        return drained;
}

size_t fair_queue_length(FairQueue *queue) {
        size_t n;

        pthread_mutex_lock(&queue->lock);
        n = queue->n_entries;
        pthread_mutex_unlock(&queue->lock);
        return n;
}
