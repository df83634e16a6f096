/*
 * DbLetters: letters whose replay is refused keep no other waiting, however many they are.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/edit/letters.h"
#include "postgres.h"

enum {
        LETTERS = 400,   /* the first half of them is refused */
        LOOKED_AT = 100, /* by one claim at the most */
};

static const char rows[] =
        "INSERT INTO journal_positions (epoch, journal_id, seq) VALUES ('00000000000000aa', 1, 1);"
        "SELECT tidegate_make_partitions(current_date, current_date);"
        "INSERT INTO dead_letters (id, seq, received_at, journal_id, reason, topic, payload)"
        " SELECT i, i, now(), 1, 'bad_json', 't', 'x' FROM generate_series(1, 400) i;"
        "INSERT INTO replays (letter_id) SELECT i FROM generate_series(1, 401) i;"
        "CREATE SEQUENCE tries;"
        "CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        "  PERFORM nextval('tries'); RAISE 'not this one'; END $$;"
        "CREATE TRIGGER picky BEFORE UPDATE ON replays FOR EACH ROW"
        " WHEN (OLD.letter_id <= 200) EXECUTE FUNCTION picky()";

static void count(void *arg, const DbDeadLetter *letter) {
        size_t *n = arg;

        assert_in_range(letter->id, 1, LETTERS);
        ++*n;
}

static void test_many_that_are_refused_cost_a_claim_no_more_than_some(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int64_t after = 0, n_tries = 0;
        size_t n = 0;
        int n_claims = 0;

        (void)state;
        postgres_migrate();
        postgres_run(rows);
        conn = postgres_connect(5000);
        do {
                int64_t before = after;

                assert_int_equal(db_letters_claim(conn, "00000000000000aa", "s", &after, count, &n),
                                 0);
                assert_true(after == 0 || after > before);
                assert_in_range(postgres_int("SELECT last_value FROM tries") - n_tries,
                                0,
                                LOOKED_AT);
                n_tries = postgres_int("SELECT last_value FROM tries");
                ++n_claims;
        } while (after != 0);
        assert_in_range(n_claims, 5, 30);
        assert_int_equal(n, LETTERS / 2);
        assert_int_equal(postgres_int("SELECT count(*) FROM replays WHERE claimed_by IS NULL"
                                      " AND outcome IS NULL"),
                         LETTERS / 2);
        assert_int_equal(postgres_int("SELECT count(*) FROM replays WHERE outcome = 'gone'"), 1);

        /* They are tried again, in turn, and taken once they can be. */
        postgres_run("DROP TRIGGER picky ON replays");
        for (n = 0, after = 0, n_claims = 0; n_claims == 0 || after != 0; ++n_claims)
                assert_int_equal(db_letters_claim(conn, "00000000000000aa", "s", &after, count, &n),
                                 0);
        assert_int_equal(n, LETTERS / 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_many_that_are_refused_cost_a_claim_no_more_than_some),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
