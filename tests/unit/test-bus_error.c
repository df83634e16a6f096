/* BusError: a mapped file that is cut ends the process with a line that names it. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/journal/bus_error.h"

#define PAGES 3
#define SIZE  ((size_t)PAGES * 4096)

typedef void (*DeedFn)(volatile char *map, const char *path);

static void do_nothing(volatile char *map, const char *path) {
        (void)path;
        map[SIZE - 1] = 'x';
}

static void do_cut(volatile char *map, const char *path) {
        if (truncate(path, 4096) == 0)
                map[SIZE - 1] = 'x';
}

static void do_remove(volatile char *map, const char *path) {
        (void)unlink(path);
        map[SIZE - 1] = 'x';
}

static int in_child(DeedFn deed, const char *path, int said) {
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        volatile char *map;

        if (fd < 0 || ftruncate(fd, SIZE) != 0 || dup2(said, STDERR_FILENO) < 0)
                return 99;
        map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
                return 99;
        bus_error_guard();
        deed(map, path);
        return 0;
}

/* What a process says that does it, and how it ends. */
static int status_after(DeedFn deed, const char *path, char *ret_said, size_t n) {
        int status = 0, pipes[2];
        size_t n_said = 0;
        ssize_t n_read;
        pid_t pid;

        assert_int_equal(pipe(pipes), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(in_child(deed, path, pipes[1]));
        close(pipes[1]);
        while (n_said < n - 1 && (n_read = read(pipes[0], ret_said + n_said, n - 1 - n_said)) > 0)
                n_said += (size_t)n_read;
        ret_said[n_said] = '\0';
        close(pipes[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        (void)unlink(path);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_the_file_that_was_cut_is_named(void **state) {
        char said[8192];

        (void)state;
        assert_int_equal(status_after(do_cut, "/tmp/tidegate test-cut.seg", said, sizeof(said)),
                         EXIT_FAILURE);
        assert_non_null(
                strstr(said, " error journal_unreadable file=\"/tmp/tidegate test-cut.seg"));
        assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1); /* one line */
}

static void test_a_long_path_is_said_whole(void **state) {
        char path[1024] = "/tmp/", said[8192], wanted[1100];

        (void)state;
        memset(path + 5, 'a', 240);
        strcpy(path + 245, ".seg");
        snprintf(wanted, sizeof(wanted), "file=\"%s\" hint=", path);
        assert_int_equal(status_after(do_cut, path, said, sizeof(said)), EXIT_FAILURE);
        assert_non_null(strstr(said, wanted));
}

/* It is there for whoever has it open. */
static void test_what_is_whole_or_removed_is_written_as_ever(void **state) {
        char said[8192];

        (void)state;
        assert_int_equal(status_after(do_nothing, "/tmp/tidegate-whole", said, sizeof(said)), 0);
        assert_int_equal(status_after(do_remove, "/tmp/tidegate-gone", said, sizeof(said)), 0);
        assert_string_equal(said, "");
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_the_file_that_was_cut_is_named),
                cmocka_unit_test(test_a_long_path_is_said_whole),
                cmocka_unit_test(test_what_is_whole_or_removed_is_written_as_ever),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
