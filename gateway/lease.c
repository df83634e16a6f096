#include "gateway/lease.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/watch.h"
#include "db/write/slots.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/lease_note.h"
#include "gateway/lease_watch.h"
#include "gateway/lease_words.h"
#include "gateway/node.h"
#include "gateway/succession.h"
#include "model/metrics.h"

enum {
        LEASE_STATEMENT_MAX_MS = 1000, /* a third of the lease */
        LEASE_BEAT_MAX_MS = 2000,      /* between signs of life; a third of the lease */
        LEASE_PAUSE_MIN_MS = 100,      /* between attempts while the database is away */
        LEASE_PAUSE_MAX_MS = 1000,     /* a sixth of the lease */
        LEASE_PLACE_SIZE = 96,
};

struct Lease {
        LeaseOptions options;
        pthread_t thread;
        bool has_thread;
        int stop_fd, abort_fd, ended_fd, change_fd, wake_fd;
        unsigned counts_for; /* metrics.h */
        char instance[SECRET_ID_SIZE], place[LEASE_PLACE_SIZE], host[HOST_NAME_MAX + 1];
        char note[PATH_MAX];
        char client_id[DB_SLOTS_TEXT_SIZE]; /* written before a state lets it be read */
        _Atomic int state;
        _Atomic bool is_drained; /* when it stops */
        _Atomic bool is_let_go;  /* it is to be said that it is free */
        _Atomic int surplus;
        _Atomic int64_t confirmed_us; /* monotonic; 0: not now */
        _Atomic int64_t asked_us;     /* monotonic: when that began, whatever came of it */

        /* {thread} from here on */
        DbConn *conn;
        Node node;
        LeaseWatch watch;
        uint64_t held_fence;
        Backoff backoff;
        uint64_t beats;      /* our last sign of life */
        uint64_t said_fence; /* of whom the log knows; 0: nobody */
        bool is_refused;     /* has the slot, and somebody else its name */
        bool is_told;        /* that others split the work otherwise */
        bool has_left;       /* said to that one's database what is left in the journal */
        int64_t begun_us;
};

/* ---- what others may know ---- */

LeaseState lease_state(const Lease *lease) {
        return (LeaseState)atomic_load(&lease->state);
}

bool lease_is_confirmed(const Lease *lease) {
        int64_t confirmed_us = atomic_load(&lease->confirmed_us);

        return lease_state(lease) == LEASE_HELD && confirmed_us != 0 &&
               clock_mono_us() - confirmed_us < lease->options.lease_ms * INT64_C(1000);
}

/* From the beginning of an attempt to the end of the next hardly takes a lease: two statements and
 * a beat, or in vain two attempts to connect and a pause. Somebody else takes over after a lease
 * and two looks. */
bool lease_is_awake(const Lease *lease) {
        int64_t ms = lease->options.lease_ms + lease_watch_look_ms(lease->options.lease_ms);
        int64_t asked_us = atomic_load(&lease->asked_us);
        LeaseState state = lease_state(lease); /* after it: as of that attempt, or later */

        return (state == LEASE_HELD || state == LEASE_AWAY) &&
               clock_mono_us() - asked_us < ms * 1000;
}

const char *lease_instance(const Lease *lease) {
        return lease->instance;
}

const char *lease_client_id(const Lease *lease) {
        return lease->client_id;
}

int lease_fd(const Lease *lease) {
        return lease->change_fd;
}

void lease_hear(Lease *lease) {
        eventfd_t n;

        (void)eventfd_read(lease->change_fd, &n);
}

static void lease_set(Lease *lease, LeaseState state) {
        metric_set(METRIC_LEASE_HELD, state == LEASE_HELD);
        metric_set(METRIC_LEASE_WAITING, state == LEASE_WAITING);
        if (state != LEASE_HELD)
                metric_set(METRIC_JOURNALS_LEFT, 0);
        atomic_store(&lease->state, (int)state);
        (void)eventfd_write(lease->change_fd, 1);
}

static bool lease_has_let_in(const Lease *lease) {
        LeaseState state = lease_state(lease);

        return state == LEASE_HELD || state == LEASE_AWAY || state == LEASE_DOUBTED;
}

static bool lease_is_of_several(const Lease *lease) {
        return lease->options.layout.n_slots > 1;
}

int lease_take_surplus(Lease *lease) {
        return atomic_exchange(&lease->surplus, 0);
}

void lease_let_go(Lease *lease) {
        atomic_store(&lease->is_let_go, true);
        (void)eventfd_write(lease->wake_fd, 1);
}

