#pragma once

/*
 * Follower: keeps up with the registry, on a thread and a connection of its own.
 *
 * Loads users, devices, vehicles, groups and shares, hears of their changes, and hands both over as
 * RegistryDeltas. It answers what only the database can settle about a message: is the registry as
 * new as the message, may its device register itself, is its letter still there. None of that
 * holds up whoever asks, and a table that is locked holds up only what needs that table.
 *
 * Notifications may be lost without the connection: a pulse over a second one is to be heard here
 * every @heartbeat_ms. While it is not, everything is read again at each beat, and after two that
 * is said (tidegate_registry_stale), until two are heard.
 *
 * News and answers come in one bounded queue, in the order in which they became so; when it is
 * full, the follower waits. A question is answered once the database can: over a lost connection it
 * stays asked. follower_ask() and follower_take() belong to one thread.
 */

#include "base/base.h"
#include "base/queue.h"
#include "model/registry.h"

typedef struct Follower Follower;
typedef struct FollowerNews FollowerNews;
typedef struct FollowerOptions FollowerOptions;
typedef struct FollowerQuestion FollowerQuestion;

typedef enum FollowerKind {
        FOLLOWER_CHANGE,   /* no answer: @delta is what is new */
        FOLLOWER_REFUSED,  /* no answer yet: the server does not take a device now; @error */
        FOLLOWER_FRESH,    /* all that was committed before the question is known */
        FOLLOWER_LOAD,     /* likewise, and the states of devices with it */
        FOLLOWER_REGISTER, /* the device is there, or will not be */
        FOLLOWER_LETTER,   /* @exists */
} FollowerKind;

struct FollowerQuestion {
        FollowerKind kind;
        uint64_t seq;                 /* of the record that asks; comes back with the answer */
        int64_t letter_id, letter_us; /* when it came first */
        Text code, name;              /* of the device, as is what follows; copied */
        int64_t user_id;
        const char *device_type; /* static */
        Text more;               /* others to be created along with it, if they can: a list, see
                                    db_registration_add(); copied */
};

struct FollowerNews {
        FollowerKind kind;
        RegistryDelta *delta; /* owned; may be NULL */
        int64_t known_us;     /* all that was committed before is known; 0: of no account */
        uint64_t seq;
        bool exists;
        char sqlstate[8];
        char error[128];
};

struct FollowerOptions {
        const char *database_url;
        int heartbeat_ms;
        QueueWakeFn wake; /* there are news; on the follower's thread */
        void *wake_arg;
};

/* Follows from follower_start() on: not before the schema is known to be there. */
MUST_CHECK int follower_new(Follower **ret_follower, const FollowerOptions *options);
Follower *follower_free(Follower *follower);
void follower_start(Follower *follower);

enum { FOLLOWER_QUESTIONS = 8 }; /* asked and not answered, at most */

MUST_CHECK int follower_ask(Follower *follower, const FollowerQuestion *question);
/* True: there was something. */
bool follower_take(Follower *follower, FollowerNews *ret_news);
int follower_result(const Follower *follower); /* a fault (< 0) that has ended it */

DEFINE_CLEANUP(Follower *, follower_free);
