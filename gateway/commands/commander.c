#include "gateway/commands/commander.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/secret.h"
#include "db/edit/commands.h"
#include "db/edit/letters.h"
#include "gateway/commands/courier.h"
#include "gateway/store/letter.h"
#include "model/event.h"
#include "model/metrics.h"

enum {
        COMMANDER_TICK_MS = 1000, /* expiry, and what could not be published */
        COMMANDER_CONNECT_MS = 2000,
        COMMANDER_STATEMENT_MS = 10000,
        COMMANDER_STOP_MS = 15000, /* longer than a statement may take */
        COMMANDER_FULL_MS = 100,   /* between tries while the journal is full */
        COMMANDER_OUTBOX_MS = 100, /* an outbox that stays full is looked at again */
        COMMANDER_PAGE = 256,
        COMMANDER_TOPIC_BYTES =
                65000,          /* of a letter: with its mark it is a journal's topic still */
        COMMANDER_BEATS = 3,    /* that are missed: then nobody tells us what is new */
        COMMANDER_PATIENCE = 5, /* refusals in a row before they are worth a line: a schema that is
                                   being made is none */
};

struct Commander {
        pthread_t thread;
        bool has_thread;
        bool is_abandoned; /* the thread did not end: all of this is still its own */
        int stop_fd;
        int ended_fd; /* readable once the thread has nothing more to do */
        InboundFn inbound;
        void *inbound_arg;
        Queue *outbox; /* borrowed */
        char *epoch;
        char session[SECRET_ID_SIZE]; /* of this start */
        DbConn *conn;
        Courier *courier;

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
};

static bool commander_is_stopped(const Commander *commander, int timeout_ms) {
        struct pollfd fd = { .fd = commander->stop_fd, .events = POLLIN };

        return poll(&fd, 1, timeout_ms) > 0;
}

/* ---- what is known goes into the journal ---- */

/* Waits while the journal is full: until then the command stays what it is. */
static int commander_journal(Commander *commander, const Inbound *inbound) {
        int r;

        do
                r = commander->inbound(commander->inbound_arg, inbound);
        while (r == INBOUND_E_FULL && !commander_is_stopped(commander, COMMANDER_FULL_MS));
        return r < 0 ? err_up(r) : r;
}

/* 0, or INBOUND_E_FULL: stopped before there was room. */
static int commander_say(Commander *commander,
                         const char *id,
                         int64_t device_id,
                         const char *state,
                         const char *message) {
        CLEANUP_BUF Buf payload = { 0 };
        int r;

        buf_append_string(&payload, "{\"command_id\":");
        buf_json_string(&payload, text_of(id));
        buf_printf(&payload, ",\"state\":\"%s\"", state);
        if (message) {
                buf_append_string(&payload, ",\"message\":");
                buf_json_string(&payload, text_of(message));
        }
        buf_append_char(&payload, '}');
        if (buf_failed(&payload))
                return err_new(-ENOMEM);
        r = commander_journal(commander,
                              &(Inbound){ .door = DOOR_INTERNAL,
                                          .kind = KIND_COMMAND_STATE,
                                          .device_id = device_id,
                                          .topic = text_of(id),
                                          .payload = buf_text(&payload) });
        return r < 0 ? err_up(r) : r;
}

/* ---- publishing ---- */

static void commander_on_claimed(void *arg, const DbCommand *command) {
        Commander *commander = arg;

        courier_add(commander->courier, command);
}

static void commander_on_published(void *arg, const char *id, int64_t device_id) {
        Commander *commander = arg;
        int r;

        if (commander->fault != 0)
                return;
        r = commander_say(commander, id, device_id, "published", NULL);
        if (r < 0)
                commander->fault = err_up(r);
        if (r != 0)
                return;
        (void)!db_commands_list(&commander->published, id);
        metric_add(METRIC_COMMANDS_PUBLISHED, 1);
}

/* Tells the database what the broker has, also what it could not be told the last time. */
static int commander_note_published(Commander *commander) {
        int r;

        if (commander->published.n == 0)
                return 0;
        r = db_commands_published(commander->conn, commander->published.data);
        if (r == 0)
                buf_reset(&commander->published);
        return r < 0 ? err_up(r) : r;
}

