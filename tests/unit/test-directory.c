#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>

#include "base/buf.h"
#include "db/follow/directory.h"
#include "db/follow/registration.h"
#include "postgres.h"

typedef struct Fixture Fixture;

struct Fixture {
        DbConn *conn;
        DbDirectory *directory;
        Registry *registry;
        bool narrowed;
};

static void fixture_apply(Fixture *f, RegistryDelta *delta) {
        assert_int_equal(registry_apply(f->registry, delta, &f->narrowed), 0);
        registry_delta_unref(delta);
}

static void fixture_init(Fixture *f, const char *sql) {
        RegistryDelta *delta = NULL;

        postgres_migrate();
        postgres_run(sql);
        *f = (Fixture){ .conn = postgres_connect(5000) };
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(db_directory_new(&f->directory, f->conn, NULL), 0);
        assert_int_equal(db_directory_open(f->directory, &delta), 0);
        fixture_apply(f, delta);
}

static void fixture_done(Fixture *f) {
        registry_free(f->registry);
        db_directory_free(f->directory);
        db_conn_free(f->conn);
}

/* Runs @sql and returns how many rows the news of it has. A notification is delivered with the
 * answer to our next statement at the latest. */
static size_t fixture_change(Fixture *f, const char *sql) {
        RegistryDelta *delta = NULL;
        size_t n;

        postgres_run(sql);
        assert_int_equal(db_conn_script(f->conn, "SELECT 1"), 0);
        assert_int_equal(db_directory_poll(f->directory, &delta), 0);
        if (!delta)
                return 0;
        n = registry_delta_length(delta);
        fixture_apply(f, delta);
        return n;
}

static const char fleet[] =
        "INSERT INTO users (username, password_hash, role) VALUES ('root', 'x', 'admin'),"
        " ('ana', 'x', 'user'), ('bob', 'x', 'viewer'), ('cid', 'x', 'user');"
        "INSERT INTO devices (code, user_id, name, device_type, token_hash,"
        " token_form) VALUES ('d1', 2, 'One', 'camera', decode(repeat('ab', 32), 'hex'),"
        " 'sha256'), ('d2', NULL, NULL, NULL, NULL, 'keyed');"
        "INSERT INTO device_states (device_id, status, last_seen, time, temperature) VALUES"
        " (1, 'online', '2025-10-18 12:00:00.25+00', '2025-10-18 11:59:59+00', 25.1);"
        "INSERT INTO vehicles (code, name, user_id) VALUES ('v1', 'Boat', 2);"
        "INSERT INTO groups (name) VALUES ('Floor 1');"
        "INSERT INTO device_groups VALUES (2, 1);"
        "INSERT INTO shares (user_id, group_id) VALUES (3, 1);"
        "INSERT INTO shares (user_id, vehicle_id) VALUES (3, 1)";

static void test_load_brings_everything(void **state) {
        const Device *d1, *d2;
        const Vehicle *v1;
        const User *ana, *bob, *cid;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        ana = registry_user_by_name(f.registry, TEXT("ana"));
        bob = registry_user(f.registry, 3);
        cid = registry_user(f.registry, 4);
        d1 = registry_find_device(f.registry, TEXT("d1"));
        d2 = registry_find_device(f.registry, TEXT("d2"));
        v1 = registry_find_vehicle(f.registry, TEXT("v1"));
        assert_true(ana && bob && cid && d1 && d2 && v1);
        assert_int_equal(registry_user(f.registry, 1)->role, ROLE_ADMIN);
        assert_int_equal(bob->role, ROLE_VIEWER);

        assert_string_equal(d1->name, "One");
        assert_string_equal(d1->device_type, "camera");
        assert_int_equal(strlen(d1->key), 36);
        assert_true(d1->has_token && d1->token_hash[0] == 0xab && d1->token_hash[31] == 0xab);
        assert_int_equal(d1->token_form, TOKEN_SHA256);
        assert_true(d1->token_generation != 0 && d1->token_generation != d2->token_generation);
        assert_string_equal(d1->state.status, "online");
        assert_int_equal(d1->state.last_seen_us, INT64_C(1760788800250000));
        assert_int_equal(d1->state.time_us, INT64_C(1760788799000000));
        assert_true(d1->state.temperature == 25.1 && isnan(d1->state.humidity));
        assert_false(d2->has_token);
        assert_int_equal(d2->n_groups, 1);

        assert_true(user_sees_device(ana, d1) && !user_sees_device(ana, d2));
        assert_true(user_sees_device(bob, d2) && !user_sees_device(bob, d1));
        assert_true(user_sees_vehicle(bob, v1) && !user_sees_vehicle(cid, v1));
        fixture_done(&f);
}

