/* Journal: what the session at the broker goes over with. Each gateway has a journal of its own,
 * and what one stored, or has left to store, the other one knows when the broker sends it again. */

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal.h"
#include "model/metrics.h"

#define SEGMENT_BYTES (64 * 1024)
#define IN_FLIGHT     20
#define BROKER        7
#define N_MAX         512

typedef struct Node Node;

struct Node {
        char dir[96];
        Journal *journal;
        uint64_t stored; /* the position */
};

typedef struct Fixture Fixture;

struct Fixture {
        char root[64];
        Node a, b, c;
};

static void start(Node *node) {
        const JournalOptions options = {
                .dir = node->dir,
                .max_bytes = (uint64_t)16 * SEGMENT_BYTES,
                .segment_bytes = SEGMENT_BYTES,
                .reserve_bytes = (uint64_t)2 * SEGMENT_BYTES,
                .fsync = JOURNAL_FSYNC_NEVER,
        };
        uint64_t by;

        assert_int_equal(journal_open(&node->journal, &options), 0);
        assert_int_equal(journal_confirm(node->journal, 0, 0, &by), 0);
}

static void restart(Node *node) {
        node->journal = journal_close(node->journal);
        start(node);
}

static int setup(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        Node *nodes[] = { &f->a, &f->b, &f->c };

        assert_non_null(f);
        log_set_level((LogLevel)-1);
        snprintf(f->root, sizeof(f->root), "/tmp/tidegate-flights-XXXXXX");
        assert_non_null(mkdtemp(f->root));
        metrics_reset();
        for (size_t i = 0; i < N_ELEMENTS(nodes); ++i) {
                snprintf(nodes[i]->dir, sizeof(nodes[i]->dir), "%s/%zu", f->root, i);
                start(nodes[i]);
        }
        *state = f;
        return 0;
}

static void clear(Node *node) {
        struct dirent *entry;
        DIR *stream;

        node->journal = journal_close(node->journal);
        stream = opendir(node->dir);
        while (stream && (entry = readdir(stream)))
                (void)unlinkat(dirfd(stream), entry->d_name, 0);
        if (stream)
                closedir(stream);
        rmdir(node->dir);
}

static int teardown(void **state) {
        Fixture *f = *state;

        clear(&f->a);
        clear(&f->b);
        clear(&f->c);
        rmdir(f->root);
        free(f);
        return 0;
}

/* The number that it got, or 0: it is a duplicate. */
static uint64_t take(Node *node, uint16_t packet_id, const char *payload, bool is_marked) {
        const Inbound inbound = {
                .door = DOOR_MQTT,
                .qos = 1,
                .packet_id = packet_id,
                .is_redelivery = is_marked,
                .topic = text_of("seano/USV-1/raw_log"),
                .payload = text_of(payload),
        };
        uint64_t seq = 0;
        int r = journal_append(node->journal, &inbound, &seq);

        assert_true(r == 0 || r == JOURNAL_E_DUPLICATE);
        return r == 0 ? seq : 0;
}

static uint64_t take_some(Node *node, uint16_t first_id, uint16_t last_id) {
        uint64_t seq = 0;

        for (uint16_t id = first_id; id <= last_id; ++id) {
                char payload[16];

                snprintf(payload, sizeof(payload), "%u", id);
                seq = take(node, id, payload, false);
                assert_true(seq > 0);
        }
        return seq;
}

static void connect_to(Node *node) {
        journal_resume_session(node->journal, BROKER, IN_FLIGHT);
}

/* What a transaction keeps of them; of the caller. */
static Text store(Node *node, uint64_t last_seq) {
        const Text *flights = journal_flights(node->journal, node->stored, last_seq);
        char *copy;

        assert_non_null(flights);
        copy = malloc(flights->n + 1);
        assert_non_null(copy);
        memcpy(copy, flights->data, flights->n);
        node->stored = last_seq;
        return (Text){ .data = copy, .n = flights->n };
}

