#include "base/watch.h"

#include <dirent.h>
#include <execinfo.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WATCH_THREADS 64
#define WATCH_FOREIGN 16
#define WATCH_FRAMES  64
#define WATCH_WAIT_MS 1000 /* for the stuck thread to say where it is */

typedef struct WatchForeign WatchForeign;
typedef struct WatchSlot WatchSlot;

struct WatchSlot {
        atomic_int tid; /* 0 = free */
        char name[WATCH_NAME_SIZE];
        atomic_ullong n_turns;
        atomic_bool is_resting;
        unsigned long long n_seen; /* of the watcher, like the next */
        int n_still;
};

struct WatchForeign {
        int tid; /* 0 = free */
        char name[WATCH_NAME_SIZE];
        unsigned long long n_seen;
        int n_still;
        bool is_there;
};

static WatchSlot watch_slots[WATCH_THREADS];
static _Thread_local WatchSlot *watch_own;
static WatchForeign watch_foreigners[WATCH_FOREIGN]; /* of the watcher */
static const char *watch_prefix;
static atomic_bool watch_has_traced;

static int watch_tid(void) {
        return (int)syscall(SYS_gettid);
}

void watch_enter(const char *name) {
        int tid = watch_tid();

        for (size_t i = 0; i < WATCH_THREADS && !watch_own; ++i) {
                int none = 0;

                if (!atomic_compare_exchange_strong(&watch_slots[i].tid, &none, -1))
                        continue;
                watch_own = &watch_slots[i];
                snprintf(watch_own->name, sizeof(watch_own->name), "%s", name);
                (void)pthread_setname_np(pthread_self(), watch_own->name);
                atomic_store(&watch_own->is_resting, false);
                atomic_fetch_add(&watch_own->n_turns, 1);
                atomic_store(&watch_own->tid, tid);
        }
}

void watch_leave(void) {
        if (watch_own)
                atomic_store(&watch_own->tid, 0);
        watch_own = NULL;
}

void watch_turn(void) {
        if (!watch_own)
                return;
        atomic_store_explicit(&watch_own->is_resting, false, memory_order_relaxed);
        atomic_fetch_add_explicit(&watch_own->n_turns, 1, memory_order_relaxed);
}

void watch_rest(void) {
        if (watch_own)
                atomic_store_explicit(&watch_own->is_resting, true, memory_order_relaxed);
}

void watch_foreign(const char *prefix) {
        watch_prefix = prefix;
}

/* ---- threads that know nothing of it --------------------------------------------------------- */

static bool watch_read(const char *tid, const char *file, char *ret_text, size_t size) {
        char path[96];
        ssize_t n;
        int fd;

        snprintf(path, sizeof(path), "/proc/self/task/%.16s/%s", tid, file);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = read(fd, ret_text, size - 1);
        (void)close(fd);
        ret_text[n > 0 ? n : 0] = '\0';
        return n > 0;
}

/* How often it has waited for something. */
static bool watch_waits(const char *tid, unsigned long long *ret_n) {
        static const char label[] = "\nvoluntary_ctxt_switches:";
        char text[4096];
        const char *at;

        if (!watch_read(tid, "status", text, sizeof(text)))
                return false;
        at = strstr(text, label);
        if (!at)
                return false;
        *ret_n = strtoull(at + strlen(label), NULL, 10);
        return true;
}

static WatchForeign *watch_find_foreign(int tid) {
        WatchForeign *free_one = NULL;

        for (size_t i = 0; i < WATCH_FOREIGN; ++i) {
                if (watch_foreigners[i].tid == tid)
                        return &watch_foreigners[i];
                if (watch_foreigners[i].tid == 0)
                        free_one = &watch_foreigners[i];
        }
        if (free_one)
                *free_one = (WatchForeign){ .tid = tid };
        return free_one;
}

