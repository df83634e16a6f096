#include "tests/fake/commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/edit/letters.h"
#include "gateway/commands/dispatcher.h"

#define FAKE_PAUSE_US 500000 /* before what was tried is to be had again */

FakeWorld fake_world;
pthread_mutex_t fake_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t fake_changed = PTHREAD_COND_INITIALIZER;

void fake_world_init(void) {
        fake_world = (FakeWorld){ .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                                  .beats = true,
                                  .has_broker = true };
        assert_true(fake_world.fd >= 0);
}

void fake_world_done(void) {
        close(fake_world.fd);
}

void fake_world_notify(void) {
        assert_int_equal(eventfd_write(fake_world.fd, 1), 0);
}

FakeRow *fake_world_add(const char *id, bool waits) {
        FakeRow *row;

        pthread_mutex_lock(&fake_lock);
        row = &fake_world.rows[fake_world.n_rows];
        assert_true(fake_world.n_rows < FAKE_COMMANDS);
        *row = (FakeRow){ .is_new = true, .waits = waits };
        snprintf(row->id, sizeof(row->id), "%s", id);
        ++fake_world.n_rows;
        pthread_mutex_unlock(&fake_lock);
        return row;
}

/* ---- the log ---- */

/* {lock} */
PRINTF(1, 2)
static void note(const char *format, ...) {
        va_list args;

        va_start(args, format);
        fake_world.n_log += (size_t)vsnprintf(fake_world.log + fake_world.n_log,
                                              sizeof(fake_world.log) - fake_world.n_log,
                                              format,
                                              args);
        va_end(args);
        fake_world.log[fake_world.n_log++] = '\n';
        fake_world.log[fake_world.n_log] = '\0';
        assert_true(fake_world.n_log < sizeof(fake_world.log) - 256);
        pthread_cond_broadcast(&fake_changed);
}

/* {lock} */
static size_t times_of(const char *line) {
        size_t n = 0, n_line = strlen(line);

        for (const char *at = fake_world.log; (at = strstr(at, line)); at += n_line)
                n += (at == fake_world.log || at[-1] == '\n') && at[n_line] == '\n';
        return n;
}

size_t fake_world_times(const char *line) {
        size_t n;

        pthread_mutex_lock(&fake_lock);
        n = times_of(line);
        pthread_mutex_unlock(&fake_lock);
        return n;
}

void fake_world_await(const char *line, size_t n) {
        struct timespec until;
        int r = 0;

        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += FAKE_PATIENCE_S;
        pthread_mutex_lock(&fake_lock);
        while (r == 0 && times_of(line) < n)
                r = pthread_cond_timedwait(&fake_changed, &fake_lock, &until);
        pthread_mutex_unlock(&fake_lock);
        if (r != 0)
                fail_msg("'%s' not %zu times in:\n%s", line, n, fake_world.log);
}

void fake_world_in_order(const char *first, const char *second) {
        const char *a, *b;

        pthread_mutex_lock(&fake_lock);
        a = strstr(fake_world.log, first);
        b = strstr(fake_world.log, second);
        pthread_mutex_unlock(&fake_lock);
        if (!a || !b || a > b)
                fail_msg("not '%s' before '%s' in:\n%s", first, second, fake_world.log);
}

void fake_world_in_one_turn(const char *first, const char *last) {
        const char *a, *b, *between;

        fake_world_in_order(first, last);
        pthread_mutex_lock(&fake_lock);
        a = strstr(fake_world.log, first);
        b = strstr(fake_world.log, last);
        between = strstr(a, "\ntick\n");
        pthread_mutex_unlock(&fake_lock);
        if (between && between < b)
                fail_msg("'%s' and '%s' in two turns:\n%s", first, last, fake_world.log);
}

/* ---- the database ---- */

FakeRow *fake_world_row(const char *id) {
        for (size_t i = 0; i < fake_world.n_rows; ++i)
                if (strcmp(fake_world.rows[i].id, id) == 0)
                        return &fake_world.rows[i];
        fail_msg("no row %s", id);
        return NULL;
}

static void give(const FakeRow *row, DbCommandFn fn, void *arg) {
        const DbCommand command = {
                .command_id = row->id,
                .action = "x",
                .device_id = 1 + row - fake_world.rows,
                .left_ms = 5000,
                .cancel_message = row->cancelled,
        };

        pthread_mutex_unlock(&fake_lock); /* it may wait */
        fn(arg, &command);
        pthread_mutex_lock(&fake_lock);
}

/* {lock} Its connection is lost with the server. */
static int answer(void) {
        if (fake_world.is_down)
                fake_world.is_open = false;
        return fake_world.is_open ? 0 : DB_E_OFFLINE;
}

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        (void)options;
        *ret_conn = (DbConn *)(void *)&fake_world;
        return 0;
}

DbConn *db_conn_free(DbConn *conn) {
        (void)conn;
        return NULL;
}