static void learn(Node *node, const Text rows[], size_t n) {
        journal_learn_begin(node->journal);
        for (int pass = 0; pass < 2; ++pass)
                for (size_t i = 0; i < n; ++i)
                        journal_learn(node->journal, rows[i], false, pass == 0);
}

static void done(Text rows[], size_t n) {
        for (size_t i = 0; i < n; ++i)
                free((void *)(uintptr_t)rows[i].data);
}

/* Of ours that others have stored. */
static uint64_t passed(Node *node) {
        uint64_t n, n_new;

        assert_int_equal(journal_pass_taken(node->journal, node->stored, &n, &n_new), 0);
        return n;
}

/* What is left to store, as the payloads one after the other. */
static const char *waiting(Node *node) {
        static char text[1024];
        JournalRecord records[N_MAX];
        size_t n = journal_read(node->journal, node->stored, records, N_MAX, SIZE_MAX);
        size_t at = 0;

        *text = '\0';
        for (size_t i = 0; i < n; ++i)
                at += (size_t)snprintf(text + at,
                                       sizeof(text) - at,
                                       "%.*s ",
                                       (int)records[i].payload.n,
                                       records[i].payload.data);
        return text;
}

static void test_who_goes_on_knows_what_the_other_one_stored(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take_some(&f->a, 1, 50));
        learn(&f->b, &row, 1);
        connect_to(&f->b);
        assert_int_equal(take(&f->b, 49, "49", false), 0); /* not marked, and in another order */
        assert_int_equal(take(&f->b, 48, "48", false), 0);
        assert_int_equal(take(&f->b, 50, "50", true), 0);
        assert_int_not_equal(take(&f->b, 51, "50", false), 0); /* an equal one of its own */
        assert_int_not_equal(take(&f->b, 52, "50", false), 0);
        assert_int_not_equal(take(&f->b, 47, "other", false), 0); /* the id was free */
        assert_int_not_equal(take(&f->b, 20, "20", false), 0);    /* cannot be in flight */
        assert_string_equal(waiting(&f->b), "50 50 other 20 ");
        done(&row, 1);
}

/* The next one dies as well before the broker has heard anything, and the one after that. */
static void test_what_was_recognised_is_in_flight_once_more(void **state) {
        Fixture *f = *state;
        Text rows[2];

        connect_to(&f->a);
        rows[0] = store(&f->a, take_some(&f->a, 1, 5));
        learn(&f->b, rows, 1);
        for (int turn = 0; turn < 2; ++turn) { /* also over a start of its own */
                connect_to(&f->b);
                for (uint16_t id = 1; id <= 5 + turn * 5; ++id) {
                        char payload[16];

                        snprintf(payload, sizeof(payload), "%u", id);
                        assert_int_equal(take(&f->b, id, payload, false), 0);
                }
                (void)take_some(&f->b, (uint16_t)(6 + turn * 5), (uint16_t)(10 + turn * 5));
        }
        rows[1] = store(&f->b, journal_last_seq(f->b.journal));
        learn(&f->c, rows, 2);
        connect_to(&f->c);
        assert_int_equal(take(&f->c, 15, "15", false), 0);
        assert_int_equal(take(&f->c, 10, "10", false), 0);
        assert_int_equal(take(&f->c, 1, "1", false), 0);
        done(rows, 2);
}

/* It is killed before anything has come, and starts where it can ask nobody. */
static void test_what_was_learnt_is_known_after_a_start(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take_some(&f->a, 1, 50));
        connect_to(&f->b);
        (void)take_some(&f->b, 1, 5);
        learn(&f->b, &row, 1);
        learn(&f->c, &row, 1);
        restart(&f->b);
        restart(&f->c);
        connect_to(&f->b);
        connect_to(&f->c);
        assert_int_equal(take(&f->b, 49, "49", false), 0);
        assert_int_equal(take(&f->c, 50, "50", false), 0);
        assert_int_equal(take(&f->c, 31, "31", false), 0);
        assert_int_not_equal(take(&f->c, 30, "30", false), 0);
        done(&row, 1);
}

