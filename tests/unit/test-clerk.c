/* Clerk: what has to be read before anything is stored is read in its order, off the processor's
 * thread, and handed over whole and once; what is a row already is found before it is stored. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "db/follow/directory.h"
#include "db/write/books.h"
#include "db/write/partitions.h"
#include "gateway/memory/presence.h"
#include "gateway/memory/sensors.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/merged.h"
#include "gateway/store/nodes.h"

struct Batch {
        Record records[4];
        size_t n;
};

static Clerk *clerk;
static Batch batch;
static char done[512]; /* what was read, and handed over */
static struct {
        ErrandFn fn; /* lent */
        void *arg;
        bool is_slow;
        const char *fails; /* what answers ... */
        int with;          /* ... so */
        uint64_t newest_seq;
        int64_t n_sensors; /* of vehicle 7 */
} world;

static int note(const char *what) {
        strncat(strncat(done, what, 64), " ", 2);
        return world.fails && strcmp(world.fails, what) == 0 ? world.with : 0;
}

/* ---- what is around it ---- */

DbConn *database_conn(Database *database) {
        (void)database;
        return NULL;
}

DbStore *database_store(Database *database) {
        (void)database;
        return NULL;
}

uint64_t db_store_own_seq(const DbStore *store) {
        (void)store;
        return 3;
}

void database_lend(Database *database, ErrandFn fn, void *arg) {
        (void)database;
        assert_null(world.fn);
        world.fn = fn;
        world.arg = arg;
}

bool database_take_back(Database *database, int *ret_result) {
        ErrandFn fn = world.fn;

        (void)database;
        if (!fn || world.is_slow)
                return false;
        world.fn = NULL;
        *ret_result = fn(world.arg);
        return true;
}

int db_partitions_make_today(DbConn *conn) {
        (void)conn;
        return note("partitions");
}

int db_directory_restore(DbConn *conn, Arena *arena, DbRestoredFn fn, void *arg) {
        (void)conn;
        for (int64_t id = 1; id <= 100; ++id) {
                const Record record = { .device_id = id, .data = arena_copy(arena, "text", 4) };

                fn(arg, &record);
        }
        return note("latest");
}

int db_directory_births(DbConn *conn, DbBirthFn fn, void *arg) {
        char gone[8] = "node"; /* it is copied */

        (void)conn;
        assert_int_equal(fn(arg, text_of(gone), 5, TEXT("born")), 0);
        memset(gone, 'x', sizeof(gone));
        assert_int_equal(fn(arg, TEXT("$key"), 6, TEXT("said")), 0);
        return note("births");
}

int db_directory_merged(DbConn *conn, DbMergedFn fn, void *arg) {
        (void)conn;
        assert_int_equal(fn(arg, 9, 8, TEXT("{}")), 0);
        return note("merged");
}

int db_directory_sensors(DbConn *conn,
                         const int64_t vehicle_ids[],
                         size_t n,
                         DbSensorFn fn,
                         void *arg) {
        (void)conn;
        if (vehicle_ids)
                assert_true(n == 1 && vehicle_ids[0] == 7);
        for (int32_t i = 1; i <= world.n_sensors; ++i)
                assert_int_equal(fn(arg, 7, i), 0);
        return note(vehicle_ids ? "sensors-of" : "sensors");
}

int db_books_newest(DbConn *conn, const char *epoch, uint64_t after_seq, uint64_t *ret_seq) {
        (void)conn;
        assert_string_equal(epoch, "e");
        assert_int_equal(after_seq, 10);
        *ret_seq = world.newest_seq;
        return note("newest");
}

int db_books_present(DbConn *conn,
                     const char *epoch,
                     const DbRange *range,
                     DbBooksFn fn,
                     void *arg) {
        (void)conn, (void)epoch;
        assert_true(range->after_seq == 10 && range->last_seq == 14);
        assert_int_equal(fn(arg, 12), 0);
        assert_int_equal(fn(arg, 99), 0); /* none of the batch */
        return note("present");
}

int books_open(Books *books, uint64_t position, uint64_t own_seq) {
        (void)books;
        assert_true(position == 10 && own_seq == 3);
        return note("books");
}

int books_check(Books *books, uint64_t stored_seq) {
        (void)books;
        assert_int_equal(stored_seq, 40);
        return note("check");
}

bool presence_is_key(Text key) {
        return key.n > 0 && key.data[0] == '$';
}

