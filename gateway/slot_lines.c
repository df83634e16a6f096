#include "gateway/slot_lines.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/secret.h"
#include "db/conn.h"
#include "gateway/adoption.h"
#include "gateway/inlet.h"
#include "gateway/session_name.h"
#include "gateway/slot_keys.h"
#include "gateway/slot_line.h"
#include "model/metrics.h"
#include "model/slot.h"

#define SLOT_LINES_EPOCH        17   /* of one in a list of them */
#define SLOT_LINES_RELEASE_MS   200  /* at the least, whatever the journals took */
#define SLOT_LINES_CONNECT_MS   1000 /* that a start waits for a database that is silent */
#define SLOT_LINES_STATEMENT_MS 5000
#define SLOT_LINES_LEFTOVERS_US INT64_C(20000000) /* then they wait for the next start */

struct SlotLines {
        SlotKeys *keys; /* NULL: there is one slot */
        char instance[SECRET_ID_SIZE];
        char client_id[SESSION_NAME_SIZE]; /* of what is one a process, beside several slots */
        Queue *outbox;                     /* borrowed */
        _Atomic unsigned n_running;        /* processors */
        unsigned n_lines;
        SlotLine *lines[SLOT_MAX];
        char epochs[SLOT_MAX * SLOT_LINES_EPOCH];
};

/* The last one: nothing more comes, and the loop sees it. */
static void slot_lines_on_ended(void *arg) {
        SlotLines *lines = arg;

        if (atomic_fetch_sub(&lines->n_running, 1) == 1)
                queue_close(lines->outbox);
}

static int slot_lines_split(SlotLines *lines, const Config *config) {
        char file[4096];
        int r;

        metrics_have_slots((unsigned)config->cluster_slots, config->cluster_slot);
        snprintf(file, sizeof(file), "%s/epoch", config->journal.dir);
        if (access(file, F_OK) == 0)
                log_warning("journal_of_one_slot dir=\"%s\" hint=\"what waits in it is stored by a "
                            "gateway with cluster.slots = 1\"",
                            config->journal.dir);
        r = secret_id(lines->instance);
        if (r == 0)
                r = slot_keys_new(&lines->keys, config->routes, (unsigned)config->cluster_slots);
        return r == 0 ? 0 : err_up(r);
}

static unsigned slot_lines_count(const Config *config) {
        return config->cluster_slots > 1 ? (unsigned)config->cluster_slots : 1;
}

/* What we had left as somebody else took a slot over, that one has no part in: it is stored before
 * the journals are opened to wait for their turn. */
static void slot_lines_store_leftovers(const Config *config, DbConn *conn) {
        int64_t until_us = clock_mono_us() + SLOT_LINES_LEFTOVERS_US;

        for (unsigned i = 0; i < slot_lines_count(config); ++i) {
                int64_t left_ms = (until_us - clock_mono_us()) / 1000;
                unsigned before = metrics_enter(config->cluster_slots > 1 ? i + 1 : 0);
                char dir[PATH_MAX];

                if (left_ms > 0 && slot_line_dir(config, i, dir))
                        adoption_at_start(config, dir, conn, (int)left_ms);
                (void)metrics_enter(before);
        }
}

/* Without a database nothing can be, and nobody waits for it. */
static void slot_lines_look_for_leftovers(const Config *config) {
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const DbConnOptions options = {
                .url = config->database_url,
                .name = "leftovers",
                .connect_timeout_ms = SLOT_LINES_CONNECT_MS,
                .statement_timeout_ms = SLOT_LINES_STATEMENT_MS,
        };

        if (config->database_url && access(config->journal.dir, F_OK) == 0 &&
            db_conn_new(&conn, &options) == 0 &&
            db_conn_connect_wait(conn, SLOT_LINES_CONNECT_MS) == 0)
                slot_lines_store_leftovers(config, conn);
}

static void slot_lines_join_epochs(SlotLines *lines) {
        size_t n = 0;

        for (unsigned i = 0; i < lines->n_lines; ++i)
                n += (size_t)snprintf(lines->epochs + n,
                                      sizeof(lines->epochs) - n,
                                      "%s%s",
                                      i > 0 ? "," : "",
                                      slot_line_epoch(lines->lines[i]));
        assert(n < sizeof(lines->epochs));
}

