#include "gateway/commands/dispatcher.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "db/edit/command_rows.h"
#include "gateway/commands/command_notes.h"
#include "gateway/commands/command_publisher.h"
#include "gateway/commands/herald.h"
#include "gateway/commands/letter_returns.h"
#include "gateway/sparkplug/order.h"
#include "model/event.h"
#include "model/metrics.h"

enum {
        DISPATCHER_TICK_MS = 1000, /* expiry, and what could not be published */
        DISPATCHER_CONNECT_MS = 2000,
        DISPATCHER_STATEMENT_MS = 10000,
        DISPATCHER_STOP_MS = 15000, /* longer than a statement may take */
        DISPATCHER_OUTBOX_MS = 100, /* an outbox that stays full is looked at again */
        DISPATCHER_PAGE = 256,
        DISPATCHER_BEATS = 3,    /* that are missed: then nobody tells us what is new */
        DISPATCHER_PATIENCE = 5, /* refusals that are worth a line: a schema being made is none */
};

struct Dispatcher {
        pthread_t thread;
        bool has_thread;
        bool is_abandoned; /* the thread did not end: all of this is still its own */
        CommandNotes notes;
        int ended_fd;  /* readable once the thread has nothing more to do */
        Queue *outbox; /* borrowed, as is the next */
        Queue *orders;
        char *epoch;
        DbConn *conn;
        CommandPublisher *publisher;
        LetterReturns letters;

        bool is_listening, was_here;
        bool is_deaf; /* no beat comes by the channel */
        int heartbeat_ms;
        int64_t beat_at_us; /* the last one */
        bool is_reported;   /* that the database is away */
        int n_refused;
        int64_t tick_at_us;
        Buf heard;      /* ids of new commands, for the sockets */
        bool wants_all; /* so many that all are to be looked at */
        Buf published;  /* ids that the broker has and the database does not know of yet */
        char cursor[QUERY_COMMAND_ID_SIZE];
        size_t n_page;
        int fault; /* of a callback */
        _Atomic int result;
};

/* ---- publishing ---- */

static void dispatcher_on_claimed(void *arg, const DbCommand *command) {
        Dispatcher *dispatcher = arg;

        command_publisher_add(dispatcher->publisher, command);
}

static void dispatcher_on_published(void *arg, const char *id, int64_t device_id) {
        Dispatcher *dispatcher = arg;
        int r;

        if (dispatcher->fault != 0)
                return;
        r = command_notes_say(&dispatcher->notes, id, device_id, "published", NULL);
        if (r < 0)
                dispatcher->fault = err_up(r);
        if (r != 0)
                return;
        (void)!db_command_rows_list(&dispatcher->published, id);
        metric_add(METRIC_COMMANDS_PUBLISHED, 1);
}

/* Tells the database what the broker has, also what it could not be told the last time. */
static int dispatcher_note_published(Dispatcher *dispatcher) {
        int r;

        if (dispatcher->published.n == 0)
                return 0;
        r = db_command_rows_published(dispatcher->conn, dispatcher->published.data);
        if (r == 0)
                buf_reset(&dispatcher->published);
        return r < 0 ? err_up(r) : r;
}

/* One parcel. *ret_more: it was full, and the broker said of each whether it takes it. */
static int dispatcher_publish_some(Dispatcher *dispatcher, bool again, bool *ret_more) {
        size_t n;
        int r;

        *ret_more = false;
        if (!command_publisher_is_ready(dispatcher->publisher))
                return 0;
        r = db_command_rows_claim(dispatcher->conn,
                                  dispatcher->epoch,
                                  again,
                                  COMMAND_PUBLISHER_PARCEL,
                                  dispatcher_on_claimed,
                                  dispatcher);
        n = command_publisher_length(dispatcher->publisher);
        if (r != 0 || n == 0)
                return r < 0 ? err_up(r) : r;
        r = command_publisher_send(dispatcher->publisher,
                                   dispatcher_on_published,
                                   dispatcher,
                                   ret_more);
        if (r == 0)
                r = dispatcher->fault;
        if (r == 0)
                r = dispatcher_note_published(dispatcher);
        *ret_more &= n == COMMAND_PUBLISHER_PARCEL;
        return r < 0 ? err_up(r) : r;
}

/* What is new goes first, and never in one parcel with what has failed before. */
static int dispatcher_publish(Dispatcher *dispatcher) {
        bool more = true, more_again = true;
        int r;

        r = dispatcher_note_published(dispatcher);
        while (r == 0 && (more || more_again) && !command_notes_is_stopped(&dispatcher->notes, 0)) {
                r = dispatcher_publish_some(dispatcher, false, &more);
                if (r == 0 && more_again)
                        r = dispatcher_publish_some(dispatcher, true, &more_again);
        }
        return r < 0 ? err_up(r) : r;
}

