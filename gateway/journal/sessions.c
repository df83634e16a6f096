#include "gateway/journal/sessions.h"

#include "base/err.h"
#include "base/log.h"

typedef struct Session Session;

struct Session {
        Redelivery *redelivery;
        uint16_t broker;
};

struct Sessions {
        Session items[SESSIONS_MAX]; /* the current one first, then by when they were used */
        size_t n;
};

int sessions_new(Sessions **ret_sessions) {
        CLEANUP(sessions_free) Sessions *sessions = NULL;
        int r;

        sessions = calloc(1, sizeof(*sessions));
        if (!sessions)
                return err_new(-ENOMEM);
        r = redelivery_new(&sessions->items[0].redelivery);
        if (r < 0)
                return err_up(r);
        sessions->n = 1;
        *ret_sessions = TAKE(&sessions);
        return 0;
}

Sessions *sessions_free(Sessions *sessions) {
        if (!sessions)
                return NULL;
        for (size_t i = 0; i < sessions->n; ++i)
                redelivery_free(sessions->items[i].redelivery);
        free(sessions);
        return NULL;
}

Redelivery *sessions_current(const Sessions *sessions) {
        return sessions->items[0].redelivery;
}

uint16_t sessions_broker(const Sessions *sessions) {
        return sessions->items[0].broker;
}

/* Puts the @i-th in front. */
static void sessions_turn_to(Sessions *sessions, size_t i) {
        Session session = sessions->items[i];

        memmove(sessions->items + 1, sessions->items, i * sizeof(session));
        sessions->items[0] = session;
}

static bool sessions_find(Sessions *sessions, uint16_t broker) {
        for (size_t i = 0; i < sessions->n; ++i)
                if (sessions->items[i].broker == broker) {
                        sessions_turn_to(sessions, i);
                        return true;
                }
        return false;
}

/* One more, or the oldest, in front; without memory for it, the current one. */
static void sessions_add(Sessions *sessions) {
        Redelivery *redelivery = NULL;

        if (sessions->n == SESSIONS_MAX) {
                sessions_turn_to(sessions, sessions->n - 1);
                return;
        }
        if (redelivery_new(&redelivery) != 0) {
                log_warning("journal_session_forgotten reason=out_of_memory");
                return;
        }
        memmove(sessions->items + 1, sessions->items, sessions->n * sizeof(*sessions->items));
        sessions->items[0] = (Session){ .redelivery = redelivery };
        ++sessions->n;
}

/* The current one, if nobody knows whose it is: it was written before brokers had numbers. */
void sessions_begin(Sessions *sessions, uint16_t broker) {
        if (sessions->items[0].broker != 0 && !sessions_find(sessions, broker))
                sessions_add(sessions);
        sessions->items[0].broker = broker;
        redelivery_forget(sessions->items[0].redelivery);
}

void sessions_resume(Sessions *sessions, uint16_t broker, unsigned n_max) {
        (void)sessions_find(sessions, broker);
        sessions->items[0].broker = broker;
        redelivery_resume(sessions->items[0].redelivery, n_max);
}

/* The current one has the first claim on the room. */
size_t sessions_save(const Sessions *sessions, RedeliveryItem ret_items[], size_t n_max) {
        size_t n_total = 0;

        for (size_t i = 0; i < sessions->n; ++i) {
                size_t n = redelivery_save(sessions->items[i].redelivery,
                                           ret_items + n_total,
                                           n_max - n_total);

                for (size_t k = n_total; k < n_total + n; ++k)
                        ret_items[k].broker = sessions->items[i].broker;
                n_total += n;
        }
        return n_total;
}

/* How many at the end of @items are of one broker. */
static size_t sessions_count_last(const RedeliveryItem items[], size_t n) {
        size_t n_same = 1;

        while (n_same < n && items[n - n_same - 1].broker == items[n - 1].broker)
                ++n_same;
        return n_same;
}

static void sessions_load_one(Sessions *sessions, const RedeliveryItem items[], size_t n) {
        sessions_begin(sessions, items[0].broker);
        redelivery_load(sessions->items[0].redelivery, items, n * sizeof(*items));
}

/* The oldest first, so that they stand as they did. */
void sessions_load(Sessions *sessions, uint16_t broker, const void *items, size_t n_bytes) {
        const RedeliveryItem *first = items;
        size_t n_same, n = n_bytes / sizeof(*first);

        for (; n > 0; n -= n_same) {
                n_same = sessions_count_last(first, n);
                sessions_load_one(sessions, first + n - n_same, n_same);
        }
        if (!sessions_find(sessions, broker))
                sessions_begin(sessions, broker);
}