int slot_lines_new(SlotLines **ret_lines,
                   const Config *config,
                   Queue *outbox,
                   Queue *orders,
                   const SlotLinesShown *shown) {
        CLEANUP(slot_lines_free) SlotLines *lines = NULL;
        bool is_split = config->cluster_slots > 1;
        int r = 0;

        lines = calloc(1, sizeof(*lines));
        if (!lines)
                return err_new(-ENOMEM);
        lines->outbox = outbox;
        if (is_split)
                r = slot_lines_split(lines, config);
        if (r != 0)
                return err_up(r);
        slot_lines_look_for_leftovers(config);
        for (unsigned i = 0; i < slot_lines_count(config); ++i) {
                r = slot_line_new(&lines->lines[i],
                                  &(SlotLineOptions){ .config = config,
                                                      .outbox = outbox,
                                                      .orders = orders,
                                                      .n_slots = (unsigned)config->cluster_slots,
                                                      .place = i,
                                                      .keys = lines->keys,
                                                      .instance = is_split ? lines->instance : NULL,
                                                      .ended = slot_lines_on_ended,
                                                      .ended_arg = lines,
                                                      .shown = is_split ? shown->fn : NULL,
                                                      .shown_arg = shown->arg });
                if (r != 0)
                        return r; /* SLOT_LINE_E_UNUSABLE is for the caller as well */
                ++lines->n_lines;
        }
        slot_lines_join_epochs(lines);
        if (is_split)
                snprintf(lines->client_id,
                         sizeof(lines->client_id),
                         "tidegate-%s",
                         slot_lines_epoch(lines));
        *ret_lines = TAKE(&lines);
        return 0;
}

int slot_lines_start(SlotLines *lines, Discovery *discovery, Routes *own, Routes *routes) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < lines->n_lines; ++i) {
                atomic_fetch_add(&lines->n_running, 1);
                r = slot_line_start(lines->lines[i], discovery, own, routes);
        }
        return r == 0 ? 0 : err_up(r);
}

int slot_lines_set_routes(SlotLines *lines, Routes *own, Routes *routes) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < lines->n_lines; ++i)
                r = slot_line_set_routes(lines->lines[i], own, routes);
        return r == 0 ? 0 : err_up(r);
}

/* ---- the main loop ---- */

size_t slot_lines_n(const SlotLines *lines) {
        return lines->n_lines;
}

void slot_lines_fds(const SlotLines *lines, struct pollfd ret_fds[]) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                ret_fds[i] =
                        (struct pollfd){ .fd = slot_line_fd(lines->lines[i]), .events = POLLIN };
}

/* As many as others lack, or all; those that are on their way count. */
static void slot_lines_share(SlotLines *lines) {
        int n = slot_line_take_surplus(lines->lines[0]);

        for (unsigned i = 0; i < lines->n_lines; ++i)
                n -= slot_line_is_leaving(lines->lines[i]);
        for (unsigned i = lines->n_lines; n > 0 && i-- > 0;) {
                if (!slot_line_is_in(lines->lines[i]))
                        continue;
                slot_line_leave(lines->lines[i]);
                --n;
        }
}

/* Could we wait for Paho, and a message of some line, with its lock, for us? */
static bool slot_lines_may_wait(const SlotLines *lines) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                if (slot_line_may_wait(lines->lines[i]))
                        return true;
        return false;
}

static int slot_lines_open(SlotLines *lines) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < lines->n_lines; ++i)
                if (slot_line_is_to_open(lines->lines[i]) && !slot_lines_may_wait(lines))
                        r = slot_line_open(lines->lines[i]);
        return r < 0 ? err_up(r) : r;
}

int slot_lines_follow(SlotLines *lines, bool *ret_is_in) {
        int r;

        *ret_is_in = false;
        for (unsigned i = 0; i < lines->n_lines; ++i) {
                bool is_in;

                slot_line_follow(lines->lines[i], &is_in);
                *ret_is_in = *ret_is_in || is_in;
        }
        r = slot_lines_open(lines);
        if (r == 0 && lines->keys && !slot_lines_may_wait(lines))
                slot_lines_share(lines);
        return r < 0 ? err_up(r) : r;
}

int slot_lines_turn(SlotLines *lines) {
        int r = slot_lines_open(lines);

        for (unsigned i = 0; r == 0 && i < lines->n_lines; ++i)
                r = slot_line_turn(lines->lines[i]);
        return r < 0 ? err_up(r) : r;
}

