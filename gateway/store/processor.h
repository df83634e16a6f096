#pragma once

/*
 * Processor: reads the journal, understands, stores, and then publishes.
 *
 * It owns one thread, and through it the writing database connection, the authoritative registry
 * and the latest state. Two cursors walk the journal: the stored one, which is committed with the
 * data, and the shown one. While PostgreSQL answers they move together and a message is shown after
 * its commit; when it does not, the shown one goes ahead (persisted = false) and the stored one
 * catches up later without showing anything twice.
 */

#include "base/base.h"
#include "gateway/store/processor_options.h"

typedef struct Journal Journal;
typedef struct Processor Processor;
typedef struct Queue Queue;
typedef struct Routes Routes;

MUST_CHECK int processor_new(Processor **ret_processor,
                             const ProcessorOptions *options,
                             Journal *journal,
                             Routes *routes,
                             Queue *outbox);
/* Stores what the journal holds, for at most @grace_ms, closes the outbox, joins. */
Processor *processor_free(Processor *processor);
void processor_stop(Processor *processor, int grace_ms); /* any thread: begin to stop */
void processor_set_standing(Processor *processor, ProcessorStanding standing); /* any thread */
/* Any thread: the schema is there, so that users and devices can be told also where it stores
 * nothing. */
void processor_may_follow(Processor *processor);
void processor_set_routes(Processor *processor, Routes *routes); /* any thread */
/* Any thread: all of the journal up to @seq is stored, and nothing is under way. */
bool processor_has_stored(const Processor *processor, uint64_t seq);
int processor_result(
        const Processor *processor); /* a fault (< 0) once the thread has ended with one */

DEFINE_CLEANUP(Processor *, processor_free);