static void test_each_is_known_once(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take(&f->a, 1, "on", false));
        learn(&f->b, &row, 1);
        connect_to(&f->b);
        assert_int_equal(take(&f->b, 1, "on", false), 0);
        assert_int_not_equal(take(&f->b, 1, "on", false), 0); /* the id is free again, and used */
        done(&row, 1);
}

static void test_after_as_many_as_can_be_in_flight_an_equal_one_is_new(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take_some(&f->a, 1, IN_FLIGHT));
        learn(&f->b, &row, 1);
        connect_to(&f->b);
        take_some(&f->b, IN_FLIGHT + 1, 2 * IN_FLIGHT);
        assert_int_not_equal(take(&f->b, IN_FLIGHT, "20", false), 0);
        done(&row, 1);
}

static void test_a_new_session_has_nothing_in_flight(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take_some(&f->a, 1, 5));
        learn(&f->b, &row, 1);
        journal_forget_session(f->b.journal, BROKER);
        assert_int_not_equal(take(&f->b, 5, "5", false), 0);
        done(&row, 1);
}

/* Its PUBACK did not get out, and it was not stored: the other one got it, and has stored it. */
static void test_what_the_other_one_got_as_well_is_left_to_him(void **state) {
        Fixture *f = *state;
        Text row;
        uint64_t last;

        connect_to(&f->a);
        free((void *)(uintptr_t)store(&f->a, take_some(&f->a, 1, 6)).data);
        last = take_some(&f->a, 7, 10);
        restart(&f->a);
        connect_to(&f->b); /* 7 was heard of */
        assert_int_not_equal(take(&f->b, 9, "9", false), 0);
        assert_int_not_equal(take(&f->b, 8, "8", true), 0);
        assert_int_not_equal(take(&f->b, 10, "10", true), 0);
        row = store(&f->b, take(&f->b, 11, "7", false)); /* an equal one, of its own */
        learn(&f->a, &row, 1);
        assert_int_equal(journal_taken_until(f->a.journal, f->a.stored), 0);
        assert_int_equal(passed(&f->a), 3);
        assert_string_equal(waiting(&f->a), "7 ");
        assert_true(journal_last_seq(f->a.journal) < last);
        assert_int_equal(journal_taken_until(f->a.journal, f->a.stored), last);
        assert_int_equal(passed(&f->a), 0);
        restart(&f->a); /* for good */
        assert_int_equal(journal_taken_until(f->a.journal, f->a.stored), last);
        assert_int_equal(journal_taken_until(f->a.journal, last), 0);
        assert_string_equal(waiting(&f->a), "7 ");
        assert_int_equal(journal_count_after(f->a.journal, f->a.stored), 1);
        done(&row, 1);
}

static void test_all_of_it_may_be_his(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 3);
        connect_to(&f->b);
        row = store(&f->b, take_some(&f->b, 1, 3));
        learn(&f->a, &row, 1);
        assert_int_equal(passed(&f->a), 3);
        assert_int_equal(journal_last_seq(f->a.journal), 0);
        connect_to(&f->a);
        assert_int_equal(take(&f->a, 3, "3", true), 0);
        assert_int_not_equal(take(&f->a, 4, "4", false), 0);
        assert_string_equal(waiting(&f->a), "4 ");
        done(&row, 1);
}

/* It ends before it has looked: its next turn is not told of them again, as this one was. */
static void test_what_was_learnt_and_not_looked_at_is_left_to_him_after_a_start(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 4);
        connect_to(&f->b);
        row = store(&f->b, take_some(&f->b, 2, 4));
        learn(&f->a, &row, 1);
        restart(&f->a);
        journal_learn_begin(f->a.journal); /* nothing */
        assert_int_equal(passed(&f->a), 3);
        assert_string_equal(waiting(&f->a), "1 ");
        restart(&f->a);
        assert_int_equal(passed(&f->a), 0);
        assert_string_equal(waiting(&f->a), "1 ");
        done(&row, 1);
}

