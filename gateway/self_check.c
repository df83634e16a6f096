#include "gateway/self_check.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "model/metrics.h"

#define SELF_CHECK_WATCH_US    INT64_C(1000000) /* between two looks at the threads, at least */
#define SELF_CHECK_STUCK_LOOKS 20               /* the outbox has not moved for so long */

/* At rest, that is with two readings the same, what came in is accounted for. What goes out is at
 * every moment: the loop of the sockets checks that itself (ws_hub_audit()). */
static void self_check_accounting(SelfCheck *check) {
        int64_t in = metric_get(METRIC_RECEIVED_MQTT) + metric_get(METRIC_RECEIVED_WS) +
                     metric_get(METRIC_RECEIVED_HTTP) + metric_get(METRIC_RECEIVED_INTERNAL) +
                     metric_get(METRIC_RECEIVED_UPLINK) + metric_get(METRIC_RECEIVED_RECOVERED);
        int64_t out = metric_get(METRIC_COMMITTED) + metric_get_dead_letters() +
                      metric_get(METRIC_DUPLICATE) + metric_get(METRIC_IN_JOURNAL) +
                      metric_get(METRIC_UPLINK_DROPPED);
        int64_t frames = metric_get(METRIC_WS_ACCOUNTING_DRIFT);
        int64_t stored = metric_get(METRIC_BOOKS_DRIFT); /* which says so itself */
        int64_t drift;

        if (in == check->in && out == check->out)
                check->drift = llabs(in - out);
        check->in = in;
        check->out = out;
        drift = check->drift + frames + stored;
        if (drift != stored && metric_get(METRIC_ACCOUNTING_DRIFT) != drift)
                log_error("accounting_drift messages=%lld frames=%lld",
                          (long long)check->drift,
                          (long long)frames);
        metric_set(METRIC_ACCOUNTING_DRIFT, drift);
}

/* The sockets' loop takes something out of a full outbox, or it has stopped. */
static void self_check_outbox(SelfCheck *check, Queue *outbox) {
        size_t n = queue_length(outbox);

        metric_set(METRIC_OUTBOX_LENGTH, (int64_t)n);
        check->n_stuck = n > 0 && n >= check->n_outbox ? check->n_stuck + 1 : 0;
        check->n_outbox = n;
}

/* A look a second, and no more for the time in which we did not run ourselves. */
static void self_check_threads(SelfCheck *check, int watchdog_ms) {
        int64_t now_us = clock_mono_us();
        WatchStuck stuck;

        if (watchdog_ms == 0 || now_us - check->watched_us < SELF_CHECK_WATCH_US)
                return;
        check->watched_us = now_us;
        if (!watch_tick((watchdog_ms + 999) / 1000, &stuck))
                return;
        log_error("watchdog thread=%s tid=%d timeout_ms=%d hint=\"it does not move: its trace "
                  "follows, and the end\"",
                  stuck.name,
                  stuck.tid,
                  watchdog_ms);
        watch_abort(&stuck);
}

void self_check_tick(SelfCheck *check, Queue *outbox, int watchdog_ms) {
        self_check_accounting(check);
        self_check_outbox(check, outbox);
        self_check_threads(check, watchdog_ms);
}

bool self_check_is_well(const SelfCheck *check) {
        return check->n_stuck < SELF_CHECK_STUCK_LOOKS;
}
