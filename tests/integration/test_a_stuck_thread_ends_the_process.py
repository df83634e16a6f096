"""The watchdog: a thread that does not move any more ends the process, with its trace; nothing else does."""
import signal
import subprocess
import time

import pytest

from conftest import populate
from servers import SLOW
from waiting import PATIENCE, wait_until

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <unistd.h>
#include <fcntl.h>

/* The thread whose name is in the file goes no further than its next wait. */
static int is_the_one(void) {
        char name[32] = "", wanted[32] = "";
        const char *path = getenv("STUCK");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;

        if (fd < 0)
                return 0;
        (void)!read(fd, wanted, sizeof(wanted) - 1);
        close(fd);
        prctl(PR_GET_NAME, name);
        return strcmp(name, wanted) == 0;
}

/* A wait for a socket is one inside Paho for mqtt-source, which holds Paho's lock there: Paho's own
 * threads would stand behind it, and either might be named. */
static int stands_here(void) {
        char name[32] = "";

        prctl(PR_GET_NAME, name);
        return strcmp(name, "mqtt-source") != 0 && is_the_one();
}

#define WRAP(type, name, params, args, stand)                               \
        type name params {                                                  \
                static type (*next) params;                                 \
                if (!next)                                                  \
                        next = (type (*) params)dlsym(RTLD_NEXT, #name);    \
                stand;                                                      \
                return next args;                                           \
        }
#define WRAP_SOCKET(type, name, params, args)                               \
        WRAP(type, name, params, args, while (stands_here()) pause())

WRAP_SOCKET(int, poll, (struct pollfd *f, nfds_t n, int t), (f, n, t))
WRAP_SOCKET(int, select, (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t), (n, r, w, e, t))
WRAP_SOCKET(int, epoll_wait, (int e, struct epoll_event *v, int n, int t), (e, v, n, t))
WRAP_SOCKET(int, epoll_pwait, (int e, struct epoll_event *v, int n, int t, const sigset_t *s), (e, v, n, t, s))

/* The lock is given up as in any such wait, and nobody else stands. */
WRAP(int, pthread_cond_clockwait,
     (pthread_cond_t *c, pthread_mutex_t *m, clockid_t k, const struct timespec *t), (c, m, k, t),
     while (is_the_one()) pthread_cond_wait(c, m))
WRAP(int, pthread_cond_timedwait,
     (pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t), (c, m, t),
     while (is_the_one()) pthread_cond_wait(c, m))
"""


@pytest.fixture
def shimmed(make_gateway, folder):
    (folder / "shim.c").write_text(SHIM, "ascii")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", folder / "shim.so", folder / "shim.c"],
                   check=True)
    gateway = make_gateway(watchdog__timeout="3s")
    populate(gateway)
    plain = gateway.environment()
    plain["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
    gateway.environment = lambda: {**plain, "LD_PRELOAD": str(folder / "shim.so"),
                                   "STUCK": str(folder / "stuck")}
    return gateway.start()


@pytest.mark.parametrize("thread", ["sockets", "processor", "returning", "mqtt-source",
                                    "MQTTAsync_rcv"])
def test_a_thread_that_does_not_move_ends_the_process(shimmed, folder, thread):
    (folder / "stuck").write_text(thread, "ascii")
    assert shimmed.process.wait(PATIENCE * SLOW) == -signal.SIGABRT
    shimmed.process = None
    log = shimmed.log()
    line = [x for x in log.splitlines() if " watchdog thread=" in x]
    assert len(line) == 1 and f"thread={thread} " in line[0], log
    assert "shim.so" in log.split(line[0])[1]  # the trace says where


def test_what_takes_long_is_not_stuck(make_gateway, postgres, publisher):
    gateway = make_gateway(watchdog__timeout="2s")
    populate(gateway)
    gateway.start()
    gateway.freeze()
    time.sleep(4)  # a machine that is suspended for so long: nothing happens meanwhile that could be awaited
    gateway.thaw()
    postgres.freeze()  # and a database that takes its time
    publisher.publish("seano/USV-1/raw_log", "for it")
    wait_until(lambda: gateway.metric("tidegate_db_lag_seconds") > 4, "it to have waited for twice as long")
    assert gateway.status("/livez") == 200
    postgres.thaw()
    wait_until(gateway.is_ready, "it to be ready again", PATIENCE * SLOW)
    assert " watchdog " not in gateway.log()
    assert gateway.terminate() == 0
