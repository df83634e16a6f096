#pragma once

/*
 * Understand: one record of the journal, by the routes that it was accepted under, and what came by
 * a door or out of a dead letter.
 *
 * It says what is written in it, and nothing about whether that is so: resolve.h and the batch do.
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Arena Arena;
typedef struct Elements Elements;
typedef struct Former Former;
typedef struct JournalRecord JournalRecord;
typedef struct Nodes Nodes;
typedef struct Origins Origins;
typedef struct Presence Presence;
typedef struct Routes Routes;
typedef struct UnderstandContext UnderstandContext;
typedef struct Zones Zones;

struct UnderstandContext { /* borrowed */
        const Routes *routes;
        const Former *former;
        const Zones *zones; /* instead of the route's; NULL: none */
        Nodes *nodes;       /* NULL: nothing is known of any */
        Origins *origins;   /* NULL: each is new */
        Presence *presence; /* NULL: each topic speaks for itself */
};

/*
 * No reload makes a message homeless that was accepted before it: where the table in force has no
 * route for it, or takes it for more or less messages than it has numbers, one of before may. The
 * record lives as long as the arena, and as the entry does. @elements: what was taken apart for the
 * message before, { 0 } at first; while the tables stay, and with the same arena.
 */
MUST_CHECK int understand(Arena *arena,
                          const UnderstandContext *by,
                          const JournalRecord *entry,
                          Elements *elements,
                          Record *ret_record);

/* How many messages, and numbers, it will be by this table, which is the one in force: of @entry
 * only what came is looked at. */
MUST_CHECK int understand_count(Arena *arena,
                                const Routes *table,
                                const JournalRecord *entry,
                                uint32_t *ret_n);
