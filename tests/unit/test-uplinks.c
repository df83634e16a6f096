/* How far the journals of edges are stored moves with the batch that stores, or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>

#include "db/uplinks.h"
#include "db/write/store.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

typedef struct Fixture Fixture;

struct Fixture {
        DbConn *conn;
        DbStore *store;
        uint64_t position, floor;
        Record records[4];
        Record *pointers[4];
        size_t n;
};

static void fixture_init(Fixture *f) {
        postgres_migrate();
        postgres_run("INSERT INTO devices (code, may_uplink) VALUES ('e1', true), ('e2', true);"
                     "INSERT INTO vehicles (code) VALUES ('v1')");
        *f = (Fixture){ .conn = postgres_connect(5000) };
        assert_int_equal(db_store_new(&f->store, f->conn, "00000000000000aa"), 0);
        assert_int_equal(db_store_open(f->store, NULL, &f->position, &f->floor), 0);
}

static void fixture_done(Fixture *f) {
        db_store_free(f->store);
        db_conn_free(f->conn);
}

static Record *add(Fixture *f, int64_t device_id, uint64_t epoch, uint64_t seq) {
        Record *record = &f->records[f->n];

        *record = (Record){
                .seq = f->position + f->n + 1,
                .received_us = NOON,
                .first_us = NOON - 1,
                .time_us = NOON - 1,
                .kind = KIND_RAW_LOG,
                .topic = TEXT("a/topic"),
                .payload = TEXT("x"),
                .text = TEXT("x"),
                .vehicle_id = 1,
                .origin = { .device_id = device_id, .epoch = epoch, .seq = seq, .is_whole = true },
        };
        f->pointers[f->n++] = record;
        return record;
}

static int store(Fixture *f) {
        const DbBatch batch = { .records = f->pointers,
                                .n_records = f->n,
                                .seq = f->position + f->n };
        int r = db_store_begin(f->store, &batch);

        while (r == 0 && (r = db_store_poll(f->store)) == DB_E_BUSY) {
                struct pollfd fd = { .fd = db_conn_fd(f->conn), .events = POLLIN };

                if (db_conn_wants_write(f->conn))
                        fd.events |= POLLOUT;
                assert_int_equal(poll(&fd, 1, 20000), 1);
                r = 0;
        }
        if (r == 0)
                f->position = batch.seq;
        f->n = 0;
        return r;
}

static uint64_t position_of(const Fixture *f, const Runs *runs, bool *ret_is_copied) {
        uint64_t seq;

        assert_int_equal(db_uplinks_position(f->conn, 1, runs, &seq, ret_is_copied), 0);
        return seq;
}

static uint64_t position(const Fixture *f, int64_t device_id, uint64_t epoch) {
        Runs runs = { 0 };
        uint64_t seq;
        bool is_copied;

        runs_close(&runs, epoch);
        assert_int_equal(db_uplinks_position(f->conn, device_id, &runs, &seq, &is_copied), 0);
        assert_false(is_copied); /* who does not say what it has is not told */
        return seq;
}

static void test_the_position_of_an_edge_moves_with_what_is_stored(void **state) {
        const Origin *positions;
        uint64_t seq, floor;
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(position(&f, 1, UINT64_MAX), 0);
        add(&f, 1, UINT64_MAX, 5);
        add(&f, 1, UINT64_MAX, 9);
        add(&f, 2, 3, 7);
        add(&f, 0, 0, 0);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position(&f, 1, UINT64_MAX), 9);
        assert_int_equal(position(&f, 2, 3), 7);
        add(&f, 1, UINT64_MAX, 10)->origin.is_whole = false; /* the rest of it is still to come */
        add(&f, 2, 3, 8)->reason = REASON_WRONG_OWNER;       /* a dead letter is stored as well */
        assert_int_equal(store(&f), 0);
        assert_int_equal(position(&f, 1, UINT64_MAX), 9);
        assert_int_equal(position(&f, 2, 3), 8);
        assert_string_equal(postgres_text("SELECT topic FROM dead_letters"), "$uplink/2/a/topic");
        add(&f, 2, 3, 9)->reason = REASON_UNKNOWN_DEVICE; /* which 2 is not: it has its id */
        f.pointers[0]->is_of_former = true;
        assert_int_equal(store(&f), 0);
        assert_string_equal(postgres_text(
                                    "SELECT topic FROM dead_letters ORDER BY id DESC LIMIT 1"),
                            "$uplink/-2/a/topic");

        assert_int_equal(db_store_open(f.store, NULL, &seq, &floor), 0);
        assert_int_equal(db_store_origins(f.store, &positions), 2);
        assert_int_equal(positions[0].seq + positions[1].seq, 18);
        fixture_done(&f);
}

