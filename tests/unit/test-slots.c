#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <libpq-fe.h>

#include "db/read/nodes.h"
#include "db/write/adopt.h"
#include "db/write/beat.h"
#include "db/write/slots.h"
#include "db/write/store.h"
#include "postgres.h"

DEFINE_CLEANUP(PGresult *, PQclear);

typedef struct Side Side;

/* One gateway: what it says of itself, and the connections with which it does. */
struct Side {
        DbSlotClaim claim;
        DbSlot slot;
        DbConn *conn, *writing;
        DbStore *store;
        uint64_t position, floor;
};

static void side_init(Side *side, const char *epoch, const char *instance, const char *place) {
        *side = (Side){
                .claim = { .holder = { .slot = 0, .instance = instance },
                           .epoch = epoch,
                           .place = place,
                           .host = instance,
                           .client_id = epoch,
                           .pid = 7,
                           .lease_ms = 60000,
                           .adopts = true },
                .conn = postgres_connect(5000),
                .writing = postgres_connect(5000),
        };
        assert_int_equal(db_store_new(&side->store, side->writing, epoch), 0);
}

static void side_done(Side *side) {
        db_store_free(side->store);
        db_conn_free(side->writing);
        db_conn_free(side->conn);
        *side = (Side){ 0 };
}

/* Two gateways at one database; and a third one where a case makes it. */
static Side a, b, c;

static int set_up(void **state) {
        (void)state;
        postgres_migrate();
        side_init(&a, "aa", "a1", "here");
        side_init(&b, "bb", "b1", "there");
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        side_done(&a);
        side_done(&b);
        side_done(&c);
        return 0;
}

static bool side_holds(Side *side) {
        assert_int_equal(db_slots_hold(side->conn, &side->claim, &side->slot), 0);
        if (side->slot.is_ours)
                side->claim.held_fence = side->slot.fence;
        return side->slot.is_ours;
}

static int side_open(Side *side) {
        return db_store_open(side->store, &side->claim.holder, &side->position, &side->floor);
}

static int side_store(Side *side) {
        DbBatch batch = { .seq = ++side->position };
        int r = db_store_begin(side->store, &batch);

        while (r == 0)
                if ((r = db_store_poll(side->store)) != DB_E_BUSY)
                        return r;
                else
                        r = 0;
        return r;
}

static void side_see_lapse(Side *side) {
        side->claim.is_lapsed = true;
        side->claim.seen_fence = side->slot.fence;
        side->claim.seen_beats = side->slot.beats;
}

static void test_second_one_is_told_who_has_it(void **state) {
        (void)state;
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_false(side_holds(&b));
        assert_string_equal(b.slot.host, "a1");
        assert_int_equal(b.slot.pid, 7);
        assert_int_equal(side_open(&b), DB_E_STANDBY);
        assert_int_equal(side_store(&a), 0);

        b.claim.holder.slot = 1; /* that is another matter */
        assert_true(side_holds(&b));
        assert_int_equal(side_open(&b), 0);
        assert_int_equal(side_store(&a), 0);
}

static void test_it_goes_over_when_it_is_let_go(void **state) {
        (void)state;
        assert_true(side_holds(&a));
        assert_int_equal(db_slots_release(b.conn, &b.claim.holder, true),
                         0); /* not theirs to let go */
        assert_false(side_holds(&b));
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_true(side_holds(&b));
        assert_string_equal(b.slot.client_id, "aa"); /* with what the broker has for it */
        assert_false(side_holds(&a));
}

static bool side_has_left(Side *side, uint64_t last_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = {
                "SELECT left_at IS NOT NULL FROM journal_positions WHERE epoch = $1",
                1,
                &side->claim.epoch
        };

        side->claim.holder.last_seq = last_seq;
        assert_int_equal(db_slots_leave(side->conn, side->claim.epoch, &side->claim.holder), 0);
        assert_int_equal(db_conn_exec(side->conn, &query, &result), 0);
        return PQntuples(result) == 1 && *PQgetvalue(result, 0, 0) == 't';
}

