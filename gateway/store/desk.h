#pragma once

/*
 * Desk: what the processor's thread works with, made and freed together.
 *
 * The rooms of gateway/store/ that decide something (processor, opening, position, storing, stored)
 * find here all that they decide about, and keep nothing else of each other's. Belongs to the
 * processor's thread, but for desk_wake().
 */

#include "base/base.h"
#include "gateway/store/processor_options.h"
#include "gateway/store/stall.h"

typedef struct BatchContext BatchContext;
typedef struct Books Books;
typedef struct Clerk Clerk;
typedef struct Database Database;
typedef struct Desk Desk;
typedef struct Former Former;
typedef struct Journal Journal;
typedef struct Judge Judge;
typedef struct Known Known;
typedef struct Lane Lane;
typedef struct Lateness Lateness;
typedef struct Merged Merged;
typedef struct Nodes Nodes;
typedef struct Origins Origins;
typedef struct Outbox Outbox;
typedef struct Presence Presence;
typedef struct Queue Queue;
typedef struct Routes Routes;
typedef struct Sensors Sensors;
typedef struct Showing Showing;

struct Desk {
        ProcessorOptions options;
        Journal *journal; /* borrowed */
        int wake_fd;      /* eventfd */

        Routes *routes;
        Former *former;
        Lateness *latest;
        Judge *judge;
        Sensors *sensors;
        Nodes *nodes;
        Origins *origins;
        Presence *presence;
        Merged *merged;
        Outbox *outbox;
        Showing *showing;
        Database *database;
        Known *known;
        Lane *lane;
        Books *books;
        Clerk *clerk;

        Stall stall;          /* live goes ahead */
        bool was_ready;       /* the position is known and the registry is loaded */
        bool is_to_restore;   /* what was last known is still to be read */
        bool has_told_taken;  /* what others have stored of our journal is noted */
        uint64_t doubted_seq; /* behind this, numbers that were shown may be given others; 0 */
        uint64_t own_seq; /* of the position, how far our own records are: others have moved it on
                             since it was last agreed on; 0: nobody has */
};

MUST_CHECK int desk_new(Desk **ret_desk,
                        const ProcessorOptions *options,
                        Journal *journal,
                        Routes *routes,
                        Queue *outbox);
Desk *desk_free(Desk *desk);

void desk_wake(Desk *desk); /* any thread */

/* Takes the reference. What is in the journal is read by the routes of then. */
MUST_CHECK int desk_change_routes(Desk *desk, Routes *routes);

/* Of a batch that is made now; @is_final: for the store. */
BatchContext desk_context(Desk *desk, bool is_final);

DEFINE_CLEANUP(Desk *, desk_free);
