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

static uint64_t position(const Fixture *f, int64_t device_id, uint64_t epoch) {
        uint64_t seq;

        assert_int_equal(db_uplinks_position(f->conn, device_id, epoch, &seq), 0);
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

static void test_sixteen_journals_of_an_edge_are_remembered(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        for (uint64_t epoch = 1; epoch <= 20; ++epoch) {
                add(&f, 1, epoch, 1);
                assert_int_equal(store(&f), 0);
        }
        assert_int_equal(postgres_int("SELECT count(*) FROM uplink_positions"), 16);
        assert_int_equal(postgres_int("SELECT min(epoch) FROM uplink_positions"), 5);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_position_of_an_edge_moves_with_what_is_stored),
                cmocka_unit_test(test_what_somebody_else_has_stored_is_not_stored_again),
                cmocka_unit_test(test_an_edge_that_is_deleted_leaves_nothing),
                cmocka_unit_test(test_sixteen_journals_of_an_edge_are_remembered),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