/* ---- telling the loops ---- */

static void dispatcher_on_waiting(void *arg, const DbCommand *command) {
        CLEANUP(event_unref) Event *event = NULL;
        CLEANUP_BUF Buf data = { 0 };
        Dispatcher *dispatcher = arg;
        int r;

        ++dispatcher->n_page;
        if (dispatcher->wants_all || dispatcher->fault != 0)
                return; /* it is full already: all of them again */
        snprintf(dispatcher->cursor, sizeof(dispatcher->cursor), "%s", command->command_id);
        db_command_rows_format(command, &data);
        r = buf_failed(&data) ? err_new(-ENOMEM) : 0;
        if (r == 0)
                r = event_new_command(&event,
                                      command->device_id,
                                      clock_now_us() + command->left_ms * 1000,
                                      text_of(command->command_id),
                                      buf_text(&data));
        if (r == 0)
                r = queue_push(dispatcher->outbox, event, DISPATCHER_OUTBOX_MS);
        if (r == 0)
                event = NULL;
        else if (r < 0)
                dispatcher->fault = err_up(r);
        else if (r == QUEUE_E_FULL)
                dispatcher->wants_all = true; /* when there is room */
}

static int dispatcher_tell_all(Dispatcher *dispatcher) {
        int r = 0;

        dispatcher->wants_all = false;
        dispatcher->cursor[0] = '\0';
        do {
                dispatcher->n_page = 0;
                r = db_command_rows_waiting(dispatcher->conn,
                                            dispatcher->cursor,
                                            DISPATCHER_PAGE,
                                            dispatcher_on_waiting,
                                            dispatcher);
        } while (r == 0 && dispatcher->n_page == DISPATCHER_PAGE && !dispatcher->wants_all &&
                 dispatcher->fault == 0);
        if (r != 0)
                dispatcher->wants_all = true;
        return r < 0 ? err_up(r) : r;
}

static int dispatcher_tell(Dispatcher *dispatcher) {
        int r = 0;

        if (dispatcher->wants_all)
                r = dispatcher_tell_all(dispatcher);
        else if (dispatcher->heard.n > 0)
                r = db_command_rows_named(dispatcher->conn,
                                          dispatcher->heard.data,
                                          dispatcher_on_waiting,
                                          dispatcher);
        if (r == 0)
                buf_reset(&dispatcher->heard);
        if (r == 0)
                r = dispatcher->fault;
        return r < 0 ? err_up(r) : r;
}

/* ---- what ends by itself, or because somebody says so ---- */

static void dispatcher_on_overdue(void *arg, const DbCommand *command) {
        Dispatcher *dispatcher = arg;
        int r;

        ++dispatcher->n_page;
        if (dispatcher->fault != 0)
                return;
        r = command_notes_say(&dispatcher->notes,
                              command->command_id,
                              command->device_id,
                              command->cancel_message ? "cancelled" : "expired",
                              command->cancel_message);
        if (r < 0)
                dispatcher->fault = err_up(r);
        if (r == 0)
                metric_add(command->cancel_message ? METRIC_COMMANDS_CANCELLED
                                                   : METRIC_COMMANDS_EXPIRED,
                           1);
}

static int dispatcher_end(Dispatcher *dispatcher) {
        int r;

        do {
                dispatcher->n_page = 0;
                r = db_command_rows_overdue(dispatcher->conn,
                                            DISPATCHER_PAGE,
                                            dispatcher_on_overdue,
                                            dispatcher);
                if (r == 0)
                        r = dispatcher->fault;
        } while (r == 0 && dispatcher->n_page == DISPATCHER_PAGE &&
                 !command_notes_is_stopped(&dispatcher->notes, 0));
        return r < 0 ? err_up(r) : r;
}

/* Commands wait meanwhile: what is more than some goes on in the next turn, which is at once, and
 * where none could be taken a tick later. */
static int dispatcher_take_letters(Dispatcher *dispatcher) {
        bool more = false;
        int r = letter_returns_turn(&dispatcher->letters, dispatcher->epoch, &more);

        if (more)
                dispatcher->tick_at_us = 0;
        return r < 0 ? err_up(r) : r;
}

/* ---- the thread ---- */

static int dispatcher_open(Dispatcher *dispatcher) {
        int r = 0;

        if (!db_conn_is_open(dispatcher->conn)) {
                dispatcher->is_listening = false;
                r = db_conn_connect_wait(dispatcher->conn, DISPATCHER_CONNECT_MS);
        }
        if (r == 0 && !dispatcher->was_here) {
                r = db_command_rows_release(dispatcher->conn, dispatcher->epoch);
                dispatcher->was_here = r == 0;
        }
        if (r != 0 || dispatcher->is_listening)
                return r < 0 ? err_up(r) : r;

        r = db_command_rows_listen(dispatcher->conn);
        if (r == 0) { /* whatever was said while nobody listened */
                dispatcher->is_listening = true;
                dispatcher->wants_all = true;
                dispatcher->beat_at_us = clock_mono_us();
        }
        return r < 0 ? err_up(r) : r;
}

