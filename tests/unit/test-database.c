/* Database: a connection that is lost comes back by itself, is nobody's while it is lent, and is
 * said to be well only when something was stored by it. There is no server, and no thread. */

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/migrate.h"
#include "db/pooler.h"
#include "gateway/store/database.h"
#include "model/metrics.h"

enum { LATEST = 7, CONN_FD = 40, ERRAND_FD };

struct Errand {
        ErrandFn fn;
        void *arg;
};

struct DbConn {
        bool is_open;
        const char *error;
};

static int64_t now_us;
static struct {
        bool is_away, is_slow; /* takes no connection; no errand comes back */
        int opens, schema;     /* what it answers, and the schema that it has */
        int pooler, hears;
        size_t n_dials, n_migrated;
} server;
static DbConn *writer; /* the one that stores */
static char said[512];
static Database *database;

int64_t __wrap_clock_mono_us(void);
int64_t __wrap_clock_mono_us(void) {
        return now_us;
}

PRINTF(2, 3) void __wrap_log_write(LogLevel level, const char *format, ...);
void __wrap_log_write(LogLevel level, const char *format, ...) {
        const char *event = strncmp(format, "%s", 2) == 0 ? "cause" : format;

        (void)level;
        snprintf(said + strlen(said),
                 sizeof(said) - strlen(said),
                 "%.*s ",
                 (int)strcspn(event, " "),
                 event);
}

/* ---- what is around it ---- */

int errand_new(Errand **ret_errand, const char *name) {
        (void)name;
        *ret_errand = calloc(1, sizeof(**ret_errand));
        return *ret_errand ? 0 : -ENOMEM;
}

Errand *errand_free(Errand *errand) {
        free(errand);
        return NULL;
}

int errand_stop_fd(const Errand *errand) {
        (void)errand;
        return -1;
}

int errand_fd(const Errand *errand) {
        (void)errand;
        return ERRAND_FD;
}

void errand_begin(Errand *errand, ErrandFn fn, void *arg) {
        assert_null(errand->fn); /* one at a time */
        *errand = (Errand){ .fn = fn, .arg = arg };
}

bool errand_is_out(const Errand *errand) {
        return errand->fn != NULL;
}

bool errand_take(Errand *errand, int *ret_result) {
        if (!errand->fn || server.is_slow)
                return false;
        *ret_result = errand->fn(errand->arg);
        errand->fn = NULL;
        return true;
}

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        *ret_conn = calloc(1, sizeof(**ret_conn));
        if (strcmp(options->name, "processor") == 0)
                writer = *ret_conn;
        return *ret_conn ? 0 : -ENOMEM;
}

DbConn *db_conn_free(DbConn *conn) {
        free(conn);
        return NULL;
}

void db_conn_set_stop(DbConn *conn, int fd) {
        (void)conn, (void)fd;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        assert_true(timeout_ms > 0);
        ++server.n_dials;
        conn->is_open = !server.is_away;
        conn->error = "refused";
        return conn->is_open ? 0 : DB_E_OFFLINE;
}

void db_conn_disconnect(DbConn *conn) {
        conn->is_open = false;
}

int db_conn_give_up(DbConn *conn, const char *why) {
        conn->is_open = false;
        conn->error = why;
        return DB_E_OFFLINE;
}

int db_conn_hear(DbConn *conn) {
        (void)conn;
        return server.hears;
}

bool db_conn_is_open(const DbConn *conn) {
        return conn->is_open;
}

int db_conn_fd(const DbConn *conn) {
        return conn->is_open ? CONN_FD : -1;
}

bool db_conn_wants_write(const DbConn *conn) {
        (void)conn;
        return true;
}

const char *db_conn_error(const DbConn *conn) {
        return conn->error;
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return "";
}

int db_store_new(DbStore **ret_store, DbConn *conn, const char *epoch) {
        (void)conn, (void)epoch;
        *ret_store = NULL;
        return 0;
}

DbStore *db_store_free(DbStore *store) {
        (void)store;
        return NULL;
}

int db_store_open(DbStore *store, const DbHolder *holder, uint64_t *ret_seq, uint64_t *ret_floor) {
        (void)store, (void)holder;
        *ret_seq = 17;
        *ret_floor = 5;
        return server.opens;
}

int db_migrate_latest(void) {
        return LATEST;
}

int db_migrate_applied(DbConn *conn, int *ret_applied) {
        (void)conn;
        *ret_applied = server.schema;
        return 0;
}

int db_migrate_check(DbConn *conn) {
        (void)conn;
        return server.schema == LATEST ? 0 : DB_E_SCHEMA;
}

int db_migrate_up(DbConn *conn, int *ret_from, int *ret_to) {
        (void)conn;
        *ret_from = server.schema;
        *ret_to = server.schema = LATEST;
        ++server.n_migrated;
        return 0;
}

