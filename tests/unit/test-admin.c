#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/edit/admin.h"
#include "postgres.h"

static DbConn *admin_open(void) {
        DbConn *conn;
        int64_t id = 0;

        postgres_migrate();
        conn = postgres_connect(5000);
        assert_int_equal(db_admin_user_add(conn, "ana", ROLE_USER, "hash", &id), 0);
        assert_int_equal(id, 1);
        return conn;
}

static void test_user_is_added_once(void **state) {
        DbConn *conn = admin_open();
        DbUser user = { 0 };
        int64_t id = 0;

        (void)state;
        assert_int_equal(db_admin_user_add(conn, "ana", ROLE_ADMIN, "h", &id), DB_E_EXISTS);
        assert_int_equal(db_admin_user_add(conn, "Ana", ROLE_ADMIN, "h", &id), DB_E_EXISTS);
        assert_int_equal(db_admin_user_get(conn, "ana", &user), 0);
        assert_true(user.id == 1 && user.role == ROLE_USER && user.is_active);
        assert_int_equal(db_admin_user_get(conn, "bob", &user), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_user_add(conn, "", ROLE_ADMIN, "h", &id), DB_E_REJECTED);
        db_conn_free(conn);
}

static int64_t generation_of(DbConn *conn, const char *name) {
        DbUser user = { 0 };

        assert_int_equal(db_admin_user_get(conn, name, &user), 0);
        return user.generation;
}

/* And every such end counts for the tokens of others, too, which name no generation. */
static void test_tokens_end_with_what_they_were_given_for(void **state) {
        static const char *const ends[] = {
                "UPDATE users SET is_active = false WHERE username = 'ana'",
                "UPDATE users SET password_hash = 'other' WHERE username = 'ana'",
        };
        DbConn *conn = admin_open();
        int64_t generation = generation_of(conn, "ana");
        int64_t id = 0;

        (void)state;
        assert_true(generation > 0);
        postgres_run("UPDATE users SET role = 'admin' WHERE username = 'ana'");
        assert_int_equal(generation_of(conn, "ana"), generation);
        for (size_t i = 0; i < N_ELEMENTS(ends); ++i) {
                postgres_run("UPDATE users SET tokens_from = NULL");
                postgres_run(ends[i]);
                assert_int_not_equal(generation_of(conn, "ana"), generation);
                assert_int_equal(postgres_int("SELECT count(*) FROM users"
                                              " WHERE tokens_from IS NOT NULL"),
                                 1);
                generation = generation_of(conn, "ana");
        }
        postgres_run("UPDATE users SET is_active = true"); /* that alone brings nothing back */
        assert_int_equal(generation_of(conn, "ana"), generation);
        assert_int_equal(db_admin_user_revoke(conn, "ana"), 0);
        assert_int_not_equal(generation_of(conn, "ana"), generation);
        assert_int_equal(db_admin_user_password(conn, "ana", "third"), 0);
        assert_string_equal(postgres_text("SELECT password_hash FROM users"), "third");
        assert_int_equal(db_admin_user_delete(conn, "ana"), 0);

        assert_int_equal(db_admin_user_add(conn, "ana", ROLE_USER, "hash", &id), 0);
        assert_int_equal(id, 2); /* no id comes again */
        assert_int_equal(postgres_int("SELECT count(*) FROM users WHERE tokens_from IS NOT NULL"),
                         1);
        assert_int_equal(db_admin_user_add(conn, "bea", ROLE_USER, "hash", &id), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM users WHERE tokens_from IS NOT NULL"),
                         1);
        assert_int_equal(db_admin_user_revoke(conn, "nobody"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_user_password(conn, "nobody", "x"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_user_delete(conn, "nobody"), DB_E_NOT_FOUND);
        db_conn_free(conn);
}

static void test_device_and_its_token(void **state) {
        DbConn *conn = admin_open();
        const uint8_t hash[32] = { 0xab, 0x01 };
        int64_t id = 0;

        (void)state;
        assert_int_equal(db_admin_device_add(conn,
                                             &(DbDeviceNew){ .code = "d1",
                                                             .user = "ana",
                                                             .token_hash = hash },
                                             &id),
                         0);
        assert_string_equal(postgres_text("SELECT user_id || left(encode(token_hash, 'hex'), 6)"
                                          " FROM devices"),
                            "1ab0100");
        assert_int_equal(db_admin_device_add(conn, &(DbDeviceNew){ .code = "d1" }, &id),
                         DB_E_EXISTS);
        assert_int_equal(db_admin_device_add(conn,
                                             &(DbDeviceNew){ .code = "d2", .user = "bob" },
                                             &id),
                         DB_E_NOT_FOUND);
        assert_int_equal(db_admin_device_token(conn, "d1", NULL), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM devices WHERE token_hash IS NULL"), 1);
        assert_int_equal(db_admin_device_token(conn, "d9", hash), DB_E_NOT_FOUND);
        db_conn_free(conn);
}

static void test_vehicle_is_shared_once(void **state) {
        DbConn *conn = admin_open();
        int64_t id = 0;

        (void)state;
        assert_int_equal(db_admin_vehicle_add(conn, "v1", NULL, "Boat", &id), 0);
        assert_int_equal(db_admin_vehicle_add(conn, "v1", NULL, "Boat", &id), DB_E_EXISTS);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "v1", "ana"), 0);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "v1", "ana"), DB_E_EXISTS);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "v1", "bob"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "v2", "ana"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_unshare(conn, DB_SHARED_VEHICLE, "v1", "bob"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_unshare(conn, DB_SHARED_DEVICE, "v1", "ana"), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_unshare(conn, DB_SHARED_VEHICLE, "v1", "ana"), 0);
        assert_int_equal(db_admin_unshare(conn, DB_SHARED_VEHICLE, "v1", "ana"), DB_E_EXISTS);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "v1", "ana"), 0);
        db_conn_free(conn);
}

