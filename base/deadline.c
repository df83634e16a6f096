#include "base/deadline.h"

#define DEADLINE_SECOND_NS 1000000000L
#define DEADLINE_LOOK_NS   2000000L /* whether a thread has ended */

struct timespec deadline_in(int timeout_ms) {
        struct timespec ts = { 0 };

        if (timeout_ms <= 0) /* in the past: the clock need not be asked */
                return ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_sec += timeout_ms / 1000;
        ts.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
        if (ts.tv_nsec >= DEADLINE_SECOND_NS) {
                ts.tv_nsec -= DEADLINE_SECOND_NS;
                ++ts.tv_sec;
        }
        return ts;
}

/* The clock is said with each wait, not once with the condition: libfaketime forgets the latter,
 * and every wait under a clock that it has put back ended at once, for ever. */
bool deadline_wait(pthread_cond_t *cond, pthread_mutex_t *lock, const struct timespec *deadline) {
        return deadline->tv_sec > 0 &&
               pthread_cond_clockwait(cond, lock, CLOCK_MONOTONIC, deadline) == 0;
}

/* pthread_clockjoin_np() would wait for it, but is not known to gcc 12's ThreadSanitizer. */
bool deadline_join(pthread_t thread, const struct timespec *deadline) {
        const struct timespec pause = { .tv_nsec = DEADLINE_LOOK_NS };
        struct timespec now;

        while (pthread_tryjoin_np(thread, NULL) != 0) {
                clock_gettime(CLOCK_MONOTONIC, &now);
                if (now.tv_sec > deadline->tv_sec ||
                    (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec))
                        return false;
                (void)nanosleep(&pause, NULL);
        }
        return true;
}