static void test_changes_follow_one_by_one(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        assert_int_equal(fixture_change(&f, "SELECT 1"), 0);

        assert_int_equal(fixture_change(&f, "UPDATE devices SET name = 'Two' WHERE id = 1"), 1);
        assert_string_equal(registry_device(f.registry, 1)->name, "Two");
        assert_string_equal(registry_device(f.registry, 1)->state.status, "online");
        assert_int_equal(fixture_change(&f, "UPDATE devices SET name = 'Two' WHERE id = 1"), 0);
        assert_int_equal(fixture_change(&f, "UPDATE device_states SET status = 'error'"), 0);

        assert_int_equal(fixture_change(&f, "UPDATE users SET is_active = false WHERE id = 3"), 1);
        assert_true(f.narrowed);
        assert_false(registry_user(f.registry, 3)->is_active);
        assert_int_equal(fixture_change(&f,
                                        "INSERT INTO shares (user_id, device_id)"
                                        " VALUES (4, 1)"),
                         1);
        assert_true(user_sees_device(registry_user(f.registry, 4), registry_device(f.registry, 1)));
        assert_int_equal(fixture_change(&f, "DELETE FROM shares WHERE user_id = 4"), 1);
        assert_true(f.narrowed);
        assert_false(
                user_sees_device(registry_user(f.registry, 4), registry_device(f.registry, 1)));
        assert_int_equal(fixture_change(&f, "DELETE FROM device_groups"), 1);
        assert_int_equal(registry_device(f.registry, 2)->n_groups, 0);
        fixture_done(&f);
}

static void test_a_time_that_cannot_be_counted_costs_nobody_the_registry(void **state) {
        static const char *const times[] = { "infinity", "-infinity", "294276-12-31" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(times); ++i) {
                char sql[sizeof(fleet) + 400];
                const Device *device;
                Fixture f;

                (void)snprintf(sql,
                               sizeof(sql),
                               "%1$s; UPDATE device_states SET last_seen = '%2$s', time = '%2$s',"
                               " clock_set_at = '%2$s', status_time = '%2$s';"
                               " UPDATE users SET tokens_from = '%2$s', id_since = '%2$s'",
                               fleet,
                               times[i]);
                fixture_init(&f, sql);
                device = registry_device(f.registry, 1);
                assert_non_null(device);
                assert_string_equal(device->state.status, "online");
                assert_true(device->state.last_seen_us == CLOCK_UNKNOWN);
                assert_true(device->state.time_us == CLOCK_UNKNOWN);
                assert_true(registry_user(f.registry, 2)->tokens_from_us ==
                            (i == 1 ? 0 : INT64_MAX));
                fixture_done(&f);
        }
}

static void test_deleting_a_user_takes_the_shares_along(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        /* The user, two shares. */
        assert_int_equal(fixture_change(&f, "DELETE FROM users WHERE id = 3"), 3);
        assert_null(registry_user(f.registry, 3));
        /* The user; the device and the vehicle have no owner any more. */
        assert_int_equal(fixture_change(&f, "DELETE FROM users WHERE id = 2"), 3);
        assert_int_equal(registry_device(f.registry, 1)->user_id, 0);
        assert_int_equal(registry_vehicle(f.registry, 1)->user_id, 0);
        assert_int_equal(fixture_change(&f, "DELETE FROM vehicles"), 1);
        assert_null(registry_vehicle(f.registry, 1));
        fixture_done(&f);
}

static void test_many_changes_come_as_a_whole(void **state) {
        RegistryDelta *delta = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        assert_int_equal(fixture_change(&f,
                                        "INSERT INTO devices (code) SELECT 'n' || i"
                                        " FROM generate_series(1, 400) i"),
                         400);
        assert_true(fixture_change(&f,
                                   "INSERT INTO devices (code) SELECT 'm' || i"
                                   " FROM generate_series(1, 501) i") > 901);
        assert_non_null(registry_find_device(f.registry, TEXT("m501")));
        fixture_change(&f, "TRUNCATE shares");
        assert_false(
                user_sees_device(registry_user(f.registry, 3), registry_device(f.registry, 2)));
        assert_int_equal(db_directory_poll(f.directory, &delta), 0);
        assert_null(delta);
        fixture_done(&f);
}