/* What is stored already was judged as it came, and stays. */
static void test_what_is_stored_is_not_taken_back(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        free((void *)(uintptr_t)store(&f->a, take_some(&f->a, 1, 6)).data);
        connect_to(&f->b);
        row = store(&f->b, take_some(&f->b, 5, 8));
        learn(&f->a, &row, 1);
        assert_int_equal(passed(&f->a), 0);
        done(&row, 1);
}

/* Nobody has stored it of those whom it was sent to; the first one who does is the one. */
static void test_of_three_the_first_to_store_it_has_it(void **state) {
        Fixture *f = *state;
        Text rows[2];

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 2);
        connect_to(&f->b);
        (void)take_some(&f->b, 2, 3);
        connect_to(&f->c);
        rows[0] = store(&f->c, take_some(&f->c, 3, 4));

        learn(&f->a, rows, 1); /* its turn again: 1 and 2 are late */
        assert_int_equal(passed(&f->a), 0);
        connect_to(&f->a);
        rows[1] = store(&f->a, take(&f->a, 5, "5", false));

        learn(&f->b, rows, 2);
        assert_int_equal(passed(&f->b), 2); /* 2 is of a, and 3 of c */
        assert_string_equal(waiting(&f->b), "");
        done(rows, 2);
}

/* What came late is no newer than what came before it. */
static void test_late_ones_are_in_nobody_s_way(void **state) {
        Fixture *f = *state;
        Text rows[2];

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 3 * IN_FLIGHT);
        connect_to(&f->b);
        rows[0] = store(&f->b, take_some(&f->b, 101, 110));
        learn(&f->a, rows, 1);
        assert_int_equal(passed(&f->a), 0);
        rows[1] = store(&f->a, journal_last_seq(f->a.journal));
        learn(&f->c, rows, 2);
        connect_to(&f->c);
        assert_int_equal(take(&f->c, 101, "101", false), 0);
        assert_int_not_equal(take(&f->c, 1, "1", false), 0);
        done(rows, 2);
}

static void test_behind_a_hole_nothing_of_before_is_known(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 3);
        connect_to(&f->b);
        row = store(&f->b, take_some(&f->b, 3, 5));
        journal_learn_begin(f->a.journal);
        journal_learn(f->a.journal, row, true, true);
        journal_learn(f->a.journal, row, true, false);
        assert_int_equal(passed(&f->a), 0);
        connect_to(&f->a);
        assert_int_equal(take(&f->a, 5, "5", false), 0);
        done(&row, 1);
}

/* Of a turn of which nothing was stored, so that the database would tell the same once more. */
static void test_what_came_behind_what_was_learnt_is_none_of_it_after_a_start(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        row = store(&f->a, take_some(&f->a, 5, 7));
        learn(&f->b, &row, 1);
        restart(&f->b);
        assert_int_equal(journal_known_turn(f->b.journal), 0); /* it may not have been all */
        journal_begin_turn(f->b.journal, 3);
        connect_to(&f->b);
        assert_int_equal(take(&f->b, 6, "6", false), 0);
        assert_int_not_equal(take(&f->b, 6, "6", false), 0); /* that id was free */
        restart(&f->b);
        assert_int_equal(journal_known_turn(f->b.journal), 3);
        assert_int_equal(passed(&f->b), 0);
        assert_string_equal(waiting(&f->b), "6 ");
        done(&row, 1);
}

/* What its journal has left, and others may be sent yet; of the caller. */
static Text hold(Node *node, const Text rows[], size_t n) {
        const Text *held;
        char *copy;

        learn(node, rows, n);
        (void)passed(node);
        held = journal_held(node->journal, node->stored);
        assert_non_null(held);
        copy = malloc(held->n + 1);
        assert_non_null(copy);
        memcpy(copy, held->data, held->n);
        return (Text){ .data = copy, .n = held->n };
}

