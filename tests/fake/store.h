#pragma once

/*
 * A DbStore without a database: link tests/fake/store.c instead of db/write/store.c.
 *
 * It refuses a batch that holds the poisoned record, unless that is a dead letter, or the state of
 * a poisoned device, and remembers what it stored. While @is_closed, the table takes nothing.
 */

#include "db/write/store.h"

#define FAKE_STORE_MAX 64

struct DbStore {
        uint64_t poison_seq;   /* 0 = none */
        RecordSide side;       /* of it: what is poisoned */
        const char *sqlstate;  /* of the refusal */
        int64_t poison_device; /* 0 = none; -1 = all of them */
        bool is_offline;
        bool is_closed;
        const DbBatch *batch; /* under way */

        uint64_t stored[FAKE_STORE_MAX]; /* sequence numbers, in order */
        Reason reasons[FAKE_STORE_MAX];
        size_t n_stored;
        size_t n_begun;
        int64_t states[FAKE_STORE_MAX]; /* devices, in order */
        size_t n_states;
};

/* The database takes the batch under way, whatever becomes of its answer; false: it refuses it. */
bool fake_store_take(DbStore *store);
