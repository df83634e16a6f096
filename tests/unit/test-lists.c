/* DbListing: what there is, as lines of text; and what may be switched in it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "db/edit/listing.h"
#include "postgres.h"

static DbConn *conn;
static char said[4096]; /* fields with |, rows with a line break */

static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        conn = postgres_connect(5000);
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        conn = db_conn_free(conn);
        return 0;
}

static void on_row(void *arg, const char *const fields[], size_t n_fields) {
        size_t n = strlen(said);

        assert_ptr_equal(arg, said);
        for (size_t i = 0; i < n_fields; ++i)
                n += (size_t)snprintf(said + n,
                                      sizeof(said) - n,
                                      "%s%s",
                                      fields[i],
                                      i + 1 < n_fields ? "|" : "\n");
}

static void expect(DbListing listing, const char *wanted) {
        said[0] = '\0';
        assert_int_equal(db_listing(conn, listing, on_row, said), 0);
        assert_string_equal(said, wanted);
}

static void test_of_nothing_there_are_the_names_of_the_fields(void **state) {
        (void)state;
        expect(DB_LISTING_USERS, "id|name|role|state\n");
        expect(DB_LISTING_DEVICES,
               "id|code|name|owner|type|state|token|last_seen|clock|clock_offset_ms\n");
        expect(DB_LISTING_VEHICLES, "id|code|name|owner|state|shared_with|clock|clock_offset_ms\n");
        expect(DB_LISTING_NODES,
               "cluster|node|state|slot|advertise|host|pid|version|schema|waiting|last_seen\n");
        expect(DB_LISTING_MISSING, "slot|journal|what|after|last|messages|since\n");
}

static void test_null_is_nothing_and_what_is_shared_stands_in_order(void **state) {
        (void)state;
        postgres_run(
                "INSERT INTO users (username, password_hash) VALUES ('bob', 'x'), ('ana', 'x');"
                "INSERT INTO vehicles (code, name, user_id) VALUES ('v1', NULL, NULL),"
                " ('v2', 'Boat', 1);"
                "INSERT INTO shares (user_id, vehicle_id) VALUES (1, 1), (2, 1);"
                "INSERT INTO devices (code, token_hash) VALUES ('d1', sha256('x'))");
        expect(DB_LISTING_USERS, "id|name|role|state\n1|bob|user|active\n2|ana|user|active\n");
        expect(DB_LISTING_VEHICLES,
               "id|code|name|owner|state|shared_with|clock|clock_offset_ms\n"
               "1|v1|||active|ana,bob||\n2|v2|Boat|bob|active|||\n");
        expect(DB_LISTING_DEVICES,
               "id|code|name|owner|type|state|token|last_seen|clock|clock_offset_ms\n"
               "1|d1||||active|set|||\n");
}

static void test_a_node_that_says_nothing_for_longer_than_its_lease_is_silent(void **state) {
        static const char insert[] =
                "INSERT INTO nodes (cluster, node, instance, place, advertise, host, pid, version, "
                "schema,"
                " lease_ms, last_seen, slot, waiting, draining) VALUES"
                " ('c', 'n1', 'i1', 'p', 'a', 'h', 1, 'v', 9, 6000, clock_timestamp(), 0, 0, "
                "false),"
                " ('c', 'n2', 'i2', 'p', 'a', 'h', 2, 'v', 9, 6000, clock_timestamp(), 0, 0, true),"
                " ('c', 'n3', 'i3', 'p', 'a', 'h', 3, 'v', 9, 6000,"
                "  clock_timestamp() - interval '9 s', 0, 0, true)";

        (void)state;
        postgres_run(insert);
        assert_int_equal(db_listing_node_drained(conn, "c", "n1", true), 0);
        said[0] = '\0';
        assert_int_equal(db_listing(conn, DB_LISTING_NODES, on_row, said), 0);
        assert_non_null(strstr(said, "\nc|n1|drained|"));
        assert_non_null(strstr(said, "\nc|n2|draining|"));
        assert_non_null(strstr(said, "\nc|n3|silent|"));
}

static void test_what_is_acknowledged_and_not_stored_is_listed_until_it_is_settled(void **state) {
        (void)state;
        postgres_run("INSERT INTO journal_positions (epoch, slot, seq, reached, left_at) VALUES"
                     " ('aa', 0, 5, 9, '2025-10-18T12:00Z'), ('bb', 1, 7, 7, NULL);"
                     "INSERT INTO journal_differences (journal_id, kind, after_seq, last_seq,"
                     " records, found_at) VALUES (2, 'gap', 1, 3, 2, '2025-10-18T12:00Z')");
        expect(DB_LISTING_MISSING,
               "slot|journal|what|after|last|messages|since\n"
               "0|aa|in_journal|5|9||2025-10-18T12:00:00.000Z\n"
               "1|bb|gone|1|3|2|2025-10-18T12:00:00.000Z\n");
        postgres_run("UPDATE journal_differences SET settled_at = now();"
                     "UPDATE journal_positions SET left_at = NULL");
        expect(DB_LISTING_MISSING, "slot|journal|what|after|last|messages|since\n");
}

static void test_what_is_switched_is_there(void **state) {
        (void)state;
        postgres_run("INSERT INTO users (username, password_hash) VALUES ('ana', 'x')");
        assert_int_equal(db_listing_user_active(conn, "ana", false), 0);
        expect(DB_LISTING_USERS, "id|name|role|state\n1|ana|user|disabled\n");
        assert_int_equal(db_listing_user_active(conn, "ana", true), 0);
        assert_int_equal(db_listing_user_active(conn, "bob", true), DB_E_NOT_FOUND);
        assert_int_equal(db_listing_node_drained(conn, "c", "n", true), DB_E_NOT_FOUND);
        assert_int_equal(db_listing_node_drained(conn, "c", "n", false), DB_E_NOT_FOUND);
}

static void test_a_node_is_drained_as_often_as_one_likes_and_once_not_any_more(void **state) {
        (void)state;
        postgres_run(
                "INSERT INTO nodes (cluster, node, instance, place, advertise, host, pid, version,"
                " schema, lease_ms, last_seen, slot, waiting) VALUES"
                " ('c', 'n', 'i', 'p', 'a', 'h', 1, 'v', 9, 6000, clock_timestamp(), 0, 0)");
        assert_int_equal(db_listing_node_drained(conn, "c", "n", true), 0);
        assert_int_equal(db_listing_node_drained(conn, "c", "n", true), 0);
        assert_int_equal(db_listing_node_drained(conn, "c", "n", false), 0);
        assert_int_equal(db_listing_node_drained(conn, "c", "n", false), DB_E_NOT_FOUND);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_of_nothing_there_are_the_names_of_the_fields,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_null_is_nothing_and_what_is_shared_stands_in_order, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_a_node_that_says_nothing_for_longer_than_its_lease_is_silent,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(
                        test_what_is_acknowledged_and_not_stored_is_listed_until_it_is_settled,
                        set_up,
                        tear_down),
                cmocka_unit_test_setup_teardown(test_what_is_switched_is_there, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        test_a_node_is_drained_as_often_as_one_likes_and_once_not_any_more,
                        set_up,
                        tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