static void test_what_is_held_by_another_one_is_left_to_him(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 5);
        connect_to(&f->b);
        row = hold(&f->a, NULL, 0);
        journal_learn_held(f->b.journal, row, false);
        assert_int_equal(take(&f->b, 4, "4", false), 0);
        assert_int_equal(take(&f->b, 5, "5", true), 0);
        assert_int_not_equal(take(&f->b, 6, "5", false), 0);
        restart(&f->b);
        connect_to(&f->b);
        assert_int_equal(take(&f->b, 5, "5", false), 0);
        assert_int_equal(take(&f->b, 3, "3", true), 0);
        assert_int_not_equal(take(&f->b, 3, "other", false), 0);
        assert_string_equal(waiting(&f->b), "5 other ");
        done(&row, 1);
}

/* The owner had taken it in by then, and had not stored it. */
static void test_what_is_held_and_was_taken_in_is_stored_by_one(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 5);
        connect_to(&f->b);
        assert_int_not_equal(take(&f->b, 4, "4", true), 0);
        assert_int_not_equal(take(&f->b, 5, "new", false), 0); /* 5 was acknowledged */
        row = hold(&f->a, NULL, 0);
        journal_learn_held(f->b.journal, row, false);
        assert_int_equal(passed(&f->b), 1);
        assert_string_equal(waiting(&f->b), "new ");
        assert_string_equal(waiting(&f->a), "1 2 3 4 5 ");
        assert_int_not_equal(take(&f->b, 5, "5", false), 0); /* so this is an equal one */
        done(&row, 1);
}

/* It ends before it has looked, and its next turn is not told again. */
static void test_what_is_held_and_was_taken_in_is_stored_by_one_after_a_start(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 5);
        connect_to(&f->b);
        assert_int_not_equal(take(&f->b, 4, "4", true), 0);
        assert_int_not_equal(take(&f->b, 5, "new", false), 0);
        row = hold(&f->a, NULL, 0);
        journal_learn_held(f->b.journal, row, false);
        restart(&f->b);
        assert_int_equal(passed(&f->b), 1);
        assert_string_equal(waiting(&f->b), "new ");
        restart(&f->b);
        assert_int_equal(passed(&f->b), 0);
        assert_string_equal(waiting(&f->b), "new ");
        connect_to(&f->b);
        assert_int_equal(take(&f->b, 3, "3", false), 0);
        done(&row, 1);
}

/* Of long ago, under the same packet id. */
static void test_what_was_stored_before_is_not_what_is_held(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->b);
        row = store(&f->b, take_some(&f->b, 1, 5));
        done(&row, 1);
        journal_note_stored(f->b.journal, f->b.stored);
        connect_to(&f->a);
        (void)take_some(&f->a, 4, 5);
        row = hold(&f->a, NULL, 0);
        journal_learn_held(f->b.journal, row, false);
        assert_int_equal(passed(&f->b), 0);
        assert_int_equal(take(&f->b, 5, "5", true), 0);
        done(&row, 1);
}

static void test_what_others_have_stored_or_cannot_be_sent_is_not_held(void **state) {
        Fixture *f = *state;
        Text row, held;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 2 * IN_FLIGHT);
        connect_to(&f->b);
        assert_int_not_equal(take(&f->b, 2 * IN_FLIGHT, "40", true), 0);
        for (uint16_t id = 1; id < 2 * IN_FLIGHT; ++id)
                assert_int_not_equal(take(&f->b, id, "other", false), 0);
        row = store(&f->b, journal_last_seq(f->b.journal));
        held = hold(&f->a, &row, 1);
        assert_int_equal(held.n, 0);
        assert_int_equal(journal_count_after(f->a.journal, 0), 2 * IN_FLIGHT - 1);
        done(&held, 1);
        done(&row, 1);
}

