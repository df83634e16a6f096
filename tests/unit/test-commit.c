/* Commit: one bad row never costs its neighbours, and an outage costs nobody anything. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/store/commit.h"
#include "tests/fake/batch.h"
#include "tests/fake/store.h"

typedef struct Fixture Fixture;

struct Fixture {
        DbStore store;
        Batch batch;
        Registry *registry;
        Commit *commit;
};

static void fixture_init(Fixture *f, size_t n) {
        *f = (Fixture){ .store = { .sqlstate = "22P05" } };
        fake_batch_init(&f->batch, n);
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(commit_new(&f->commit, NULL, &f->store, FAKE_BATCH_MAX), 0);
}

static void fixture_done(Fixture *f) {
        commit_free(f->commit);
        registry_free(f->registry);
}

/* Polls to the end; the ranges must be in order and without a hole. */
static int fixture_run(Fixture *f) {
        size_t expected = 0;
        int r = 0;

        while ((r == 0 || r == DB_E_BUSY) && !commit_is_idle(f->commit)) {
                CommitRange range;

                r = commit_poll(f->commit, &range);
                if (r != 0)
                        continue;
                assert_int_equal(range.from, expected);
                expected = range.to;
        }
        if (r == 0)
                assert_int_equal(expected, f->batch.n);
        return r;
}

static void test_good_batch_is_one_transaction(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 8);
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        assert_int_equal(fixture_run(&f), 0);
        assert_int_equal(f.store.n_begun, 1);
        assert_int_equal(f.store.n_stored, 8);
        fixture_done(&f);
}

static void test_one_bad_row_becomes_a_dead_letter_wherever_it_is(void **state) {
        (void)state;
        for (uint64_t poison = 1; poison <= 11; ++poison) {
                Fixture f;

                fixture_init(&f, 11);
                f.store.poison_seq = poison;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_stored, 11);
                for (size_t i = 0; i < 11; ++i) {
                        Reason expected = i + 1 == poison ? REASON_DB_REJECTED : REASON_NONE;

                        assert_int_equal(f.store.stored[i], i + 1);
                        assert_int_equal(f.store.reasons[i], expected);
                }
                fixture_done(&f);
        }
}

static void test_what_is_refused_beside_a_row_is_left_out_wherever_it_is(void **state) {
        (void)state;
        for (uint64_t poison = 1; poison <= 11; ++poison) {
                Fixture f;

                fixture_init(&f, 11);
                f.store.poison_seq = poison;
                f.store.side = RECORD_CLOCK;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_stored, 11);
                for (size_t i = 0; i < 11; ++i) {
                        const Record *record = &f.batch.records[i];

                        assert_int_equal(f.store.reasons[i], REASON_NONE);
                        assert_int_equal(record->left_out,
                                         i + 1 == poison ? 1U << RECORD_CLOCK : 0);
                }
                fixture_done(&f);
        }
}

static void test_a_letter_that_is_refused_is_left_out_and_costs_no_other(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 11);
        for (size_t i = 4; i < 7; ++i)
                f.batch.records[i].reason = REASON_BAD_JSON;
        f.store.poison_seq = 6;
        f.store.side = RECORD_LETTER;
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        assert_int_equal(fixture_run(&f), 0);
        assert_int_equal(f.store.n_stored, 11);
        for (size_t i = 0; i < 11; ++i) {
                assert_int_equal(record_is_refused(&f.batch.records[i]), i == 5);
                assert_int_equal(f.store.reasons[i],
                                 i >= 4 && i < 7 ? REASON_BAD_JSON : REASON_NONE);
        }
        fixture_done(&f);
}

/* It is not tried beside a good one: there is none. */
static void test_a_letter_that_may_not_go_stays_and_one_that_is_not_told_of_goes(void **state) {
        (void)state;
        for (RecordSide side = RECORD_GOES; side <= RECORD_OUTCOME; ++side) {
                Fixture f;

                fixture_init(&f, 11);
                f.batch.records[5].letter_id = 17;
                f.store.poison_seq = 6;
                f.store.side = side;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_stored, 11);
                for (size_t i = 0; i < 11; ++i) {
                        bool stays = i == 5 && side == RECORD_GOES;

                        assert_int_equal(record_keeps_letter(&f.batch.records[i]), stays);
                        assert_int_equal(f.store.reasons[i],
                                         stays ? REASON_DB_REJECTED : REASON_NONE);
                }
                fixture_done(&f);
        }
}