/* One parcel. *ret_more: it was full, and the broker said of each whether it takes it. */
static int commander_publish_some(Commander *commander, bool again, bool *ret_more) {
        size_t n;
        int r;

        *ret_more = false;
        if (!courier_is_ready(commander->courier))
                return 0;
        r = db_commands_claim(commander->conn,
                              commander->epoch,
                              again,
                              COURIER_PARCEL,
                              commander_on_claimed,
                              commander);
        n = courier_length(commander->courier);
        if (r != 0 || n == 0)
                return r < 0 ? err_up(r) : r;
        r = courier_send(commander->courier, commander_on_published, commander, ret_more);
        if (r == 0)
                r = commander->fault;
        if (r == 0)
                r = commander_note_published(commander);
        *ret_more &= n == COURIER_PARCEL;
        return r < 0 ? err_up(r) : r;
}

/* What is new goes first, and never in one parcel with what has failed before. */
static int commander_publish(Commander *commander) {
        bool more = true, more_again = true;
        int r;

        r = commander_note_published(commander);
        while (r == 0 && (more || more_again) && !commander_is_stopped(commander, 0)) {
                r = commander_publish_some(commander, false, &more);
                if (r == 0 && more_again)
                        r = commander_publish_some(commander, true, &more_again);
        }
        return r < 0 ? err_up(r) : r;
}

/* ---- telling the loops ---- */

static void commander_on_waiting(void *arg, const DbCommand *command) {
        CLEANUP(event_unref) Event *event = NULL;
        CLEANUP_BUF Buf data = { 0 };
        Commander *commander = arg;
        int r;

        ++commander->n_page;
        snprintf(commander->cursor, sizeof(commander->cursor), "%s", command->command_id);
        db_commands_format(command, &data);
        r = buf_failed(&data) ? err_new(-ENOMEM) : 0;
        if (r == 0)
                r = event_new_command(&event,
                                      command->device_id,
                                      clock_now_us() + command->left_ms * 1000,
                                      text_of(command->command_id),
                                      buf_text(&data));
        if (r == 0)
                r = queue_push(commander->outbox, event, COMMANDER_OUTBOX_MS);
        if (r == 0)
                event = NULL;
        else if (r < 0)
                commander->fault = err_up(r);
        else if (r == QUEUE_E_FULL)
                commander->wants_all = true; /* again, when there is room */
}

static int commander_tell_all(Commander *commander) {
        int r = 0;

        commander->wants_all = false;
        commander->cursor[0] = '\0';
        do {
                commander->n_page = 0;
                r = db_commands_waiting(commander->conn,
                                        commander->cursor,
                                        COMMANDER_PAGE,
                                        commander_on_waiting,
                                        commander);
        } while (r == 0 && commander->n_page == COMMANDER_PAGE && !commander->wants_all &&
                 commander->fault == 0);
        if (r != 0)
                commander->wants_all = true;
        return r < 0 ? err_up(r) : r;
}

static int commander_tell(Commander *commander) {
        int r = 0;

        if (commander->wants_all)
                r = commander_tell_all(commander);
        else if (commander->heard.n > 0)
                r = db_commands_named(commander->conn,
                                      commander->heard.data,
                                      commander_on_waiting,
                                      commander);
        if (r == 0)
                buf_reset(&commander->heard);
        if (r == 0)
                r = commander->fault;
        return r < 0 ? err_up(r) : r;
}

/* ---- what ends by itself, or because somebody says so ---- */

static void commander_on_overdue(void *arg, const DbCommand *command) {
        Commander *commander = arg;
        int r;

        ++commander->n_page;
        if (commander->fault != 0)
                return;
        r = commander_say(commander,
                          command->command_id,
                          command->device_id,
                          command->cancel_message ? "cancelled" : "expired",
                          command->cancel_message);
        if (r < 0)
                commander->fault = err_up(r);
        if (r == 0)
                metric_add(command->cancel_message ? METRIC_COMMANDS_CANCELLED
                                                   : METRIC_COMMANDS_EXPIRED,
                           1);
}

static int commander_end(Commander *commander) {
        int r;

        do {
                commander->n_page = 0;
                r = db_commands_overdue(commander->conn,
                                        COMMANDER_PAGE,
                                        commander_on_overdue,
                                        commander);
                if (r == 0)
                        r = commander->fault;
        } while (r == 0 && commander->n_page == COMMANDER_PAGE &&
                 !commander_is_stopped(commander, 0));
        return r < 0 ? err_up(r) : r;
}

/* ---- dead letters that are taken in again ---- */

