/* CommandNotes: what is said of a command waits for room in the journal, and for nothing at the
 * end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/commands/command_notes.h"

static struct {
        int n_full; /* tries until there is room; -1: never */
        int stop_fd, stop_at, n_tries;
        int answer;
        char last[160];
        Inbound inbound;
} journal;

static int take(void *arg, const Inbound *inbound) {
        assert_ptr_equal(arg, &journal);
        if (++journal.n_tries == journal.stop_at)
                assert_int_equal(eventfd_write(journal.stop_fd, 1), 0);
        if (journal.n_full < 0 || journal.n_tries <= journal.n_full)
                return INBOUND_E_FULL;
        journal.inbound = *inbound;
        snprintf(journal.last,
                 sizeof(journal.last),
                 "%.*s %.*s",
                 (int)inbound->topic.n,
                 inbound->topic.data,
                 (int)inbound->payload.n,
                 inbound->payload.data);
        return journal.answer;
}

static CommandNotes notes;

static int set_up(void **state) {
        (void)state;
        memset(&journal, 0, sizeof(journal));
        journal.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        notes = (CommandNotes){ .inbound = take, .arg = &journal, .stop_fd = journal.stop_fd };
        return journal.stop_fd < 0;
}

static int tear_down(void **state) {
        (void)state;
        return close(journal.stop_fd);
}

static void test_what_is_said_of_a_command_is_a_state_of_its_device(void **state) {
        (void)state;
        assert_int_equal(command_notes_say(&notes, "c1", 7, "cancelled", "by \"ana\""), 0);
        assert_int_equal(journal.inbound.door, DOOR_INTERNAL);
        assert_int_equal(journal.inbound.kind, KIND_COMMAND_STATE);
        assert_int_equal(journal.inbound.device_id, 7);
        assert_string_equal(journal.last,
                            "c1 {\"command_id\":\"c1\",\"state\":\"cancelled\","
                            "\"message\":\"by \\\"ana\\\"\"}");
        assert_int_equal(command_notes_say(&notes, "c2", 7, "expired", NULL), 0);
        assert_string_equal(journal.last, "c2 {\"command_id\":\"c2\",\"state\":\"expired\"}");
}

static void test_a_full_journal_is_waited_for(void **state) {
        (void)state;
        journal.n_full = 2;
        assert_int_equal(command_notes_say(&notes, "c1", 7, "published", NULL), 0);
        assert_int_equal(journal.n_tries, 3);
        assert_false(command_notes_is_stopped(&notes, 0));
}

static void test_an_end_is_not_held_up_by_a_journal_that_stays_full(void **state) {
        (void)state;
        journal.n_full = -1;
        journal.stop_at = 2;
        assert_int_equal(command_notes_say(&notes, "c1", 7, "published", NULL), INBOUND_E_FULL);
        assert_int_equal(journal.n_tries, 2);
        assert_true(command_notes_is_stopped(&notes, 0));
}

static void test_a_fault_of_the_journal_is_no_reason_to_try_again(void **state) {
        (void)state;
        journal.answer = -EIO;
        assert_int_equal(command_notes_say(&notes, "c1", 7, "published", NULL), -EIO);
        assert_int_equal(journal.n_tries, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_what_is_said_of_a_command_is_a_state_of_its_device),
                TEST(test_a_full_journal_is_waited_for),
                TEST(test_an_end_is_not_held_up_by_a_journal_that_stays_full),
                TEST(test_a_fault_of_the_journal_is_no_reason_to_try_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