int db_pooler_check(DbConn *conn, DbConn *probe) {
        assert_ptr_not_equal(conn, probe);
        return server.pooler;
}

/* ---- the tests ---- */

static void begin(bool migrate) {
        static const DbHolder holder;

        assert_int_equal(database_new(&database, "", "e", &holder, migrate), 0);
}

static int set_up(void **state) {
        (void)state;
        metrics_reset();
        memset(&server, 0, sizeof(server));
        server.schema = LATEST;
        now_us = INT64_C(1000000000);
        said[0] = '\0';
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        database = database_free(database);
        return 0;
}

/* Until it answers something; 0: nothing within @ms. */
static int answer_within(int ms, bool may_open) {
        uint64_t position = 0, floor = 0;
        int r = 0;

        for (; r == 0 && ms > 0; --ms, now_us += 1000)
                r = database_connect(database, may_open, &position, &floor);
        if (r == DATABASE_E_OPENED)
                assert_true(position == 17 && floor == 5);
        else
                assert_true(position == 0 && floor == 0);
        return r;
}

static void come_up(void) {
        assert_int_equal(answer_within(5000, true), DATABASE_E_OPENED);
        assert_false(database_is_ready(database)); /* it is for its owner to say */
        database_set_ready(database);
        assert_true(database_is_ready(database));
}

static void test_it_is_ready_when_its_owner_says_and_sound_when_something_was_stored(void **state) {
        (void)state;
        begin(true);
        come_up();
        assert_false(database_is_sound(database));
        assert_int_equal(metric_get(METRIC_DB_CONNECTED), 0);
        database_prove(database);
        database_prove(database);
        assert_true(database_is_sound(database));
        assert_int_equal(metric_get(METRIC_DB_CONNECTED), 1);
        assert_string_equal(said, "database_connected ");
        assert_int_equal(answer_within(100, true), 0);
}

static void test_who_may_not_open_it_is_connected_and_no_more(void **state) {
        (void)state;
        begin(true);
        assert_int_equal(answer_within(1000, false), 0);
        assert_true(database_is_connected(database));
        server.hears = DB_E_OFFLINE; /* it is looked after meanwhile */
        assert_int_equal(answer_within(1, false), DB_E_OFFLINE);
        database_lose(database);
        server.hears = 0;
        come_up();
}

static size_t dials_in(int ms) {
        size_t n = server.n_dials;

        for (; ms > 0; --ms, now_us += 1000) {
                uint64_t position, floor;
                int r = database_connect(database, true, &position, &floor);

                if (r == DATABASE_E_OPENED) /* and the first batch does not get through */
                        database_set_ready(database);
                if (r == DB_E_OFFLINE || r == DATABASE_E_OPENED)
                        database_lose(database);
        }
        return server.n_dials - n;
}

static void test_the_pauses_grow_until_something_was_stored(void **state) {
        (void)state;
        begin(true);
        server.is_away = true;
        assert_in_range(dials_in(1000), 3, 5);
        assert_in_range(dials_in(20000), 9, 12); /* 2 s in the end */
        server.is_away = false;                  /* it takes each connection, and no batch */
        assert_in_range(dials_in(20000), 9, 12);
        come_up();
        database_prove(database);
        server.is_away = true;
        database_lose(database);
        assert_in_range(dials_in(1000), 3, 5);
}

/* The log has the beginning and the end of an outage, and other causes now and then. */
static void test_an_outage_is_said_once_and_another_cause_as_well(void **state) {
        (void)state;
        begin(true);
        come_up();
        database_prove(database);
        said[0] = '\0';
        server.is_away = true;
        database_lose(database);
        (void)dials_in(4000);
        database_doubt(database, "53100", "no space"); /* too soon after the last one */
        database_doubt(database, "53100", "no space");
        assert_string_equal(said, "cause ");
        now_us += 5000000;
        database_doubt(database, "53100", "no space");
        now_us += 5000000;
        database_doubt(database, "53100", "no space");
        assert_string_equal(said, "cause cause ");
        server.is_away = false;
        come_up();
        database_prove(database);
        assert_string_equal(said, "cause cause database_connected ");
}

static int of_owner(void *arg) {
        *(int *)arg += 1;
        return DB_E_REJECTED;
}