int presence_restore(Presence *presence, Text key, Text what, uint64_t seq) {
        (void)presence;
        assert_true(text_equal(key, TEXT("$key")) && text_equal(what, TEXT("said")) && seq == 6);
        return note("+presence");
}

int nodes_restore(Nodes *nodes, Text thing, uint64_t seq, Text payload) {
        (void)nodes;
        assert_true(text_equal(thing, TEXT("node")) && seq == 5);
        assert_true(text_equal(payload, TEXT("born")));
        return note("+node");
}

bool nodes_restore_count(const Nodes *nodes, Text key, uint64_t seq, Text payload) {
        (void)nodes, (void)key, (void)seq, (void)payload;
        (void)note("+count");
        return false;
}

int merged_restore(Merged *merged, int64_t device_id, uint64_t seq, Text document) {
        (void)merged;
        assert_true(device_id == 9 && seq == 8 && text_equal(document, TEXT("{}")));
        return note("+merged");
}

Record *batch_record(const Batch *of, size_t i) {
        return (Record *)(uintptr_t)&of->records[i];
}

uint64_t batch_last_seq(const Batch *of) {
        return of->records[of->n - 1].seq;
}

Record *batch_find(const Batch *of, uint64_t seq) {
        for (size_t i = 0; i < of->n; ++i)
                if (of->records[i].seq == seq)
                        return batch_record(of, i);
        return NULL;
}

DbRange batch_range(const Batch *of) {
        return (DbRange){ .after_seq = of->records[0].seq - 1, .last_seq = batch_last_seq(of) };
}

/* ---- the tests ---- */

static int set_up(void **state) {
        (void)state;
        log_set_level((LogLevel)-1);
        done[0] = '\0';
        memset(&world, 0, sizeof(world));
        batch = (Batch){ .n = 4 };
        for (size_t i = 0; i < batch.n; ++i)
                batch.records[i].seq = 11 + i;
        return clerk_new(&clerk, NULL, NULL, "e");
}

static int tear_down(void **state) {
        (void)state;
        clerk = clerk_free(clerk);
        return 0;
}

static void assert_done(const char *expected) {
        assert_string_equal(done, expected);
        done[0] = '\0';
}

static int take(ClerkJob job) {
        int r = 0;

        assert_int_equal(clerk_take(clerk, &r), job);
        assert_int_equal(clerk_age_us(clerk), 0);
        assert_int_equal(clerk_take(clerk, &r), CLERK_NONE); /* once */
        return r;
}

static void test_all_is_read_in_order_and_handed_over_once(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 2), 0);
        world.n_sensors = 2;
        clerk_open(clerk, 10, true);
        assert_int_equal(take(CLERK_OPEN), 0);
        assert_done("partitions latest births merged sensors newest books ");
        assert_int_equal(clerk_n_latest(clerk), 100);
        for (size_t i = 0; i < 100; ++i) {
                assert_int_equal(clerk_latest(clerk, i)->device_id, i + 1);
                assert_true(text_equal(clerk_latest(clerk, i)->data, TEXT("text")));
        }
        for (int i = 0; i < 2; ++i)
                assert_int_equal(clerk_tell_sensors(clerk, sensors), 0);
        assert_int_equal(sensors_length(sensors), 2);
        assert_int_equal(clerk_tell_births(clerk, NULL, NULL), 0);
        assert_done("+node +presence +count +count "); /* counters behind all births */
        assert_int_equal(clerk_tell_merged(clerk, NULL), 0);
        clerk_forget_latest(clerk);
        assert_int_equal(clerk_n_latest(clerk), 0);
        assert_int_equal(clerk_tell_births(clerk, NULL, NULL), 0);
        assert_int_equal(clerk_tell_merged(clerk, NULL), 0);
        assert_done("+merged ");
}

static void test_a_return_reads_no_more_than_it_has_to(void **state) {
        (void)state;
        clerk_open(clerk, 10, true);
        assert_int_equal(take(CLERK_OPEN), 0);
        done[0] = '\0';
        clerk_open(clerk, 10, false);
        assert_int_equal(take(CLERK_OPEN), 0);
        assert_done("partitions newest books ");
        assert_int_equal(clerk_n_latest(clerk), 0); /* what was read before is out of date */
}

/* Whatever it is, nothing behind it is read; a partition that cannot be made is not our business.
 */