static void test_a_locked_table_keeps_only_its_own_news(void **state) {
        CLEANUP(db_conn_free) DbConn *other = NULL;
        RegistryDelta *delta = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        assert_int_equal(db_conn_script(f.conn, "SET lock_timeout = '20ms'"), 0);
        postgres_run("UPDATE devices SET name = 'Two' WHERE id = 1");
        other = postgres_connect(5000);
        assert_int_equal(db_conn_script(other, "BEGIN; LOCK TABLE devices"), 0);
        assert_int_equal(fixture_change(&f, "UPDATE users SET is_active = false WHERE id = 3"), 1);
        assert_false(registry_user(f.registry, 3)->is_active);
        assert_string_equal(registry_device(f.registry, 1)->name, "One");
        assert_true(db_directory_is_behind(f.directory));
        assert_int_equal(db_directory_open(f.directory, &delta), DB_E_BUSY);

        assert_int_equal(db_conn_script(other, "ROLLBACK"), 0);
        assert_int_equal(fixture_change(&f, "SELECT 1"), 1);
        assert_string_equal(registry_device(f.registry, 1)->name, "Two");
        assert_false(db_directory_is_behind(f.directory));
        fixture_done(&f);
}

static void test_lost_connection_is_told(void **state) {
        RegistryDelta *delta = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        postgres_run("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                     " WHERE application_name = 'tidegate/test'");
        while (db_directory_poll(f.directory, &delta) == 0)
                continue;
        assert_false(db_conn_is_open(f.conn));
        fixture_done(&f);
}

static void test_device_registers_itself_once(void **state) {
        RegistryDelta *delta = NULL;
        DbRegistration registration;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        registration = (DbRegistration){
                .code = TEXT("new"), .name = TEXT("Porch"), .user_id = 2, .device_type = "camera"
        };
        assert_int_equal(db_register_device(f.conn, &registration, &delta), 0);
        fixture_apply(&f, delta);
        assert_string_equal(registry_find_device(f.registry, TEXT("new"))->name, "Porch");
        assert_int_equal(registry_find_device(f.registry, TEXT("new"))->user_id, 2);
        assert_int_equal(fixture_change(&f, "SELECT 1"), 1); /* our own news, harmless */

        /* Somebody was faster, and the news of it has not come: it is his, and it is there. */
        postgres_run("INSERT INTO devices (code, user_id) VALUES ('theirs', 4)");
        registration.code = TEXT("theirs");
        assert_int_equal(db_register_device(f.conn, &registration, &delta), 0);
        fixture_apply(&f, delta);
        assert_int_equal(registry_find_device(f.registry, TEXT("theirs"))->user_id, 4);
        fixture_done(&f);
}

static int fixture_register(Fixture *f, Text code) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;

        DbRegistration registration = { .code = code, .user_id = 2, .device_type = "sensor" };

        return db_register_device(f->conn, &registration, &delta);
}

static void test_device_waits_while_nobody_is_taken(void **state) {
        CLEANUP(db_conn_free) DbConn *other = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        other = postgres_connect(5000);
        assert_int_equal(db_conn_script(other, "BEGIN; LOCK TABLE devices IN SHARE MODE"), 0);
        assert_int_equal(db_conn_script(f.conn, "SET lock_timeout = '20ms'"), 0);
        assert_int_equal(fixture_register(&f, TEXT("new")), DB_E_REFUSED);
        assert_string_equal(db_conn_sqlstate(f.conn), "55P03");
        assert_int_equal(db_conn_script(f.conn, "SET lock_timeout = 0"), 0);
        assert_int_equal(db_conn_script(f.conn, "SET statement_timeout = '20ms'"), 0);
        assert_int_equal(fixture_register(&f, TEXT("new")), DB_E_REFUSED);
        assert_string_equal(db_conn_sqlstate(f.conn), "57014");
        assert_int_equal(db_conn_script(f.conn, "SET statement_timeout = '5s'"), 0);
        assert_int_equal(db_conn_script(other, "ROLLBACK"), 0);

        postgres_run("ALTER TABLE devices ADD CONSTRAINT nobody CHECK (id < 0) NOT VALID");
        assert_int_equal(fixture_register(&f, TEXT("new")), DB_E_REFUSED);
        postgres_run("ALTER TABLE devices DROP CONSTRAINT nobody");
        assert_int_equal(fixture_register(&f, TEXT("new")), 0);
        fixture_done(&f);
}

