/* DbMissed over several journals: each page goes on where the one before it ended, whatever there
 * is of each, and of what is not whole nothing is promised. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/conn.h"
#include "db/read/missed.h"
#include "postgres.h"

#define N_JOURNALS 3

typedef struct Fixture Fixture;

struct Fixture {
        DbConn *conn;
        QueryReplay replay;
        QueryPart parts[N_JOURNALS];
        uint64_t base; /* numbers are by the clock */
        uint64_t told[N_JOURNALS], upto[N_JOURNALS];
        size_t n_told, n_pages;
        bool is_cut;
};

/* Of a: 40 of 40; of b: every tenth; of c: nothing. */
static void fixture_init(Fixture *f) {
        static const char *const epochs[] = { "aaaaaaaaaaaaaaaa",
                                              "bbbbbbbbbbbbbbbb",
                                              "cccccccccccccccc" };

        *f = (Fixture){ 0 };
        postgres_migrate();
        postgres_run("SELECT tidegate_make_partitions(tidegate_today() - 2, tidegate_today() + 1);"
                     "CREATE TABLE base AS SELECT (extract(epoch FROM now()) * 1e6)::bigint AS seq;"
                     "INSERT INTO journal_positions (epoch, slot, seq) SELECT e, s, seq + 100"
                     " FROM base, (VALUES ('aaaaaaaaaaaaaaaa', 0), ('bbbbbbbbbbbbbbbb', 1),"
                     " ('cccccccccccccccc', 2)) v (e, s) ORDER BY s;"
                     "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
                     " SELECT seq + i, now(), now(), 1, 1, i FROM base, generate_series(1, 40) i;"
                     "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
                     " SELECT seq + i, now(), now(), 1, 2, i FROM base,"
                     " generate_series(10, 60, 10) i");
        f->base = (uint64_t)postgres_int("SELECT seq FROM base");
        f->conn = postgres_connect(5000);
        f->replay = (QueryReplay){ .parts = f->parts,
                                   .n_parts = N_JOURNALS,
                                   .kinds = 1U << KIND_RAW_LOG,
                                   .all_vehicles = true,
                                   .is_first = true,
                                   .limit = 7 };
        for (size_t i = 0; i < N_JOURNALS; ++i) {
                memcpy(f->parts[i].epoch, epochs[i], sizeof(f->parts[i].epoch));
                memcpy(f->parts[i].own_epoch, epochs[i], sizeof(f->parts[i].epoch));
                f->parts[i].after_seq = f->told[i] = f->base;
        }
}

static void fixture_done(Fixture *f) {
        db_conn_free(f->conn);
}

static int tell(void *arg, size_t slot, const Record *record, const DeviceState *state) {
        Fixture *f = arg;

        (void)state;
        assert_true(slot < 2);
        assert_int_equal(record->seq, f->told[slot] + (slot == 0 ? 1 : 10));
        f->told[slot] = record->seq;
        ++f->n_told;
        return 0;
}

static int ask(Fixture *f) {
        int r = db_missed_several(f->conn, &f->replay, tell, f, f->upto, &f->is_cut);

        if (r != 0)
                return r;
        for (size_t i = 0; i < N_JOURNALS; ++i)
                f->parts[i].after_seq = f->upto[i];
        f->replay.is_first = false;
        ++f->n_pages;
        return 0;
}

static void test_pages_go_on_where_they_ended(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        do {
                assert_int_equal(ask(&f), 0);
                assert_true(f.told[0] <= f.upto[0] && f.told[1] <= f.upto[1]);
        } while (f.is_cut);
        assert_int_equal(f.n_told, 46);
        assert_true(f.n_pages >= 7 && f.n_pages <= 8);
        for (size_t i = 0; i < N_JOURNALS; ++i)
                assert_int_equal(f.upto[i], f.base + 100);
        fixture_done(&f);
}

/* From where others have had less. */
static void test_each_begins_where_it_is(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        f.replay.limit = 100;
        f.parts[0].after_seq = f.told[0] = f.base + 35;
        f.parts[1].after_seq = f.told[1] = f.base + 20;
        assert_int_equal(ask(&f), 0);
        assert_int_equal(f.n_told, 5 + 4);
        assert_false(f.is_cut);
        fixture_done(&f);
}

static void test_bytes_end_a_page(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        f.replay.limit = 100;
        f.replay.max_bytes = 1;
        assert_int_equal(ask(&f), 0);
        assert_int_equal(f.n_told, 1);
        assert_true(f.is_cut);
        assert_int_equal(f.upto[0], f.base + 1);
        assert_int_equal(f.upto[1], f.base);
        assert_int_equal(f.upto[2], f.base + 100); /* there is nothing that could be left out */
        fixture_done(&f);
}

static void test_all_of_them_have_to_be_whole(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        f.parts[1].after_seq = f.base + 101; /* a number that nothing has had */
        assert_int_equal(ask(&f), DB_E_NOT_FOUND);
        f.parts[1].after_seq = f.base;
        memcpy(f.parts[2].epoch, "dddddddddddddddd", sizeof(f.parts[2].epoch));
        assert_int_equal(ask(&f), DB_E_NOT_FOUND);
        memcpy(f.parts[2].epoch,
               "aaaaaaaaaaaaaaaa",
               sizeof(f.parts[2].epoch)); /* of another slot */
        assert_int_equal(ask(&f), DB_E_NOT_FOUND);
        memcpy(f.parts[2].epoch, "cccccccccccccccc", sizeof(f.parts[2].epoch));
        postgres_run(
                "INSERT INTO journal_differences (journal_id, kind, after_seq, last_seq, records)"
                " SELECT 3, 'gap', seq + 50, seq + 60, 3 FROM base");
        assert_int_equal(ask(&f), DB_E_NOT_FOUND);
        f.parts[2].after_seq = f.base + 60;
        assert_int_equal(ask(&f), 0);
        fixture_done(&f);
}

