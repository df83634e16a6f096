/* Readers: each sort of question is answered, whatever holds up the others. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "base/password/password.h"
#include "base/queue.h"
#include "gateway/read/readers.h"
#include "model/event.h"
#include "model/metrics.h"
#include "postgres.h"

enum {
        PATIENCE_MS = 20000,
        ANA = 1, /* who asks, and her id */
        BEN = 2,
};

static const char fleet[] =
        "INSERT INTO users (username, password_hash) VALUES ('ana', 'x'), ('ben', 'x');"
        "INSERT INTO devices (code, user_id, device_type) VALUES ('d1', 1, 'camera'),"
        " ('d2', NULL, 'camera');"
        "INSERT INTO journal_positions (epoch, seq) VALUES ('00000000000000aa', 10)";

static Queue *outbox;
static Readers *readers;

static void free_event(void *item) {
        event_unref(item);
}

static int setup(void **state) {
        const ReadersOptions options = {
                .database_url = getenv("TIDEGATE_TEST_DATABASE"),
                .statement_timeout_ms = PATIENCE_MS,
                .stream_timeout_ms = PATIENCE_MS,
                .n_connections = 2,
                .capacity = 16,
                .n_share = 4,
        };
        char hash[PASSWORD_SIZE], sql[512];

        (void)state;
        metrics_reset();
        postgres_migrate();
        postgres_run(fleet);
        assert_int_equal(password_hash("right", hash), 0);
        snprintf(sql, sizeof(sql), "UPDATE users SET password_hash = '%s' WHERE id = 1", hash);
        postgres_run(sql);
        assert_int_equal(queue_new(&outbox, 16, free_event), 0);
        assert_int_equal(readers_new(&readers, &options, outbox), 0);
        return 0;
}

static int teardown(void **state) {
        (void)state;
        readers = readers_free(readers);
        outbox = queue_free(outbox);
        assert_int_equal(metric_get(METRIC_QUERY_WAITING), 0);
        assert_int_equal(metric_get(METRIC_HISTORY_WAITING), 0);
        return 0;
}

/* ---- questions ----------------------------------------------------------------------------- */

static Query *question(QueryKind kind, uint64_t party) {
        Query *query = NULL;

        assert_int_equal(query_new(&query, kind), 0);
        query->question = (uint64_t)kind + 1;
        query->party = party;
        query->user_ids = calloc(1, sizeof(int64_t));
        query->n_user_ids = 1;
        return query;
}

static Query *log_in(const char *username, const char *password) {
        Query *query = question(QUERY_LOGIN, ANA);

        query->username = strdup(username);
        query->password = strdup(password);
        return query;
}

static Query *resume(void) {
        Query *query = question(QUERY_REPLAY, ANA);

        query->replay = calloc(1, sizeof(*query->replay));
        strcpy(query->replay->epoch, "00000000000000aa");
        strcpy(query->replay->own_epoch, "00000000000000aa");
        query->replay->all_devices = true;
        query->replay->kinds = 1u << KIND_DEVICE_STATUS;
        query->replay->upto_seq = 10;
        query->replay->limit = 10;
        return query;
}

static Query *page(Stream *stream) {
        Query *query = question(QUERY_HISTORY, ANA);

        query->history = calloc(1, sizeof(*query->history));
        query->history->kind = HISTORY_TELEMETRY;
        query->history->device_id = 1;
        query->history->from_us = query->history->to_us = CLOCK_UNKNOWN;
        query->history->limit = 10;
        query->stream = stream_ref(stream);
        return query;
}

static Query *command_state(void) {
        Query *query = question(QUERY_COMMAND_GET, ANA);

        query->command_id = strdup("cmd_00000000000000000000000000000000");
        return query;
}

static int ask(Query *query) {
        int r = readers_ask(readers, &query);

        assert_true((r == 0) == !query);
        query_free(query);
        return r;
}

/* ---- answers ------------------------------------------------------------------------------- */

