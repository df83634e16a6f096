#include "gateway/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "gateway/base/clock.h"

#define LOG_LINE_SIZE 2048 /* a longer line is cut */

static const char *const log_level_names[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARNING] = "warning",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
};

static _Atomic int log_level = LOG_LEVEL_INFO;

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
        if (write(STDERR_FILENO, line, n) < 0) {
                /* Nobody is left to tell. */
        }
        errno = saved_errno;
}