int64_t slot_lines_wait_us(const SlotLines *lines) {
        int64_t wait_us = INT64_MAX;

        for (unsigned i = 0; i < lines->n_lines; ++i) {
                int64_t one_us = slot_line_wait_us(lines->lines[i]);

                if (one_us < wait_us)
                        wait_us = one_us;
        }
        return wait_us;
}

int slot_lines_result(const SlotLines *lines) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < lines->n_lines; ++i)
                r = slot_line_result(lines->lines[i]);
        return r;
}

/* ---- the end ---- */

void slot_lines_drain(SlotLines *lines) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_drain(lines->lines[i]);
}

void slot_lines_stop_source(SlotLines *lines) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_begin_stop(lines->lines[i]);
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_await_source(lines->lines[i]);
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_stop_source(lines->lines[i]);
}

void slot_lines_stop_storing(SlotLines *lines, int grace_ms) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_stop_storing(lines->lines[i], grace_ms);
}

void slot_lines_release(SlotLines *lines, int64_t deadline_us) {
        for (unsigned i = lines->n_lines; i-- > 0;) { /* the first one speaks for the node */
                int64_t left_ms = (deadline_us - clock_mono_us()) / 1000;

                slot_line_release(lines->lines[i],
                                  left_ms > SLOT_LINES_RELEASE_MS ? (int)left_ms
                                                                  : SLOT_LINES_RELEASE_MS);
        }
}

void slot_lines_end(SlotLines *lines) {
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_end(lines->lines[i]);
}

SlotLines *slot_lines_free(SlotLines *lines) {
        if (!lines)
                return NULL;
        for (unsigned i = 0; i < lines->n_lines; ++i)
                slot_line_free(lines->lines[i]);
        slot_keys_free(lines->keys);
        free(lines);
        return NULL;
}

/* ---- what comes by other doors ---- */

/* The first from there on that is held; @slot itself where none is. */
static unsigned slot_lines_held(const SlotLines *lines, unsigned slot) {
        for (unsigned i = 0; i < lines->n_lines; ++i) {
                unsigned at = (slot + i) % lines->n_lines;

                if (slot_line_is_in(lines->lines[at]))
                        return at;
        }
        return slot;
}

int slot_lines_take(void *arg, const Inbound *inbound) {
        SlotLines *lines = arg;
        unsigned slot = 0;
        int r = 0;

        if (inbound->line > 0 && inbound->line <= lines->n_lines)
                return inlet_take(slot_line_inlet(lines->lines[inbound->line - 1]), inbound);
        if (lines->keys && inbound->device_id != 0)
                slot = slot_keys_of_device(lines->keys, inbound->device_id);
        else if (lines->keys)
                r = slot_keys_find(lines->keys, inbound->topic, &slot);
        if (r != 0)
                return err_up(r);
        slot = slot_lines_held(lines, slot);
        return inlet_take(slot_line_inlet(lines->lines[slot]), inbound); /* which may refuse it */
}

unsigned slot_lines_edge(void *arg, int64_t device_id) {
        const SlotLines *lines = arg;
        unsigned slot;

        if (!lines->keys)
                return 1; /* also as a standby, which takes nothing yet */
        slot = slot_lines_held(lines, slot_keys_of_device(lines->keys, device_id));
        return slot_line_is_in(lines->lines[slot]) ? slot + 1 : 0;
}

bool slot_lines_look(void *arg, unsigned line, UplinkLine *ret_line) {
        const SlotLines *lines = arg;
        const SlotLine *one;

        if (line == 0 || line > lines->n_lines)
                return false;
        one = lines->lines[line - 1];
        slot_line_look(one, ret_line);
        return !lines->keys || slot_line_is_in(one);
}

const char *slot_lines_epoch(const SlotLines *lines) {
        return slot_line_epoch(lines->lines[0]);
}

const char *slot_lines_epochs(const SlotLines *lines) {
        return lines->epochs;
}

bool slot_lines_have(const SlotLines *lines, unsigned place) {
        return place < lines->n_lines && slot_line_is_in(lines->lines[place]);
}

const char *slot_lines_client_id(const SlotLines *lines) {
        return lines->keys ? lines->client_id : slot_line_client_id(lines->lines[0]);
}