/* A gateway that catches up with what others have shown is promised nothing but the order: a
 * journal that was left, or what is known to be missing, keeps nothing else from it. */
static void test_who_catches_up_gets_what_is_stored(void **state) {
        Fixture f;
        uint64_t upto = 0;

        (void)state;
        fixture_init(&f);
        postgres_run("INSERT INTO journal_positions (epoch, slot, left_at)"
                     " VALUES ('dddddddddddddddd', 0, clock_timestamp())");
        memcpy(f.replay.own_epoch, "aaaaaaaaaaaaaaaa", sizeof(f.replay.own_epoch));
        f.replay.is_first = false;
        f.replay.after_seq = f.base;
        f.replay.upto_seq = UINT64_MAX;
        f.replay.limit = 500;
        assert_int_equal(db_missed(f.conn, &f.replay, tell, &f, &upto), DB_E_NOT_FOUND);
        f.replay.is_stored = true;
        assert_int_equal(db_missed(f.conn, &f.replay, tell, &f, &upto), 0);
        assert_int_equal(f.n_told, 40);
        assert_int_equal(upto, f.base + 100);
        fixture_done(&f);
}

typedef struct Row Row;

struct Row {
        uint64_t seq;
        int64_t journal_id;
};

static Row rows[16];
static size_t n_rows;

static int note(void *arg, size_t slot, const Record *record, const DeviceState *state) {
        (void)arg;
        (void)slot;
        (void)state;
        assert_true(n_rows < N_ELEMENTS(rows));
        rows[n_rows++] = (Row){ record->seq, record->journal_id };
        return 0;
}

static void expect_rows(const Fixture *f, const Row wanted[], size_t n) {
        assert_int_equal(n_rows, n);
        for (size_t i = 0; i < n; ++i) {
                assert_int_equal(rows[i].seq, f->base + wanted[i].seq);
                assert_int_equal(rows[i].journal_id, wanted[i].journal_id);
        }
        n_rows = 0;
}

/* Two journals of a slot have given one number, which is a fault: whoever reads it gets both, and
 * by which journal each is. */
static void test_no_page_ends_between_two_of_one_number(void **state) {
        static const Row both[] = { { 1, 1 }, { 2, 1 }, { 2, 4 } };
        static const Row detections[] = { { 50, 1 }, { 50, 4 } };
        Fixture f;
        uint64_t upto = 0;

        (void)state;
        fixture_init(&f);
        postgres_run(
                "INSERT INTO journal_positions (epoch, slot, seq)"
                " SELECT 'dddddddddddddddd', 0, seq + 100 FROM base;"
                "INSERT INTO raw_logs (seq, received_at, time, vehicle_id, journal_id, logs)"
                " SELECT seq + 2, now(), now(), 1, 4, 'x' FROM base;"
                "INSERT INTO ble_detections (seq, received_at, time, device_id, journal_id, item,"
                " device_hash, rssi, zone) SELECT seq + 50, now(), now(), 1, j, i,"
                " repeat('a', 64), -50, 'near' FROM base, (VALUES (1, 1), (4, 1), (4, 2)) v (j, "
                "i)");
        f.replay.limit = 2;
        f.replay.n_parts = 1;
        f.n_pages = 1;
        assert_int_equal(db_missed_several(f.conn, &f.replay, note, NULL, f.upto, &f.is_cut), 0);
        expect_rows(&f, both, N_ELEMENTS(both));
        assert_true(f.is_cut);
        assert_int_equal(f.upto[0], f.base + 2);

        memcpy(f.replay.own_epoch, "aaaaaaaaaaaaaaaa", sizeof(f.replay.own_epoch));
        f.replay.n_parts = 0;
        f.replay.is_first = false;
        f.replay.is_stored = true;
        f.replay.upto_seq = UINT64_MAX;
        f.replay.after_seq = f.base;
        assert_int_equal(db_missed(f.conn, &f.replay, note, NULL, &upto), 0);
        expect_rows(&f, both, N_ELEMENTS(both));
        assert_int_equal(upto, f.base + 2);

        f.replay.kinds = 1U << KIND_BLE_DETECTIONS;
        f.replay.all_devices = true;
        assert_int_equal(db_missed(f.conn, &f.replay, note, NULL, &upto), 0);
        expect_rows(&f, detections, N_ELEMENTS(detections));
        assert_int_equal(upto, f.base + 100);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pages_go_on_where_they_ended),
                cmocka_unit_test(test_each_begins_where_it_is),
                cmocka_unit_test(test_bytes_end_a_page),
                cmocka_unit_test(test_all_of_them_have_to_be_whole),
                cmocka_unit_test(test_no_page_ends_between_two_of_one_number),
                cmocka_unit_test(test_who_catches_up_gets_what_is_stored),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