/* A table that takes nothing refuses each row by itself, too; that makes no letters. */
static void test_whole_table_that_refuses_is_an_outage(void **state) {
        (void)state;
        for (size_t n = 1; n <= 9; n += 4) {
                Fixture f;

                fixture_init(&f, n);
                f.store.is_closed = true;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), DB_E_REFUSED);
                for (int i = 0; i < 3; ++i) {
                        assert_int_equal(commit_again(f.commit), 0);
                        assert_int_equal(fixture_run(&f), DB_E_REFUSED);
                }
                assert_int_equal(f.store.n_stored, 0);
                f.store.is_closed = false;
                assert_int_equal(commit_again(f.commit), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_stored, n);
                for (size_t i = 0; i < n; ++i)
                        assert_int_equal(f.store.reasons[i], REASON_NONE);
                fixture_done(&f);
        }
}

/* Refused in earnest, and taken each time that it is only tried. */
static void test_row_that_is_taken_on_trial_only_is_an_outage(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 1);
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        for (int i = 0;; ++i) {
                CommitRange range;
                int r;

                assert_true(i < 20);
                f.store.poison_seq = f.store.batch->is_trial ? 0 : 1;
                r = commit_poll(f.commit, &range);
                if (r == DB_E_REFUSED)
                        break;
                assert_int_equal(r, DB_E_BUSY);
        }
        assert_int_equal(f.batch.records[0].reason, REASON_NONE);
        fixture_done(&f);
}

static void fixture_add_devices(Fixture *f, int64_t n) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        for (int64_t id = 1; id <= n; ++id) {
                RegistryRow row = { .table = REGISTRY_DEVICE,
                                    .device = { .id = id, .is_active = true } };
                char code[16];

                snprintf(code, sizeof(code), "d%lld", (long long)id);
                row.device.code = row.device.key = code;
                assert_int_equal(registry_delta_add(delta, &row), 0);
                f->batch.records[id - 1].device_id = id;
        }
        assert_int_equal(registry_apply(f->registry, delta, &narrowed), 0);
}

static void test_refused_state_costs_neither_rows_nor_the_other_states(void **state) {
        (void)state;
        for (int64_t poison = 1; poison <= 7; ++poison) {
                Fixture f;

                fixture_init(&f, 8);
                fixture_add_devices(&f, 7);
                f.store.poison_device = poison;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_stored, 8);
                assert_int_equal(f.store.n_states, 6);
                for (size_t i = 0; i < 6; ++i)
                        assert_int_not_equal(f.store.states[i], poison);

                /* It is left alone for a while, and costs the next batch nothing. */
                f.store.n_begun = 0;
                assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
                assert_int_equal(fixture_run(&f), 0);
                assert_int_equal(f.store.n_begun, 1);
                assert_int_equal(f.store.n_states, 12);
                fixture_done(&f);
        }
}

static void test_states_that_were_not_sent_when_the_link_went_are_owed(void **state) {
        CommitRange range;
        Fixture f;

        (void)state;
        fixture_init(&f, 4);
        fixture_add_devices(&f, 4);
        f.store.poison_device = -1;
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        assert_int_equal(commit_poll(f.commit, &range), DB_E_BUSY); /* with them: refused */
        assert_int_equal(commit_poll(f.commit, &range), DB_E_BUSY); /* without: stored */
        assert_int_equal(f.store.n_stored, 4);
        f.store.is_offline = true;
        assert_int_equal(fixture_run(&f), DB_E_OFFLINE);

        f.store.is_offline = false;
        f.store.poison_device = 0;
        assert_int_equal(commit_resume(f.commit, 0, 4, &range), 0);
        assert_int_equal(range.to, 4);
        fake_batch_init(&f.batch, 2); /* of no device: what is owed comes along */
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        assert_int_equal(fixture_run(&f), 0);
        assert_int_equal(f.store.n_states, 4);
        fixture_done(&f);
}

static void test_outage_costs_no_message(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f, 4);
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), 0);
        f.store.is_offline = true;
        assert_int_equal(fixture_run(&f), DB_E_OFFLINE);
        assert_false(commit_is_idle(f.commit));
        for (size_t i = 0; i < f.batch.n; ++i)
                assert_int_equal(f.batch.records[i].reason, REASON_NONE);
        fixture_done(&f);
}