static void test_what_fails_ends_it_with_its_answer(void **state) {
        static const char *const steps[] = { "latest", "births", "merged", "sensors",
                                             "newest", "books",  NULL };

        (void)state;
        for (size_t i = 0; steps[i]; ++i) {
                world.fails = steps[i];
                world.with = i % 2 ? -ENOMEM : DB_E_OFFLINE;
                clerk_open(clerk, 10, true);
                assert_int_equal(take(CLERK_OPEN), world.with);
                done[strlen(done) - 1] = '\0';
                assert_string_equal(strrchr(done, ' ') + 1, steps[i]);
                done[0] = '\0';
        }
        world.fails = "partitions";
        world.with = DB_E_REJECTED;
        clerk_open(clerk, 10, false);
        assert_int_equal(take(CLERK_OPEN), 0);
        assert_done("partitions newest books ");
        world.with = DB_E_OFFLINE;
        clerk_open(clerk, 10, false);
        assert_int_equal(take(CLERK_OPEN), DB_E_OFFLINE);
        assert_done("partitions ");
}

static void test_while_something_is_out_nothing_is_taken(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;
        int r = 77;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 2), 0);
        assert_int_equal(clerk_take(clerk, &r), CLERK_NONE);
        world.is_slow = true;
        clerk_check(clerk, 40, sensors);
        assert_int_equal(clerk_take(clerk, &r), CLERK_NONE);
        assert_int_equal(r, 77);
        assert_done("");
        world.is_slow = false;
        assert_int_equal(take(CLERK_CHECK), 0);
        assert_done("check ");
}

/* Of a vehicle that was refused a sensor it is read again which it has. */
static void test_who_was_refused_a_sensor_is_looked_after(void **state) {
        CLEANUP(sensors_free) Sensors *sensors = NULL;

        (void)state;
        assert_int_equal(sensors_new(&sensors, 2), 0);
        assert_int_equal(sensors_add(sensors, 7, 1, 0), 0);
        assert_int_equal(sensors_add(sensors, 7, 2, 0), 0);
        assert_false(sensors_may_have(sensors, 7, 3));
        world.n_sensors = 1; /* somebody deleted the other one */
        clerk_check(clerk, 40, sensors);
        assert_int_equal(take(CLERK_CHECK), 0);
        assert_done("check sensors-of ");
        assert_int_equal(clerk_tell_sensors(clerk, sensors), 0);
        assert_int_equal(sensors_length(sensors), 1);
        assert_true(sensors_may_have(sensors, 7, 3));

        assert_int_equal(sensors_add(sensors, 7, 3, 0), 0);
        assert_false(sensors_may_have(sensors, 7, 4));
        world.fails = "sensors-of";
        world.with = DB_E_REJECTED; /* somebody has a lock: another time */
        clerk_check(clerk, 40, sensors);
        assert_int_equal(take(CLERK_CHECK), 0);
        assert_int_equal(clerk_tell_sensors(clerk, sensors), 0);
        assert_int_equal(sensors_length(sensors), 2); /* and nothing is forgotten for it */
}

/* Rows behind the position: they stay the only ones. */
static void test_what_is_there_already_is_looked_for_and_marked(void **state) {
        (void)state;
        clerk_open(clerk, 10, false);
        assert_int_equal(take(CLERK_OPEN), 0);
        assert_false(clerk_has_to_look(clerk, &batch));
        world.newest_seq = 13;
        clerk_open(clerk, 10, false);
        assert_int_equal(take(CLERK_OPEN), 0);
        assert_true(clerk_has_to_look(clerk, &batch));

        world.fails = "present";
        world.with = DB_E_OFFLINE;
        clerk_look(clerk, &batch);
        assert_int_equal(take(CLERK_LOOK), DB_E_OFFLINE);
        assert_true(clerk_has_to_look(clerk, &batch)); /* still */
        world.fails = NULL;
        clerk_look(clerk, &batch);
        assert_int_equal(take(CLERK_LOOK), 0);
        assert_false(clerk_has_to_look(clerk, &batch));
        clerk_mark(clerk, &batch);
        for (size_t i = 0; i < batch.n; ++i)
                assert_int_equal(batch.records[i].is_there, batch.records[i].seq == 12);
        for (size_t i = 0; i < batch.n; ++i) /* the next one begins behind what is there */
                batch.records[i].seq = 15 + i;
        assert_false(clerk_has_to_look(clerk, &batch));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_all_is_read_in_order_and_handed_over_once),
                TEST(test_a_return_reads_no_more_than_it_has_to),
                TEST(test_what_fails_ends_it_with_its_answer),
                TEST(test_while_something_is_out_nothing_is_taken),
                TEST(test_who_was_refused_a_sensor_is_looked_after),
                TEST(test_what_is_there_already_is_looked_for_and_marked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