/* Of a journal that the database may never have heard of. */
static void test_who_has_not_got_it_says_what_it_has_left(void **state) {
        (void)state;
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_int_equal(side_store(&a), 0);
        assert_false(side_has_left(&a, 5)); /* it is its turn */
        assert_false(side_has_left(&b, 0));
        assert_true(side_has_left(&b, 3));

        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_true(side_holds(&b));
        assert_int_equal(side_open(&b), 0);
        assert_int_equal(b.position, 0); /* all of it is still to be stored */
        assert_false(side_has_left(&b, 3));
        assert_false(side_has_left(&a, a.position)); /* it has stored that */
        assert_true(side_has_left(&a, a.position + 1));
}

/* Only who was watched without a sign of life has lapsed, and then stores nothing any more. */
static void test_who_lapsed_is_fenced(void **state) {
        (void)state;
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_int_equal(side_store(&a), 0);

        assert_false(side_holds(&b));
        side_see_lapse(&b);
        assert_true(side_holds(&a)); /* and now it was alive after all */
        assert_false(side_holds(&b));
        side_see_lapse(&b);
        postgres_run("UPDATE slots SET lease_until = now() - interval '1 day'");
        assert_true(side_holds(&b));
        assert_true(b.slot.fence > a.slot.fence);
        assert_int_equal(side_store(&a), DB_E_FENCED);
        assert_int_equal(side_open(&a), DB_E_STANDBY);
        assert_false(side_holds(&a));
        assert_int_equal(postgres_int("SELECT seq FROM journal_positions WHERE epoch = 'aa'"), 1);
}

typedef struct Numbers Numbers;

struct Numbers {
        uint64_t used_seq, until_seq;
};

static Numbers side_reserve(Side *side, uint64_t last_seq) {
        DbHolder holder = side->claim.holder;
        Numbers numbers = { 0 };

        holder.fence = side->slot.fence;
        holder.last_seq = last_seq;
        assert_int_equal(db_slots_reserve(side->conn,
                                          &holder,
                                          &numbers.used_seq,
                                          &numbers.until_seq),
                         0);
        return numbers;
}

/* What it may have shown, the next one shows nothing under; and it reserves nothing more. */
static void test_who_takes_it_over_knows_which_numbers_were_reserved(void **state) {
        Numbers first, more, next;

        (void)state;
        assert_true(side_holds(&a));
        first = side_reserve(&a, 1000);
        assert_int_equal(first.used_seq, 0);
        assert_int_equal(first.until_seq, 1000 + (1 << 28));
        more = side_reserve(&a, 500);       /* nothing goes back */
        assert_int_equal(more.used_seq, 0); /* all of them are its own */
        assert_int_equal(more.until_seq, first.until_seq + (1 << 28));

        assert_int_equal(side_reserve(&b, 7).until_seq, 0); /* it has not got it */
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_int_equal(side_reserve(&a, 7).until_seq, 0);
        assert_true(side_holds(&b));
        next = side_reserve(&b, 7);
        assert_int_equal(next.used_seq, more.until_seq);
        assert_int_equal(next.until_seq, more.until_seq + (1 << 28));
        next = side_reserve(&b, 7); /* the first answer was lost, or not noted */
        assert_int_equal(next.used_seq, more.until_seq);
        assert_int_equal(next.until_seq, more.until_seq + (2 << 28));
        assert_int_equal(side_reserve(&a, 7).until_seq, 0);

        b.claim.holder.slot = 1; /* that is another matter */
        assert_true(side_holds(&b));
        assert_int_equal(side_reserve(&b, 7).used_seq, 0);
}

static void test_our_own_dead_predecessor_is_not_waited_for(void **state) {
        Side again, copy;

        (void)state;
        side_init(&again, "aa", "a2", "here");
        side_init(&copy, "aa", "a3", "there");
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_false(side_holds(&copy)); /* of a journal that may be in use */
        assert_true(side_holds(&again));
        assert_int_equal(side_store(&a), DB_E_FENCED);

        /* Another kernel now, after a start of the machine. */
        postgres_run("UPDATE slots SET lease_until = now() - interval '1 s'");
        assert_true(side_holds(&copy));
        side_done(&again);
        side_done(&copy);
}

/* The database went back in time: what it says of others is older than what was ours. */
static void test_row_of_an_older_time_counts_for_nothing(void **state) {
        (void)state;
        postgres_run("INSERT INTO slots (slot, fence, instance, lease_until)"
                     " VALUES (0, 41, 'long ago', 'infinity')");
        assert_false(side_holds(&a));
        a.claim.held_fence = 42;
        assert_true(side_holds(&a));
        assert_int_equal(a.slot.fence, 43);
}