static Event *next_answer(void) {
        void *item = NULL;

        assert_int_equal(queue_pop(outbox, &item, 1, PATIENCE_MS), 1);
        assert_int_equal(((Event *)item)->type, EVENT_ANSWER);
        return item;
}

static int status_of(Query *query) {
        uint64_t id = query->question;
        Event *event;
        int status;

        assert_int_equal(ask(query), 0);
        event = next_answer();
        assert_int_equal(event->answer->question, id);
        status = event->answer->status;
        event_unref(event);
        return status;
}

static void test_a_log_in_says_who_it_is(void **state) {
        static const struct {
                const char *username, *password;
                int status;
        } logins[] = { { "ana", "right", 200 }, { "ana", "wrong", 401 }, { "nobody", "x", 401 } };
        Event *event;

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(logins); ++i) {
                assert_int_equal(ask(log_in(logins[i].username, logins[i].password)), 0);
                event = next_answer();
                assert_int_equal(event->answer->status, logins[i].status);
                assert_int_equal(event->answer->user_id, logins[i].status == 200 ? ANA : 0);
                event_unref(event);
        }
}

/* Sooner, he would be told that there is such an account. */
static void test_a_wrong_password_is_told_behind_those_whom_nobody_knows(void **state) {
        Query *query = log_in("ana", "wrong");

        (void)state;
        query->account = ANA;
        for (int i = 0; i < 3; ++i) {
                Query *guess = log_in("nobody", "x");

                guess->question = guess->party = 100 + (uint64_t)i;
                assert_int_equal(ask(guess), 0);
        }
        query->question = 103;
        assert_int_equal(ask(query), 0);
        for (uint64_t i = 0; i < 4; ++i) {
                Event *event = next_answer();

                assert_int_equal(event->answer->question, 100 + i);
                assert_int_equal(event->answer->status, 401);
                event_unref(event);
        }
}

static void test_a_right_password_waits_for_nobody_whom_nobody_knows(void **state) {
        DbConn *other = postgres_connect(0);
        Query *query = log_in("ana", "right");

        (void)state;
        assert_int_equal(status_of(query), 200); /* kept, so that it costs nothing now */
        assert_int_equal(db_conn_script(other, "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE"),
                         0);
        for (int i = 0; i < 3; ++i)
                assert_int_equal(ask(log_in("nobody", "x")), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                      " AND application_name = 'tidegate/crowd'");
        query = log_in("ana", "right");
        query->account = ANA;
        assert_int_equal(ask(query), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                      " AND application_name = 'tidegate/known'");
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        db_conn_free(other);
        for (int i = 0; i < 4; ++i)
                event_unref(next_answer());
}

static void test_a_connection_that_died_while_it_was_idle_costs_no_answer(void **state) {
        Event *event;

        (void)state;
        for (int i = 0; i < 2; ++i) {
                assert_int_equal(ask(question(QUERY_CAMERA_STATS, ANA)), 0);
                event = next_answer();
                assert_int_equal(event->answer->status, 200);
                assert_int_equal(event->answer->n_bodies, 1);
                assert_non_null(strstr(event->answer->bodies[0].data, "\"total_cameras\":2"));
                event_unref(event);
                postgres_run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                             " WHERE application_name = 'tidegate/statistics'");
        }
}

static void test_a_database_that_is_away_is_told_to_each_who_asks(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;

        (void)state;
        assert_int_equal(stream_new(&stream, 4), 0);
        postgres_server("stop");
        assert_int_equal(status_of(question(QUERY_CAMERA_STATS, ANA)), 503);
        assert_int_equal(status_of(log_in("ana", "right")), 503);
        assert_int_equal(status_of(page(stream)), 503);
        postgres_server("start");
}

