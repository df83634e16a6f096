#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

#define LOG_LINE_SIZE   2048 /* a longer line is cut; a pipe takes it whole or not at all */
#define LOG_PACE_US     INT64_C(60000000)
#define LOG_PATIENCE_MS 20 /* for a reader who is behind; once, until he reads again */

static const char *const log_level_names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int log_level = LOG_LEVEL_INFO;
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER; /* nobody waits in it */
static _Atomic uint64_t log_n_lost_ever;
static unsigned long long log_n_lost; /* {log_lock} since it took some */

bool log_may(LogPace *pace, unsigned long long *ret_n_held) {
        int64_t now_us = clock_mono_us();
        int64_t due_us = atomic_load(&pace->due_us);

        /* Of two that come at the same time the first one writes. */
        if (now_us < due_us ||
            !atomic_compare_exchange_strong(&pace->due_us, &due_us, now_us + LOG_PACE_US)) {
                atomic_fetch_add(&pace->n_held, 1);
                return false;
        }
        *ret_n_held = atomic_exchange(&pace->n_held, 0);
        return true;
}

void log_set_level(LogLevel level) {
        atomic_store_explicit(&log_level, (int)level, memory_order_relaxed);
}

/* A value that came from outside must not be able to begin a line of its own. */
static void log_mask_controls(char *text, size_t n) {
        for (size_t i = 0; i < n; ++i) {
                unsigned char c = (unsigned char)text[i];

                if (c < 0x20 || c == 0x7f)
                        text[i] = '?';
        }
}

/* What vsnprintf() and snprintf() say they would have written, bounded by what there was room for.
 */
static size_t log_written(int n, size_t n_room) {
        if (n < 0)
                return 0;
        return (size_t)n < n_room ? (size_t)n : n_room - 1;
}

/* Whether a write would not wait. Of a file, and of what is closed, it never does. */
static bool log_has_room(int patience_ms) {
        struct pollfd fd = { .fd = STDERR_FILENO, .events = POLLOUT };

        return poll(&fd, 1, patience_ms) > 0;
}

static bool log_put(const char *text, size_t n, int patience_ms) {
        return log_has_room(patience_ms) && write(STDERR_FILENO, text, n) >= 0;
}

uint64_t log_n_lost_lines(void) {
        return atomic_load_explicit(&log_n_lost_ever, memory_order_relaxed);
}

void log_last_words(const char *text, size_t n) {
        (void)log_put(text, n, LOG_PATIENCE_MS);
}

/* {log_lock} */
static bool log_tell_lost(void) {
        char line[128], time[CLOCK_TEXT_SIZE];
        int n;

        clock_format(clock_now_us(), time);
        n = snprintf(line, sizeof(line), "%s warning log_lost lines=%llu\n", time, log_n_lost);
        return log_put(line, (size_t)n, 0);
}

static void log_put_line(const char *line, size_t n) {
        pthread_mutex_lock(&log_lock);
        if (log_n_lost > 0 && log_tell_lost())
                log_n_lost = 0;
        if (log_n_lost > 0 || !log_put(line, n, LOG_PATIENCE_MS)) {
                ++log_n_lost;
                atomic_fetch_add_explicit(&log_n_lost_ever, 1, memory_order_relaxed);
        }
        pthread_mutex_unlock(&log_lock);
}

void log_write(LogLevel level, const char *format, ...) {
        int saved_errno = errno;
        char line[LOG_LINE_SIZE];
        char time[CLOCK_TEXT_SIZE];
        va_list args;
        size_t n;

        if ((int)level > atomic_load_explicit(&log_level, memory_order_relaxed))
                return;

        clock_format(clock_now_us(), time);
        n = log_written(snprintf(line, sizeof(line), "%s %s ", time, log_level_names[level]),
                        sizeof(line));
        errno = saved_errno; /* for %m */
        va_start(args, format);
        n += log_written(vsnprintf(line + n, sizeof(line) - n, format, args), sizeof(line) - n);
        va_end(args);

        log_mask_controls(line, n);
        line[n++] = '\n'; /* in the place of the NUL */
        log_put_line(line, n);
        errno = saved_errno;
}