/* A copy of the database is no reason to take the session of the original. */
static void test_copy_of_the_database_keeps_its_session(void **state) {
        (void)state;
        postgres_run("INSERT INTO slots (slot, client_id, home) VALUES (0, 'theirs', '1/2')");
        assert_true(side_holds(&a));
        assert_string_equal(a.slot.client_id, "aa");
}

static bool side_beats(Side *side, DbBeat *beat) {
        DbBeatOwner owner;

        beat->cluster = "boats";
        beat->host = beat->advertise = "h";
        beat->lease_ms = 60000;
        if (!beat->seen_instance)
                beat->seen_instance = "";
        assert_int_equal(db_beat(side->conn, beat, &owner), 0);
        if (!owner.is_us) {
                beat->seen_beats = owner.beats;
                assert_string_equal(owner.host, "h");
        }
        return owner.is_us;
}

static void assert_said(const Side *side, const char *text) {
        CLEANUP_BUF Buf body = { 0 };

        assert_int_equal(db_nodes_read(side->conn, "boats", &body), 0);
        buf_append(&body, "", 1);
        if (!strstr(body.data, text))
                fail_msg("no %s in %s", text, body.data);
}

static void test_what_nodes_count_is_summed_while_they_are_there(void **state) {
        DbBeat first = { .node = "n1", .instance = "a", .place = "here", .is_fixed = true };
        DbBeat second = { .node = "n2", .instance = "b", .place = "there", .is_fixed = true };

        (void)state;
        assert_true(side_beats(&a, &first)); /* of a version that counts nothing */
        assert_said(&a, "\"answered\" : 0, \"silent\" : 1, \"totals\" : {}");
        first.figures = "{\"sent\":2,\"database_lag_us\":5,\"mqtt_connected\":1}";
        second.figures = "{\"sent\":3,\"database_lag_us\":9,\"mqtt_connected\":0}";
        assert_true(side_beats(&a, &first));
        assert_true(side_beats(&a, &second));
        assert_said(&a,
                    "\"totals\" : { \"database_lag_us\" : 9, \"mqtt_connected\" : 0, \"sent\" : 5 "
                    "}");
        first.figures = "{\"sent\":4}";
        assert_true(side_beats(&a, &first));
        assert_said(&a, "\"sent\" : 7 }");

        postgres_run(
                "UPDATE node_figures SET said_at = said_at - interval '81 s' WHERE node = 'n2'");
        assert_said(&a, "\"answered\" : 1, \"silent\" : 1, \"totals\" : { \"sent\" : 4 }");
        second.instance = "c"; /* started again, and has not said anything yet */
        second.place = "there";
        second.figures = NULL;
        postgres_run("UPDATE node_figures SET said_at = clock_timestamp()");
        assert_int_equal(db_beat_end(a.conn, "boats", "b"), 0);
        assert_true(side_beats(&a, &second));
        assert_said(&a, "\"answered\" : 1, \"silent\" : 1");
}

static void test_a_node_s_name_is_free_when_it_is_dead_or_nobody_chose_it(void **state) {
        DbBeat first = { .node = "n", .instance = "a", .place = "here", .is_fixed = true };
        DbBeat second = { .node = "n", .instance = "b", .place = "there", .is_fixed = true };

        (void)state;
        assert_true(side_beats(&a, &first));
        assert_true(side_beats(&a, &first));
        assert_false(side_beats(&a, &second));
        second.seen_instance = "a"; /* watched for its lease */
        assert_true(side_beats(&a, &first));
        assert_false(side_beats(&a, &second)); /* and now it was alive after all */
        assert_true(side_beats(&a, &second));
        assert_false(side_beats(&a, &first));

        second.place = "here"; /* its journal, whose lock it has */
        second.instance = "c";
        second.seen_instance = "";
        assert_false(side_beats(&a, &second));
        second.place = "there";
        assert_true(side_beats(&a, &second));
        assert_int_equal(db_beat_end(a.conn, "boats", "c"), 0);
        assert_true(side_beats(&a, &first));

        first.node = second.node = "where it is"; /* which nobody chose */
        first.is_fixed = second.is_fixed = false;
        assert_true(side_beats(&a, &first));
        assert_true(side_beats(&a, &second));
}

