/* Presence: what several topics say of a device, by the numbers of their messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/memory/presence.h"

static char bridge[] = "bridge", lamp[] = "lamp";
static char *const topics[] = { bridge, lamp };

static Presence *presence;

static int setup(void **state) {
        (void)state;
        return presence_new(&presence);
}

static int teardown(void **state) {
        (void)state;
        presence = presence_free(presence);
        return 0;
}

static PresenceAsked asked(bool is_all) {
        return (PresenceAsked){
                .device = TEXT("d"), .topics = topics, .n_topics = 2, .is_all = is_all
        };
}

static void say(const char *topic, uint64_t seq, bool is_here) {
        assert_int_equal(presence_say(presence, TEXT("d"), text_of(topic), seq, is_here), 0);
}

static PresenceAnswer all(uint64_t seq) {
        const PresenceAsked question = asked(true);

        return presence_ask(presence, &question, seq);
}

static PresenceAnswer any(uint64_t seq) {
        const PresenceAsked question = asked(false);

        return presence_ask(presence, &question, seq);
}

static void test_who_has_not_said_anything_decides_nothing(void **state) {
        (void)state;
        assert_int_equal(all(1), PRESENCE_UNKNOWN);
        say(lamp, 1, true);
        assert_int_equal(all(1), PRESENCE_UNKNOWN);
        assert_int_equal(any(1), PRESENCE_HERE);
        say(lamp, 2, false);
        assert_int_equal(all(2), PRESENCE_AWAY);
        assert_int_equal(any(2), PRESENCE_UNKNOWN);
        say(bridge, 3, false);
        assert_int_equal(any(3), PRESENCE_AWAY);
        say(lamp, 4, true);
        assert_int_equal(all(4), PRESENCE_AWAY);
        assert_int_equal(any(4), PRESENCE_HERE);
        say(bridge, 5, true);
        assert_int_equal(all(5), PRESENCE_HERE);
}

static void test_what_is_read_again_is_judged_as_it_was(void **state) {
        (void)state;
        say(bridge, 1, true);
        say(lamp, 2, true);
        say(bridge, 3, false);
        say(lamp, 2, false); /* read again: it said what it said */
        assert_int_equal(all(2), PRESENCE_HERE);
        assert_int_equal(all(3), PRESENCE_AWAY);
}

static void test_of_many_words_the_last_are_kept(void **state) {
        (void)state;
        say(lamp, 1, true);
        for (uint64_t seq = 10; seq < 20; ++seq)
                say(bridge, seq, seq % 2 == 0);
        say(bridge, 3, true); /* older than all that are kept */
        assert_int_equal(all(15), PRESENCE_UNKNOWN);
        for (uint64_t seq = 16; seq < 20; ++seq)
                assert_int_equal(all(seq), seq % 2 == 0 ? PRESENCE_HERE : PRESENCE_AWAY);
        assert_int_equal(all(100), PRESENCE_AWAY);
}

static void test_a_database_gives_back_what_it_was_told(void **state) {
        CLEANUP_BUF Buf key = { 0 };
        CLEANUP_BUF Buf said = { 0 };
        const PresenceAsked question = asked(true);

        (void)state;
        presence_key(TEXT("d"), TEXT("bridge"), &key);
        assert_true(presence_is_key(buf_text(&key)));
        assert_false(presence_is_key(TEXT("plant/press")));
        assert_int_equal(presence_restore(presence, buf_text(&key), TEXT("online"), 7), 0);
        say(lamp, 9, false);
        assert_int_equal(all(9), PRESENCE_AWAY);
        presence_write(presence, &question, 9, &said);
        assert_string_equal(said.data, "{\"bridge\":\"online\",\"lamp\":\"offline\"}");
}

static void test_numbers_move_with_those_of_the_journal(void **state) {
        (void)state;
        say(bridge, 5, true);
        say(lamp, 9, true);
        presence_move(presence, 6, 100);
        assert_int_equal(all(108), PRESENCE_UNKNOWN);
        assert_int_equal(all(109), PRESENCE_HERE);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_who_has_not_said_anything_decides_nothing,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_what_is_read_again_is_judged_as_it_was,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_of_many_words_the_last_are_kept,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_a_database_gives_back_what_it_was_told,
                                                setup,
                                                teardown),
                cmocka_unit_test_setup_teardown(test_numbers_move_with_those_of_the_journal,
                                                setup,
                                                teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
