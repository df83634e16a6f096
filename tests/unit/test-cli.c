/* Cli: what is asked for is the command of most words; what cannot be meant is told by name, ends
 * with 2, and does nothing; what was printed and did not arrive ends with 1. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/cli/cli.h"

#define WORDS_MAX 600

static char out[65536], err[4096]; /* what it has printed */

static void take_file(int fd, char *text, size_t size) {
        ssize_t n = pread(fd, text, size - 1, 0);

        assert_true(n >= 0);
        text[n] = '\0';
        assert_int_equal(close(fd), 0);
}

static int temporary(void) {
        char path[] = "/tmp/test-cli-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        assert_int_equal(unlink(path), 0);
        return fd;
}

/* The exit code of a process of its own, as main() would have it; @to: NULL, or where it prints. */
static int run_to(const char *to, const char *const words[]) {
        int fds[2] = { temporary(), temporary() };
        char *argv[WORDS_MAX] = { NULL };
        int argc = 0, status;
        pid_t pid;

        while (words[argc]) {
                argv[argc] = (char *)(uintptr_t)words[argc];
                ++argc;
        }
        (void)fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                int fd = to ? open(to, O_WRONLY) : fds[0];

                (void)dup2(fd, 1);
                (void)dup2(fds[1], 2);
                (void)unsetenv("TIDEGATE_CONFIG");
                _exit(cli_main(argc, argv));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        take_file(fds[0], out, sizeof(out));
        take_file(fds[1], err, sizeof(err));
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

#define RUN(...) run_to(NULL, (const char *const[]){ "tidegate", __VA_ARGS__, NULL })

static void assert_says(const char *text, const char *part) {
        if (!strstr(text, part))
                print_error("\"%s\" is not in:\n%s\n", part, text);
        assert_non_null(strstr(text, part));
}

static void test_what_is_no_command_is_told_and_what_there_is_is_shown(void **state) {
        (void)state;
        assert_int_equal(run_to(NULL, (const char *const[]){ "tidegate", NULL }), 2);
        assert_says(err, "no command\nsee tidegate --help");
        assert_int_equal(RUN("usr"), 2);
        assert_says(err, "unknown command 'usr'\nsee tidegate --help");
        assert_int_equal(RUN("user"), 2);
        assert_says(err, "tidegate user: no such command\nsee tidegate user --help");
        assert_int_equal(RUN("user", "ad"), 2);
        assert_says(err, "tidegate user: no such command");
        assert_string_equal(out, "");
}

static void test_help_is_of_all_of_a_family_or_of_one(void **state) {
        (void)state;
        assert_int_equal(RUN("--help"), 0);
        assert_says(out, "tidegate serve\n");
        assert_says(out, "tidegate user add NAME");
        assert_int_equal(RUN("user", "--help"), 0);
        assert_says(out, "tidegate user add NAME");
        assert_null(strstr(out, "tidegate serve\n"));
        assert_int_equal(RUN("user", "add", "--help"), 0);
        assert_says(out, "usage: tidegate user add NAME");
        assert_null(strstr(out, "user token"));
        assert_int_equal(RUN("--version"), 0);
        assert_says(out, TIDEGATE_VERSION);
        assert_string_equal(err, "");
}

/* `device token rotate` is not `device token`. */
static void test_of_several_commands_it_is_the_one_of_most_words(void **state) {
        (void)state;
        assert_int_equal(RUN("device", "token", "rotate", "--help"), 0);
        assert_says(out, "usage: tidegate device token rotate CODE");
        assert_int_equal(RUN("device", "token"), 2);
        assert_says(err, "tidegate device: no such command");
}

static void test_options_and_operands_that_cannot_be_meant_are_told(void **state) {
        (void)state;
        assert_int_equal(RUN("user", "add", "ana", "--frobnicate"), 2);
        assert_says(err, "option '--frobnicate' is not known");
        assert_int_equal(RUN("user", "add", "ana", "--role"), 2);
        assert_says(err, "option '--role' needs a value");
        assert_int_equal(RUN("user", "list", "--role", "admin"), 2);
        assert_says(err, "tidegate user list: --role is not for this");
        assert_int_equal(RUN("user", "add"), 2);
        assert_says(err, "tidegate user add: an operand is missing");
        assert_int_equal(RUN("user", "add", "ana", "bob"), 2);
        assert_says(err, "tidegate user add: too many operands");
        assert_string_equal(out, "");
}

static void test_there_are_so_many_settings_and_no_more(void **state) {
        const char *words[WORDS_MAX] = { "tidegate", "check-config" };

        (void)state;
        for (size_t i = 2; i < 2 + 2 * 257; i += 2) {
                words[i] = "--set";
                words[i + 1] = "log.level=info";
        }
        assert_int_equal(run_to(NULL, words), 2);
        assert_says(err, "more than 256 --set");
}

/* A token that is shown this once is lost where nobody gets it. */
static void test_what_was_printed_and_is_not_whole_is_a_fault(void **state) {
        (void)state;
        assert_int_equal(run_to("/dev/full", (const char *const[]){ "tidegate", "--help", NULL }),
                         1);
        assert_says(err, "what was printed is not whole");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_no_command_is_told_and_what_there_is_is_shown),
                cmocka_unit_test(test_help_is_of_all_of_a_family_or_of_one),
                cmocka_unit_test(test_of_several_commands_it_is_the_one_of_most_words),
                cmocka_unit_test(test_options_and_operands_that_cannot_be_meant_are_told),
                cmocka_unit_test(test_there_are_so_many_settings_and_no_more),
                cmocka_unit_test(test_what_was_printed_and_is_not_whole_is_a_fault),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
