/* DbOwner: an admin gives what there is to whom there is; nobody else gives anything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>

#include "db/edit/owner.h"
#include "postgres.h"

enum { ANA = 1, BEN, ROOT, GONE, NOBODY = 0, NO_SUCH = 99 };

static DbConn *begin(void) {
        postgres_migrate();
        postgres_run("INSERT INTO users (id, username, password_hash, role, is_active) VALUES"
                     " (1, 'ana', 'x', 'user', true), (2, 'ben', 'x', 'user', true),"
                     " (3, 'root', 'x', 'admin', true), (4, 'gone', 'x', 'admin', false);"
                     "INSERT INTO devices (id, code, user_id) VALUES (1, 'dev-1', 1);"
                     "INSERT INTO vehicles (id, code, user_id) VALUES (5, 'USV-1', 1)");
        return postgres_connect(5000);
}

static int give(DbConn *conn, int64_t admin, int64_t device_id, int64_t vehicle_id, int64_t owner) {
        CLEANUP(query_free) Query *query = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;

        assert_int_equal(query_new(&query, QUERY_OWNER), 0);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->user_ids[0] = admin;
        query->n_user_ids = 1;
        query->device_id = device_id;
        query->vehicle_id = vehicle_id;
        query->owner_id = owner;
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(db_owner_give(conn, query, answer), 0);
        return answer->status;
}

static void test_an_admin_gives_and_takes(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        assert_int_equal(give(conn, ROOT, 1, 0, BEN), 200);
        assert_int_equal(postgres_int("SELECT user_id FROM devices"), BEN);
        assert_int_equal(postgres_int("SELECT user_id FROM vehicles"), ANA);
        assert_int_equal(give(conn, ROOT, 1, 0, NOBODY), 200);
        assert_int_equal(postgres_int("SELECT count(*) FROM devices WHERE user_id IS NULL"), 1);
        assert_int_equal(give(conn, ROOT, 0, 5, ROOT), 200);
        assert_int_equal(postgres_int("SELECT user_id FROM vehicles"), ROOT);
}

static void test_nobody_else_gives_anything(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        assert_int_equal(give(conn, ANA, 1, 0, BEN), 403);
        assert_int_equal(give(conn, GONE, 1, 0, BEN), 403);
        assert_int_equal(give(conn, NO_SUCH, 0, 5, BEN), 403);
        assert_int_equal(postgres_int("SELECT user_id FROM devices"), ANA);
        assert_int_equal(postgres_int("SELECT user_id FROM vehicles"), ANA);
}

static void test_what_is_not_there_is_said(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        assert_int_equal(give(conn, ROOT, NO_SUCH, 0, BEN), 404);
        assert_int_equal(give(conn, ROOT, 0, NO_SUCH, BEN), 404);
        assert_int_equal(give(conn, ROOT, 1, 0, NO_SUCH), 422);
        assert_int_equal(postgres_int("SELECT user_id FROM devices"), ANA);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_an_admin_gives_and_takes),
                cmocka_unit_test(test_nobody_else_gives_anything),
                cmocka_unit_test(test_what_is_not_there_is_said),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