static void side_split(Side *side, int n_slots, const char *templates, const char *node) {
        side->claim.layout = (DbSlotLayout){
                .n_slots = n_slots, .templates = templates, .cluster = "c", .node = node
        };
}

static bool side_takes(Side *side, int slot) {
        side->claim.holder.slot = slot;
        return side_holds(side);
}

static void test_who_splits_it_otherwise_has_nothing(void **state) {
        (void)state;
        side_split(&a, 4, "t", "n1");
        assert_true(side_takes(&a, 1));
        assert_int_equal(side_open(&a), 0);

        side_split(&b, 4, "u", "n2"); /* by other templates, into fewer, and as one of before */
        assert_false(side_takes(&b, 0) || b.slot.is_agreed);
        side_split(&b, 2, "t", "n2");
        assert_false(side_takes(&b, 0) || b.slot.is_agreed);
        side_split(&b, 1, "", "n2");
        assert_false(side_takes(&b, 3) || b.slot.is_agreed);
        side_split(&b, 4, "t", "n2");
        assert_true(side_takes(&b, 3));
        assert_true(b.slot.is_agreed);
        assert_int_equal(db_slots_release(b.conn, &b.claim.holder, true), 0);

        side_split(&b, 2, "t", "n2"); /* who has lapsed by the server's clock is fenced */
        postgres_run("UPDATE slots SET lease_until = now() - interval '1 s' WHERE slot = 1");
        assert_true(side_takes(&b, 0));
        assert_int_equal(side_store(&a), DB_E_FENCED);
        assert_true(side_has_left(&a, 0));
        assert_false(side_takes(&a, 1) || a.slot.is_agreed);
}

static int side_surplus(const Side *side, int n_serving) {
        int n = -1, n_found = -1;

        assert_int_equal(db_slots_surplus(side->conn,
                                          &side->claim.layout,
                                          side->claim.holder.instance,
                                          &n,
                                          &n_found),
                         0);
        assert_int_equal(n_found, n_serving);
        return n;
}

static void test_who_has_two_more_than_another_lets_go_of_one(void **state) {
        (void)state;
        side_split(&a, 4, "t", "n1");
        side_split(&b, 4, "t", "n2");
        for (int i = 0; i < 4; ++i)
                assert_true(side_takes(&a, i));
        assert_int_equal(side_surplus(&a, 1), 0);

        postgres_run(
                "INSERT INTO nodes (cluster, node, instance, place, host, pid, advertise, version,"
                " schema, slot, waiting, lease_ms) SELECT 'c', 'n' || n, chr(96 + n) || '1', '',"
                " '', 1, '', '', 999, 0, 0, 60000 FROM generate_series(1, 2) n");
        assert_int_equal(side_surplus(&a, 1), 1);
        assert_int_equal(side_surplus(&b, 1), 0);
        a.claim.holder.slot = 3;
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_int_equal(side_surplus(&a, 1), 0); /* one is on its way */
        assert_false(side_takes(&a, 3));
        assert_true(a.slot.is_free && a.slot.is_agreed);
        assert_true(side_takes(&b, 3));
        assert_int_equal(side_surplus(&a, 2), 1);

        postgres_run("INSERT INTO node_drains (cluster, node) VALUES ('c', 'n2')");
        assert_int_equal(side_surplus(&a, 2), 0);
        assert_int_equal(side_surplus(&b, 2), 1);
        assert_int_equal(db_slots_release(b.conn, &b.claim.holder, true), 0);
        assert_false(side_takes(&b, 3));
        assert_true(side_takes(&a, 3));

        postgres_run("DELETE FROM node_drains; UPDATE nodes SET schema = 1 WHERE node = 'n1'");
        assert_int_equal(side_surplus(&a, 1), 4); /* of an older version: it could not store */
        a.claim.holder.slot = 3;
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_false(side_takes(&a, 3));
        assert_true(side_takes(&b, 3));
}