static void test_what_somebody_else_has_stored_is_not_stored_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        postgres_run("INSERT INTO uplink_positions (device_id, epoch, seq) VALUES (1, 4, 6)");
        add(&f, 1, 4, 6);
        add(&f, 1, 4, 7);
        assert_int_equal(store(&f), DB_E_OFFLINE); /* it is to be opened again, and then knows */
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 0);
        assert_int_equal(postgres_int("SELECT seq FROM uplink_positions"), 6);
        fixture_done(&f);
}

static void test_an_edge_that_is_deleted_leaves_nothing(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        add(&f, 1, 4, 6);
        assert_int_equal(store(&f), 0);
        postgres_run("DELETE FROM devices WHERE id = 1");
        assert_int_equal(postgres_int("SELECT count(*) FROM uplink_positions"), 0);
        add(&f, 1, 4, 7);
        assert_int_equal(store(&f), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM uplink_positions"), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM raw_logs"), 2);
        fixture_done(&f);
}

static void test_sixty_four_runs_of_an_edge_are_remembered(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (uint64_t epoch = 1; epoch <= 68; ++epoch) {
                add(&f, 1, epoch, 1);
                assert_int_equal(store(&f), 0);
        }
        assert_int_equal(postgres_int("SELECT count(*) FROM uplink_positions"), 64);
        assert_int_equal(postgres_int("SELECT min(epoch) FROM uplink_positions"), 5);
        fixture_done(&f);
}

static void test_all_is_stored_up_to_the_newest_run_of_which_anything_is(void **state) {
        Runs runs = { .n = 3, .items = { { 30, 300 }, { 20, 200 }, { 10, 100 } } };
        bool is_copied;
        Fixture f;

        (void)state;
        fixture_init(&f);
        runs_close(&runs, 1);
        assert_int_equal(position_of(&f, &runs, &is_copied), 0);
        add(&f, 1, 10, 150);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 150);
        add(&f, 1, 10, 200);
        add(&f, 1, 20, 210);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 210);
        assert_false(is_copied);
        add(&f, 1, 20, 400); /* by the one that this was copied of: here that run ends at 300 */
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 300);
        assert_false(is_copied); /* it may have gone on before this began */
        add(&f, 1, 30, 310);
        assert_int_equal(store(&f), 0);
        add(&f, 1, 20, 500); /* this was not before */
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 310);
        assert_true(is_copied);
        fixture_done(&f);
}

static void test_a_run_of_another_copy_is_told_for_a_day(void **state) {
        Runs runs = { .n = 1, .items = { { 30, 300 } } };
        bool is_copied;
        Fixture f;

        (void)state;
        fixture_init(&f);
        runs_close(&runs, 1);
        add(&f, 1, 50, 300); /* of an older disk */
        add(&f, 1, 1, 299);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 299);
        assert_false(is_copied);
        add(&f, 1, 40, 301);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 299);
        assert_true(is_copied);
        postgres_run("UPDATE uplink_positions SET stored_at = now() - interval '25 hours'");
        assert_int_equal(position_of(&f, &runs, &is_copied), 299);
        assert_false(is_copied);
        fixture_done(&f);
}

/* By a gateway that knows of none, or by the edge itself as it knew of none. */
static void test_what_was_stored_under_the_name_of_the_journal_is_stored(void **state) {
        Runs runs = { .n = 2, .items = { { 30, 300 }, { 20, 200 } } };
        bool is_copied;
        Fixture f;

        (void)state;
        fixture_init(&f);
        runs_close(&runs, 1);
        add(&f, 1, 20, 210);
        add(&f, 1, 1, 350);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 350);
        add(&f, 1, 30, 360);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 360);
        assert_false(is_copied);
        fixture_done(&f);
}

/* With as many digits as there are. */
static void test_as_many_runs_as_may_be_can_be_asked_for(void **state) {
        Runs runs = { 0 };
        bool is_copied;
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (uint64_t i = 0; i < RUNS_MAX; ++i)
                assert_true(runs_add(&runs, &(Run){ (UINT64_C(1) << 63) + i, INT64_MAX - i }));
        runs_close(&runs, UINT64_MAX / 2);
        add(&f, 1, (UINT64_C(1) << 63) + RUNS_MAX - 1, 5);
        assert_int_equal(store(&f), 0);
        assert_int_equal(position_of(&f, &runs, &is_copied), 5);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_position_of_an_edge_moves_with_what_is_stored),
                cmocka_unit_test(test_what_somebody_else_has_stored_is_not_stored_again),
                cmocka_unit_test(test_an_edge_that_is_deleted_leaves_nothing),
                cmocka_unit_test(test_sixty_four_runs_of_an_edge_are_remembered),
                cmocka_unit_test(test_all_is_stored_up_to_the_newest_run_of_which_anything_is),
                cmocka_unit_test(test_a_run_of_another_copy_is_told_for_a_day),
                cmocka_unit_test(test_what_was_stored_under_the_name_of_the_journal_is_stored),
                cmocka_unit_test(test_as_many_runs_as_may_be_can_be_asked_for),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