void db_conn_set_stop(DbConn *conn, int fd) {
        (void)conn, (void)fd;
}

bool db_conn_is_open(const DbConn *conn) {
        (void)conn;
        return fake_world.is_open;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        int r;

        (void)conn, (void)timeout_ms;
        pthread_mutex_lock(&fake_lock);
        fake_world.is_open = !fake_world.is_down;
        note(fake_world.is_open ? "connected" : "not connected");
        r = answer();
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_conn_fd(const DbConn *conn) {
        (void)conn;
        return fake_world.fd;
}

const char *db_conn_error(const DbConn *conn) {
        (void)conn;
        return "down";
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return "";
}

int db_command_rows_release(DbConn *conn, const char *epoch) {
        (void)conn, (void)epoch;
        pthread_mutex_lock(&fake_lock);
        note("released");
        pthread_mutex_unlock(&fake_lock);
        return 0;
}

int db_command_rows_listen(DbConn *conn) {
        (void)conn;
        pthread_mutex_lock(&fake_lock);
        note("listens");
        pthread_mutex_unlock(&fake_lock);
        return 0;
}

bool db_command_rows_list(Buf *ids, const char *id) {
        buf_append_string(ids, id);
        buf_append_char(ids, ' ');
        return true;
}

int db_command_rows_hear(DbConn *conn,
                         Buf *ids,
                         bool *ret_more,
                         bool *ret_beat,
                         DbAlertFn fn,
                         void *arg) {
        eventfd_t n;
        int r;

        (void)conn, (void)ret_more, (void)fn, (void)arg;
        (void)eventfd_read(fake_world.fd, &n);
        pthread_mutex_lock(&fake_lock);
        r = answer();
        *ret_beat = fake_world.beats;
        for (; r == 0 && !fake_world.is_mute && fake_world.n_said < fake_world.n_rows;
             ++fake_world.n_said)
                (void)db_command_rows_list(ids, fake_world.rows[fake_world.n_said].id);
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_revoke(DbConn *conn) {
        int r;

        (void)conn;
        pthread_mutex_lock(&fake_lock);
        note("tick");
        r = answer();
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_claim(DbConn *conn,
                          const char *epoch,
                          bool again,
                          int n_max,
                          DbCommandFn fn,
                          void *arg) {
        int64_t old_us = clock_mono_us() - FAKE_PAUSE_US;
        int r, n = 0;

        (void)conn, (void)epoch;
        pthread_mutex_lock(&fake_lock);
        r = answer();
        for (size_t i = 0; r == 0 && i < fake_world.n_rows && n < n_max; ++i) {
                FakeRow *row = &fake_world.rows[i];

                if (again ? !row->is_tried || row->tried_us > old_us : !row->is_new)
                        continue;
                row->is_new = false;
                row->is_tried = true;
                row->tried_us = clock_mono_us();
                give(row, fn, arg);
                ++n;
        }
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_published(DbConn *conn, const char *ids) {
        int r;

        (void)conn;
        pthread_mutex_lock(&fake_lock);
        r = fake_world.takes_no_word ? DB_E_REJECTED : answer();
        for (size_t i = 0; r == 0 && i < fake_world.n_rows; ++i)
                if (strstr(ids, fake_world.rows[i].id))
                        fake_world.rows[i].is_tried = false;
        note("%s %s", r == 0 ? "database knows" : "database does not know", ids);
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_waiting(DbConn *conn,
                            const char *cursor,
                            int n_max,
                            DbCommandFn fn,
                            void *arg) {
        int r, n = 0;

        (void)conn;
        pthread_mutex_lock(&fake_lock);
        r = answer();
        note("looks at all behind %s", *cursor ? cursor : "none");
        for (size_t i = *cursor ? (size_t)(fake_world_row(cursor) - fake_world.rows) + 1 : 0;
             r == 0 && i < fake_world.n_rows && n < n_max;
             ++i)
                if (fake_world.rows[i].waits) {
                        give(&fake_world.rows[i], fn, arg);
                        ++n;
                }
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_named(DbConn *conn, const char *ids, DbCommandFn fn, void *arg) {
        int r;

        (void)conn;
        pthread_mutex_lock(&fake_lock);
        r = answer();
        for (size_t i = 0; r == 0 && i < fake_world.n_rows; ++i)
                if (fake_world.rows[i].waits && strstr(ids, fake_world.rows[i].id))
                        give(&fake_world.rows[i], fn, arg);
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_command_rows_overdue(DbConn *conn, int n_max, DbCommandFn fn, void *arg) {
        int r, n = 0;

        (void)conn;
        pthread_mutex_lock(&fake_lock);
        r = answer();
        for (size_t i = 0; r == 0 && i < fake_world.n_rows && n < n_max; ++i)
                if (fake_world.rows[i].is_over) {
                        fake_world.rows[i].is_over = false;
                        give(&fake_world.rows[i], fn, arg);
                        ++n;
                }
        pthread_mutex_unlock(&fake_lock);
        return r;
}

void db_command_rows_format(const DbCommand *command, Buf *buf) {
        buf_append_string(buf, command->command_id);
}

int db_letters_claim(DbConn *conn,
                     const char *epoch,
                     const char *session,
                     int64_t *after,
                     DbDeadLetterFn fn,
                     void *arg) {
        int r, n = 0;

        (void)conn, (void)epoch, (void)session;
        pthread_mutex_lock(&fake_lock);
        r = answer();
        for (; r == 0 && fake_world.n_claimed < fake_world.n_letters && n < 2; ++n) {
                const DbDeadLetter letter = {
                        .id = (int64_t)++fake_world.n_claimed,
                        .topic = fake_world.letters[fake_world.n_claimed - 1],
                        .reason = "bad_json",
                        .payload = TEXT("{}"),
                };

                pthread_mutex_unlock(&fake_lock);
                fn(arg, &letter);
                pthread_mutex_lock(&fake_lock);
        }
        *after = n > 0 ? (int64_t)fake_world.n_claimed : 0;
        pthread_mutex_unlock(&fake_lock);
        return r;
}

int db_letters_refuse(DbConn *conn, int64_t letter_id, const char *outcome) {
        (void)conn;
        pthread_mutex_lock(&fake_lock);
        note("letter %lld %s", (long long)letter_id, outcome);
        pthread_mutex_unlock(&fake_lock);
        return 0;
}

/* ---- the broker ---- */

int command_publisher_new(CommandPublisher **ret_publisher,
                          const CommandPublisherOptions *options) {
        if (options->topics)
                return COMMAND_PUBLISHER_E_TOPIC;
        *ret_publisher = (CommandPublisher *)(void *)&fake_world;
        return 0;
}

CommandPublisher *command_publisher_free(CommandPublisher *publisher) {
        pthread_mutex_lock(&fake_lock);
        if (publisher)
                note("publisher gone");
        pthread_mutex_unlock(&fake_lock);
        return NULL;
}

bool command_publisher_is_ready(CommandPublisher *publisher) {
        bool is_ready;

        (void)publisher;
        pthread_mutex_lock(&fake_lock);
        if (fake_world.hangs)
                note("hangs");
        while (fake_world.hangs)
                pthread_cond_wait(&fake_changed, &fake_lock);
        is_ready = fake_world.has_broker;
        pthread_mutex_unlock(&fake_lock);
        return is_ready;
}

void command_publisher_add(CommandPublisher *publisher, const DbCommand *command) {
        (void)publisher;
        pthread_mutex_lock(&fake_lock);
        fake_world.parcel[fake_world.n_parcel++] =
                (size_t)(fake_world_row(command->command_id) - fake_world.rows);
        pthread_mutex_unlock(&fake_lock);
}

size_t command_publisher_length(const CommandPublisher *publisher) {
        (void)publisher;
        return fake_world.n_parcel;
}

int command_publisher_send(CommandPublisher *publisher,
                           CommandPublisherFn fn,
                           void *arg,
                           bool *ret_answers) {
        (void)publisher;
        *ret_answers = true;
        pthread_mutex_lock(&fake_lock);
        note("parcel of %zu", fake_world.n_parcel);
        for (size_t i = 0; i < fake_world.n_parcel; ++i) {
                const FakeRow *row = &fake_world.rows[fake_world.parcel[i]];

                note("%s %s", row->is_refused ? "refused" : "sent", row->id);
                if (row->is_refused)
                        continue;
                pthread_mutex_unlock(&fake_lock);
                fn(arg, row->id, 1 + row - fake_world.rows);
                pthread_mutex_lock(&fake_lock);
        }
        fake_world.n_parcel = 0;
        pthread_mutex_unlock(&fake_lock);
        return 0;
}

void command_publisher_say(CommandPublisher *publisher, const char *topic, Text payload) {
        (void)publisher, (void)payload;
        pthread_mutex_lock(&fake_lock);
        note("said %s", topic);
        pthread_mutex_unlock(&fake_lock);
}

/* ---- the journal ---- */

int fake_world_take(void *arg, const Inbound *inbound) {
        int r = 0;

        assert_null(arg);
        assert_int_equal(inbound->door, DOOR_INTERNAL);
        pthread_mutex_lock(&fake_lock);
        if (fake_world.has_fault)
                r = -EIO;
        else if (fake_world.is_full)
                r = INBOUND_E_FULL;
        if (r == INBOUND_E_FULL)
                note("journal full");
        if (r == 0)
                note("journal %.*s %.*s",
                     (int)inbound->topic.n,
                     inbound->topic.data,
                     (int)inbound->payload.n,
                     inbound->payload.data);
        pthread_mutex_unlock(&fake_lock);
        return r;
}