static int dispatcher_hear(Dispatcher *dispatcher) {
        bool is_beat = false;
        int r;

        r = db_command_rows_hear(dispatcher->conn,
                                 &dispatcher->heard,
                                 &dispatcher->wants_all,
                                 &is_beat,
                                 herald_tell,
                                 dispatcher->outbox);
        if (is_beat)
                dispatcher->beat_at_us = clock_mono_us();
        return r < 0 ? err_up(r) : r;
}

/* The connection is there, and what is notified may be lost on the way all the same. */
static void dispatcher_listen_for_beats(Dispatcher *dispatcher) {
        int64_t silent_us = clock_mono_us() - dispatcher->beat_at_us;
        bool is_deaf = dispatcher->heartbeat_ms > 0 &&
                       silent_us > INT64_C(1000) * DISPATCHER_BEATS * dispatcher->heartbeat_ms;

        if (is_deaf && !dispatcher->is_deaf)
                log_warning("commands_unheard heartbeat_ms=%d hint=\"notifications of PostgreSQL "
                            "do not arrive: all commands are looked at once a second\"",
                            dispatcher->heartbeat_ms);
        if (!is_deaf && dispatcher->is_deaf)
                log_info("commands_heard");
        metric_set(METRIC_COMMANDS_UNHEARD, is_deaf);
        dispatcher->is_deaf = is_deaf;
        dispatcher->wants_all |= is_deaf;
}

/* Also while the database is away. */
static void dispatcher_order(Dispatcher *dispatcher) {
        void *item;

        while (dispatcher->orders && queue_pop(dispatcher->orders, &item, 1, 0) == 1) {
                SparkplugOrder *order = item;

                command_publisher_say(dispatcher->publisher,
                                      order->topic,
                                      (Text){ order->payload, order->n });
                sparkplug_order_free(order);
        }
}

static int dispatcher_turn(Dispatcher *dispatcher) {
        int64_t now_us = clock_mono_us();
        bool is_tick = now_us >= dispatcher->tick_at_us;
        bool is_news;
        int r;

        dispatcher_order(dispatcher);
        r = dispatcher_open(dispatcher);
        if (r == 0)
                r = dispatcher_hear(dispatcher);
        if (r == 0 && is_tick)
                dispatcher_listen_for_beats(dispatcher);
        is_news = is_tick || dispatcher->heard.n > 0 || dispatcher->wants_all;
        if (r == 0 && is_tick)
                r = db_command_rows_revoke(dispatcher->conn);
        if (r == 0 && is_news)
                r = dispatcher_publish(dispatcher);
        if (r == 0)
                r = dispatcher_tell(dispatcher);
        if (r == 0 && is_news)
                r = dispatcher_end(dispatcher);
        if (is_tick)
                dispatcher->tick_at_us = now_us + DISPATCHER_TICK_MS * INT64_C(1000);
        if (r == 0 && is_tick)
                r = dispatcher_take_letters(dispatcher);
        if (r == 0) /* what came meanwhile has been read already: the descriptor is silent */
                r = dispatcher_hear(dispatcher);
        return r < 0 ? err_up(r) : r;
}

/* An outage is noted once, and its end. */
static int dispatcher_settle(Dispatcher *dispatcher, int r) {
        if (r < 0)
                return err_up(r);
        if (r == 0) {
                if (dispatcher->is_reported)
                        log_info("commands_database_connected");
                dispatcher->is_reported = false;
                dispatcher->n_refused = 0;
                return 0;
        }
        ++dispatcher->n_refused;
        if (!dispatcher->is_reported && dispatcher->n_refused >= DISPATCHER_PATIENCE) {
                log_warning("commands_database_away sqlstate=%s error=\"%s\"",
                            db_conn_sqlstate(dispatcher->conn),
                            db_conn_error(dispatcher->conn));
                dispatcher->is_reported = true;
        }
        return 0;
}

