/* Births: a message is read by the last birth before it, whenever it is read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/sparkplug/births.h"
#include "gateway/sparkplug/table.h"
#include "tests/fake/sparkplug.h"

#define NODE   TEXT("plant/press")
#define DEVICE TEXT("plant/press/motor")

static Births *births_of(size_t max_things) {
        Births *births = NULL;

        assert_int_equal(births_new(&births, max_things, 8), 0);
        return births;
}

/* Alias 1 is called @name. */
static int born(Births *births, Text thing, uint64_t seq, const char *name, uint64_t bd_seq) {
        CLEANUP_BUF Buf payload = { 0 };
        CLEANUP_BUF Buf value = { 0 };

        put_whole(&value, METRIC_LONG, bd_seq);
        put_metric(&payload, "bdSeq", 8, &value);
        put_whole(&value, METRIC_ALIAS, 1);
        put_metric(&payload, name, 3, &value);
        return births_add(births, thing, seq, buf_text(&payload));
}

static void check_alias(const Births *births, uint64_t seq, const char *name) {
        const Birth *birth = births_before(births, NODE, seq);

        if (!name) {
                assert_null(birth);
                return;
        }
        assert_non_null(birth);
        assert_true(text_equal(sparkplug_table_alias(birth->table, 1)->name, text_of(name)));
}

static void test_a_message_is_read_by_the_birth_before_it(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_int_equal(born(births, NODE, 20, "b", 1), 0);
        assert_int_equal(born(births, NODE, 10, "a", 0), 0); /* as a database said it later */
        assert_int_equal(born(births, NODE, 20, "again", 1), 0);
        check_alias(births, 10, NULL);
        check_alias(births, 11, "a");
        check_alias(births, 20, "a");
        check_alias(births, 21, "b");
        assert_int_equal(births_before(births, NODE, 21)->bd_seq, 1);
        assert_null(births_before(births, DEVICE, 21));
}

static void test_births_that_nothing_can_ask_for_are_forgotten(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_int_equal(born(births, NODE, 10, "a", 0), 0);
        assert_int_equal(born(births, NODE, 20, "b", 0), 0);
        births_stored(births, 15);
        assert_int_equal(born(births, NODE, 30, "c", 0), 0);
        check_alias(births, 16, "a"); /* it is to be stored yet */
        births_stored(births, 25);
        assert_int_equal(born(births, NODE, 40, "d", 0), 0);
        check_alias(births, 20, NULL);
        check_alias(births, 26, "b");
        for (uint64_t seq = 41; seq < 300; ++seq) /* in an outage, over and over */
                assert_int_equal(born(births, NODE, seq, "e", 0), 0);
        check_alias(births, 300 - BIRTHS_VERSIONS, NULL);
        check_alias(births, 300, "e");
}

static void test_things_are_bounded_and_those_that_are_known_go_on(void **state) {
        CLEANUP(births_free) Births *births = births_of(3);

        (void)state;
        assert_int_equal(born(births, DEVICE, 10, "a", 0), 0); /* and its node */
        assert_int_equal(births_length(births), 2);
        assert_int_equal(born(births, TEXT("plant/other/motor"), 11, "a", 0), BIRTHS_E_FULL);
        assert_int_equal(born(births, TEXT("plant/other"), 12, "a", 0), 0);
        assert_int_equal(born(births, TEXT("plant/third"), 13, "a", 0), BIRTHS_E_FULL);
        assert_int_equal(born(births, DEVICE, 14, "b", 0), 0);
        assert_int_equal(births_add(births, NODE, 15, TEXT("{}")), BIRTHS_E_NONE);
}

static void on_device(void *arg, Text device) {
        buf_append_text(arg, device);
        buf_append_char(arg, ' ');
}

static void check_devices(const Births *births, uint64_t seq, const char *devices) {
        CLEANUP_BUF Buf buf = { 0 };

        births_each_device(births, NODE, seq, on_device, &buf);
        assert_string_equal(buf_text(&buf).data, devices);
}

