/* Gateway: what cannot start says so and leaves nothing; what has started ends when it is told, in
 * order and within the grace, with a database or without; what is loaded again and wrong changes
 * nothing. */

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/base.h"
#include "gateway/gateway.h"

#define N_OWN 8

static char dir[64], said[65536]; /* its journal; what it has logged */
static const char *listens;
static char file[96], journal[128];

static int set_up(void **state) {
        (void)state;
        snprintf(dir, sizeof(dir), "/tmp/test-gateway-XXXXXX");
        assert_non_null(mkdtemp(dir));
        snprintf(file, sizeof(file), "%s/conf", dir);
        snprintf(journal, sizeof(journal), "journal.dir=%s/journal", dir);
        listens = "http.listen=127.0.0.1:0";
        return 0;
}

static void remove_all(const char *path) {
        DIR *stream = opendir(path);
        struct dirent *entry; /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */

        while (stream && (entry = readdir(stream))) {
                char inside[512];

                if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
                        continue;
                snprintf(inside, sizeof(inside), "%s/%s", path, entry->d_name);
                if (unlink(inside) != 0)
                        remove_all(inside);
        }
        if (stream)
                (void)closedir(stream);
        (void)rmdir(path);
}

static int tear_down(void **state) {
        (void)state;
        remove_all(dir);
        return 0;
}

static void write_file(const char *text) {
        int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
        assert_int_equal(close(fd), 0);
}

/* As `serve`, in a process of its own: it is blocked for signals, and threads end with it. */
static void serve(int log_fd, void (*meanwhile)(void)) {
        const char *sets[N_OWN] = { listens,
                                    journal,
                                    "shutdown.grace=300ms",
                                    "log.level=info",
                                    "database.url=host=/nowhere" };
        const ConfigSource source = { .file = file, .sets = sets, .n_sets = 5 };
        Config *config = NULL;
        Gateway *gateway = NULL;
        int r;

        (void)dup2(log_fd, 1);
        (void)dup2(log_fd, 2);
        if (config_load(&config, &source) != 0)
                _exit(100);
        r = gateway_new(&gateway, config, &source);
        if (r == 0) {
                meanwhile();
                r = gateway_run(gateway);
        }
        gateway_free(gateway);
        config_free(config);
        _exit(r < 0 ? 101 : r);
}

static int outcome_of(void (*meanwhile)(void)) {
        char path[] = "/tmp/test-gateway-log-XXXXXX";
        int fd = mkstemp(path), status = 0;
        ssize_t n;
        pid_t pid;

        assert_true(fd >= 0);
        (void)fflush(NULL);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                serve(fd, meanwhile);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        n = pread(fd, said, sizeof(said) - 1, 0);
        assert_true(n >= 0);
        said[n] = '\0';
        assert_int_equal(close(fd), 0);
        assert_int_equal(unlink(path), 0);
        if (!WIFEXITED(status))
                print_error("%s\n", said);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

/* These were logged, each behind the one before it. */
static void assert_said(const char *const words[]) {
        const char *at = said;

        for (; *words; ++words) {
                const char *found = strstr(at, *words);

                if (!found)
                        print_error("\"%s\" is not in the rest of:\n%s\n", *words, said);
                assert_non_null(found);
                at = found;
        }
}

#define ASSERT_SAID(...) assert_said((const char *const[]){ __VA_ARGS__, NULL })

static void tell_to_end(void) {
        (void)raise(SIGTERM);
}

static void test_it_starts_without_a_database_and_ends_when_it_is_told(void **state) {
        (void)state;
        write_file("");
        assert_int_equal(outcome_of(tell_to_end), 0);
        ASSERT_SAID(" started ", " stopping grace_ms=300", " stopped in_journal=0");
        assert_int_equal(outcome_of(tell_to_end), 0); /* and once more, with what it has left */
        ASSERT_SAID(" started ", " stopped ");
}

static void test_an_address_that_is_taken_is_said_and_it_does_not_start(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        char taken[64];

        (void)state;
        assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
        snprintf(taken, sizeof(taken), "http.listen=127.0.0.1:%d", ntohs(address.sin_port));
        listens = taken;
        write_file("");
        assert_int_equal(outcome_of(tell_to_end), GATEWAY_E_START);
        ASSERT_SAID(" cannot_listen ");
        assert_null(strstr(said, " started "));
        assert_int_equal(close(fd), 0);
}

static void test_a_journal_that_cannot_be_is_said_and_it_does_not_start(void **state) {
        char path[96];
        int fd;

        (void)state;
        snprintf(path, sizeof(path), "%s/journal", dir);
        fd = open(path, O_WRONLY | O_CREAT, 0600); /* no folder */
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
        write_file("");
        assert_int_equal(outcome_of(tell_to_end), GATEWAY_E_START);
        assert_null(strstr(said, " started "));
}

static void load_again_what_is_wrong(void) {
        write_file("[ws]\nfrobnicate = 1\n");
        (void)raise(SIGHUP);
        (void)raise(SIGTERM);
}

static void load_again_what_is_right(void) {
        write_file("[ws]\nmax_set = 7\n");
        (void)raise(SIGHUP);
        (void)raise(SIGTERM);
}

static void test_what_is_loaded_again_is_taken_whole_or_not_at_all(void **state) {
        (void)state;
        write_file("");
        assert_int_equal(outcome_of(load_again_what_is_wrong), 0);
        ASSERT_SAID(" started ", " reload_refused ", " stopped ");
        assert_null(strstr(said, " reloaded"));
        write_file("");
        assert_int_equal(outcome_of(load_again_what_is_right), 0);
        ASSERT_SAID(" started ", " reloaded", " stopped ");
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
        const struct CMUnitTest tests[] = {
                EACH(test_it_starts_without_a_database_and_ends_when_it_is_told),
                EACH(test_an_address_that_is_taken_is_said_and_it_does_not_start),
                EACH(test_a_journal_that_cannot_be_is_said_and_it_does_not_start),
                EACH(test_what_is_loaded_again_is_taken_whole_or_not_at_all),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