bool lease_is_letting_go(const Lease *lease) {
        return atomic_load(&lease->is_let_go);
}

/* ---- answers of the database ---- */

static DbHolder lease_holder(const Lease *lease, uint64_t fence) {
        return (DbHolder){ .slot = lease->options.slot,
                           .instance = lease->instance,
                           .fence = fence };
}

/* It was another one's perhaps, and what comes, comes as soon as we are known to have the slot. */
static int lease_go_behind(Lease *lease, uint64_t fence) {
        const DbHolder holder = lease_holder(lease, fence);
        bool had_it = lease->held_fence != 0;

        if (!had_it && !lease_is_of_several(lease))
                return 0;
        return succession_go_behind(lease->conn,
                                    &holder,
                                    had_it,
                                    lease_is_of_several(lease),
                                    lease->options.journal);
}

/* With what others have stored of the session at the broker, before that goes over. */
static int lease_begin_turn(Lease *lease, const DbSlot *slot) {
        int r;

        if (slot->fence == lease->held_fence)
                return 0;
        if (lease_has_let_in(lease) &&
            lease_watch_was_others(lease->held_fence, lease->beats, slot))
                journal_end_connection(lease->options.journal);
        r = lease_go_behind(lease, slot->fence);
        if (r == 0) /* which writes records of its own, behind that */
                r = succession_learn(lease->conn,
                                     lease->options.slot,
                                     lease->options.epoch,
                                     lease->held_fence,
                                     lease->options.journal);
        if (r == 0)
                journal_begin_turn(lease->options.journal, slot->fence);
        return r;
}

static void lease_take(Lease *lease, const DbSlot *slot, int64_t asked_us) {
        LeaseState state = lease_state(lease);

        lease->watch = (LeaseWatch){ 0 };
        journal_set_unsure(lease->options.journal, false);
        lease->beats = slot->beats;
        atomic_store(&lease->confirmed_us, asked_us);
        metric_add(METRIC_LEASE_RENEWED, 1);
        if (state == LEASE_HELD && slot->fence == lease->held_fence)
                return;

        if (!lease_has_let_in(lease))
                snprintf(lease->client_id, sizeof(lease->client_id), "%s", slot->client_id);
        lease->said_fence = 0;
        lease->held_fence = slot->fence;
        lease->is_told = false;
        metric_set(METRIC_LAYOUT_DIFFERS, 0);
        lease_note_others(lease->note, false);
        metrics_set_holder("");
        metric_add(METRIC_LEASE_TAKEN, 1);
        lease_words_held(lease->options.slot, slot, lease->options.lease_ms);
        lease_set(lease, LEASE_HELD);
}

static void lease_lose(Lease *lease) {
        lease_words_lost(lease->options.slot, lease->held_fence);
        lease_set(lease, LEASE_LOST);
}

/* Nobody has it, and it is not for us now; or the work is split otherwise. */
static void lease_see_nobody(Lease *lease, const DbSlot *slot, LeaseState state) {
        lease->watch = (LeaseWatch){ 0 };
        metric_set(METRIC_LAYOUT_DIFFERS, !slot->is_agreed);
        if (!slot->is_agreed && !lease->is_told)
                lease_words_differs(lease->options.slot, &lease->options.layout);
        lease->is_told = !slot->is_agreed;
        lease->said_fence = 0;
        if (lease_state(lease) != state)
                lease_set(lease, state);
}

/* Somebody else's; who has taken in doubts it: the row may be of a database that was put back. */
static void lease_see(Lease *lease, const DbSlot *slot) {
        bool was_in = lease_has_let_in(lease);
        LeaseState state = was_in ? LEASE_DOUBTED : LEASE_WAITING;

        atomic_store(&lease->confirmed_us, 0);
        if (!slot->is_agreed || slot->is_free) {
                lease_see_nobody(lease, slot, state);
                return;
        }
        lease_watch_see(&lease->watch, slot);
        if (lease_state(lease) != state || lease->said_fence != slot->fence) {
                lease->said_fence = slot->fence;
                lease->has_left = false;
                lease_set(lease, state);
                lease_words_holder(lease->options.slot, slot, was_in, lease_is_of_several(lease));
                lease_note_others(lease->note, true);
        }
        if (was_in && lease->watch.is_alive)
                lease_lose(lease);
}

static DbSlotLayout lease_layout(const Lease *lease) {
        DbSlotLayout layout = lease->options.layout;

        layout.node = lease->node.name;
        return layout;
}

