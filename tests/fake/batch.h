#pragma once

/* A Batch without a journal: link tests/fake/batch.c instead of gateway/store/batch.c. */

#include "gateway/store/batch.h"

#define FAKE_BATCH_MAX 16

struct Batch {
        Record records[FAKE_BATCH_MAX];
        Record *rows[FAKE_BATCH_MAX];
        size_t n;
};

extern uint64_t fake_batch_end;     /* the last record that batch_load() finds */
extern uint64_t fake_batch_wanting; /* where batch_settle() has something to ask about */
extern size_t fake_batch_bytes;     /* of each batch */
extern size_t fake_batch_decoded;   /* records, so far */

void fake_batch_init(Batch *batch, size_t n); /* records with seq 1..n, of no device */
