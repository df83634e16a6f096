#pragma once

/*
 * Lease: may this gateway take in and store, or does another one?
 *
 * A thread with a database connection of its own holds the slot (db/write/slots.h): it says every
 * third of the lease that we are alive, or watches whoever has it. Who gave no sign of life for as
 * long as its lease, by our monotonic clock and while we could have seen one, has lost it; no clock
 * of a machine counts. That the database is away changes nothing: nobody can take anything over
 * then. What is known of others survives a start (`standby` in the folder of the journal).
 *
 * Whoever finds another one there says what is left to store in its own journal: it may have taken
 * in without asking, and what nobody has stored is to be known of. Whose turn has come again goes
 * on behind what others have stored, before anybody hears that the slot is ours.
 *
 * Where there are several slots, each has a lease, and one of these speaks for the node. What is
 * free goes to who has the fewest; of who has more than that one hears (lease_take_surplus()), and
 * lets go. Where others split the work otherwise, nothing is taken. Who starts while the database
 * cannot be asked waits for it.
 *
 * Main follows lease_fd() and lease_state(); the storing transaction itself is fenced by the
 * database, whatever this thread knows. Nothing here can end a gateway that is alone.
 */

#include "base/base.h"
#include "db/write/slots.h"

typedef struct Journal Journal;
typedef struct Lease Lease;
typedef struct LeaseOptions LeaseOptions;

typedef enum LeaseState {
        LEASE_UNKNOWN, /* the database has not been asked yet */
        LEASE_NEW,     /* it has no slots yet: it is to be migrated */
        LEASE_AWAY,    /* it cannot be asked, and we know of nobody else: as if it were ours */
        LEASE_HELD,
        LEASE_WAITING, /* somebody else has it */
        LEASE_DOUBTED, /* we have taken in, and somebody else has it: perhaps one that is gone */
        LEASE_LOST,    /* and is alive, or has our name (node.h). For good: only a new start waits
                        * for its turn */
} LeaseState;

struct LeaseOptions {
        const char
                *instance;   /* borrowed: our start, the same for all slots; NULL: one of its own */
        DbSlotLayout layout; /* borrowed; @node of it is ours to fill in */
        const char *node_dir; /* borrowed: what a node is called after that nobody named */
        bool is_silent;       /* another one speaks for the node */
        const char *database_url, *journal_dir, *epoch; /* borrowed, as is the next */
        Journal *journal;                               /* borrowed */
        const char *client_id; /* of our session at the broker, if there is none to go on with */
        const char *cluster, *node, *advertise; /* see node.h */
        bool is_client_fixed;                   /* never goes on with another */
        bool is_experienced; /* the database has stored something of this journal */
        int slot, lease_ms;
};

MUST_CHECK int lease_new(Lease **ret_lease, const LeaseOptions *options);
void lease_drain(Lease *lease); /* is about to be stopped, which others may know */
/* Lets go of it, if that can be said in time; and whether all of the journal is stored. */
void lease_stop(Lease *lease, bool is_drained, int timeout_ms);
Lease *lease_free(Lease *lease);

/* Of several: all is stored, and another one may have it. Once that is said, it is LEASE_WAITING.
 */
void lease_let_go(Lease *lease);
bool lease_is_letting_go(const Lease *lease); /* not said yet */
/* How many slots this node is to let go of now; 0 then, until it is counted anew. */
int lease_take_surplus(Lease *lease);

LeaseState lease_state(const Lease *lease); /* any thread, as are all of these */
bool lease_is_confirmed(const Lease *lease);
/* Has it asked lately, and heard of nobody else? If not, the process was stopped, and it is to be
 * seen what became of it; or somebody else has it, before main has heard so. */
bool lease_is_awake(const Lease *lease);
const char *lease_instance(const Lease *lease);
const char *lease_client_id(const Lease *lease); /* once it is held, or the database is away */
int lease_fd(const Lease *lease);                /* readable when the state has changed */
void lease_hear(Lease *lease);                   /* no more readable */

DEFINE_CLEANUP(Lease *, lease_free);