static int lease_ask(Lease *lease, bool is_lapsed, DbSlot *ret_slot) {
        LeaseState state = lease_state(lease);
        const LeaseOptions *options = &lease->options;
        bool is_in = lease_has_let_in(lease);

        return db_slots_hold(lease->conn,
                             &(DbSlotClaim){
                                     .layout = lease_layout(lease),
                                     .holder = { .slot = options->slot,
                                                 .instance = lease->instance },
                                     .epoch = options->epoch,
                                     .place = lease->place,
                                     .host = lease->host,
                                     .client_id = is_in ? lease->client_id : options->client_id,
                                     .pid = (int)getpid(),
                                     .lease_ms = options->lease_ms,
                                     .adopts = !options->is_client_fixed && !is_in &&
                                               state != LEASE_LOST,
                                     .held_fence = lease->held_fence,
                                     .is_lapsed = is_lapsed,
                                     .seen_fence = lease->watch.fence,
                                     .seen_beats = lease->watch.beats,
                             },
                             ret_slot);
}

/* An older schema has no place for it. */
static int lease_leave(Lease *lease) {
        int r;

        if (lease->has_left)
                return 0;
        r = db_slots_leave(lease->conn,
                           lease->options.epoch,
                           &(DbHolder){ .slot = lease->options.slot,
                                        .last_seq = journal_last_seq(lease->options.journal) });
        lease->has_left = r == 0 || r == DB_E_REJECTED;
        return lease->has_left ? 0 : r;
}

static int lease_hold(Lease *lease, int *ret_wait_ms) {
        int64_t asked_us = clock_mono_us();
        DbSlot slot;
        int r;

        r = lease_ask(lease, false, &slot);
        if (r == 0 && !slot.is_ours) {
                lease_see(lease, &slot);
                r = lease_leave(lease);
                if (r == 0 && lease_state(lease) != LEASE_LOST &&
                    lease_watch_has_lapsed(&lease->watch, slot.lease_ms)) {
                        lease_words_lapsed(lease->options.slot, &slot);
                        asked_us = clock_mono_us();
                        r = lease_ask(lease, true, &slot);
                }
        }
        if (r == 0 && slot.is_ours)
                r = lease_begin_turn(lease, &slot);
        if (r != 0)
                return r;
        lease->backoff = (Backoff){ 0 };
        if (slot.is_ours)
                lease_take(lease, &slot, asked_us);
        *ret_wait_ms = slot.is_ours
                               ? lease_watch_part_ms(lease->options.lease_ms, 3, LEASE_BEAT_MAX_MS)
                               : lease_watch_look_ms(slot.lease_ms);
        return 0;
}

/* Asked at the start in vain. Who has stored something goes on as who had it, if it is not known
 * better; a new one waits a moment for a database that starts as it does. */
static void lease_guess(Lease *lease) {
        bool is_others = access(lease->note, F_OK) == 0 || lease_is_of_several(lease);

        if (!is_others && !lease->options.is_experienced &&
            clock_mono_us() - lease->begun_us < lease->options.lease_ms * INT64_C(500))
                return;
        if (is_others)
                lease_words_unasked(lease->options.slot);
        snprintf(lease->client_id, sizeof(lease->client_id), "%s", lease->options.client_id);
        lease_set(lease, is_others ? LEASE_WAITING : LEASE_AWAY);
}

/* Whoever has it, nobody can take it now; but that nobody was seen meanwhile says nothing. */
static int lease_fail(Lease *lease) {
        int max_ms = lease_watch_part_ms(lease->options.lease_ms, 6, LEASE_PAUSE_MAX_MS);

        if (!lease_is_awake(lease))
                journal_set_unsure(lease->options.journal, true);
        lease->watch = (LeaseWatch){ 0 };
        if (lease_state(lease) == LEASE_UNKNOWN || lease_state(lease) == LEASE_NEW)
                lease_guess(lease);
        return backoff_fail(&lease->backoff, LEASE_PAUSE_MIN_MS, max_ms);
}

/* There are no slots yet. Who had to guess whose it is migrates, like who found it there. */
static void lease_see_none(Lease *lease) {
        LeaseState state = lease_state(lease);

        if (state == LEASE_AWAY || (state != LEASE_NEW && !lease_has_let_in(lease)))
                lease_set(lease, LEASE_NEW);
}

