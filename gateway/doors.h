#pragma once

/*
 * Doors: what there is one of in a process, whoever stores: the dispatcher, maintenance, what
 * mqtt.explore looks at, and what devices announce.
 *
 * Open from when this gateway first stores, or has to take itself for who does, until the end.
 * Belongs to main.
 */

#include "base/base.h"
#include "gateway/config/config.h"
#include "model/inbound.h"

typedef struct Discovery Discovery;
typedef struct Doors Doors;
typedef struct DoorsOptions DoorsOptions;
typedef struct Queue Queue;

/* All borrowed. */
struct DoorsOptions {
        const Config *config;
        const char *epoch;
        InboundFn inbound; /* what becomes of commands */
        void *inbound_arg;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder, to be published */
};

enum {
        DOORS_E_UNUSABLE = 1, /* as configured: said why in the log */
};

MUST_CHECK int doors_new(Doors **ret_doors, const DoorsOptions *options);
Doors *doors_free(Doors *doors);

/* @client_id is borrowed: of the session beside which they are. DOORS_E_UNUSABLE. */
MUST_CHECK int doors_open(Doors *doors, const char *client_id);
/* Its routes, and what may be discovered, which are in force in doors_routes(). */
MUST_CHECK int doors_reload(Doors *doors, const Config *config);
Discovery *doors_discovery(Doors *doors); /* borrowed, as are the next */
Routes *doors_own_routes(Doors *doors);   /* those that are configured */
Routes *doors_routes(Doors *doors);       /* and discovered ones */
/* What was announced in the meantime: *ret_is_changed: doors_routes() are other ones. */
MUST_CHECK int doors_turn(Doors *doors, bool *ret_is_changed);
int doors_fd(const Doors *doors); /* readable, or so much later: doors_turn() has something to do */
int64_t doors_wait_us(const Doors *doors);
void doors_tick(Doors *doors);                    /* about once a second */
int doors_result(const Doors *doors);             /* 0, or the fault of the dispatcher */
void doors_stop(Doors *doors, int dispatcher_ms); /* for good */

DEFINE_CLEANUP(Doors *, doors_free);
