#pragma once

/*
 * Known: the authoritative registry, and what else is known about messages besides themselves.
 *
 * What the Follower tells is applied here and handed to the viewers, in order. A record that only
 * the database can settle (is the registry older than it, may its device register itself, is its
 * letter still there) is asked about, one at a time; the answer is for that record. Belongs to the
 * processor's thread, and never waits.
 */

#include "base/base.h"
#include "base/queue.h"
#include "model/registry.h"

typedef struct Batch Batch;
typedef struct BatchContext BatchContext;
typedef struct Database Database;
typedef struct Known Known;
typedef struct KnownOptions KnownOptions;
typedef struct Outbox Outbox;

struct KnownOptions {
        const char *database_url;
        int heartbeat_ms;
        int new_per_minute; /* devices that are created by themselves; 0 = no limit */
        int user_share;     /* percent, see owners.h */
        int max_devices;    /* in all, beyond which none is; 0 = no limit */
        Outbox *outbox;     /* borrowed: for changes */
        Database *database; /* borrowed: to doubt, when a device is not taken */
        QueueWakeFn wake;   /* there is something for known_follow(); on another thread */
        void *wake_arg;
};

MUST_CHECK int known_new(Known **ret_known, const KnownOptions *options);
Known *known_free(Known *known);
void known_start(Known *known); /* once the schema is there */

Registry *known_registry(Known *known);
void known_fill(Known *known, BatchContext *context); /* the registry, and what the answers say */

/* Applies what is new. True: a question was answered. */
MUST_CHECK int known_follow(Known *known, bool *ret_answered);

/* What the record asks before which @batch has stopped. */
MUST_CHECK int known_ask(Known *known, const Batch *batch);
int64_t known_age_us(const Known *known); /* for how long the answer has been waited for; 0: none */

/* The states of all devices, as the database has them. */
MUST_CHECK int known_reload(Known *known);
bool known_is_reloading(const Known *known);
/* The database is another one, perhaps, or has forgotten something: reloads, and asks anew. */
MUST_CHECK int known_again(Known *known);

DEFINE_CLEANUP(Known *, known_free);