static void test_what_nobody_takes_is_anybody_s(void **state) {
        (void)state;
        side_split(&a, 2, "t", "n1");
        postgres_run(
                "INSERT INTO nodes (cluster, node, instance, place, host, pid, advertise, version,"
                " schema, slot, waiting, lease_ms) SELECT 'c', 'n' || n, chr(96 + n) || '1', '',"
                " '', 1, '', '', 999, 0, 0, 60000 FROM generate_series(1, 2) n");
        assert_true(side_takes(&a, 0));
        assert_true(side_takes(&a, 1)); /* one that there never was */
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, true), 0);
        assert_false(side_takes(&a, 1));
        postgres_run("UPDATE slots SET lease_until = now() - interval '61 s' WHERE slot = 1");
        assert_true(side_takes(&a, 1));
}

/* Of aa, which died before it had stored all; b has its slot. */
static int adopt(Side *other, const char *epoch, Text held) {
        uint64_t seq = 0;
        int slot = -1;
        int r = db_adopt_begin(other->writing, epoch, &slot, &seq);

        if (r != 0)
                return r;
        assert_int_equal(slot, 0);
        assert_int_equal(seq, 1);
        return db_adopt_commit(other->writing, epoch, held);
}

/* And goes on behind it. */
static void follow(void) {
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_int_equal(side_store(&a), 0);
        assert_false(side_holds(&b));
        side_see_lapse(&b);
        assert_true(side_holds(&b));
        b.claim.holder.fence = b.slot.fence;
        assert_int_equal(side_open(&b), 0);
        assert_int_equal(side_store(&b), 0);
}

static void test_who_has_the_slot_reads_what_is_held_before_it_goes_on(void **state) {
        const Text held = text_of("twelve bytestwelve bytes");

        (void)state;
        follow();
        side_init(&c, "cc", "c1", "elsewhere");
        assert_int_equal(adopt(&c, "aa", held), 0);
        assert_int_equal(side_store(&b), DB_E_FENCED);
        assert_int_equal(side_open(&b), DB_E_STANDBY);
        assert_true(side_holds(&b));
        assert_int_equal(b.slot.fence, 4);
        b.claim.holder.fence = b.slot.fence;
        assert_int_equal(side_open(&b), 0);
        assert_int_equal(side_store(&b), 0);
        assert_int_equal(postgres_int("SELECT count(*) FROM slot_flights WHERE fence = 3"
                                      " AND total = 2 AND turn_total = 0"),
                         1);
}

static void count(void *arg, Text flights, bool has_hole, bool is_first_pass) {
        assert_false(has_hole);
        assert_int_equal(flights.n, 24);
        *(int *)arg += !is_first_pass;
}