/* Until the database has something to say, or the next tick. */
static bool dispatcher_wait(const Dispatcher *dispatcher, bool is_well) {
        int64_t left_us = dispatcher->tick_at_us - clock_mono_us();
        struct pollfd fds[] = {
                { .fd = dispatcher->notes.stop_fd, .events = POLLIN },
                { .fd = is_well ? db_conn_fd(dispatcher->conn) : -1, .events = POLLIN },
        };

        if (is_well && dispatcher->heard.n > 0)
                left_us = 0;
        if (!is_well)
                left_us = DISPATCHER_TICK_MS * INT64_C(1000) / 2;
        (void)poll(fds, N_ELEMENTS(fds), left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
        return fds[0].revents == 0;
}

static void *dispatcher_run(void *arg) {
        Dispatcher *dispatcher = arg;
        bool goes_on = true;

        while (goes_on) {
                int r = dispatcher_turn(dispatcher);

                if (dispatcher_settle(dispatcher, r) < 0) {
                        atomic_store(&dispatcher->result, r);
                        break;
                }
                goes_on = dispatcher_wait(dispatcher, r == 0);
        }
        /* The broker's library may be held up by another of its sessions: whoever waits for us can
         * tell, and nobody else calls it. */
        dispatcher->publisher = command_publisher_free(dispatcher->publisher);
        (void)eventfd_write(dispatcher->ended_fd, 1);
        return NULL;
}

static int dispatcher_init(Dispatcher *dispatcher, const DispatcherOptions *options) {
        int r;

        dispatcher->epoch = strdup(options->epoch);
        if (!dispatcher->epoch)
                return err_new(-ENOMEM);
        dispatcher->notes.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        dispatcher->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (dispatcher->notes.stop_fd < 0 || dispatcher->ended_fd < 0)
                return err_new(-errno);
        r = command_publisher_new(&dispatcher->publisher, &options->publisher);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = db_conn_new(&dispatcher->conn,
                        &(DbConnOptions){ .url = options->database_url,
                                          .name = "commands",
                                          .connect_timeout_ms = DISPATCHER_CONNECT_MS,
                                          .statement_timeout_ms = DISPATCHER_STATEMENT_MS });
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        db_conn_set_stop(dispatcher->conn, dispatcher->notes.stop_fd);
        return err_up(
                letter_returns_init(&dispatcher->letters, &dispatcher->notes, dispatcher->conn));
}

int dispatcher_new(Dispatcher **ret_dispatcher,
                   const DispatcherOptions *options,
                   InboundFn inbound,
                   void *arg,
                   Queue *outbox) {
        CLEANUP(dispatcher_free) Dispatcher *dispatcher = NULL;
        int r;

        dispatcher = calloc(1, sizeof(*dispatcher));
        if (!dispatcher)
                return err_new(-ENOMEM);
        dispatcher->notes.stop_fd = dispatcher->ended_fd = -1;
        dispatcher->notes.inbound = inbound;
        dispatcher->notes.arg = arg;
        dispatcher->outbox = outbox;
        dispatcher->orders = options->orders;
        dispatcher->heartbeat_ms = options->heartbeat_ms;
        r = dispatcher_init(dispatcher, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        r = pthread_create(&dispatcher->thread, NULL, dispatcher_run, dispatcher);
        if (r != 0)
                return err_new(-r);
        dispatcher->has_thread = true;
        *ret_dispatcher = TAKE(&dispatcher);
        return 0;
}

/* Within the time? A poll waits by the monotonic clock, which a join with a deadline does not. */
static bool dispatcher_has_ended(const Dispatcher *dispatcher, int timeout_ms) {
        struct pollfd fd = { .fd = dispatcher->ended_fd, .events = POLLIN };

        return poll(&fd, 1, timeout_ms > 0 ? timeout_ms : 0) > 0;
}

int dispatcher_result(const Dispatcher *dispatcher) {
        return atomic_load(&dispatcher->result);
}

void dispatcher_stop(Dispatcher *dispatcher, int timeout_ms) {
        if (dispatcher->notes.stop_fd >= 0)
                (void)eventfd_write(dispatcher->notes.stop_fd, 1);
        if (!dispatcher->has_thread)
                return;
        dispatcher->has_thread = false;
        if (dispatcher_has_ended(dispatcher, timeout_ms)) {
                MUST(pthread_join(dispatcher->thread, NULL));
                return;
        }
        log_warning("commands_abandoned hint=\"the broker's library does not answer\"");
        MUST(pthread_detach(dispatcher->thread));
        dispatcher->is_abandoned = true;
}

Dispatcher *dispatcher_free(Dispatcher *dispatcher) {
        if (!dispatcher)
                return NULL;

        dispatcher_stop(dispatcher, DISPATCHER_STOP_MS);
        if (dispatcher->is_abandoned)
                return NULL;
        command_publisher_free(dispatcher->publisher);
        db_conn_free(dispatcher->conn);
        buf_done(&dispatcher->heard);
        buf_done(&dispatcher->published);
        if (dispatcher->notes.stop_fd >= 0)
                close(dispatcher->notes.stop_fd);
        if (dispatcher->ended_fd >= 0)
                close(dispatcher->ended_fd);
        free(dispatcher->epoch);
        free(dispatcher);
        return NULL;
}