/* Of who is told that others split it otherwise, nobody expects anything. */
static int lease_look_at_shares(Lease *lease) {
        const DbSlotLayout layout = lease_layout(lease);
        int n = 0, n_serving = 0;
        int r;

        if (lease_state(lease) == LEASE_NEW || lease->is_told)
                return 0;
        r = db_slots_surplus(lease->conn, &layout, lease->instance, &n, &n_serving);
        if (r != 0)
                return r;
        metric_set(METRIC_NODES_SERVING, n_serving);
        if (atomic_exchange(&lease->surplus, n) != n || n > 0)
                (void)eventfd_write(lease->change_fd, 1);
        return 0;
}

/* All is stored: said until it is heard, or we have it no more. */
static int lease_release(Lease *lease) {
        const DbHolder holder = lease_holder(lease, 0);
        int r;

        if (!atomic_load(&lease->is_let_go))
                return 0;
        if (lease_state(lease) == LEASE_HELD) {
                r = db_slots_release(lease->conn, &holder, true);
                if (r != 0)
                        return r;
                log_info("lease_released slot=%d", lease->options.slot);
                atomic_store(&lease->confirmed_us, 0);
                lease_note_others(lease->note, true);
                lease_set(lease, LEASE_WAITING);
        }
        atomic_store(&lease->is_let_go, false);
        return 0;
}

/* That we are there, if nobody else says so, and where our slot is: in what is left of the wait. */
static int lease_tell(Lease *lease, int wait_ms) {
        const DbHolder holder = lease_holder(lease, lease->held_fence);
        int64_t begun_us = clock_mono_us();
        int left_ms;
        int r = 0;

        if (!db_conn_is_open(lease->conn))
                return wait_ms;
        if (!lease->options.is_silent) {
                r = node_turn(&lease->node, lease->conn, !lease->is_told);
                if (r == 0 && lease_is_of_several(lease))
                        r = lease_look_at_shares(lease);
        }
        lease->is_refused = r == NODE_E_TAKEN && lease_state(lease) == LEASE_HELD;
        if (r == 0 && lease_state(lease) == LEASE_HELD)
                r = succession_go_on(lease->conn, &holder, lease->options.journal);
        if (r == NODE_E_TAKEN)
                lease_set(lease, LEASE_LOST);
        else if (r != 0)
                db_conn_disconnect(lease->conn);
        left_ms = wait_ms - (int)((clock_mono_us() - begun_us) / 1000);
        return left_ms > 0 ? left_ms : 0;
}

/* About to end, and without it: what others let go of is not for us. */
static bool lease_is_done(const Lease *lease) {
        return lease_is_of_several(lease) && atomic_load(&lease->node.is_draining) &&
               lease_state(lease) == LEASE_WAITING;
}

/* How long to wait for the next one. */
static int lease_turn(Lease *lease) {
        int64_t begun_us = clock_mono_us();
        int wait_ms = LEASE_PAUSE_MIN_MS;
        int r = 0;

        if (!db_conn_is_open(lease->conn)) {
                r = db_conn_connect_wait(lease->conn,
                                         lease_watch_connect_ms(lease->options.lease_ms));
                if (r == 0)
                        begun_us = clock_mono_us();
        }
        if (r == 0)
                r = lease_release(lease);
        if (r == 0 && lease_is_done(lease))
                wait_ms = lease_watch_look_ms(lease->options.lease_ms);
        else if (r == 0)
                r = lease_hold(lease, &wait_ms);
        if (r == DB_E_SCHEMA) {
                lease_see_none(lease);
        } else if (r != 0) {
                db_conn_disconnect(lease->conn);
                wait_ms = lease_fail(lease);
        }
        atomic_store(&lease->asked_us, begun_us);
        return lease_tell(lease, wait_ms);
}

/* ---- the thread ---- */

static bool lease_is_stopped(const Lease *lease, int timeout_ms) {
        struct pollfd fds[] = { { .fd = lease->stop_fd, .events = POLLIN },
                                { .fd = lease->wake_fd, .events = POLLIN } };
        eventfd_t n;

        (void)poll(fds, N_ELEMENTS(fds), timeout_ms);
        (void)eventfd_read(lease->wake_fd, &n);
        return fds[0].revents != 0;
}

static void *lease_run(void *arg) {
        Lease *lease = arg;
        int wait_ms = 0;

        watch_enter("lease");
        (void)metrics_enter(lease->counts_for);
        while (lease_state(lease) != LEASE_LOST && !lease_is_stopped(lease, wait_ms)) {
                watch_turn();
                wait_ms = lease_turn(lease);
                watch_rest();
        }
        watch_turn();
        if ((lease_state(lease) == LEASE_HELD || lease->is_refused) &&
            db_slots_release(lease->conn,
                             &(DbHolder){ .slot = lease->options.slot,
                                          .instance = lease->instance },
                             lease->is_drained) == 0)
                log_info("lease_released slot=%d", lease->options.slot);
        if (!lease->options.is_silent)
                node_end(&lease->node, lease->conn);
        watch_leave();
        (void)eventfd_write(lease->ended_fd, 1);
        return NULL;
}

