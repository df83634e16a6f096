/* DbPulse: a beat that is heard is no news; one that is not shows that nothing is heard. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <poll.h>

#include "db/follow/pulse.h"
#include "postgres.h"

static DbPulse *pulse;
static DbConn *listener;

static int set_up(void **state) {
        const DbConnOptions options = { .url = getenv("TIDEGATE_TEST_DATABASE"),
                                        .name = "pulse",
                                        .connect_timeout_ms = 5000,
                                        .statement_timeout_ms = 5000 };

        (void)state;
        postgres_reset();
        listener = postgres_connect(5000);
        assert_int_equal(db_pulse_new(&pulse, &options), 0);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        pulse = db_pulse_free(pulse);
        listener = db_conn_free(listener);
        assert_null(db_pulse_free(NULL));
        return 0;
}

static void listen_to(const char *channel) {
        const char *sql = *channel == 'r' ? "LISTEN tidegate_registry" : "LISTEN tidegate_command";

        assert_int_equal(db_conn_script(listener, sql), 0);
}

/* What is notified next; to be freed with PQfreemem(). */
static PGnotify *next(void) {
        PGconn *pg = db_conn_pg(listener);
        PGnotify *notify;

        while (!(notify = PQnotifies(pg))) {
                struct pollfd fd = { .fd = PQsocket(pg), .events = POLLIN };

                assert_int_equal(poll(&fd, 1, 20000), 1);
                assert_int_equal(PQconsumeInput(pg), 1);
        }
        return notify;
}

static bool hear_next(DbPulse *who) {
        PGnotify *notify = next();
        bool is_beat = db_pulse_hear(who, notify->extra);

        PQfreemem(notify);
        return is_beat;
}

static void test_a_beat_is_awaited_until_it_is_heard(void **state) {
        (void)state;
        listen_to("registry");
        assert_false(db_pulse_is_awaited(pulse));
        for (int i = 0; i < 3; ++i) {
                assert_int_equal(db_pulse_beat(pulse), 0);
                assert_true(db_pulse_is_awaited(pulse));
                assert_true(hear_next(pulse));
                assert_false(db_pulse_is_awaited(pulse));
        }
}

static void test_it_is_heard_on_the_channel_of_commands_as_well(void **state) {
        (void)state;
        listen_to("commands");
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(hear_next(NULL)); /* who has no pulse knows it for what it is */
        assert_true(db_pulse_is_awaited(pulse));
}

/* The one before is heard, and says nothing of it. */
static void test_of_several_the_last_counts(void **state) {
        (void)state;
        listen_to("registry");
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(hear_next(pulse));
        assert_true(db_pulse_is_awaited(pulse));
        assert_true(hear_next(pulse));
        assert_false(db_pulse_is_awaited(pulse));
}

static void test_another_gateway_s_beat_is_none_of_ours_and_no_news(void **state) {
        (void)state;
        listen_to("registry");
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(db_pulse_hear(pulse, "beat 00000000000000aa 1"));
        assert_true(db_pulse_is_awaited(pulse));
        assert_true(hear_next(pulse));
        assert_true(db_pulse_hear(pulse, "beat of something else"));
        assert_false(db_pulse_is_awaited(pulse));
        assert_false(db_pulse_hear(pulse, "devices 7"));
        assert_false(db_pulse_hear(pulse, "beat"));
        assert_false(db_pulse_hear(pulse, ""));
}

/* Whoever listens has just begun to: what was said before is not to be heard. */
static void test_what_was_said_before_somebody_listened_is_forgotten(void **state) {
        (void)state;
        assert_int_equal(db_pulse_beat(pulse), 0);
        db_pulse_forget(pulse);
        assert_false(db_pulse_is_awaited(pulse));
        listen_to("registry");
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(db_pulse_is_awaited(pulse));
        assert_true(hear_next(pulse));
        assert_false(db_pulse_is_awaited(pulse));
}

/* What is lost in an outage is not awaited: it was never sent, for all that is known. */
static void test_an_outage_is_said_and_the_next_beat_is_another_connection_s(void **state) {
        (void)state;
        listen_to("registry");
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(hear_next(pulse));
        postgres_run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                     " WHERE application_name = 'tidegate/pulse'");
        assert_int_equal(db_pulse_beat(pulse), DB_E_OFFLINE);
        assert_false(db_pulse_is_awaited(pulse));
        assert_int_equal(db_pulse_beat(pulse), 0);
        assert_true(db_pulse_is_awaited(pulse));
        assert_true(hear_next(pulse));
        assert_false(db_pulse_is_awaited(pulse));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_a_beat_is_awaited_until_it_is_heard,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_it_is_heard_on_the_channel_of_commands_as_well,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_of_several_the_last_counts, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_another_gateway_s_beat_is_none_of_ours_and_no_news, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_was_said_before_somebody_listened_is_forgotten,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_an_outage_is_said_and_the_next_beat_is_another_connection_s,
                        set_up,
                        tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