static void commander_on_letter(void *arg, const DbDeadLetter *letter) {
        CLEANUP_BUF Buf topic = { 0 };
        Commander *commander = arg;
        int r = 0;

        ++commander->n_page;
        if (commander->fault != 0 || commander_is_stopped(commander, 0))
                return;
        letter_wrap(letter, &topic);
        if (buf_failed(&topic))
                r = err_new(-ENOMEM);
        else if (topic.n > COMMANDER_TOPIC_BYTES)
                r = db_letters_refuse(commander->conn, letter->id, reason_name(REASON_TOO_LARGE));
        else
                r = commander_journal(commander,
                                      &(Inbound){ .door = DOOR_INTERNAL,
                                                  .kind = letter_kind(letter),
                                                  .topic = buf_text(&topic),
                                                  .payload = letter->payload });
        if (r < 0)
                commander->fault = err_up(r);
}

static int commander_take_letters(Commander *commander) {
        int r;

        do {
                commander->n_page = 0;
                r = db_letters_claim(commander->conn,
                                     commander->epoch,
                                     commander->session,
                                     commander_on_letter,
                                     commander);
                if (r == 0)
                        r = commander->fault;
        } while (r == 0 && commander->n_page > 0 && !commander_is_stopped(commander, 0));
        return r < 0 ? err_up(r) : r;
}

/* ---- the thread ---- */

static int commander_open(Commander *commander) {
        int r = 0;

        if (!db_conn_is_open(commander->conn)) {
                commander->is_listening = false;
                r = db_conn_connect_wait(commander->conn, COMMANDER_CONNECT_MS);
        }
        if (r == 0 && !commander->was_here) {
                r = db_commands_release(commander->conn, commander->epoch);
                commander->was_here = r == 0;
        }
        if (r != 0 || commander->is_listening)
                return r < 0 ? err_up(r) : r;

        r = db_commands_listen(commander->conn);
        if (r == 0) { /* whatever was said while nobody listened */
                commander->is_listening = true;
                commander->wants_all = true;
                commander->beat_at_us = clock_mono_us();
        }
        return r < 0 ? err_up(r) : r;
}

static int commander_hear(Commander *commander) {
        bool is_beat = false;
        int r;

        r = db_commands_hear(commander->conn, &commander->heard, &commander->wants_all, &is_beat);
        if (is_beat)
                commander->beat_at_us = clock_mono_us();
        return r < 0 ? err_up(r) : r;
}

/* The connection is there, and what is notified may be lost on the way all the same. */
static void commander_listen_for_beats(Commander *commander) {
        int64_t silent_us = clock_mono_us() - commander->beat_at_us;
        bool is_deaf = commander->heartbeat_ms > 0 &&
                       silent_us > INT64_C(1000) * COMMANDER_BEATS * commander->heartbeat_ms;

        if (is_deaf && !commander->is_deaf)
                log_warning("commands_unheard heartbeat_ms=%d hint=\"notifications of PostgreSQL "
                            "do not arrive: all commands are looked at once a second\"",
                            commander->heartbeat_ms);
        if (!is_deaf && commander->is_deaf)
                log_info("commands_heard");
        metric_set(METRIC_COMMANDS_UNHEARD, is_deaf);
        commander->is_deaf = is_deaf;
        commander->wants_all |= is_deaf;
}

static int commander_turn(Commander *commander) {
        int64_t now_us = clock_mono_us();
        bool is_tick = now_us >= commander->tick_at_us;
        bool is_news;
        int r;

        r = commander_open(commander);
        if (r == 0)
                r = commander_hear(commander);
        if (r == 0 && is_tick)
                commander_listen_for_beats(commander);
        is_news = is_tick || commander->heard.n > 0 || commander->wants_all;
        if (r == 0 && is_tick)
                r = db_commands_revoke(commander->conn);
        if (r == 0 && is_news)
                r = commander_publish(commander);
        if (r == 0)
                r = commander_tell(commander);
        if (r == 0 && is_news)
                r = commander_end(commander);
        if (r == 0 && is_tick)
                r = commander_take_letters(commander);
        if (is_tick)
                commander->tick_at_us = now_us + COMMANDER_TICK_MS * INT64_C(1000);
        if (r == 0) /* what came meanwhile has been read already: the descriptor is silent */
                r = commander_hear(commander);
        return r < 0 ? err_up(r) : r;
}

/* An outage is noted once, and its end. */
static int commander_settle(Commander *commander, int r) {
        if (r < 0)
                return err_up(r);
        if (r == 0) {
                if (commander->is_reported)
                        log_info("commands_database_connected");
                commander->is_reported = false;
                commander->n_refused = 0;
                return 0;
        }
        ++commander->n_refused;
        if (!commander->is_reported && commander->n_refused >= COMMANDER_PATIENCE) {
                log_warning("commands_database_away sqlstate=%s error=\"%s\"",
                            db_conn_sqlstate(commander->conn),
                            db_conn_error(commander->conn));
                commander->is_reported = true;
        }
        return 0;
}

