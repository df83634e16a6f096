#include "model/metrics.h"

#include <stdatomic.h>

#include "model/record.h"

static _Atomic uint64_t metrics_cause; /* up to seven characters and a NUL */
#define METRICS_HOLDER_WORDS (METRICS_HOLDER_SIZE / sizeof(uint64_t))
static _Atomic uint64_t metrics_holder[METRICS_HOLDER_WORDS];
static _Atomic unsigned metrics_holder_turns;
static _Atomic int64_t metric_values[METRIC_COUNT];
static _Atomic int64_t metric_dead_letters[REASON_COUNT];
static struct {
        _Atomic uint64_t buckets[HISTOGRAM_MAX_BOUNDS + 1]; /* not cumulative; the last is +Inf */
        _Atomic double sum;
} histogram_values[HISTOGRAM_COUNT];

void metric_add(Metric metric, int64_t n) {
        atomic_fetch_add_explicit(&metric_values[metric], n, memory_order_relaxed);
}

void metric_set(Metric metric, int64_t value) {
        atomic_store_explicit(&metric_values[metric], value, memory_order_relaxed);
}

int64_t metric_get(Metric metric) {
        return atomic_load_explicit(&metric_values[metric], memory_order_relaxed);
}

void metrics_set_cause(const char *sqlstate) {
        uint64_t cause = 0;

        memcpy(&cause, sqlstate, strnlen(sqlstate, sizeof(cause) - 1));
        atomic_store_explicit(&metrics_cause, cause, memory_order_relaxed);
}

void metrics_get_cause(char ret_sqlstate[METRICS_CAUSE_SIZE]) {
        uint64_t cause = atomic_load_explicit(&metrics_cause, memory_order_relaxed);

        static_assert(sizeof(cause) == METRICS_CAUSE_SIZE, "a cause is stored in one piece");
        memcpy(ret_sqlstate, &cause, sizeof(cause));
}

/* In words, of which an odd number of turns says that they are being written. */
void metrics_set_holder(const char *holder) {
        uint64_t words[METRICS_HOLDER_WORDS] = { 0 };

        memcpy(words, holder, strnlen(holder, sizeof(words) - 1));
        atomic_fetch_add(&metrics_holder_turns, 1);
        for (size_t i = 0; i < METRICS_HOLDER_WORDS; ++i)
                atomic_store(&metrics_holder[i], words[i]);
        atomic_fetch_add(&metrics_holder_turns, 1);
}

void metrics_get_holder(char ret_holder[METRICS_HOLDER_SIZE]) {
        uint64_t words[METRICS_HOLDER_WORDS];
        unsigned turns;

        do {
                turns = atomic_load(&metrics_holder_turns);
                for (size_t i = 0; i < METRICS_HOLDER_WORDS; ++i)
                        words[i] = atomic_load(&metrics_holder[i]);
        } while (turns % 2 != 0 || turns != atomic_load(&metrics_holder_turns));
        memcpy(ret_holder, words, sizeof(words));
}

void metric_add_dead_letter(unsigned reason, int64_t n) {
        assert(reason < REASON_COUNT);

        atomic_fetch_add_explicit(&metric_dead_letters[reason], n, memory_order_relaxed);
}

int64_t metric_get_dead_letter(unsigned reason) {
        assert(reason < REASON_COUNT);

        return atomic_load_explicit(&metric_dead_letters[reason], memory_order_relaxed);
}

int64_t metric_get_dead_letters(void) {
        int64_t n = 0;

        for (unsigned reason = 0; reason < REASON_COUNT; ++reason)
                n += metric_get_dead_letter(reason);
        return n;
}

static void histogram_add_sum(Histogram histogram, double value) {
        _Atomic double *sump = &histogram_values[histogram].sum;
        double sum = atomic_load_explicit(sump, memory_order_relaxed);

        while (!atomic_compare_exchange_weak_explicit(sump,
                                                      &sum,
                                                      sum + value,
                                                      memory_order_relaxed,
                                                      memory_order_relaxed))
                continue;
}

void histogram_observe(Histogram histogram, double value) {
        const HistogramRow *row = histogram_row(histogram);
        size_t i = 0;

        if (!(value >= 0)) /* a clock that was set back, or no number at all */
                value = 0;
        while (i < row->n_bounds && value > row->bounds[i])
                ++i;
        atomic_fetch_add_explicit(&histogram_values[histogram].buckets[i], 1, memory_order_relaxed);
        histogram_add_sum(histogram, value);
}

uint64_t histogram_bucket(Histogram histogram, size_t i) {
        return atomic_load_explicit(&histogram_values[histogram].buckets[i], memory_order_relaxed);
}

double histogram_sum(Histogram histogram) {
        return atomic_load_explicit(&histogram_values[histogram].sum, memory_order_relaxed);
}

void metrics_reset(void) {
        metrics_set_cause("");
        metrics_set_holder("");
        for (size_t i = 0; i < METRIC_COUNT; ++i)
                metric_set((Metric)i, 0);
        for (size_t i = 0; i < REASON_COUNT; ++i)
                atomic_store_explicit(&metric_dead_letters[i], 0, memory_order_relaxed);
        for (size_t i = 0; i < HISTOGRAM_COUNT; ++i) {
                for (size_t k = 0; k <= HISTOGRAM_MAX_BOUNDS; ++k)
                        atomic_store_explicit(&histogram_values[i].buckets[k],
                                              0,
                                              memory_order_relaxed);
                atomic_store_explicit(&histogram_values[i].sum, 0, memory_order_relaxed);
        }
}
