/* DbHeads: of each slot the journal of whoever has it, and how far it can be read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "db/read/heads.h"
#include "postgres.h"

static void expect(const DbHead *head, int slot, uint64_t epoch, uint64_t seq) {
        assert_int_equal(head->slot, slot);
        assert_int_equal(head->epoch, epoch);
        assert_int_equal(head->seq, seq);
}

static void test_of_each_slot_its_owner_s_journal(void **state) {
        DbConn *conn = postgres_connect(5000);
        DbHead heads[4];
        size_t n = 0;

        (void)state;
        postgres_run(
                "INSERT INTO slots (slot, epoch, instance) VALUES (1, '00000000000000b1', 'x'),"
                " (2, '00000000000000c1', NULL), (3, '00000000000000d1', 'x');"
                "INSERT INTO journal_positions (epoch, slot, seq) VALUES"
                " ('00000000000000a1', 0, 9),"
                " ('00000000000000b1', 1, 5), ('00000000000000b2', 1, 7),"
                " ('00000000000000c1', 2, 5), ('00000000000000c2', 2, 7),"
                " ('00000000000000d1', 3, 0), ('00000000000000d2', 3, 7),"
                " ('00000000000000e1', 5, 1)");
        assert_int_equal(db_heads_read(conn, 1, 4, heads, &n), 0);
        assert_int_equal(n, 3);
        expect(&heads[0], 1, 0xb1, 5); /* what it has not stored yet cannot be read */
        expect(&heads[1], 2, 0xc2, 7); /* nobody has it */
        expect(&heads[2], 3, 0xd1, 7); /* it goes on behind the other one */
        db_conn_free(conn);
}

static void test_without_our_tables_there_is_no_answer(void **state) {
        DbConn *conn = postgres_connect(5000);
        DbHead heads[4];
        size_t n = 0;

        (void)state;
        postgres_reset();
        assert_int_equal(db_heads_read(conn, 0, 4, heads, &n), DB_E_REJECTED);
        db_conn_free(conn);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_of_each_slot_its_owner_s_journal),
                cmocka_unit_test(test_without_our_tables_there_is_no_answer),
        };

        postgres_migrate();
        return cmocka_run_group_tests(tests, NULL, NULL);
}