static void test_lost_commit_that_got_in_is_not_sent_again(void **state) {
        CommitRange range;
        Fixture f;

        (void)state;
        fixture_init(&f, 4);
        f.store.is_offline = true;
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), DB_E_OFFLINE);
        f.store.is_offline = false;
        assert_int_equal(commit_resume(f.commit, 0, 4, &range), 0);
        assert_int_equal(range.to - range.from, 4);
        assert_true(commit_is_idle(f.commit));
        assert_int_equal(f.store.n_begun, 1);
        fixture_done(&f);
}

static void test_lost_commit_that_did_not_get_in_is_sent_again(void **state) {
        CommitRange range;
        Fixture f;

        (void)state;
        fixture_init(&f, 4);
        f.store.is_offline = true;
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), DB_E_OFFLINE);
        f.store.is_offline = false;
        assert_int_equal(commit_resume(f.commit, 0, 0, &range), 0);
        assert_int_equal(range.to - range.from, 0);
        assert_int_equal(fixture_run(&f), 0);
        assert_int_equal(f.store.n_stored, 4);
        fixture_done(&f);
}

static void test_position_that_is_not_ours_is_fenced(void **state) {
        CommitRange range;
        Fixture f;

        (void)state;
        fixture_init(&f, 4);
        f.store.is_offline = true;
        assert_int_equal(commit_begin(f.commit, &f.batch, f.registry), DB_E_OFFLINE);
        f.store.is_offline = false;
        assert_int_equal(commit_resume(f.commit, 0, 3, &range), DB_E_FENCED);
        fixture_done(&f);
}

static void test_each_phase_goes_where_the_table_says(void **state) {
        enum {
                NO = COMMIT_PHASES,
                ALL = COMMIT_ALL,
                BARE = COMMIT_BARE,
                STATES = COMMIT_STATES,
                TRIAL = COMMIT_TRIAL
        };
        static const int table[COMMIT_PHASES][COMMIT_EVENTS] = {
                /* on DONE, WAITS, STATE, ROWS, ROW, PASSED, AGAIN: as the header has it */
                [ALL] = { ALL, NO, BARE, ALL, TRIAL, NO, ALL },
                [BARE] = { ALL, STATES, NO, ALL, TRIAL, NO, BARE },
                [STATES] = { ALL, STATES, NO, NO, NO, NO, STATES },
                [TRIAL] = { ALL, NO, NO, NO, ALL, ALL, ALL },
        };

        (void)state;
        for (int from = 0; from < COMMIT_PHASES; ++from) {
                for (int event = 0; event < COMMIT_EVENTS; ++event) {
                        bool is_there = table[from][event] != NO;
                        CommitPhase at = (CommitPhase)from;

                        assert_int_equal(commit_step(&at, (CommitEvent)event), is_there);
                        assert_int_equal(at, is_there ? table[from][event] : from);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_phase_goes_where_the_table_says),
                cmocka_unit_test(test_good_batch_is_one_transaction),
                cmocka_unit_test(test_one_bad_row_becomes_a_dead_letter_wherever_it_is),
                cmocka_unit_test(test_what_is_refused_beside_a_row_is_left_out_wherever_it_is),
                cmocka_unit_test(test_a_letter_that_is_refused_is_left_out_and_costs_no_other),
                cmocka_unit_test(
                        test_a_letter_that_may_not_go_stays_and_one_that_is_not_told_of_goes),
                cmocka_unit_test(test_whole_table_that_refuses_is_an_outage),
                cmocka_unit_test(test_row_that_is_taken_on_trial_only_is_an_outage),
                cmocka_unit_test(test_refused_state_costs_neither_rows_nor_the_other_states),
                cmocka_unit_test(test_states_that_were_not_sent_when_the_link_went_are_owed),
                cmocka_unit_test(test_outage_costs_no_message),
                cmocka_unit_test(test_lost_commit_that_got_in_is_not_sent_again),
                cmocka_unit_test(test_lost_commit_that_did_not_get_in_is_sent_again),
                cmocka_unit_test(test_position_that_is_not_ours_is_fenced),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
