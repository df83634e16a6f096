#pragma once

/*
 * Doors: what takes in, and what works on the database for everybody: the MQTT source, the
 * dispatcher, maintenance, what mqtt.explore looks at, and whether the inlet lets anything through.
 *
 * Open while this gateway is the one that stores, or has to take itself for it. Once opened they
 * are shut by the inlet alone until the end. Belongs to main.
 */

#include "base/base.h"
#include "gateway/config/config.h"

typedef struct Doors Doors;
typedef struct DoorsOptions DoorsOptions;
typedef struct Inlet Inlet;
typedef struct Lease Lease;
typedef struct Queue Queue;

/* All borrowed. What is filled in of @config is the session's name and where it is noted. */
struct DoorsOptions {
        Config *config;
        const char *epoch;
        Inlet *inlet;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder, to be published */
};

enum {
        DOORS_E_UNUSABLE = 1, /* as configured: said why in the log */
};

MUST_CHECK int doors_new(Doors **ret_doors, const DoorsOptions *options);
Doors *doors_free(Doors *doors);

const char *doors_client_id(const Doors *doors); /* under which we would go to the broker */
/* The session at the broker is the one that goes with @lease. DOORS_E_UNUSABLE. */
MUST_CHECK int doors_open(Doors *doors, const Lease *lease);
void doors_shut(Doors *doors); /* nothing more is taken */
/* Its routes, and what may be discovered, which are in force in doors_routes(); doors_follow() then
 * subscribes to what they want. */
MUST_CHECK int doors_reload(Doors *doors, const Config *config);
Routes *doors_routes(Doors *doors); /* borrowed: those that are configured, and discovered ones */
MUST_CHECK int doors_follow(Doors *doors);
/* What was announced in the meantime: *ret_is_changed: doors_routes() are other ones. */
MUST_CHECK int doors_turn(Doors *doors, bool *ret_is_changed);
int doors_fd(const Doors *doors); /* readable, or so much later: doors_turn() has something to do */
int64_t doors_wait_us(const Doors *doors);
void doors_tick(Doors *doors);                    /* about once a second */
void doors_stop(Doors *doors, int dispatcher_ms); /* what takes in, for good */

DEFINE_CLEANUP(Doors *, doors_free);
