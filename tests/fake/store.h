#pragma once

/*
 * A DbStore without a database: link tests/fake/store.c instead of db/store.c.
 *
 * It refuses a batch that holds the poisoned record, unless that is a dead letter, and
 * remembers what it stored.
 */

#include "db/store.h"

#define FAKE_STORE_MAX 64

struct DbStore {
        uint64_t poison_seq;  /* 0 = none */
        const char *sqlstate; /* of the refusal */
        bool is_offline;
        const DbBatch *batch; /* under way */

        uint64_t stored[FAKE_STORE_MAX]; /* sequence numbers, in order */
        Reason reasons[FAKE_STORE_MAX];
        size_t n_stored;
        size_t n_begun;
};

/* The database takes the batch under way, whatever becomes of its answer; false: it refuses it. */
bool fake_store_take(DbStore *store);
