/* LetterReturns: letters that are asked for are journalled page by page, one that cannot be is
 * refused, and an end leaves the rest to the next start. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/commands/command_notes.h"
#include "gateway/commands/letter_returns.h"
#include "tests/fake/commands.h"

static CommandNotes notes;
static LetterReturns returns;

static int set_up(void **state) {
        (void)state;
        fake_world_init();
        fake_world.is_open = true;
        notes = (CommandNotes){ .inbound = fake_world_take,
                                .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) };
        return letter_returns_init(&returns, &notes, NULL);
}

static int tear_down(void **state) {
        (void)state;
        fake_world_done();
        return close(notes.stop_fd);
}

static void add(const char *topic) {
        fake_world.letters[fake_world.n_letters++] = topic;
}

static void test_each_start_has_a_session_of_its_own(void **state) {
        LetterReturns other;

        (void)state;
        assert_int_equal(letter_returns_init(&other, &notes, NULL), 0);
        assert_string_not_equal(other.session, returns.session);
}

static void test_all_that_are_asked_for_go_in_with_their_marks_in_order(void **state) {
        bool more = true;

        (void)state;
        add("a/b");
        add("c/d");
        add("e");
        assert_int_equal(letter_returns_turn(&returns, "e", &more), 0);
        assert_false(more); /* the last page was empty */
        fake_world_in_order("journal $letter/1/0/a/b {}", "journal $letter/2/0/c/d {}");
        fake_world_in_order("journal $letter/2/0/c/d {}", "journal $letter/3/0/e {}");
        assert_int_equal(letter_returns_turn(&returns, "e", &more), 0);
        assert_int_equal(fake_world_times("journal $letter/3/0/e {}"), 1);
}

static void test_a_topic_without_room_for_its_mark_is_refused_alone(void **state) {
        static char topic[65001];
        bool more = true;

        (void)state;
        memset(topic, 't', sizeof(topic) - 1);
        add(topic);
        add("c/d");
        assert_int_equal(letter_returns_turn(&returns, "e", &more), 0);
        fake_world_in_order("letter 1 too_large", "journal $letter/2/0/c/d {}");
}

static void test_an_end_leaves_what_is_not_journalled_to_the_next_start(void **state) {
        bool more = false;

        (void)state;
        add("a/b");
        add("c/d");
        add("e");
        assert_int_equal(eventfd_write(notes.stop_fd, 1), 0);
        assert_int_equal(letter_returns_turn(&returns, "e", &more), 0);
        assert_true(more);
        assert_null(strstr(fake_world.log, "journal"));
        assert_int_equal(fake_world.n_claimed, 2); /* nor is another page claimed */
}

static void test_a_fault_of_the_journal_ends_the_turn_with_the_letter(void **state) {
        bool more = false;

        (void)state;
        add("a/b");
        add("c/d");
        fake_world.has_fault = true;
        assert_int_equal(letter_returns_turn(&returns, "e", &more), -EIO);
        fake_world.has_fault = false; /* it is the process that begins anew */
        assert_null(strstr(fake_world.log, "journal"));
}

static void test_without_a_database_there_is_nothing_to_take(void **state) {
        bool more = true;

        (void)state;
        add("a/b");
        fake_world.is_down = true;
        assert_int_not_equal(letter_returns_turn(&returns, "e", &more), 0);
        assert_false(more);
        fake_world.is_down = false;
        fake_world.is_open = true;
        assert_int_equal(letter_returns_turn(&returns, "e", &more), 0);
        assert_int_equal(fake_world_times("journal $letter/1/0/a/b {}"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                TEST(test_each_start_has_a_session_of_its_own),
                TEST(test_all_that_are_asked_for_go_in_with_their_marks_in_order),
                TEST(test_a_topic_without_room_for_its_mark_is_refused_alone),
                TEST(test_an_end_leaves_what_is_not_journalled_to_the_next_start),
                TEST(test_a_fault_of_the_journal_ends_the_turn_with_the_letter),
                TEST(test_without_a_database_there_is_nothing_to_take),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
