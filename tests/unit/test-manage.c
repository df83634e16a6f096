/* Changes in the name of who asks: each kind, as an admin, an owner, and who may not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/edit/manage.h"
#include "gateway/read/answer_manage.h"
#include "model/manage_query.h"
#include "postgres.h"

enum { ROOT = 1, ANA, BEN }; /* an admin, an owner, and somebody else */

static DbConn *open_fleet(void) {
        postgres_migrate();
        postgres_run(
                "INSERT INTO users (username, role, password_hash) VALUES ('root', 'admin', 'h'),"
                " ('ana', 'user', 'h'), ('ben', 'user', 'h')");
        postgres_run("INSERT INTO devices (code, user_id) VALUES ('dev-ana', 2)");
        postgres_run("INSERT INTO vehicles (code, user_id) VALUES ('usv-ana', 2)");
        postgres_run("INSERT INTO groups (name) VALUES ('all')");
        return postgres_connect(5000);
}

/* @texts ends with "": null cannot. Its status. */
static int change(DbConn *conn,
                  int64_t by,
                  ManageKind kind,
                  int64_t id,
                  const char *const texts[]) {
        CLEANUP(answer_free) Answer *answer = NULL;
        CLEANUP(query_free) Query *query = NULL;

        assert_int_equal(query_new(&query, QUERY_MANAGE), 0);
        assert_int_equal(manage_query_new(&query->manage, kind), 0);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        assert_non_null(query->user_ids);
        query->user_ids[0] = by;
        query->n_user_ids = 1;
        query->manage->id = id;
        for (size_t i = 0; texts[i] && *texts[i]; ++i)
                assert_int_equal(manage_query_say(query->manage, texts[i]), 0);
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(answer_manage(conn, query, answer), 0);
        return answer->status;
}

#define NOTHING ((const char *const[]){ "" })

static void test_admins_alone_change_users_and_groups(void **state) {
        static const ManageKind kinds[] = { MANAGE_USER_ENABLE,
                                            MANAGE_USER_DISABLE,
                                            MANAGE_USER_REVOKE,
                                            MANAGE_USER_TOKEN,
                                            MANAGE_USER_DELETE };
        CLEANUP(db_conn_free) DbConn *conn = open_fleet();

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(kinds); ++i) {
                assert_int_equal(change(conn, ANA, kinds[i], BEN, NOTHING), 403);
                assert_int_equal(change(conn, ROOT, kinds[i], 999, NOTHING), 404);
        }
        assert_int_equal(postgres_int("SELECT count(*) FROM users"), 3);
        assert_int_equal(change(conn, ANA, MANAGE_GROUP_DELETE, 1, NOTHING), 403);
        assert_int_equal(change(conn, ROOT, MANAGE_USER_DISABLE, BEN, NOTHING), 200);
        assert_int_equal(change(conn, ROOT, MANAGE_USER_TOKEN, BEN, NOTHING), 409);
        assert_int_equal(change(conn, ROOT, MANAGE_USER_DELETE, BEN, NOTHING), 200);
        assert_int_equal(change(conn, ROOT, MANAGE_GROUP_DELETE, 1, NOTHING), 200);
}

static void test_who_is_no_admin_any_more_changes_nothing(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = open_fleet();
        const char *const added[] = { "dora", "user", "hash", "" };

        (void)state;
        assert_int_equal(change(conn, ROOT, MANAGE_USER_ADD, 0, added), 201);
        assert_int_equal(change(conn, ROOT, MANAGE_USER_ADD, 0, added), 409);
        postgres_run("UPDATE users SET is_active = false WHERE username = 'root'");
        assert_int_equal(change(conn, ROOT, MANAGE_USER_DELETE, BEN, NOTHING), 403);
        assert_int_equal(postgres_int("SELECT count(*) FROM users"), 4);
}

static void test_owners_share_what_others_do_not_even_see(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = open_fleet();
        const char *const ben[] = { "ben", "" }, *const nobody[] = { "nobody", "" };

        (void)state;
        assert_int_equal(change(conn, BEN, MANAGE_DEVICE_SHARE, 1, ben), 404);
        assert_int_equal(change(conn, ANA, MANAGE_DEVICE_SHARE, 1, nobody), 422);
        assert_int_equal(change(conn, ANA, MANAGE_DEVICE_SHARE, 1, ben), 201);
        assert_int_equal(change(conn, ANA, MANAGE_DEVICE_SHARE, 1, ben), 200);
        assert_int_equal(change(conn, BEN, MANAGE_DEVICE_SHARE, 1, ben), 403);
        assert_int_equal(change(conn, BEN, MANAGE_DEVICE_REVOKE, 1, NOTHING), 403);
        assert_int_equal(change(conn, BEN, MANAGE_SHARE_DELETE, 1, NOTHING), 404);
        assert_int_equal(change(conn, ANA, MANAGE_SHARE_DELETE, 1, NOTHING), 200);
        assert_int_equal(change(conn, BEN, MANAGE_DEVICE_REVOKE, 1, NOTHING), 404);
        assert_int_equal(change(conn, ANA, MANAGE_DEVICE_UPLINK_ON, 1, NOTHING), 403);
        assert_int_equal(change(conn, ROOT, MANAGE_DEVICE_UPLINK_ON, 1, NOTHING), 200);
        assert_int_equal(postgres_int("SELECT may_uplink::int FROM devices WHERE id = 1"), 1);
        assert_int_equal(change(conn, ROOT, MANAGE_DEVICE_UPLINK_OFF, 1, NOTHING), 200);
        assert_int_equal(postgres_int("SELECT may_uplink::int FROM devices WHERE id = 1"), 0);
        assert_int_equal(change(conn, ANA, MANAGE_VEHICLE_SHARE, 1, ben), 201);
        assert_int_equal(change(conn, ANA, MANAGE_GROUP_SHARE, 1, ben), 403);
        assert_int_equal(change(conn, ROOT, MANAGE_GROUP_SHARE, 1, ben), 201);
}

static void test_each_kind_has_a_name_for_the_log(void **state) {
        (void)state;
        for (int kind = 0; kind < MANAGE_COUNT; ++kind)
                assert_non_null(manage_kind_name((ManageKind)kind));
        assert_true(manage_kind_is_read(MANAGE_USERS));
        assert_false(manage_kind_is_read(MANAGE_USER_TOKEN));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_admins_alone_change_users_and_groups),
                cmocka_unit_test(test_who_is_no_admin_any_more_changes_nothing),
                cmocka_unit_test(test_owners_share_what_others_do_not_even_see),
                cmocka_unit_test(test_each_kind_has_a_name_for_the_log),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