static void test_a_vehicle_has_the_id_that_clients_know(void **state) {
        DbConn *conn = admin_open();
        DbTaken taken;
        int64_t id = 0;

        (void)state;
        assert_int_equal(db_admin_vehicle_add_as(conn, "moved", "ana", "Boat", 70, &taken), 0);
        assert_int_equal(postgres_int("SELECT id FROM vehicles WHERE code = 'moved'"), 70);
        assert_int_equal(db_admin_vehicle_add(conn, "later", NULL, NULL, &id), 0);
        assert_int_equal(id, 71);
        assert_int_equal(db_admin_vehicle_add_as(conn, "between", NULL, NULL, 60, &taken), 0);
        assert_int_equal(db_admin_vehicle_add(conn, "last", NULL, NULL, &id), 0);
        assert_int_equal(id, 72);

        assert_int_equal(db_admin_vehicle_add_as(conn, "moved", NULL, NULL, 80, &taken),
                         DB_E_EXISTS);
        assert_int_equal(taken, DB_TAKEN_CODE);
        assert_int_equal(db_admin_vehicle_add_as(conn, "second", NULL, NULL, 70, &taken),
                         DB_E_EXISTS);
        assert_int_equal(taken, DB_TAKEN_ID);
        assert_int_equal(db_admin_vehicle_add_as(conn, "third", "bob", NULL, 90, &taken),
                         DB_E_NOT_FOUND);
        assert_int_equal(db_admin_vehicle_add(conn, "after all", NULL, NULL, &id), 0);
        assert_int_equal(id, 73); /* what was refused has moved nothing */
        db_conn_free(conn);
}

