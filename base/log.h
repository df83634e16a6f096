#pragma once

/*
 * Log: one line a record on standard error, `time level event key=value ...`.
 *
 * Any thread; one write(2) a line, so that lines never mix. The first word of
 * the format is the event. Never a payload, never a secret. State changes are
 * logged, events are counted (metrics.h).
 *
 * Nobody waits for whoever reads the log: where standard error takes nothing (a
 * pipe that is full, a terminal that is held) a line is lost and counted, and
 * `log_lost` says how many were once it takes some again.
 */

#include "base/base.h"

typedef enum LogLevel {
        LOG_LEVEL_ERROR,
        LOG_LEVEL_WARNING,
        LOG_LEVEL_INFO,
        LOG_LEVEL_DEBUG,
} LogLevel;

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

void log_set_level(LogLevel level); /* any thread, at any time; default INFO */
uint64_t log_n_lost_lines(void);    /* that standard error did not take, since the start */

/* For lines that somebody outside can bring about as often as he likes: one a minute. True: write
 * it, and how many were not since the last one. Any thread; zeroed to begin with. */
typedef struct LogPace LogPace;

struct LogPace {
        _Atomic int64_t due_us; /* monotonic */
        _Atomic unsigned long long n_held;
};

bool log_may(LogPace *pace, unsigned long long *ret_n_held);

void log_write(LogLevel level, const char *format, ...) PRINTF(2, 3);
void log_last_words(const char *text, size_t n); /* of a signal handler; lost likewise */
