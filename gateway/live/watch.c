#include "gateway/live/watch.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "db/live_keys.h"
#include "db/read/heads.h"
#include "gateway/live/keys.h"
#include "model/event.h"
#include "model/slot.h"

enum {
        LIVE_WATCH_MS = 1000,
        LIVE_WATCH_FIRST_MS = 200, /* until all slots are known */
        LIVE_WATCH_KEYS_MS = 3000, /* less than a new key is left alone (schema/0054) */
        LIVE_WATCH_CONNECT_MS = 3000,
        LIVE_WATCH_STATEMENT_MS = 3000,
};

struct LiveWatch {
        LiveWatchOptions options;
        DbConn *conn;
        int stop_fd;
        pthread_t thread;
        bool has_thread;

        /* {thread} from here on */
        struct {
                DbHead seen; /* the look before */
                uint64_t told_seq, told_epoch;
        } slots[SLOT_MAX];
        unsigned n_known;
        int64_t keys_us; /* monotonic: when they are to be read */
        bool is_away;    /* it was said */
};

static int live_watch_tell(LiveWatch *watch, unsigned place, const DbHead *head) {
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        if (watch->slots[place].told_epoch == head->epoch &&
            watch->slots[place].told_seq == head->seq)
                return 0;
        r = event_new_gap(&event, head->seq, 0);
        if (r < 0)
                return err_up(r);
        event->slot = (uint16_t)place;
        event->epoch = head->epoch;
        event->before_seq = head->before_seq;
        if (queue_push(watch->options.outbox, event, 0) != 0)
                return 0; /* at the next look */
        event = NULL;
        watch->slots[place].told_epoch = head->epoch;
        watch->slots[place].told_seq = head->seq;
        return 0;
}

/* Where a slot is at the start is told at once. Whoever has just got it back is still where it was
 * in its last turn, or stores what it had left of that: the line is where the furthest is, behind
 * which it goes on. From before that it would be read as if it were news. */
static int live_watch_see(LiveWatch *watch, const DbHead *head) {
        unsigned place = (unsigned)(head->slot - watch->options.first_slot);
        DbHead before = watch->slots[place].seen;

        watch->slots[place].seen = *head;
        if (before.epoch == 0) {
                before = *head;
                if (before.seq < head->before_seq)
                        before.seq = head->before_seq;
                ++watch->n_known;
        }
        return err_up(live_watch_tell(watch, place, &before));
}

static int live_watch_read_keys(LiveWatch *watch) {
        int64_t now_us = clock_mono_us();
        DbLiveKeys keys;
        int r;

        if (now_us < watch->keys_us)
                return 0;
        r = db_live_keys_read(watch->conn, watch->options.cluster, &keys);
        if (r != 0)
                return r;
        watch->keys_us = now_us + LIVE_WATCH_KEYS_MS * INT64_C(1000);
        return err_up(live_keys_set(watch->options.keys, &keys));
}

static int live_watch_look(LiveWatch *watch) {
        DbHead heads[SLOT_MAX];
        size_t n = 0;
        int r = 0;

        if (!db_conn_is_open(watch->conn))
                r = db_conn_connect_wait(watch->conn, LIVE_WATCH_CONNECT_MS);
        if (r == 0)
                r = live_watch_read_keys(watch);
        if (r == 0)
                r = db_heads_read(watch->conn,
                                  watch->options.first_slot,
                                  watch->options.n_slots,
                                  heads,
                                  &n);
        if (r > 0 && !watch->is_away)
                log_warning("live_watch_away error=\"%s\"", db_conn_error(watch->conn));
        else if (r == 0 && watch->is_away)
                log_info("live_watch_back");
        watch->is_away = r > 0;
        if (r > 0) {
                db_conn_disconnect(watch->conn);
                return 0;
        }
        for (size_t i = 0; r == 0 && i < n; ++i)
                r = live_watch_see(watch, &heads[i]);
        return err_up(r);
}

static bool live_watch_is_stopped(const LiveWatch *watch) {
        struct pollfd fd = { .fd = watch->stop_fd, .events = POLLIN };
        bool knows_all = watch->n_known == watch->options.n_slots;

        (void)poll(&fd, 1, knows_all ? LIVE_WATCH_MS : LIVE_WATCH_FIRST_MS);
        return fd.revents != 0;
}

static void *live_watch_run(void *arg) {
        LiveWatch *watch = arg;
        int r;

        watch_enter("live_watch");
        while (!live_watch_is_stopped(watch)) {
                watch_turn();
                r = live_watch_look(watch);
                if (r < 0)
                        log_error("live_watch_failed error=\"%s\"", err_text(r));
                watch_rest();
        }
        watch_leave();
        return NULL;
}

int live_watch_new(LiveWatch **ret_watch, const LiveWatchOptions *options) {
        CLEANUP(live_watch_free) LiveWatch *watch = calloc(1, sizeof(*watch));
        int r;

        if (!watch)
                return err_new(-ENOMEM);
        assert(options->n_slots <= SLOT_MAX);
        watch->options = *options;
        watch->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (watch->stop_fd < 0)
                return err_new(-errno);
        r = db_conn_new(&watch->conn,
                        &(DbConnOptions){ .url = options->database_url,
                                          .name = "live",
                                          .connect_timeout_ms = LIVE_WATCH_CONNECT_MS,
                                          .statement_timeout_ms = LIVE_WATCH_STATEMENT_MS });
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(watch->conn, watch->stop_fd);
        r = pthread_create(&watch->thread, NULL, live_watch_run, watch);
        if (r != 0)
                return err_new(-r);
        watch->has_thread = true;
        *ret_watch = TAKE(&watch);
        return 0;
}

LiveWatch *live_watch_free(LiveWatch *watch) {
        if (!watch)
                return NULL;
        if (watch->has_thread) {
                (void)eventfd_write(watch->stop_fd, 1);
                MUST(pthread_join(watch->thread, NULL));
        }
        db_conn_free(watch->conn);
        if (watch->stop_fd >= 0)
                close(watch->stop_fd);
        free(watch);
        return NULL;
}