/* Until the database has something to say, or the next tick. */
static bool commander_wait(const Commander *commander, bool is_well) {
        int64_t left_us = commander->tick_at_us - clock_mono_us();
        struct pollfd fds[] = {
                { .fd = commander->stop_fd, .events = POLLIN },
                { .fd = is_well ? db_conn_fd(commander->conn) : -1, .events = POLLIN },
        };

        if (is_well && commander->heard.n > 0)
                left_us = 0;
        if (!is_well)
                left_us = COMMANDER_TICK_MS * INT64_C(1000) / 2;
        (void)poll(fds, N_ELEMENTS(fds), left_us > 0 ? (int)(left_us / 1000) + 1 : 0);
        return fds[0].revents == 0;
}

static void *commander_run(void *arg) {
        Commander *commander = arg;
        bool goes_on = true;

        while (goes_on) {
                int r = commander_turn(commander);

                if (commander_settle(commander, r) < 0) {
                        log_error("commands_fault hint=\"no command is published until the next "
                                  "start\"");
                        break;
                }
                goes_on = commander_wait(commander, r == 0);
        }
        /* The broker's library may be held up by another of its sessions: whoever waits for us can
         * tell, and nobody else calls it. */
        commander->courier = courier_free(commander->courier);
        (void)eventfd_write(commander->ended_fd, 1);
        return NULL;
}

static int commander_init(Commander *commander, const CommanderOptions *options) {
        int r;

        commander->epoch = strdup(options->epoch);
        if (!commander->epoch)
                return err_new(-ENOMEM);
        if (secret_id(commander->session) != 0)
                return err_new(-EIO);
        commander->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        commander->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (commander->stop_fd < 0 || commander->ended_fd < 0)
                return err_new(-errno);
        r = courier_new(&commander->courier, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = db_conn_new(&commander->conn,
                        &(DbConnOptions){ .url = options->database_url,
                                          .name = "commands",
                                          .connect_timeout_ms = COMMANDER_CONNECT_MS,
                                          .statement_timeout_ms = COMMANDER_STATEMENT_MS });
        if (r == 0)
                db_conn_set_stop(commander->conn, commander->stop_fd);
        return r < 0 ? err_up(r) : r;
}

int commander_new(Commander **ret_commander,
                  const CommanderOptions *options,
                  InboundFn inbound,
                  void *arg,
                  Queue *outbox) {
        CLEANUP(commander_free) Commander *commander = NULL;
        int r;

        commander = calloc(1, sizeof(*commander));
        if (!commander)
                return err_new(-ENOMEM);
        commander->stop_fd = commander->ended_fd = -1;
        commander->inbound = inbound;
        commander->inbound_arg = arg;
        commander->outbox = outbox;
        commander->heartbeat_ms = options->heartbeat_ms;
        r = commander_init(commander, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        r = pthread_create(&commander->thread, NULL, commander_run, commander);
        if (r != 0)
                return err_new(-r);
        commander->has_thread = true;
        *ret_commander = TAKE(&commander);
        return 0;
}

/* Within the time? A poll waits by the monotonic clock, which a join with a deadline does not. */
static bool commander_has_ended(const Commander *commander, int timeout_ms) {
        struct pollfd fd = { .fd = commander->ended_fd, .events = POLLIN };

        return poll(&fd, 1, timeout_ms > 0 ? timeout_ms : 0) > 0;
}

void commander_stop(Commander *commander, int timeout_ms) {
        if (commander->stop_fd >= 0)
                (void)eventfd_write(commander->stop_fd, 1);
        if (!commander->has_thread)
                return;
        commander->has_thread = false;
        if (commander_has_ended(commander, timeout_ms)) {
                MUST(pthread_join(commander->thread, NULL));
                return;
        }
        log_warning("commands_abandoned hint=\"the broker's library does not answer\"");
        MUST(pthread_detach(commander->thread));
        commander->is_abandoned = true;
}

Commander *commander_free(Commander *commander) {
        if (!commander)
                return NULL;

        commander_stop(commander, COMMANDER_STOP_MS);
        if (commander->is_abandoned)
                return NULL;
        courier_free(commander->courier);
        db_conn_free(commander->conn);
        buf_done(&commander->heard);
        buf_done(&commander->published);
        if (commander->stop_fd >= 0)
                close(commander->stop_fd);
        if (commander->ended_fd >= 0)
                close(commander->ended_fd);
        free(commander->epoch);
        free(commander);
        return NULL;
}
