#include "gateway/sparkplug/births.h"

#include "base/err.h"
#include "base/index.h"
#include "base/vec.h"
#include "gateway/sparkplug/payload.h"
#include "gateway/sparkplug/table.h"
#include "model/record.h"

typedef struct Thing Thing;

struct Thing {
        char *key;
        size_t n_key;
        Birth *births; /* ascending */
        size_t n, capacity;
        Thing *devices, *next; /* of a node; of a device: the next one of its node */

        uint64_t told_seq;  /* up to here what it brings was told */
        uint64_t count_seq; /* the last message whose counter was read, */
        uint64_t count;     /* and that */
        bool has_count;
        int64_t asked_us; /* 0: never */
};

struct Births {
        Index *things;
        size_t max_things, max_metrics;
        uint64_t stored_seq;
};

int births_new(Births **ret_births, size_t max_things, size_t max_metrics) {
        CLEANUP(births_free) Births *births = calloc(1, sizeof(*births));
        int r;

        if (!births)
                return err_new(-ENOMEM);
        births->max_things = max_things;
        births->max_metrics = max_metrics;
        r = index_new(&births->things);
        if (r != 0)
                return err_up(r);
        *ret_births = TAKE(&births);
        return 0;
}

static void thing_drop(Thing *thing, size_t n) {
        if (n == 0)
                return;
        for (size_t i = 0; i < n; ++i)
                sparkplug_table_unref(thing->births[i].table);
        thing->n -= n;
        memmove(thing->births, thing->births + n, thing->n * sizeof(*thing->births));
}

static void thing_free(void *arg, void *value) {
        Thing *thing = value;

        (void)arg;
        thing_drop(thing, thing->n);
        free(thing->births);
        free(thing->key);
        free(thing);
}

Births *births_free(Births *births) {
        if (!births)
                return NULL;
        if (births->things)
                index_each(births->things, thing_free, NULL);
        index_free(births->things);
        free(births);
        return NULL;
}

static Thing *births_thing(const Births *births, Text key) {
        return index_get(births->things, key.data, key.n);
}

static int thing_new(Births *births, Text key, Thing **ret_thing) {
        Thing *thing = calloc(1, sizeof(*thing));
        int r;

        if (!thing)
                return err_new(-ENOMEM);
        thing->n_key = key.n;
        thing->key = strndup(key.data, key.n);
        r = thing->key ? index_put(births->things, key.data, key.n, thing) : err_new(-ENOMEM);
        if (r != 0) {
                free(thing->key);
                free(thing);
                return err_up(r);
        }
        *ret_thing = thing;
        return 0;
}

/* GROUP/NODE of GROUP/NODE/DEVICE; all of it where it is a node. */
static Text node_of(Text key) {
        const char *first = memchr(key.data, '/', key.n);
        const char *second =
                first ? memchr(first + 1, '/', key.n - (size_t)(first + 1 - key.data)) : NULL;

        return (Text){ key.data, second ? (size_t)(second - key.data) : key.n };
}

/* A node is known with its devices, whether it was born or not. */
static int births_make(Births *births, Text key, Thing **ret_thing) {
        Text node_key = node_of(key);
        Thing *node = births_thing(births, node_key);
        size_t n_new = (node ? 0 : 1) + (node_key.n < key.n ? 1 : 0);
        int r = 0;

        if (index_length(births->things) + n_new > births->max_things)
                return BIRTHS_E_FULL;
        if (!node)
                r = thing_new(births, node_key, &node);
        *ret_thing = node;
        if (r != 0 || node_key.n == key.n)
                return err_up(r);
        r = thing_new(births, key, ret_thing);
        if (r != 0)
                return err_up(r);
        (*ret_thing)->next = node->devices;
        node->devices = *ret_thing;
        return 0;
}

/* How many births have numbers below @seq. */
static size_t thing_count_before(const Thing *thing, uint64_t seq) {
        size_t n = thing->n;

        while (n > 0 && thing->births[n - 1].seq >= seq)
                --n;
        return n;
}

static int64_t bd_seq_of(const SparkplugPayload *payload) {
        for (size_t i = 0; i < sparkplug_payload_length(payload); ++i) {
                SparkplugMetric metric = sparkplug_payload_metric(payload, i);

                if (text_equal(metric.name, TEXT("bdSeq")) &&
                    metric.value.form == SPARKPLUG_WHOLE && metric.value.whole <= INT64_MAX)
                        return (int64_t)metric.value.whole;
        }
        return -1;
}

static int thing_put(Thing *thing, size_t at, Birth birth) {
        if (!VEC_HAS_ROOM(thing->births, thing->n, thing->capacity, 2))
                return err_new(-ENOMEM);
        memmove(thing->births + at + 1,
                thing->births + at,
                (thing->n - at) * sizeof(*thing->births));
        thing->births[at] = birth;
        ++thing->n;
        return 0;
}

