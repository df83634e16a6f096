/* Watch: who does not move is seen; who rests, waits or moves is not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/watch.h"

typedef struct Worker Worker;

struct Worker {
        pthread_t thread;
        sem_t go, done;
        char order; /* turn, rest, wait, leave, name of a foreigner */
};

static void *work(void *arg) {
        Worker *worker = arg;

        watch_enter("worker");
        for (;;) {
                MUST(sem_wait(&worker->go));
                if (worker->order == 'l')
                        break;
                if (worker->order == 't')
                        watch_turn();
                if (worker->order == 'r')
                        watch_rest();
                if (worker->order == 'w') /* a semaphore may be there before it is waited for */
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
                if (worker->order == 'n')
                        MUST(pthread_setname_np(pthread_self(), "Foreign_1"));
                MUST(sem_post(&worker->done));
        }
        watch_leave();
        return NULL;
}

static void order(Worker *worker, char what) {
        worker->order = what;
        MUST(sem_post(&worker->go));
        if (what != 'l')
                MUST(sem_wait(&worker->done));
}

static int set_up(void **state) {
        Worker *worker = calloc(1, sizeof(*worker));

        MUST(sem_init(&worker->go, 0, 0));
        MUST(sem_init(&worker->done, 0, 0));
        MUST(pthread_create(&worker->thread, NULL, work, worker));
        order(worker, 't');
        *state = worker;
        return 0;
}

static int tear_down(void **state) {
        Worker *worker = *state;

        order(worker, 'l');
        MUST(pthread_join(worker->thread, NULL));
        free(worker);
        return 0;
}

static void test_who_moves_is_not_stuck(void **state) {
        WatchStuck stuck;

        for (int i = 0; i < 10; ++i) {
                assert_false(watch_tick(3, &stuck));
                order(*state, 't');
        }
}

static void test_who_stands_still_is_seen_after_so_many_looks(void **state) {
        WatchStuck stuck;

        order(*state, 't');
        for (int i = 0; i < 3; ++i)
                assert_false(watch_tick(3, &stuck));
        assert_true(watch_tick(3, &stuck));
        assert_string_equal(stuck.name, "worker");
        assert_true(stuck.tid > 0);
        order(*state, 't');
        assert_false(watch_tick(3, &stuck)); /* it goes on: all is forgotten */
}

static void test_who_waits_for_work_rests(void **state) {
        WatchStuck stuck;

        order(*state, 'r');
        for (int i = 0; i < 10; ++i)
                assert_false(watch_tick(3, &stuck));
        order(*state, 't');
        for (int i = 0; i < 3; ++i)
                assert_false(watch_tick(3, &stuck));
        assert_true(watch_tick(3, &stuck));
}

static void test_a_foreign_thread_is_watched_by_its_waits(void **state) {
        WatchStuck stuck;
        bool is_stuck = false;

        order(*state, 'r'); /* what it says of itself does not count */
        order(*state, 'n');
        watch_foreign("Foreign_");
        for (int i = 0; i < 20 && !is_stuck; ++i)
                is_stuck = watch_tick(3, &stuck);
        assert_true(is_stuck);
        assert_string_equal(stuck.name, "Foreign_1");
        for (int i = 0; i < 10; ++i) {
                order(*state, 'w');
                assert_false(watch_tick(3, &stuck));
        }
        watch_foreign("No such thread");
}

static void test_of_ours_and_a_foreign_one_the_foreign_one_is_named(void **state) {
        WatchStuck stuck;
        bool is_stuck = false;

        order(*state, 'n'); /* it is both, and stands still as both */
        watch_foreign("Foreign_");
        for (int i = 0; i < 20 && !is_stuck; ++i)
                is_stuck = watch_tick(3, &stuck);
        assert_true(is_stuck);
        assert_string_equal(stuck.name, "Foreign_1");
        watch_foreign("No such thread");
}

static void test_the_end_shows_where_the_thread_is(void **state) {
        int fds[2];
        pid_t pid;
        char text[16384] = { 0 };
        size_t n = 0;
        ssize_t r;
        int status;

        (void)state;
        assert_int_equal(pipe(fds), 0);
        pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                WatchStuck self = { .name = "self", .tid = (int)getpid() };

                (void)signal(SIGABRT, SIG_DFL);
                (void)dup2(fds[1], STDERR_FILENO);
                watch_abort(&self);
        }
        (void)close(fds[1]);
        while ((r = read(fds[0], text + n, sizeof(text) - 1 - n)) > 0)
                n += (size_t)r;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_non_null(strstr(text, "test-watch"));
        (void)close(fds[0]);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_who_moves_is_not_stuck, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_who_stands_still_is_seen_after_so_many_looks,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(test_who_waits_for_work_rests, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_a_foreign_thread_is_watched_by_its_waits,
                                                set_up,
                                                tear_down),
                cmocka_unit_test_setup_teardown(
                        test_of_ours_and_a_foreign_one_the_foreign_one_is_named, set_up, tear_down),
                cmocka_unit_test(test_the_end_shows_where_the_thread_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
