#include "gateway/explore/sketch.h"

#include <pthread.h>

#include "base/err.h"
#include "base/secret.h"
#include "base/text.h"

#define SKETCH_MINUTE_US INT64_C(60000000)

typedef struct SketchSet SketchSet;

/* What every message looks at, close together. */
struct SketchSet {
        uint64_t hashes[SKETCH_WAYS];
        uint64_t counts[SKETCH_WAYS]; /* 0: free */
};

struct Sketch {
        pthread_mutex_t lock;
        uint64_t seed; /* so that no list of topics that share a set is good for all */
        size_t n_sets;
        SketchSet *sets;      /* {lock} */
        SketchEntry *entries; /* {lock} but for their counts: SKETCH_WAYS a set */
        SketchSums sums;      /* {lock} */
};

int sketch_new(Sketch **ret_sketch, size_t n_shapes) {
        CLEANUP(sketch_free) Sketch *sketch = calloc(1, sizeof(*sketch));
        int r;

        if (!sketch)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&sketch->lock, NULL));
        sketch->n_sets = (n_shapes + SKETCH_WAYS - 1) / SKETCH_WAYS;
        sketch->sets = calloc(sketch->n_sets, sizeof(*sketch->sets));
        sketch->entries = calloc(sketch_size(sketch), sizeof(*sketch->entries));
        if (!sketch->sets || !sketch->entries)
                return err_new(-ENOMEM);
        r = secret_random(&sketch->seed, sizeof(sketch->seed));
        if (r != 0)
                return err_up(r);
        *ret_sketch = TAKE(&sketch);
        return 0;
}

Sketch *sketch_free(Sketch *sketch) {
        if (!sketch)
                return NULL;
        MUST(pthread_mutex_destroy(&sketch->lock));
        free(sketch->sets);
        free(sketch->entries);
        free(sketch);
        return NULL;
}

size_t sketch_size(const Sketch *sketch) {
        return sketch->n_sets * SKETCH_WAYS;
}

/* The place of the shape in its set, or the one that it is to take: a free one before the rarest.
 */
static size_t sketch_way(const SketchSet *set, uint64_t hash) {
        size_t rarest = 0;

        for (size_t i = 0; i < SKETCH_WAYS; ++i) {
                if (set->hashes[i] == hash && set->counts[i] > 0)
                        return i;
                if (set->counts[i] < set->counts[rarest])
                        rarest = i;
        }
        return rarest;
}

static void sketch_show(SketchEntry *entry, Text topic, Text payload) {
        entry->n_topic = (uint16_t)(topic.n < SKETCH_TOPIC ? topic.n : SKETCH_TOPIC);
        entry->n_sample = (uint16_t)(payload.n < SKETCH_SAMPLE ? payload.n : SKETCH_SAMPLE);
        entry->n_bytes = payload.n;
        if (entry->n_topic > 0)
                memcpy(entry->topic, topic.data, entry->n_topic);
        if (entry->n_sample > 0)
                memcpy(entry->sample, payload.data, entry->n_sample);
}

static void sketch_count(SketchEntry *entry, Text topic, Text payload, int64_t now_us) {
        int64_t minute = now_us / SKETCH_MINUTE_US;

        if (minute != entry->minute) {
                entry->n_before = minute == entry->minute + 1 ? entry->n_this : 0;
                entry->n_this = 0;
                entry->minute = minute;
                sketch_show(entry, topic, payload);
        }
        ++entry->n_this;
        entry->last_us = now_us;
}

SketchFate sketch_take(Sketch *sketch, Text topic, Text payload, int64_t now_us) {
        char shape[SHAPE_SIZE];
        size_t n_shape = shape_of(topic, shape), way;
        uint64_t hash = text_hash(TEXT_HASH ^ sketch->seed, shape, n_shape);
        size_t place = (hash * UINT64_C(0x9e3779b97f4a7c15) >> 32) % sketch->n_sets;
        SketchSet *set = &sketch->sets[place];
        SketchFate fate = SKETCH_KNOWN;
        SketchEntry *entry;

        pthread_mutex_lock(&sketch->lock);
        way = sketch_way(set, hash);
        entry = &sketch->entries[place * SKETCH_WAYS + way];
        ++sketch->sums.n_messages;
        if (set->counts[way] == 0 || set->hashes[way] != hash) {
                fate = set->counts[way] == 0 ? SKETCH_NEW : SKETCH_DISPLACED;
                sketch->sums.n_entries += fate == SKETCH_NEW;
                sketch->sums.n_displaced += fate == SKETCH_DISPLACED;
                set->hashes[way] = hash;
                *entry = (SketchEntry){ .error = set->counts[way],
                                        .first_us = now_us,
                                        .minute = -1 };
                memcpy(entry->shape, shape, n_shape + 1);
        }
        ++set->counts[way];
        sketch_count(entry, topic, payload, now_us);
        pthread_mutex_unlock(&sketch->lock);
        return fate;
}

void sketch_forget(Sketch *sketch) {
        pthread_mutex_lock(&sketch->lock);
        memset(sketch->sets, 0, sketch->n_sets * sizeof(*sketch->sets));
        memset(sketch->entries, 0, sketch_size(sketch) * sizeof(*sketch->entries));
        sketch->sums = (SketchSums){ 0 };
        pthread_mutex_unlock(&sketch->lock);
}

bool sketch_get(Sketch *sketch, size_t i, SketchEntry *ret_entry) {
        uint64_t n_messages;

        pthread_mutex_lock(&sketch->lock);
        n_messages = sketch->sets[i / SKETCH_WAYS].counts[i % SKETCH_WAYS];
        if (n_messages > 0) {
                *ret_entry = sketch->entries[i];
                ret_entry->n_messages = n_messages;
        }
        pthread_mutex_unlock(&sketch->lock);
        return n_messages > 0;
}

SketchSums sketch_sums(Sketch *sketch) {
        SketchSums sums;

        pthread_mutex_lock(&sketch->lock);
        sums = sketch->sums;
        pthread_mutex_unlock(&sketch->lock);
        return sums;
}

uint32_t sketch_per_minute(const SketchEntry *entry, int64_t now_us) {
        int64_t minute = now_us / SKETCH_MINUTE_US;

        if (minute > entry->minute + 1)
                return 0;
        if (minute == entry->minute + 1)
                return entry->n_this;
        return entry->n_before > 0 || entry->first_us / SKETCH_MINUTE_US < minute ? entry->n_before
                                                                                  : entry->n_this;
}
