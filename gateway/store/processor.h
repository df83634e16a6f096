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
#include "db/write/slots.h"

typedef struct Journal Journal;
typedef struct Processor Processor;
typedef struct ProcessorOptions ProcessorOptions;
typedef struct Queue Queue;
typedef struct Routes Routes;

/* What main says of us, by what it knows of others. */
typedef enum ProcessorStanding {
        PROCESSOR_WAITS,  /* another gateway stores; so it begins */
        PROCESSOR_LOOKS,  /* nobody knows: it connects, and does nothing */
        PROCESSOR_STORES, /* it is for us to store, as far as the database agrees */
} ProcessorStanding;

struct ProcessorOptions {
        const char *database_url;
        DbHolder holder;    /* as whom it stores */
        size_t max_batch;   /* messages in one transaction */
        int max_delay_ms;   /* how long a small batch may wait for more; 0 = never */
        int stall_ms;       /* a commit that takes longer makes live go ahead of it */
        int timeout_ms;     /* a commit that takes longer is given up with its connection */
        int heartbeat_ms;   /* how often it is proven that changes of the registry are heard of */
        int check_ms;       /* how often the books are compared */
        int new_per_minute; /* devices that are created by themselves; 0 = no limit */
        int user_share;     /* percent of these, see owners.h */
        int max_devices;    /* in all, beyond which none is; 0 = no limit */
        int max_sensors;    /* of one vehicle; 0 = no limit */
        int max_people;     /* that one camera has counted; 0 = no limit */
        int outbox_wait_ms; /* how long a full outbox may hold the processor up */
        const char *routes_file; /* where the tables of routes are noted; NULL = nowhere */
        bool migrate;            /* bring the schema up to date before anything else */
};

MUST_CHECK int processor_new(Processor **ret_processor,
                             const ProcessorOptions *options,
                             Journal *journal,
                             Routes *routes,
                             Queue *outbox);
/* Stores what the journal holds, for at most @grace_ms, closes the outbox, joins. */
Processor *processor_free(Processor *processor);
void processor_stop(Processor *processor, int grace_ms); /* any thread: begin to stop */
void processor_set_standing(Processor *processor, ProcessorStanding standing); /* any thread */
void processor_set_routes(Processor *processor, Routes *routes);               /* any thread */
int processor_result(
        const Processor *processor); /* a fault (< 0) once the thread has ended with one */

DEFINE_CLEANUP(Processor *, processor_free);