/* Those that nothing which is still to be stored can have been sent under. */
static void thing_forget(Thing *thing, uint64_t stored_seq) {
        size_t n = thing_count_before(thing, stored_seq + 1);

        if (thing->n > BIRTHS_VERSIONS && n < 2)
                n = 2;
        if (n > 1)
                thing_drop(thing, n - 1);
}

int births_add(Births *births, Text key, uint64_t seq, Text payload) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *opened = NULL;
        Thing *thing = births_thing(births, key);
        Birth birth = { .seq = seq };
        uint64_t count;
        size_t at = thing ? thing_count_before(thing, seq) : 0;
        int r;

        if (thing && at < thing->n && thing->births[at].seq == seq)
                return 0;
        r = sparkplug_payload_open(&opened, payload);
        if (r != 0)
                return r < 0 ? err_up(r) : BIRTHS_E_NONE;
        if (!thing)
                r = births_make(births, key, &thing);
        if (r != 0)
                return r;
        birth.bd_seq = bd_seq_of(opened);
        r = sparkplug_table_new(&birth.table, opened, births->max_metrics);
        if (r != 0)
                return err_up(r);
        if (at > 0 && sparkplug_table_equal(birth.table, thing->births[at - 1].table)) {
                sparkplug_table_unref(birth.table); /* as nearly always */
                birth.table = sparkplug_table_ref(thing->births[at - 1].table);
        }
        r = thing_put(thing, at, birth);
        if (r != 0) {
                sparkplug_table_unref(birth.table);
                return err_up(r);
        }
        if (sparkplug_payload_seq(opened, &count))
                births_set_count(births, node_of(key), seq, count);
        thing_forget(thing, births->stored_seq);
        return 0;
}

static Birth *thing_before(const Thing *thing, uint64_t seq) {
        size_t n = thing ? thing_count_before(thing, seq) : 0;

        return n > 0 ? &thing->births[n - 1] : NULL;
}

const Birth *births_before(const Births *births, Text thing, uint64_t seq) {
        return thing_before(births_thing(births, thing), seq);
}

static bool is_first(uint64_t *first_seq, uint64_t seq) {
        if (*first_seq == 0 || seq < *first_seq)
                *first_seq = seq;
        return *first_seq == seq;
}

bool births_is_first_alive(Births *births, Text key, uint64_t seq) {
        Birth *birth = thing_before(births_thing(births, key), seq);

        return !birth || is_first(&birth->alive_seq, seq);
}

bool births_is_first_dead(Births *births, Text key, uint64_t seq) {
        Birth *birth = thing_before(births_thing(births, key), seq);

        return !birth || is_first(&birth->dead_seq, seq);
}

bool births_tell(Births *births, Text key, uint64_t seq) {
        Thing *thing = births_thing(births, key);

        if (!thing || seq <= thing->told_seq)
                return false;
        thing->told_seq = seq;
        return true;
}

bool births_is_gap(Births *births, Text node, uint64_t seq, uint64_t count, bool begins) {
        Thing *thing = births_thing(births, node);
        bool is_gap;

        if (!thing || seq <= thing->count_seq)
                return false;
        is_gap = thing->has_count && !begins && count != (thing->count + 1) % 256;
        thing->has_count = true;
        thing->count_seq = seq;
        thing->count = count;
        return is_gap;
}

void births_set_count(Births *births, Text node, uint64_t seq, uint64_t count) {
        (void)births_is_gap(births, node, seq, count, true);
}

bool births_may_ask(Births *births, Text node, int64_t now_us, int64_t pause_us) {
        Thing *thing = births_thing(births, node);

        if (!thing && births_make(births, node, &thing) != 0)
                return false;
        if (thing->asked_us != 0 && now_us - thing->asked_us < pause_us)
                return false;
        thing->asked_us = now_us;
        return true;
}

void births_each_device(const Births *births,
                        Text node,
                        uint64_t seq,
                        BirthsDeviceFn fn,
                        void *arg) {
        const Thing *thing = births_thing(births, node);

        for (const Thing *device = thing ? thing->devices : NULL; device; device = device->next) {
                const Birth *birth = thing_before(device, seq);

                if (birth && (birth->dead_seq == 0 || birth->dead_seq > seq))
                        fn(arg,
                           (Text){ device->key + thing->n_key + 1,
                                   device->n_key - thing->n_key - 1 });
        }
}

size_t births_length(const Births *births) {
        return index_length(births->things);
}

void births_stored(Births *births, uint64_t seq) {
        births->stored_seq = seq;
}

static void thing_move(void *arg, void *value) {
        const RecordShift *shift = arg;
        Thing *thing = value;

        record_move(shift, &thing->told_seq);
        record_move(shift, &thing->count_seq);
        for (size_t i = 0; i < thing->n; ++i) {
                record_move(shift, &thing->births[i].seq);
                record_move(shift, &thing->births[i].alive_seq);
                record_move(shift, &thing->births[i].dead_seq);
        }
}

void births_move(Births *births, uint64_t stored_seq, uint64_t by) {
        RecordShift shift = { .stored_seq = stored_seq, .by = by };

        index_each(births->things, thing_move, &shift);
}
