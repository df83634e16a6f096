#include "base/errand.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/watch.h"

typedef enum ErrandState {
        ERRAND_NONE,
        ERRAND_SENT,
        ERRAND_DONE,
} ErrandState;

struct Errand {
        pthread_t thread;
        bool has_thread;
        char name[WATCH_NAME_SIZE];
        int go_fd, done_fd, stop_fd; /* eventfds */
        _Atomic ErrandState state;   /* hands over what follows */
        ErrandFn fn;
        void *arg;
        int result;
};

/* False: it is the end. */
static bool errand_wait(Errand *errand) {
        struct pollfd fds[] = {
                { .fd = errand->go_fd, .events = POLLIN },
                { .fd = errand->stop_fd, .events = POLLIN },
        };
        eventfd_t ignored;

        watch_rest();
        while (poll(fds, N_ELEMENTS(fds), -1) <= 0)
                continue;
        (void)eventfd_read(errand->go_fd, &ignored);
        watch_turn();
        return fds[1].revents == 0;
}

static void *errand_main(void *arg) {
        Errand *errand = arg;

        watch_enter(errand->name);
        while (errand_wait(errand)) {
                if (atomic_load(&errand->state) != ERRAND_SENT)
                        continue;
                errand->result = errand->fn(errand->arg);
                atomic_store(&errand->state, ERRAND_DONE);
                (void)eventfd_write(errand->done_fd, 1);
        }
        watch_leave();
        return NULL;
}

int errand_new(Errand **ret_errand, const char *name) {
        CLEANUP(errand_free) Errand *errand = NULL;
        int r;

        errand = calloc(1, sizeof(*errand));
        if (!errand)
                return err_new(-ENOMEM);
        snprintf(errand->name, sizeof(errand->name), "%s", name);
        errand->go_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        errand->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        errand->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (errand->go_fd < 0 || errand->done_fd < 0 || errand->stop_fd < 0)
                return err_new(-errno);
        r = pthread_create(&errand->thread, NULL, errand_main, errand);
        if (r != 0)
                return err_new(-r);
        errand->has_thread = true;
        *ret_errand = TAKE(&errand);
        return 0;
}

static void errand_close(int fd) {
        if (fd >= 0)
                (void)close(fd);
}

Errand *errand_free(Errand *errand) {
        if (!errand)
                return NULL;
        if (errand->stop_fd >= 0)
                (void)eventfd_write(errand->stop_fd, 1);
        if (errand->has_thread)
                MUST(pthread_join(errand->thread, NULL));
        errand_close(errand->go_fd);
        errand_close(errand->done_fd);
        errand_close(errand->stop_fd);
        free(errand);
        return NULL;
}

int errand_stop_fd(const Errand *errand) {
        return errand->stop_fd;
}

void errand_begin(Errand *errand, ErrandFn fn, void *arg) {
        assert(!errand_is_out(errand));
        errand->fn = fn;
        errand->arg = arg;
        atomic_store(&errand->state, ERRAND_SENT);
        (void)eventfd_write(errand->go_fd, 1);
}

bool errand_is_out(const Errand *errand) {
        return atomic_load(&errand->state) != ERRAND_NONE;
}

int errand_fd(const Errand *errand) {
        return errand->done_fd;
}

bool errand_take(Errand *errand, int *ret_result) {
        eventfd_t ignored;

        if (atomic_load(&errand->state) != ERRAND_DONE)
                return false;
        (void)eventfd_read(errand->done_fd, &ignored);
        *ret_result = errand->result;
        atomic_store(&errand->state, ERRAND_NONE);
        return true;
}
