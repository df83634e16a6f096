#include "model/metrics.h"

#include <stdatomic.h>

#include "model/record.h"
#include "model/slot.h"

/* What several slots come to. */
typedef enum MetricOver {
        METRIC_OVER_NOTHING, /* it is not of a slot */
        METRIC_OVER_SUM,
        METRIC_OVER_MOST,
        METRIC_OVER_LEAST, /* of those that are held */
} MetricOver;

static const unsigned char metric_over[METRIC_COUNT] = {
        [METRIC_IN_JOURNAL] = METRIC_OVER_SUM,
        [METRIC_ELSEWHERE] = METRIC_OVER_SUM,
        [METRIC_COMMITTED] = METRIC_OVER_SUM,
        [METRIC_JOURNAL_BYTES] = METRIC_OVER_SUM,
        [METRIC_JOURNAL_SEGMENTS] = METRIC_OVER_SUM,
        [METRIC_JOURNAL_FULL] = METRIC_OVER_MOST,
        [METRIC_JOURNAL_FAILED] = METRIC_OVER_MOST,
        [METRIC_JOURNAL_KEPT_BYTES] = METRIC_OVER_SUM,
        [METRIC_JOURNAL_FILES_GONE] = METRIC_OVER_SUM,
        [METRIC_JOURNAL_GAPS] = METRIC_OVER_SUM,
        [METRIC_LETTERS_REFUSED] = METRIC_OVER_SUM,
        [METRIC_BOOKS_DRIFT] = METRIC_OVER_SUM,
        [METRIC_MQTT_CONNECTED] = METRIC_OVER_LEAST,
        [METRIC_MQTT_FILTERS_REFUSED] = METRIC_OVER_MOST,
        [METRIC_SENSORS] = METRIC_OVER_MOST, /* each knows those of all vehicles */
        [METRIC_SPARKPLUG_THINGS] = METRIC_OVER_SUM,
        [METRIC_MERGED_DOCUMENTS] = METRIC_OVER_SUM,
        [METRIC_DB_CONNECTED] = METRIC_OVER_LEAST,
        [METRIC_DB_LAG_SECONDS] = METRIC_OVER_MOST,
        [METRIC_DB_POOLED] = METRIC_OVER_MOST,
        [METRIC_REGISTRY_STALE] = METRIC_OVER_MOST,
        [METRIC_LEASE_HELD] = METRIC_OVER_SUM,
        [METRIC_LEASE_WAITING] = METRIC_OVER_SUM,
        [METRIC_LAYOUT_DIFFERS] = METRIC_OVER_MOST,
        [METRIC_SLOTS_LEAVING] = METRIC_OVER_SUM,
        [METRIC_LEASE_RENEWED] = METRIC_OVER_SUM,
        [METRIC_LEASE_TAKEN] = METRIC_OVER_SUM,
        [METRIC_JOURNALS_LEFT] = METRIC_OVER_SUM,
};

static _Atomic int64_t metric_of_slots[SLOT_MAX][METRIC_COUNT];
static unsigned metrics_n_slots; /* before there are threads */
static int metrics_first_slot;
static _Thread_local unsigned metrics_here;
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

void metrics_have_slots(unsigned n_slots, int first) {
        assert(n_slots <= SLOT_MAX);
        metrics_n_slots = n_slots;
        metrics_first_slot = first;
}

unsigned metrics_enter(unsigned place) {
        unsigned before = metrics_here;

        assert(place <= metrics_n_slots);
        metrics_here = place;
        return before;
}

unsigned metrics_place(void) {
        return metrics_here;
}

unsigned metrics_n_places(void) {
        return metrics_n_slots;
}

int metrics_slot(unsigned place) {
        return metrics_first_slot + (int)place - 1;
}

bool metric_is_of_slots(Metric metric) {
        return metrics_n_slots > 0 && metric_over[metric] != METRIC_OVER_NOTHING;
}

static _Atomic int64_t *metric_cell(Metric metric) {
        return metrics_here > 0 && metric_over[metric] != METRIC_OVER_NOTHING
                       ? &metric_of_slots[metrics_here - 1][metric]
                       : &metric_values[metric];
}

void metric_add(Metric metric, int64_t n) {
        atomic_fetch_add_explicit(metric_cell(metric), n, memory_order_relaxed);
}

void metric_set(Metric metric, int64_t value) {
        atomic_store_explicit(metric_cell(metric), value, memory_order_relaxed);
}

int64_t metric_get_of(Metric metric, unsigned place) {
        assert(place > 0 && place <= metrics_n_slots);
        return atomic_load_explicit(&metric_of_slots[place - 1][metric], memory_order_relaxed);
}

static int64_t metric_least(Metric metric) {
        int64_t least = INT64_MAX;

        for (unsigned place = 1; place <= metrics_n_slots; ++place) {
                int64_t value = metric_get_of(metric, place);

                if (metric_get_of(METRIC_LEASE_HELD, place) != 0 && value < least)
                        least = value;
        }
        return least == INT64_MAX ? 0 : least;
}

/* What was added for no slot counts as well. */
int64_t metric_get(Metric metric) {
        int64_t value = atomic_load_explicit(&metric_values[metric], memory_order_relaxed);

        if (!metric_is_of_slots(metric))
                return value;
        if (metric_over[metric] == METRIC_OVER_LEAST)
                return metric_least(metric);
        for (unsigned place = 1; place <= metrics_n_slots; ++place) {
                int64_t one = metric_get_of(metric, place);

                if (metric_over[metric] == METRIC_OVER_SUM)
                        value += one;
                else if (one > value)
                        value = one;
        }
        return value;
}

bool metrics_stand_by(void) {
        return metric_get(METRIC_LEASE_WAITING) != 0 && metric_get(METRIC_LEASE_HELD) == 0;
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
        metrics_have_slots(0, 0);
        metrics_here = 0;
        for (size_t i = 0; i < METRIC_COUNT; ++i) {
                metric_set((Metric)i, 0);
                for (size_t k = 0; k < SLOT_MAX; ++k)
                        atomic_store_explicit(&metric_of_slots[k][i], 0, memory_order_relaxed);
        }
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