/* What is in flight from the owner itself is known all the same. */
static void test_what_is_held_pushes_nothing_out(void **state) {
        Fixture *f = *state;
        Text row;

        connect_to(&f->a);
        (void)take_some(&f->a, 1, IN_FLIGHT);
        connect_to(&f->b);
        (void)take_some(&f->b, 101, 100 + IN_FLIGHT);
        row = hold(&f->a, NULL, 0);
        journal_learn_held(f->b.journal, row, false);
        connect_to(&f->b);
        for (uint16_t id = 101; id <= 100 + IN_FLIGHT; ++id) {
                char payload[16];

                snprintf(payload, sizeof(payload), "%u", id);
                assert_int_equal(take(&f->b, id, payload, false), 0);
        }
        done(&row, 1);
}

/* Who takes the slot over reads it among the rest. */
static void test_what_is_held_is_known_to_whoever_comes_next(void **state) {
        Fixture *f = *state;
        Text rows[3];

        connect_to(&f->a);
        (void)take_some(&f->a, 1, 3);
        connect_to(&f->b);
        rows[0] = store(&f->b, take_some(&f->b, 11, 12));
        rows[1] = hold(&f->a, rows, 1);
        journal_learn_held(f->b.journal, rows[1], false);
        rows[2] = store(&f->b, take_some(&f->b, 13, 14));
        journal_learn_begin(f->c.journal);
        for (int pass = 0; pass < 2; ++pass)
                for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                        if (i == 1 && pass == 1)
                                journal_learn_held(f->c.journal, rows[i], false);
                        else
                                journal_learn(f->c.journal, rows[i], false, pass == 0);
        connect_to(&f->c);
        assert_int_equal(take(&f->c, 3, "3", false), 0);
        assert_int_equal(take(&f->c, 14, "14", false), 0);
        assert_int_not_equal(take(&f->c, 15, "15", false), 0);
        done(rows, 3);
}

static void test_a_sum_begins_with_any_secret(void **state) {
        static const char text[] = "what was sent once";

        (void)state;
        for (size_t n = 0; n < sizeof(text); ++n)
                assert_int_equal(crc32c_begun_with(0x1234567, crc32c(0, text, n), n),
                                 crc32c(0x1234567, text, n));
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        const struct CMUnitTest tests[] = {
                TEST(test_who_goes_on_knows_what_the_other_one_stored),
                TEST(test_what_was_recognised_is_in_flight_once_more),
                TEST(test_what_was_learnt_is_known_after_a_start),
                TEST(test_each_is_known_once),
                TEST(test_after_as_many_as_can_be_in_flight_an_equal_one_is_new),
                TEST(test_a_new_session_has_nothing_in_flight),
                TEST(test_what_the_other_one_got_as_well_is_left_to_him),
                TEST(test_all_of_it_may_be_his),
                TEST(test_what_was_learnt_and_not_looked_at_is_left_to_him_after_a_start),
                TEST(test_what_is_stored_is_not_taken_back),
                TEST(test_of_three_the_first_to_store_it_has_it),
                TEST(test_late_ones_are_in_nobody_s_way),
                TEST(test_behind_a_hole_nothing_of_before_is_known),
                TEST(test_what_came_behind_what_was_learnt_is_none_of_it_after_a_start),
                TEST(test_what_is_held_by_another_one_is_left_to_him),
                TEST(test_what_is_held_and_was_taken_in_is_stored_by_one),
                TEST(test_what_is_held_and_was_taken_in_is_stored_by_one_after_a_start),
                TEST(test_what_was_stored_before_is_not_what_is_held),
                TEST(test_what_others_have_stored_or_cannot_be_sent_is_not_held),
                TEST(test_what_is_held_pushes_nothing_out),
                TEST(test_what_is_held_is_known_to_whoever_comes_next),
                cmocka_unit_test(test_a_sum_begins_with_any_secret),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