/* One user's statistics wait for a lock, as many as there may be; everything else goes on. */
static void test_what_waits_for_a_lock_holds_up_no_other_sort(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;
        DbConn *other = postgres_connect(0);

        (void)state;
        assert_int_equal(stream_new(&stream, 4), 0);
        assert_int_equal(db_conn_script(other,
                                        "BEGIN; LOCK TABLE camera_states IN ACCESS EXCLUSIVE MODE"),
                         0);
        for (int i = 0; i < 4; ++i)
                assert_int_equal(ask(question(QUERY_CAMERA_STATS, BEN)), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");

        assert_int_equal(status_of(log_in("ana", "right")), 200);
        assert_int_equal(status_of(command_state()), 404);
        assert_int_equal(status_of(resume()), 200);
        assert_int_equal(status_of(page(stream)), 200);

        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        for (int i = 0; i < 4; ++i) {
                Event *event = next_answer();

                assert_int_equal(event->answer->kind, QUERY_CAMERA_STATS);
                assert_int_equal(event->answer->status, 200);
                event_unref(event);
        }
        db_conn_free(other);
}

/* In the same lane: with two connections one is always for somebody else. */
static void test_one_user_has_never_the_whole_of_a_lane(void **state) {
        DbConn *other = postgres_connect(0);
        int n_taken = 0;

        (void)state;
        assert_int_equal(db_conn_script(other,
                                        "BEGIN; LOCK TABLE camera_states IN ACCESS EXCLUSIVE MODE"),
                         0);
        while (ask(question(QUERY_CAMERA_STATS, BEN)) == 0)
                ++n_taken;
        assert_in_range(n_taken, 4, 5); /* his share, and one in hand */
        assert_int_equal(status_of(question(QUERY_DETECTION_STATS, ANA)), 200);
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        for (int i = 0; i < n_taken; ++i)
                event_unref(next_answer());
        db_conn_free(other);
}

static void test_a_page_that_nobody_waits_for_is_broken_off(void **state) {
        CLEANUP(stream_unref) Stream *stream = NULL;
        DbConn *other = postgres_connect(0);

        (void)state;
        assert_int_equal(stream_new(&stream, 4), 0);
        assert_int_equal(db_conn_script(other,
                                        "BEGIN; LOCK TABLE telemetry IN ACCESS EXCLUSIVE "
                                        "MODE"),
                         0);
        assert_int_equal(ask(page(stream)), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        stream_cancel(stream);
        while (metric_get(METRIC_HISTORY_CANCELLED) == 0)
                (void)poll(NULL, 0, 1);
        assert_int_equal(db_conn_script(other, "COMMIT"), 0);
        db_conn_free(other);
        assert_int_equal(queue_length(outbox), 0);

        stream = stream_unref(stream);
        assert_int_equal(stream_new(&stream, 4), 0);
        assert_int_equal(status_of(page(stream)), 200);
}

static void test_stopped_they_answer_what_they_have_and_take_no_more(void **state) {
        DbConn *other = postgres_connect(0);

        (void)state;
        assert_int_equal(db_conn_script(other,
                                        "BEGIN; LOCK TABLE camera_states IN ACCESS EXCLUSIVE MODE"),
                         0);
        assert_int_equal(ask(question(QUERY_CAMERA_STATS, ANA)), 0);
        postgres_wait("SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'");
        readers_stop(readers);
        assert_int_equal(queue_length(outbox), 1);
        assert_int_equal(ask(question(QUERY_CAMERA_STATS, ANA)), READERS_E_FULL);
        db_conn_free(other);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_log_in_says_who_it_is, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_wrong_password_is_told_behind_those_whom_nobody_knows,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_right_password_waits_for_nobody_whom_nobody_knows, setup, teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_connection_that_died_while_it_was_idle_costs_no_answer,
                        setup,
                        teardown),
                cmocka_unit_test_setup_teardown(
                        test_a_database_that_is_away_is_told_to_each_who_asks, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_waits_for_a_lock_holds_up_no_other_sort,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_one_user_has_never_the_whole_of_a_lane,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_page_that_nobody_waits_for_is_broken_off,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(
                        test_stopped_they_answer_what_they_have_and_take_no_more, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
