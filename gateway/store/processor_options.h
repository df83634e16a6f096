#pragma once

/*
 * ProcessorOptions: what the processor is told at its start, and by main while it runs.
 */

#include "base/base.h"
#include "db/write/slots.h"
#include "gateway/store/merged.h"
#include "gateway/store/nodes.h"
#include "gateway/store/outbox.h"

typedef struct ProcessorOptions ProcessorOptions;

/* What main says of us, by what it knows of others. */
typedef enum ProcessorStanding {
        PROCESSOR_WAITS,  /* another gateway stores; so it begins */
        PROCESSOR_LOOKS,  /* nobody knows: it connects, and does nothing */
        PROCESSOR_STORES, /* it is for us to store, as far as the database agrees */
} ProcessorStanding;

struct ProcessorOptions {
        const char *database_url;
        DbHolder holder;      /* as whom it stores */
        size_t max_batch;     /* messages in one transaction */
        int max_delay_ms;     /* how long a small batch may wait for more; 0 = never */
        int stall_ms;         /* a commit that takes longer makes live go ahead of it */
        int timeout_ms;       /* a commit that takes longer is given up with its connection */
        int heartbeat_ms;     /* how often it is proven that changes of the registry are heard of */
        int check_ms;         /* how often the books are compared */
        int new_per_minute;   /* devices that are created by themselves; 0 = no limit */
        int user_share;       /* percent of these, see owners.h */
        int max_devices;      /* in all, beyond which none is; 0 = no limit */
        int max_sensors;      /* of one vehicle; 0 = no limit */
        int max_people;       /* that one camera has counted; 0 = no limit */
        int max_notes;        /* on rows of one thing and day that are kept */
        NodesOptions nodes;   /* of Sparkplug */
        MergedOptions merged; /* of routes with merge = on */
        _Atomic uint64_t *edges_view; /* see origins_new(); NULL */
        const char *routes_file;      /* where the tables of routes are noted; NULL = nowhere */
        OutboxOptions outbox;         /* wait_ms: how long a full one may hold the processor up */
        /* Called as its last, on its thread: the outbox may be closed. NULL: it is. */
        void (*ended)(void *arg);
        void *ended_arg;
        bool migrate; /* bring the schema up to date before anything else */
};