/* ---- life ---- */

static int lease_init(Lease *lease) {
        int r;

        lease->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lease->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lease->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lease->change_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lease->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (lease->stop_fd < 0 || lease->abort_fd < 0 || lease->ended_fd < 0 ||
            lease->change_fd < 0 || lease->wake_fd < 0)
                return err_new(-errno);
        r = secret_id(lease->instance);
        if (r != 0)
                return err_up(r);
        if (lease->options.instance)
                snprintf(lease->instance, sizeof(lease->instance), "%s", lease->options.instance);
        if (gethostname(lease->host, sizeof(lease->host) - 1) < 0)
                snprintf(lease->host, sizeof(lease->host), "unknown");
        snprintf(lease->note, sizeof(lease->note), "%s/standby", lease->options.journal_dir);
        if (!journal_dir_place(lease->options.journal_dir, lease->place, sizeof(lease->place)))
                snprintf(lease->place, sizeof(lease->place), "%s", lease->instance);
        node_init(&lease->node,
                  &(NodeOptions){ .cluster = lease->options.cluster,
                                  .name = lease->options.node,
                                  .advertise = lease->options.advertise,
                                  .journal_dir = lease->options.node_dir
                                                         ? lease->options.node_dir
                                                         : lease->options.journal_dir,
                                  .instance = lease->instance,
                                  .place = lease->place,
                                  .host = lease->host,
                                  .slot = lease_is_of_several(lease) ? lease->options.layout.first
                                                                     : lease->options.slot,
                                  .lease_ms = lease->options.lease_ms });
        r = db_conn_new(&lease->conn,
                        &(DbConnOptions){ .url = lease->options.database_url,
                                          .name = "lease",
                                          .connect_timeout_ms =
                                                  lease_watch_connect_ms(lease->options.lease_ms),
                                          .statement_timeout_ms =
                                                  lease_watch_part_ms(lease->options.lease_ms,
                                                                      3,
                                                                      LEASE_STATEMENT_MAX_MS) });
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(lease->conn, lease->abort_fd);
        return 0;
}

int lease_new(Lease **ret_lease, const LeaseOptions *options) {
        CLEANUP(lease_free) Lease *lease = NULL;
        int r;

        lease = calloc(1, sizeof(*lease));
        if (!lease)
                return err_new(-ENOMEM);
        lease->options = *options;
        lease->begun_us = clock_mono_us();
        lease->stop_fd = lease->abort_fd = lease->ended_fd = lease->change_fd = -1;
        lease->wake_fd = -1;
        lease->counts_for = metrics_place();
        r = lease_init(lease);
        if (r != 0)
                return err_up(r);

        r = pthread_create(&lease->thread, NULL, lease_run, lease);
        if (r != 0)
                return err_new(-r);
        lease->has_thread = true;
        *ret_lease = TAKE(&lease);
        return 0;
}

void lease_drain(Lease *lease) {
        node_drain(&lease->node);
}

void lease_stop(Lease *lease, bool is_drained, int timeout_ms) {
        struct pollfd fd = { .fd = lease->ended_fd, .events = POLLIN };

        if (!lease->has_thread)
                return;
        lease->is_drained = is_drained;
        (void)eventfd_write(lease->stop_fd, 1);
        (void)poll(&fd, 1, timeout_ms);
        (void)eventfd_write(lease->abort_fd, 1);
        MUST(pthread_join(lease->thread, NULL));
        lease->has_thread = false;
}

static void lease_close(const Lease *lease) {
        const int fds[] = {
                lease->stop_fd, lease->abort_fd, lease->ended_fd, lease->change_fd, lease->wake_fd
        };

        for (size_t i = 0; i < N_ELEMENTS(fds); ++i)
                if (fds[i] >= 0)
                        close(fds[i]);
}

Lease *lease_free(Lease *lease) {
        if (!lease)
                return NULL;
        if (lease->stop_fd >= 0 && lease->abort_fd >= 0 && lease->ended_fd >= 0)
                lease_stop(lease, false, 0);
        db_conn_free(lease->conn);
        lease_close(lease);
        free(lease);
        return NULL;
}