static void test_a_node_has_the_devices_that_were_born_and_have_not_gone(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_int_equal(born(births, DEVICE, 10, "a", 0), 0);
        assert_int_equal(born(births, TEXT("plant/press/fan"), 20, "a", 0), 0);
        assert_int_equal(born(births, TEXT("plant/press2/other"), 20, "a", 0), 0);
        check_devices(births, 15, "motor ");
        check_devices(births, 25, "fan motor ");
        assert_true(births_is_first_dead(births, DEVICE, 30));
        check_devices(births, 25, "fan motor ");
        check_devices(births, 31, "fan ");
        assert_int_equal(born(births, DEVICE, 40, "a", 0), 0);
        check_devices(births, 41, "fan motor ");
}

static void test_only_the_first_says_that_it_lives_or_is_gone(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_true(births_is_first_dead(births, NODE, 5)); /* nobody knows better */
        assert_int_equal(born(births, NODE, 10, "a", 0), 0);
        assert_true(births_is_first_alive(births, NODE, 11));
        assert_false(births_is_first_alive(births, NODE, 12));
        assert_true(births_is_first_alive(births, NODE, 11)); /* as it is read again */
        assert_true(births_is_first_dead(births, NODE, 13));
        assert_false(births_is_first_dead(births, NODE, 14));
        assert_int_equal(born(births, NODE, 20, "a", 0), 0);
        assert_true(births_is_first_dead(births, NODE, 21));
        assert_true(births_tell(births, NODE, 20));
        assert_false(births_tell(births, NODE, 20));
        assert_false(births_tell(births, DEVICE, 20));
}

static void test_a_gap_in_the_counter_is_seen_once(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_int_equal(born(births, NODE, 10, "a", 0), 0);
        assert_false(births_is_gap(births, NODE, 10, 254, false)); /* the first that we see */
        assert_false(births_is_gap(births, NODE, 11, 255, false));
        assert_false(births_is_gap(births, NODE, 12, 0, false));
        assert_true(births_is_gap(births, NODE, 13, 2, false));
        assert_false(births_is_gap(births, NODE, 13, 2, false));
        assert_false(births_is_gap(births, NODE, 14, 3, false));
        assert_false(births_is_gap(births, NODE, 15, 0, true));
}

static void test_a_node_is_asked_once_a_while(void **state) {
        CLEANUP(births_free) Births *births = births_of(1);

        (void)state;
        assert_true(births_may_ask(births, NODE, 1000, 60));
        assert_false(births_may_ask(births, NODE, 1059, 60));
        assert_true(births_may_ask(births, NODE, 1060, 60));
        assert_false(births_may_ask(births, TEXT("plant/other"), 1060, 60)); /* full */
}

static void test_numbers_move_with_the_journal(void **state) {
        CLEANUP(births_free) Births *births = births_of(10);

        (void)state;
        assert_int_equal(born(births, NODE, 10, "a", 0), 0);
        assert_int_equal(born(births, NODE, 20, "b", 0), 0);
        births_move(births, 15, 100);
        check_alias(births, 120, "a");
        check_alias(births, 121, "b");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_message_is_read_by_the_birth_before_it),
                cmocka_unit_test(test_births_that_nothing_can_ask_for_are_forgotten),
                cmocka_unit_test(test_things_are_bounded_and_those_that_are_known_go_on),
                cmocka_unit_test(test_a_node_has_the_devices_that_were_born_and_have_not_gone),
                cmocka_unit_test(test_only_the_first_says_that_it_lives_or_is_gone),
                cmocka_unit_test(test_a_gap_in_the_counter_is_seen_once),
                cmocka_unit_test(test_a_node_is_asked_once_a_while),
                cmocka_unit_test(test_numbers_move_with_the_journal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