static void watch_look_at(const char *tid) {
        unsigned long long n_turns;
        char name[WATCH_NAME_SIZE + 1];
        WatchForeign *foreign;

        if (!watch_read(tid, "comm", name, sizeof(name)) ||
            strncmp(name, watch_prefix, strlen(watch_prefix)) != 0 || !watch_waits(tid, &n_turns))
                return;
        foreign = watch_find_foreign((int)strtol(tid, NULL, 10));
        if (!foreign)
                return;
        name[strcspn(name, "\n")] = '\0';
        snprintf(foreign->name, sizeof(foreign->name), "%.15s", name);
        foreign->is_there = true;
        foreign->n_still = n_turns == foreign->n_seen ? foreign->n_still + 1 : 0;
        foreign->n_seen = n_turns;
}

static void watch_look_outside(void) {
        DIR *tasks = opendir("/proc/self/task");
        const struct dirent *task;

        for (size_t i = 0; i < WATCH_FOREIGN; ++i)
                watch_foreigners[i].is_there = false;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone. */
        while (tasks && (task = readdir(tasks)))
                if (task->d_name[0] != '.')
                        watch_look_at(task->d_name);
        if (tasks)
                closedir(tasks);
        for (size_t i = 0; i < WATCH_FOREIGN; ++i)
                if (!watch_foreigners[i].is_there)
                        watch_foreigners[i].tid = 0;
}

/* ---- who watches ----------------------------------------------------------------------------- */

static bool watch_is_still(WatchSlot *slot) {
        unsigned long long n_turns = atomic_load(&slot->n_turns);
        bool is_still = atomic_load(&slot->tid) > 0 && n_turns == slot->n_seen &&
                        !atomic_load(&slot->is_resting);

        slot->n_seen = n_turns;
        slot->n_still = is_still ? slot->n_still + 1 : 0;
        return is_still;
}

static void watch_name(WatchStuck *ret_stuck, const char *name, int tid) {
        snprintf(ret_stuck->name, sizeof(ret_stuck->name), "%s", name);
        ret_stuck->tid = tid;
}

static const WatchForeign *watch_still_foreigner(int n_ticks) {
        for (size_t i = 0; i < WATCH_FOREIGN; ++i)
                if (watch_foreigners[i].tid != 0 && watch_foreigners[i].n_still >= n_ticks)
                        return &watch_foreigners[i];
        return NULL;
}

/* One of ours may be still as it waits for what a foreigner holds, which begins by a wait, and so a
 * look later: then it is the other one that is stuck. */
bool watch_tick(int n_ticks, WatchStuck *ret_stuck) {
        const WatchForeign *foreign;
        bool is_stuck = false;

        if (watch_prefix)
                watch_look_outside();
        for (size_t i = 0; i < WATCH_THREADS; ++i) {
                WatchSlot *slot = &watch_slots[i];

                if (!watch_is_still(slot) || slot->n_still < n_ticks || is_stuck)
                        continue;
                watch_name(ret_stuck, slot->name, atomic_load(&slot->tid));
                is_stuck = true;
        }
        foreign = watch_still_foreigner(is_stuck && n_ticks > 2 ? n_ticks - 1 : n_ticks);
        if (foreign)
                watch_name(ret_stuck, foreign->name, foreign->tid);
        return is_stuck || foreign;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void watch_on_trace(int signo) {
        void *frames[WATCH_FRAMES];

        (void)signo;
        backtrace_symbols_fd(frames, backtrace(frames, WATCH_FRAMES), STDERR_FILENO);
        atomic_store(&watch_has_traced, true);
}

_Noreturn void watch_abort(const WatchStuck *stuck) {
        const struct sigaction action = { .sa_handler = watch_on_trace };
        void *frame[1];

        (void)backtrace(frame, 1); /* which loads what it needs now, and not in the handler */
        if (sigaction(SIGUSR2, &action, NULL) == 0 &&
            syscall(SYS_tgkill, getpid(), stuck->tid, SIGUSR2) == 0)
                for (int i = 0; i < WATCH_WAIT_MS / 10 && !atomic_load(&watch_has_traced); ++i)
                        (void)nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        abort();
}
