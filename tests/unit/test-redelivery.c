/* Redelivery against a model of a broker, whose connection ends wherever the dice say. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/journal/redelivery.h"

enum {
        MODEL_MAX = 64,    /* in flight */
        MODEL_IDS = 65535, /* packet ids, from 1 */
};

typedef struct Message {
        uint16_t packet_id;
        uint64_t number; /* what it says; its hash */
        bool was_sent;   /* to us, in this connection or an earlier one */
        bool is_acked;   /* by us; the broker does not know yet */
} Message;

/* A broker that keeps what was not acknowledged, in order, and sends it again first. */
typedef struct Model {
        Redelivery *redelivery;
        Message line[MODEL_MAX];
        size_t n;      /* in flight */
        size_t n_sent; /* of them, in this connection */
        uint64_t next_number;
        uint16_t next_id;
        bool marks;      /* DUP */
        bool takes_free; /* the lowest free packet id, not the next one */
        unsigned n_max;  /* in flight, as it was asked for; a broker with a backlog has more */
        unsigned seen[20000];
} Model;

static unsigned dice_state;

static unsigned dice(unsigned n) {
        dice_state = dice_state * 1103515245U + 12345U;
        return (dice_state >> 16) % n;
}

static bool model_uses(const Model *model, uint16_t id) {
        for (size_t i = 0; i < model->n; ++i)
                if (model->line[i].packet_id == id)
                        return true;
        return false;
}

static uint16_t model_id(Model *model) {
        uint16_t id = model->takes_free ? 1 : model->next_id;

        while (model_uses(model, id))
                id = (uint16_t)(id % MODEL_IDS + 1);
        model->next_id = (uint16_t)(id % MODEL_IDS + 1);
        return id;
}

static void model_publish(Model *model) {
        if (model->n == MODEL_MAX || model->next_number == N_ELEMENTS(model->seen))
                return;
        model->line[model->n++] =
                (Message){ .packet_id = model_id(model), .number = model->next_number++ };
}

/* The next of the line reaches the gateway, which keeps it or knows it. */
static void model_deliver(Model *model) {
        Message *message;
        bool is_marked;

        if (model->n_sent == model->n)
                return;
        message = &model->line[model->n_sent++];
        is_marked = model->marks && message->was_sent;
        message->was_sent = message->is_acked = true;
        if (redelivery_is_known(model->redelivery, message->packet_id, message->number, is_marked))
                return;
        redelivery_note(model->redelivery, message->packet_id, message->number);
        ++model->seen[message->number];
}

/* The oldest acknowledgements reach the broker. */
static void model_hear(Model *model, size_t n) {
        while (n-- > 0 && model->n_sent > 0 && model->line[0].is_acked) {
                memmove(model->line, model->line + 1, --model->n * sizeof(model->line[0]));
                --model->n_sent;
        }
}

/* What was sent may have got lost on its way to us, and what we said on its way back. */
static void model_reconnect(Model *model) {
        for (size_t i = 0; i < model->n; ++i) {
                model->line[i].is_acked = false;
                model->line[i].was_sent |= i < model->n_sent + dice(3);
        }
        model->n_sent = 0;
        redelivery_resume(model->redelivery, model->n_max);
}

static void model_restart(Model *model) {
        RedeliveryItem items[MODEL_MAX * 4];
        size_t n = redelivery_save(model->redelivery, items, N_ELEMENTS(items));

        redelivery_load(model->redelivery, items, n * sizeof(items[0]));
        model_reconnect(model);
}

static void model_run(unsigned seed, bool marks, bool takes_free, unsigned n_max) {
        Model *model = calloc(1, sizeof(*model));

        assert_non_null(model);
        assert_int_equal(redelivery_new(&model->redelivery), 0);
        model->next_id = 1;
        model->marks = marks;
        model->takes_free = takes_free;
        model->n_max = n_max;
        dice_state = seed;
        redelivery_resume(model->redelivery, n_max);
        for (int i = 0; i < 20000; ++i) {
                unsigned what = dice(100);

                if (what < 45)
                        model_publish(model);
                else if (what < 80)
                        model_deliver(model);
                else if (what < 94)
                        model_hear(model, dice(4));
                else if (what < 99)
                        model_reconnect(model);
                else
                        model_restart(model);
        }
        while (model->n > 0) {
                model_deliver(model);
                model_hear(model, 1);
        }
        for (uint64_t i = 0; i < model->next_number; ++i)
                if (model->seen[i] != 1)
                        fail_msg("seed %u: message %d was kept %u times",
                                 seed,
                                 (int)i,
                                 model->seen[i]);
        redelivery_free(model->redelivery);
        free(model);
}

