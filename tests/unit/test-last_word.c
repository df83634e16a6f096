/* DbLastWord: one line of what a server said last, whatever it was. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "db/last_word.h"

static void test_it_is_one_line_without_a_place_in_somebodys_source(void **state) {
        DbLastWord word = { 0 };

        (void)state;
        db_last_word_keep(&word,
                          "ERROR:  42P01: relation \"x\" does not exist\nLINE 1: SELECT\n\n"
                          "\nLOCATION:  parserOpenTable, parse_relation.c:1449\n",
                          "42P01");
        assert_string_equal(word.text,
                            "ERROR:  42P01: relation \"x\" does not exist LINE 1: SELECT");
        assert_string_equal(word.sqlstate, "42P01");
}

/* As libpq has it of several servers, in a language of theirs. */
static void test_the_last_sqlstate_of_the_text_counts_where_there_is_no_other(void **state) {
        DbLastWord word = { 0 };

        (void)state;
        db_last_word_keep(&word,
                          "connection to server at \"a\", port 5432 failed: FATAL:  57P03: no\n"
                          "connection to server at \"b\", port 5432 failed: FATAL:  28P01: "
                          "Passwort-Authentifizierung fehlgeschlagen\n",
                          NULL);
        assert_string_equal(word.sqlstate, "28P01");
        db_last_word_keep(&word, "could not translate host name:  nobody: there", NULL);
        assert_string_equal(word.sqlstate, "");
}

static void test_a_longer_one_is_cut(void **state) {
        char message[2 * DB_LAST_WORD_SIZE];
        DbLastWord word = { 0 };

        (void)state;
        memset(message, 'x', sizeof(message) - 1);
        message[sizeof(message) - 1] = '\0';
        db_last_word_keep(&word, message, "08006 and more");
        assert_int_equal(strlen(word.text), DB_LAST_WORD_SIZE - 1);
        assert_string_equal(word.sqlstate, "08006");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_is_one_line_without_a_place_in_somebodys_source),
                cmocka_unit_test(test_the_last_sqlstate_of_the_text_counts_where_there_is_no_other),
                cmocka_unit_test(test_a_longer_one_is_cut),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
