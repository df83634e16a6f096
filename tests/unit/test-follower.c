/* Follower: what is asked of the registry holds up nobody but who needs the answer. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

#include "base/clock.h"
#include "gateway/store/follower.h"
#include "model/metrics.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* of 2025-10-18 */

#define WAIT_MS 30000

typedef struct Fixture Fixture;

struct Fixture {
        Follower *follower;
        Registry *registry;
        DbConn *other; /* an operator */
};

static void fixture_init(Fixture *f, int heartbeat_ms) {
        postgres_migrate();
        postgres_run("INSERT INTO users (username, password_hash, role) VALUES"
                     " ('ana', 'x', 'user'), ('bob', 'x', 'viewer');"
                     "INSERT INTO devices (code, user_id) VALUES ('d1', 1)");
        *f = (Fixture){ .other = postgres_connect(5000) };
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(follower_new(&f->follower,
                                      &(FollowerOptions){ .database_url =
                                                                  getenv("TIDEGATE_TEST_DATABASE"),
                                                          .heartbeat_ms = heartbeat_ms }),
                         0);
        follower_start(f->follower);
}

static void fixture_done(Fixture *f) {
        follower_free(f->follower);
        registry_free(f->registry);
        db_conn_free(f->other);
}

/* The next of that kind; whatever comes on the way is applied. */
static FollowerNews fixture_next(Fixture *f, FollowerKind kind) {
        int64_t until_us = clock_mono_us() + WAIT_MS * INT64_C(1000);

        while (clock_mono_us() < until_us) {
                FollowerNews news;
                bool narrowed;

                if (!follower_take(f->follower, &news)) {
                        (void)poll(NULL, 0, 1);
                        continue;
                }
                if (news.delta)
                        assert_int_equal(registry_apply(f->registry, news.delta, &narrowed), 0);
                news.delta = registry_delta_unref(news.delta);
                if (news.kind == kind)
                        return news;
        }
        fail_msg("no news of kind %d", (int)kind);
        return (FollowerNews){ 0 };
}

static void fixture_ask(Fixture *f, FollowerQuestion question) {
        assert_int_equal(follower_ask(f->follower, &question), 0);
}

static void fixture_operator(Fixture *f, const char *sql) {
        assert_int_equal(db_conn_script(f->other, sql), 0);
}

static void test_a_device_is_known_when_a_question_after_it_is_answered(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 60000);
        fixture_next(&f, FOLLOWER_CHANGE);
        assert_non_null(registry_find_device(f.registry, TEXT("d1")));
        postgres_run("INSERT INTO devices (code) VALUES ('d2')");
        fixture_ask(&f, (FollowerQuestion){ .kind = FOLLOWER_FRESH, .seq = 7 });
        assert_int_equal(fixture_next(&f, FOLLOWER_FRESH).seq, 7);
        assert_non_null(registry_find_device(f.registry, TEXT("d2")));

        postgres_run("SELECT tidegate_make_partitions('2025-10-18', '2025-10-18');"
                     "INSERT INTO dead_letters (id, seq, journal_id, received_at, topic,"
                     " payload, reason) OVERRIDING SYSTEM VALUE"
                     " VALUES (5, 1, 1, '2025-10-18 12:00+00', 't', '', 'bad_json')");
        fixture_ask(&f,
                    (FollowerQuestion){
                            .kind = FOLLOWER_LETTER, .letter_id = 5, .letter_us = NOON });
        assert_true(fixture_next(&f, FOLLOWER_LETTER).exists);
        fixture_ask(&f,
                    (FollowerQuestion){
                            .kind = FOLLOWER_LETTER, .letter_id = 6, .letter_us = NOON });
        assert_false(fixture_next(&f, FOLLOWER_LETTER).exists);
        fixture_ask(&f,
                    (FollowerQuestion){
                            .kind = FOLLOWER_LETTER, .letter_id = 5, .letter_us = NOON + 1 });
        assert_false(fixture_next(&f, FOLLOWER_LETTER).exists);
        fixture_done(&f);
}

static void test_a_locked_table_delays_no_other_news(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 60000);
        fixture_next(&f, FOLLOWER_CHANGE);
        fixture_operator(&f, "BEGIN; LOCK TABLE devices");
        fixture_ask(&f, (FollowerQuestion){ .kind = FOLLOWER_FRESH });
        fixture_next(&f, FOLLOWER_FRESH); /* nothing has changed that cannot be read */
        fixture_ask(&f,
                    (FollowerQuestion){ .kind = FOLLOWER_REGISTER,
                                        .seq = 9,
                                        .code = TEXT("new"),
                                        .device_type = "sensor" });
        assert_string_equal(fixture_next(&f, FOLLOWER_REFUSED).sqlstate, "55P03");
        postgres_run("UPDATE users SET is_active = false WHERE username = 'bob'");
        while (registry_user_by_name(f.registry, TEXT("bob"))->is_active)
                fixture_next(&f, FOLLOWER_CHANGE);

        fixture_operator(&f, "ROLLBACK");
        assert_int_equal(fixture_next(&f, FOLLOWER_REGISTER).seq, 9);
        assert_non_null(registry_find_device(f.registry, TEXT("new")));
        fixture_done(&f);
}

static void test_a_question_outlives_the_connection(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 60000);
        fixture_next(&f, FOLLOWER_CHANGE);
        fixture_operator(&f, "BEGIN; LOCK TABLE devices");
        fixture_ask(&f, (FollowerQuestion){ .kind = FOLLOWER_REGISTER, .code = TEXT("new") });
        fixture_next(&f, FOLLOWER_REFUSED);
        postgres_run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                     " WHERE application_name = 'tidegate/registry'");
        fixture_operator(&f, "ROLLBACK");
        fixture_next(&f, FOLLOWER_REGISTER);
        assert_non_null(registry_find_device(f.registry, TEXT("new")));
        fixture_done(&f);
}

static void test_beats_are_no_news(void **state) {
        FollowerNews news;
        Fixture f;

        (void)state;
        fixture_init(&f, 20);
        fixture_next(&f, FOLLOWER_CHANGE);
        postgres_wait("SELECT query LIKE '%pg_notify%' FROM pg_stat_activity"
                      " WHERE application_name = 'tidegate/pulse'");
        postgres_run("NOTIFY tidegate_registry, 'beat 0000000000000001 7'"); /* another gateway's */
        for (int i = 0; i < 10; ++i) {
                fixture_ask(&f, (FollowerQuestion){ .kind = FOLLOWER_FRESH });
                fixture_next(&f, FOLLOWER_FRESH);
        }
        assert_false(follower_take(f.follower, &news));
        assert_int_equal(metric_get(METRIC_REGISTRY_STALE), 0);
        fixture_done(&f);
}

static void test_the_end_waits_for_no_lock(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 60000);
        fixture_next(&f, FOLLOWER_CHANGE);
        fixture_operator(&f, "BEGIN; LOCK TABLE devices");
        fixture_ask(&f, (FollowerQuestion){ .kind = FOLLOWER_REGISTER, .code = TEXT("new") });
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_device_is_known_when_a_question_after_it_is_answered),
                cmocka_unit_test(test_a_locked_table_delays_no_other_news),
                cmocka_unit_test(test_a_question_outlives_the_connection),
                cmocka_unit_test(test_beats_are_no_news),
                cmocka_unit_test(test_the_end_waits_for_no_lock),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