static void test_group_takes_all_devices_or_none(void **state) {
        static const char *const good[] = { "d1", "d2", "d1" };
        static const char *const bad[] = { "d3", "none" };
        DbConn *conn = admin_open();
        int64_t id = 0;

        (void)state;
        postgres_run("INSERT INTO devices (code) VALUES ('d1'), ('d2'), ('d3')");
        assert_int_equal(db_admin_group_add(conn, "g", bad, 2, &id), DB_E_NOT_FOUND);
        assert_int_equal(postgres_int("SELECT count(*) FROM groups"), 0);
        assert_int_equal(db_admin_group_add(conn, "g", good, 3, &id), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM device_groups"), 2);
        assert_int_equal(db_admin_group_add(conn, "g", good, 3, &id), DB_E_EXISTS);
        assert_int_equal(db_admin_group_add(conn, "g", bad, 1, &id), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM device_groups"), 3);
        db_conn_free(conn);
}

static void test_group_loses_all_devices_or_none(void **state) {
        static const char *const good[] = { "d1", "d2", "d1" };
        static const char *const bad[] = { "d3", "none" };
        DbConn *conn = admin_open();
        int64_t id = 0;
        size_t n = 99;

        (void)state;
        postgres_run("INSERT INTO devices (code) VALUES ('d1'), ('d2'), ('d3'), ('d4')");
        assert_int_equal(db_admin_group_add(conn, "g", good, 3, &id), 0);
        assert_int_equal(db_admin_group_add(conn, "g", bad, 1, &id), 0);
        assert_int_equal(db_admin_group_add(conn, "other", good, 3, &id), 0);

        assert_int_equal(db_admin_group_remove(conn, "g", bad, 2, &n), DB_E_NOT_FOUND);
        assert_int_equal(db_admin_group_remove(conn, "none", good, 3, &n), DB_E_NOT_FOUND);
        assert_int_equal(n, 99);
        assert_int_equal(postgres_int("SELECT count(*) FROM device_groups"), 5);
        assert_int_equal(db_admin_group_remove(conn, "g", good, 3, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(postgres_text("SELECT string_agg(g.name || '/' || d.code, ' '"
                                          " ORDER BY g.name, d.code) FROM device_groups m"
                                          " JOIN groups g ON g.id = m.group_id"
                                          " JOIN devices d ON d.id = m.device_id"),
                            "g/d3 other/d1 other/d2");
        assert_int_equal(db_admin_group_remove(conn, "g", good, 3, &n), 0);
        assert_int_equal(n, 0);
        db_conn_free(conn);
}

static void test_a_thing_is_deleted_once_with_what_hangs_on_it(void **state) {
        static const char *const devices[] = { "t1" };
        DbConn *conn = admin_open();
        int64_t id = 0;

        (void)state;
        postgres_run("INSERT INTO devices (code) VALUES ('t1'), ('t2')");
        postgres_run("INSERT INTO vehicles (code) VALUES ('t1'), ('t2')");
        postgres_run("INSERT INTO shares (user_id, device_id) SELECT 1, id FROM devices");
        assert_int_equal(db_admin_group_add(conn, "g", devices, 1, &id), 0);
        assert_int_equal(db_admin_share(conn, DB_SHARED_VEHICLE, "t1", "ana"), 0);

        assert_int_equal(db_admin_device_delete(conn, "t1"), 0);
        assert_int_equal(db_admin_device_delete(conn, "t1"), DB_E_NOT_FOUND);
        assert_string_equal(postgres_text("SELECT string_agg(code, ' ') FROM devices"), "t2");
        assert_int_equal(postgres_int("SELECT count(*) FROM device_groups"), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM shares"), 2);
        assert_int_equal(postgres_int("SELECT count(*) FROM vehicles"), 2);
        assert_int_equal(db_admin_vehicle_delete(conn, "t1"), 0);
        assert_int_equal(db_admin_vehicle_delete(conn, "t1"), DB_E_NOT_FOUND);
        assert_string_equal(postgres_text("SELECT string_agg(code, ' ') FROM vehicles"), "t2");
        assert_int_equal(postgres_int("SELECT count(*) FROM shares"), 1);
        db_conn_free(conn);
}

static void test_a_dead_letter_is_deleted_once(void **state) {
        DbConn *conn = admin_open();

        (void)state;
        postgres_run("SELECT tidegate_make_partitions('2025-10-18', '2025-10-18');"
                     "INSERT INTO dead_letters (seq, received_at, journal_id, reason, topic,"
                     " payload) SELECT 1, '2025-10-18 12:00+00', 1, 'bad_json', 'a/b', '\\x00ff'"
                     " FROM generate_series(1, 2)");
        assert_int_equal(db_admin_dead_letter_delete(conn, 2), 0);
        assert_int_equal(db_admin_dead_letter_delete(conn, 2), DB_E_NOT_FOUND);
        assert_int_equal(postgres_int("SELECT sum(id) FROM dead_letters"), 1);
        db_conn_free(conn);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_user_is_added_once),
                cmocka_unit_test(test_tokens_end_with_what_they_were_given_for),
                cmocka_unit_test(test_device_and_its_token),
                cmocka_unit_test(test_vehicle_is_shared_once),
                cmocka_unit_test(test_a_vehicle_has_the_id_that_clients_know),
                cmocka_unit_test(test_group_takes_all_devices_or_none),
                cmocka_unit_test(test_group_loses_all_devices_or_none),
                cmocka_unit_test(test_a_thing_is_deleted_once_with_what_hangs_on_it),
                cmocka_unit_test(test_a_dead_letter_is_deleted_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