/* It was killed in between: what it holds itself of it is stored by who has the disk. */
static void test_who_had_the_slot_reads_what_is_held_when_it_is_back(void **state) {
        static const char held[24] = { 4 };
        int n = 0;

        (void)state;
        follow();
        side_init(&c, "cc", "c1", "elsewhere");
        assert_int_equal(adopt(&c, "aa", (Text){ held, sizeof(held) }), 0);
        assert_false(side_holds(&c));
        side_see_lapse(&c);
        assert_true(side_holds(&c));
        assert_int_equal(db_slots_flights(b.conn, 0, "bb", 0, count, &n), 0);
        assert_int_equal(n, 1);
        assert_int_equal(db_slots_flights(c.conn, 0, "cc", 0, count, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(db_slots_flights(b.conn, 0, "bb", c.slot.fence, count, &n), 0);
        assert_int_equal(n, 2);
        postgres_run(
                "INSERT INTO slot_flights (slot, total, turn_total, journal_id, fence, flights)"
                " SELECT 0, 3, 2, journal_id, 4, repeat('x', 12)::bytea FROM journal_positions"
                " WHERE epoch = 'bb'"); /* which it had, then */
        assert_int_equal(db_slots_flights(b.conn, 0, "bb", 0, count, &n), 0);
        assert_int_equal(n, 2);
}

static void test_where_nothing_is_held_nobody_is_told(void **state) {
        (void)state;
        follow();
        side_init(&c, "cc", "c1", "elsewhere");
        assert_int_equal(adopt(&c, "aa", (Text){ 0 }), 0);
        assert_int_equal(side_store(&b), 0);
        assert_true(side_holds(&b));
        assert_int_equal(b.slot.fence, 2);
}

static bool is_due(Side *side, const char *epoch) {
        bool is = false;

        assert_int_equal(db_adopt_is_due(side->conn, epoch, &is), 0);
        return is;
}

/* As it starts itself, and somebody else has the slot. */
static void test_what_is_left_is_due_while_another_one_is_there(void **state) {
        bool is_done;

        (void)state;
        postgres_reset();
        assert_false(is_due(&a, "aa"));
        postgres_migrate();
        follow();
        assert_true(is_due(&a, "aa"));
        assert_false(is_due(&b, "bb"));
        assert_false(is_due(&b, "unknown"));
        postgres_run("UPDATE slots SET lease_until = now() - interval '1 s'");
        assert_false(is_due(&a, "aa"));
        assert_true(side_holds(&b));
        assert_true(is_due(&a, "aa"));
        assert_int_equal(db_adopt_end(a.conn, "aa", 1, &is_done), 0);
        assert_false(is_due(&a, "aa"));
}

static void test_a_dead_one_s_position_is_anybody_s_until_it_has_its_turn(void **state) {
        bool is_done = true;

        (void)state;
        follow();
        side_init(&c, "aa", "c1", "elsewhere"); /* that has its disk */
        c.claim.holder.adopts = true;
        assert_int_equal(side_open(&c), 0);
        assert_int_equal(c.position, 1);
        assert_int_equal(db_adopt_end(c.conn, "aa", 2, &is_done), 0);
        assert_false(is_done);
        assert_int_equal(side_store(&c), 0);
        assert_int_equal(side_store(&b), 0); /* beside it */
        assert_int_equal(db_adopt_end(c.conn, "aa", 2, &is_done), 0);
        assert_true(is_done);
        assert_int_equal(postgres_int("SELECT count(*) FROM journal_positions WHERE left_at IS NOT "
                                      "NULL"),
                         0);

        assert_int_equal(db_slots_release(b.conn, &b.claim.holder, true), 0);
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_int_equal(a.position, 3); /* it has nothing left, and goes behind the other */
        assert_int_equal(side_store(&c), DB_E_FENCED);
        assert_int_equal(side_open(&c), DB_E_STANDBY);
}

static void test_whose_journal_is_no_dead_one_s(void **state) {
        (void)state;
        assert_true(side_holds(&a));
        assert_int_equal(side_open(&a), 0);
        assert_int_equal(side_store(&a), 0);
        assert_int_equal(adopt(&b, "unknown", (Text){ 0 }), DB_E_NOT_FOUND);
        assert_int_equal(adopt(&b, "aa", (Text){ 0 }), DB_E_BUSY);
        assert_int_equal(db_slots_release(a.conn, &a.claim.holder, false), 0);
        assert_int_equal(adopt(&b, "aa", (Text){ 0 }), 0);
}

static void test_schema_without_slots_is_told(void **state) {
        (void)state;
        postgres_reset();
        assert_int_equal(db_slots_hold(a.conn, &a.claim, &a.slot), DB_E_SCHEMA);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                CASE(test_second_one_is_told_who_has_it),
                CASE(test_it_goes_over_when_it_is_let_go),
                CASE(test_who_has_not_got_it_says_what_it_has_left),
                CASE(test_who_lapsed_is_fenced),
                CASE(test_who_takes_it_over_knows_which_numbers_were_reserved),
                CASE(test_our_own_dead_predecessor_is_not_waited_for),
                CASE(test_row_of_an_older_time_counts_for_nothing),
                CASE(test_copy_of_the_database_keeps_its_session),
                CASE(test_what_nodes_count_is_summed_while_they_are_there),
                CASE(test_a_node_s_name_is_free_when_it_is_dead_or_nobody_chose_it),
                CASE(test_who_splits_it_otherwise_has_nothing),
                CASE(test_who_has_two_more_than_another_lets_go_of_one),
                CASE(test_what_nobody_takes_is_anybody_s),
                CASE(test_who_has_the_slot_reads_what_is_held_before_it_goes_on),
                CASE(test_who_had_the_slot_reads_what_is_held_when_it_is_back),
                CASE(test_where_nothing_is_held_nobody_is_told),
                CASE(test_a_dead_one_s_position_is_anybody_s_until_it_has_its_turn),
                CASE(test_whose_journal_is_no_dead_one_s),
                CASE(test_what_is_left_is_due_while_another_one_is_there),
                CASE(test_schema_without_slots_is_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