static void test_while_it_is_lent_nobody_else_uses_it(void **state) {
        struct pollfd fd;
        int n = 0, r = 0;

        (void)state;
        begin(true);
        come_up();
        database_wants(database, &fd);
        assert_int_equal(fd.fd, CONN_FD);
        assert_int_equal(fd.events, POLLIN | POLLOUT);
        server.is_slow = true;
        database_lend(database, of_owner, &n);
        database_wants(database, &fd);
        assert_int_equal(fd.fd, ERRAND_FD);
        assert_int_equal(fd.events, POLLIN);
        database_rest(database, 1000); /* not ours to store: once it is back */
        assert_true(writer->is_open && database_is_lent(database));
        assert_false(database_take_back(database, &r));
        server.is_slow = false;
        assert_true(database_take_back(database, &r));
        assert_true(r == DB_E_REJECTED && n == 1);
        database_rest(database, 1000);
        assert_false(writer->is_open);
        assert_int_equal(database_pause_us(database), 1000000);
        assert_int_equal(answer_within(1000, true), 0);
        come_up();
}

/* What it says when it comes back is not wanted any more. */
static void test_who_rests_while_it_opens_waits_for_that(void **state) {
        (void)state;
        begin(true);
        server.is_slow = true;
        assert_int_equal(answer_within(10, true), 0);
        database_rest(database, 1000);
        assert_true(database_is_lent(database));
        server.is_slow = false;
        database_rest(database, 1000);
        assert_false(database_is_lent(database) || writer->is_open);
        assert_int_equal(answer_within(900, true), 0);
        come_up();
}

static void test_a_refusal_keeps_the_connection_for_a_while(void **state) {
        (void)state;
        begin(true);
        come_up();
        for (int i = 1; i < 16; ++i) {
                database_refuse(database);
                assert_true(writer->is_open && !database_is_ready(database));
                assert_true(database_pause_us(database) > 0);
                assert_int_equal(answer_within(5000, true), DATABASE_E_AGAIN);
                assert_true(database_is_ready(database));
        }
        database_refuse(database); /* it may be the session's fault */
        assert_false(writer->is_open);
        come_up();
        assert_int_equal(metric_get(METRIC_DB_REFUSED_BATCHES), 16);
}

static void test_a_schema_is_made_once_and_never_beside_one_that_is_gone(void **state) {
        (void)state;
        begin(true);
        server.schema = 0;
        come_up();
        assert_int_equal(server.n_migrated, 1);
        server.schema = 0; /* a dump is being loaded, say */
        database_lose(database);
        assert_int_equal(answer_within(5000, true), DB_E_OFFLINE);
        assert_int_equal(server.n_migrated, 1);
        assert_non_null(strstr(writer->error, "gone"));
        server.schema = LATEST;
        database_lose(database);
        come_up();
}

static void test_who_does_not_migrate_says_so(void **state) {
        (void)state;
        begin(false);
        server.schema = LATEST - 1;
        assert_int_equal(answer_within(5000, true), DB_E_SCHEMA);
        database_lose(database);
        server.schema = LATEST;
        come_up();
        server.schema = LATEST - 1; /* another one is put in place: no reason to end */
        database_lose(database);
        assert_int_equal(answer_within(5000, true), DB_E_OFFLINE);
        assert_int_equal(server.n_migrated, 0);
}

static void test_a_session_that_is_shared_is_none(void **state) {
        (void)state;
        begin(true);
        server.pooler = DB_E_POOLED;
        assert_int_equal(answer_within(5000, true), DB_E_OFFLINE);
        assert_non_null(strstr(writer->error, "pooler"));
        assert_int_equal(metric_get(METRIC_DB_POOLED), 1);
        server.pooler = 0;
        database_lose(database);
        come_up();
        assert_int_equal(metric_get(METRIC_DB_POOLED), 0);
}

static void test_answers_and_faults_of_opening_are_its_owner_s(void **state) {
        static const int answers[] = { DB_E_STANDBY, DB_E_REJECTED, -ENOMEM };

        (void)state;
        begin(true);
        for (size_t i = 0; i < N_ELEMENTS(answers); ++i) {
                server.opens = answers[i];
                assert_int_equal(answer_within(5000, true), answers[i]);
                assert_false(database_is_ready(database));
                database_lose(database);
        }
        server.opens = 0;
        come_up();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_it_is_ready_when_its_owner_says_and_sound_when_something_was_stored),
                TEST(test_who_may_not_open_it_is_connected_and_no_more),
                TEST(test_the_pauses_grow_until_something_was_stored),
                TEST(test_an_outage_is_said_once_and_another_cause_as_well),
                TEST(test_while_it_is_lent_nobody_else_uses_it),
                TEST(test_who_rests_while_it_opens_waits_for_that),
                TEST(test_a_refusal_keeps_the_connection_for_a_while),
                TEST(test_a_schema_is_made_once_and_never_beside_one_that_is_gone),
                TEST(test_who_does_not_migrate_says_so),
                TEST(test_a_session_that_is_shared_is_none),
                TEST(test_answers_and_faults_of_opening_are_its_owner_s),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