static void test_device_that_alone_is_not_taken_is_rejected(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        postgres_run("ALTER TABLE devices ADD CHECK (code ~ '^d[0-9]+$')");
        assert_int_equal(fixture_register(&f, TEXT("x1")), DB_E_REJECTED);
        assert_int_equal(fixture_register(&f, TEXT("d3")), 0);
        assert_int_equal(fixture_change(&f, "SELECT 1"), 1); /* nothing of what was only tried */
        postgres_run("DELETE FROM devices; ALTER TABLE devices DROP CONSTRAINT devices_code_check1;"
                     "ALTER TABLE devices ADD CHECK (code <> 'x2')");
        assert_int_equal(fixture_register(&f, TEXT("x2")), DB_E_REJECTED);
        assert_int_equal(fixture_register(&f, TEXT("x3")), 0);
        fixture_done(&f);
}

static void remember(void *arg, const Record *record) {
        Buf *buf = arg;

        buf_printf(buf,
                   "%s %d/%d %d ",
                   kind_name(record->kind),
                   (int)record->device_id,
                   (int)record->vehicle_id,
                   (int)record->seq);
        buf_append_text(buf, record->data);
        buf_append_char(buf, '\n');
}

static void test_restore_has_the_newest_of_each(void **state) {
        CLEANUP_BUF Buf seen = { 0 };
        CLEANUP(arena_free) Arena *arena = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f, fleet);
        postgres_run(
                "SELECT tidegate_make_partitions('2025-10-17', '2025-10-18');"
                "INSERT INTO telemetry (seq, received_at, time, device_id, journal_id, payload)"
                " VALUES (1, '2025-10-17 12:00+00', '2025-10-17 12:00+00', 1, 1, '{ \"a\":1}'),"
                " (2, '2025-10-18 12:00+00', '2025-10-18 12:00+00', 1, 1, '{ \"a\":2}'),"
                " (3, '2025-10-18 12:01+00', '2025-10-18 11:00+00', 1, 1, '{ \"late\":3}');"
                "INSERT INTO vehicle_logs (seq, received_at, time, vehicle_id, journal_id, rssi,"
                " armed, mode, extra) VALUES (4, '2025-10-18 12:00+00', '2025-10-18 12:00+00', 1,"
                " 1, -45.5, true, 'AU\"TO', '{\"x\": [1]}')");
        assert_int_equal(arena_new(&arena, 4096), 0);
        assert_int_equal(db_directory_restore(f.conn, arena, remember, &seen), 0);
        assert_string_equal(seen.data,
                            "telemetry 1/0 2 { \"a\":2}\n"
                            "vehicle_log 0/1 4 {\"rssi\":-45.5,\"mode\":\"AU\\\"TO\","
                            "\"armed\":true,\"x\": [1]}\n");
        fixture_done(&f);
}

static void count(void *arg, const Record *record) {
        (void)record;
        ++*(size_t *)arg;
}

static void test_restore_reads_all_pages(void **state) {
        CLEANUP(arena_free) Arena *arena = NULL;
        size_t n = 0;
        Fixture f;

        (void)state;
        fixture_init(&f,
                     "INSERT INTO devices (code) SELECT 'n' || i"
                     " FROM generate_series(1, 2000) i;"
                     "SELECT tidegate_make_partitions('2025-10-18', '2025-10-18');"
                     "INSERT INTO telemetry (seq, received_at, time, device_id, journal_id,"
                     " payload) SELECT i, '2025-10-18 12:00+00', '2025-10-18 12:00+00', i, 1,"
                     " '{}' FROM generate_series(1, 2000) i");
        assert_int_equal(arena_new(&arena, 4096), 0);
        assert_int_equal(db_directory_restore(f.conn, arena, count, &n), 0);
        assert_int_equal(n, 2000);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_load_brings_everything),
                cmocka_unit_test(test_changes_follow_one_by_one),
                cmocka_unit_test(test_a_time_that_cannot_be_counted_costs_nobody_the_registry),
                cmocka_unit_test(test_deleting_a_user_takes_the_shares_along),
                cmocka_unit_test(test_many_changes_come_as_a_whole),
                cmocka_unit_test(test_a_locked_table_keeps_only_its_own_news),
                cmocka_unit_test(test_lost_connection_is_told),
                cmocka_unit_test(test_device_registers_itself_once),
                cmocka_unit_test(test_device_waits_while_nobody_is_taken),
                cmocka_unit_test(test_device_that_alone_is_not_taken_is_rejected),
                cmocka_unit_test(test_restore_has_the_newest_of_each),
                cmocka_unit_test(test_restore_reads_all_pages),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