static void test_whatever_the_cuts_each_message_is_kept_once(void **state) {
        (void)state;
        for (unsigned seed = 1; seed <= 20; ++seed) {
                model_run(seed, true, false, MODEL_MAX);
                model_run(seed, true, true, MODEL_MAX);
                model_run(seed, false, false, MODEL_MAX);
                model_run(seed, false, true, MODEL_MAX);
        }
}

static void test_a_broker_that_has_more_in_flight_than_it_may_and_counts(void **state) {
        (void)state;
        for (unsigned seed = 1; seed <= 15; ++seed)
                model_run(seed, true, false, 4);
}

/* All ids were taken once, and it is another message's turn: one that says the same. */
static void test_an_id_that_comes_round_is_another_message(void **state) {
        CLEANUP(redelivery_free) Redelivery *redelivery = NULL;

        (void)state;
        assert_int_equal(redelivery_new(&redelivery), 0);
        redelivery_resume(redelivery, 10);
        redelivery_note(redelivery, 7, 1);
        for (unsigned id = 8; id < 7 + MODEL_IDS; id += 5)
                redelivery_note(redelivery, (uint16_t)((id - 1) % MODEL_IDS + 1), 2);
        redelivery_resume(redelivery, 10);
        assert_true(redelivery_is_known(redelivery, 13, 2, true));
        redelivery_note(redelivery, 6, 2);
        redelivery_note(redelivery, 9, 2);
        redelivery_resume(redelivery, 10);
        assert_false(redelivery_is_known(redelivery, 7, 1, true));
}

static void test_a_cut_within_the_redelivery_of_a_redelivery_forgets_nothing(void **state) {
        CLEANUP(redelivery_free) Redelivery *redelivery = NULL;

        (void)state;
        assert_int_equal(redelivery_new(&redelivery), 0);
        redelivery_resume(redelivery, 1000);
        for (uint16_t id = 1; id <= 100; ++id)
                redelivery_note(redelivery, id, id);
        for (uint16_t cut = 10; cut < 100; cut += 10) {
                redelivery_resume(redelivery, 1000);
                for (uint16_t id = 1; id <= cut; ++id)
                        assert_true(redelivery_is_known(redelivery, id, id, true));
        }
        redelivery_resume(redelivery, 1000);
        for (uint16_t id = 1; id <= 100; ++id)
                assert_true(redelivery_is_known(redelivery, id, id, true));
}

static void test_an_equal_message_that_was_sent_anew_is_kept(void **state) {
        CLEANUP(redelivery_free) Redelivery *redelivery = NULL;

        (void)state;
        assert_int_equal(redelivery_new(&redelivery), 0);
        redelivery_resume(redelivery, 10);
        for (int n = 0; n < 100; ++n) {
                assert_false(redelivery_is_known(redelivery, 1, 7, false));
                redelivery_note(redelivery, 1, 7);
        }
        redelivery_resume(redelivery, 10);
        assert_true(redelivery_is_known(redelivery, 1, 7, false));
        assert_false(redelivery_is_known(redelivery, 1, 7, false)); /* each is recognised once */
}

static void test_what_cannot_be_in_flight_any_more_is_not_compared(void **state) {
        CLEANUP(redelivery_free) Redelivery *redelivery = NULL;

        (void)state;
        assert_int_equal(redelivery_new(&redelivery), 0);
        redelivery_resume(redelivery, 10);
        redelivery_note(redelivery, 1, 1);
        for (uint16_t n = 2; n <= 12; ++n) /* a broker that takes the ids that are free */
                redelivery_note(redelivery, 2 + n % 2, n);
        redelivery_resume(redelivery, 10);
        assert_false(redelivery_is_known(redelivery, 1, 1, true));
        assert_true(redelivery_is_known(redelivery, 2, 12, false));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whatever_the_cuts_each_message_is_kept_once),
                cmocka_unit_test(test_a_broker_that_has_more_in_flight_than_it_may_and_counts),
                cmocka_unit_test(test_an_id_that_comes_round_is_another_message),
                cmocka_unit_test(test_a_cut_within_the_redelivery_of_a_redelivery_forgets_nothing),
                cmocka_unit_test(test_an_equal_message_that_was_sent_anew_is_kept),
                cmocka_unit_test(test_what_cannot_be_in_flight_any_more_is_not_compared),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
