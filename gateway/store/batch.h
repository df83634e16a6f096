#pragma once

/*
 * Batch: a run of journal records, decoded, resolved and applied to the latest state.
 *
 * Everything in it is borrowed from the journal or lives in its own arena; batch_reset() empties
 * both. A batch for the store stops before a record that only the database can settle
 * (batch_wants()); a batch that is merely shown passes over it, since the store comes by later. One
 * thread.
 */

#include "base/base.h"
#include "db/write/books.h"
#include "gateway/store/fate.h"
#include "gateway/store/understand.h"
#include "model/record.h"
#include "model/registry.h"

#define BATCH_AHEAD 256 /* devices that are created together with the one that is wanted */

typedef struct Batch Batch;
typedef struct BatchContext BatchContext;
typedef struct BatchSpan BatchSpan;
typedef struct Journal Journal;
typedef struct Judge Judge;
typedef struct Lateness Lateness;
typedef struct Merged Merged;
typedef struct Owners Owners;
typedef struct Sensors Sensors;

typedef enum BatchWant {
        BATCH_WANTS_NOTHING,
        BATCH_WANTS_TIME,     /* too few yet, and they are young: see BatchSpan */
        BATCH_WANTS_REFRESH,  /* the registry may be older than the record: look again */
        BATCH_WANTS_LETTER,   /* is the letter that it was still there? */
        BATCH_WANTS_REGISTER, /* an unknown device, and its route creates such */
} BatchWant;

/* What a batch is made from; borrowed for the call. */
struct BatchContext {
        Journal *journal;
        UnderstandContext by;
        Registry *registry;
        Lateness *latest;
        Judge *judge;
        Sensors *sensors;        /* NULL: as many as there are */
        Merged *merged;          /* NULL: messages stand for themselves */
        int64_t fresh_us;        /* the registry knows all that was committed before this time */
        uint64_t registered_seq; /* this record's device was to be created: do not ask again */
        uint64_t letter_seq;     /* this record's letter was looked for */
        bool letter_exists;      /* and found: it has not been stored yet */
        const Owners *owners;    /* NULL: all users may create as many as there may be */
        size_t n_may_register;   /* devices that may be created now */
        bool is_registry_full;   /* and if none: there are as many as there may be */
        bool is_final;           /* for the store: stop at what the database has to settle */
};

struct BatchSpan {
        uint64_t after_seq; /* exclusive */
        uint64_t until_seq; /* inclusive */
        size_t n_max;
        int64_t young_us; /* fewer than n_max that all came after this time: not yet; INT64_MAX =
                             now */
};

MUST_CHECK int batch_new(Batch **ret_batch, size_t capacity);
Batch *batch_free(Batch *batch);
void batch_reset(Batch *batch);

MUST_CHECK int batch_load(Batch *batch, const BatchContext *context, const BatchSpan *span);
/* The same behind what is in it, while there is room. */
MUST_CHECK int batch_load_on(Batch *batch, const BatchContext *context, const BatchSpan *span);
/*
 * What was decoded to be shown is to be stored as it is, but for two things: what was left to the
 * store is decided now, and whoever is named must still be who it was. Where that is to be asked
 * about, the batch ends before that record, which is loaded anew.
 */
MUST_CHECK int batch_settle(Batch *batch, const BatchContext *context);

size_t batch_length(const Batch *batch);
bool batch_is_full(const Batch *batch);
size_t batch_bytes(const Batch *batch);      /* of memory */
uint64_t batch_last_seq(const Batch *batch); /* only of a batch that is not empty */
Record *batch_record(const Batch *batch, size_t i);
Record *const *batch_records(const Batch *batch);
/* The latest state of the device as this record left it; NULL where it did not touch one. */
const DeviceState *batch_state(const Batch *batch, size_t i);

BatchWant batch_wants(const Batch *batch);
const Record *batch_wanting(
        const Batch *batch); /* the record that it stopped before; valid until reset */
/* Of BATCH_WANTS_REGISTER: records behind that one, of other devices that are to be created. NULL
 * at the end. */
const Record *batch_ahead(const Batch *batch, size_t i);

Record *batch_find(const Batch *batch, uint64_t seq); /* NULL: not in it */

bool batch_is_final(const Batch *batch); /* or empty */
BatchFate batch_fate(const Batch *batch, size_t i);
/* What the database does not take; it is not that already. */
void batch_set_aside(const Batch *batch, size_t i, Text detail);

/* The numbers and times of receipt of all of it; it is not empty. */
DbRange batch_range(const Batch *batch);

/* The devices that records [from, to) touch: ids, each once, ascending, at most to - from. */
size_t batch_devices(const Batch *batch, size_t from, size_t to, int64_t ret_ids[]);

DEFINE_CLEANUP(Batch *, batch_free);
