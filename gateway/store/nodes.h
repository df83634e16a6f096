#pragma once

/*
 * Nodes: what the store makes of Sparkplug: which names aliases have, whose deaths count, and that
 * devices live or are gone.
 *
 * A birth is remembered (births.h), and stored with its batch (record->birth). What follows from it
 * is journalled, as messages of their own: spBv1.0/GROUP/ALIVE/NODE[/DEVICE], with the time in
 * milliseconds, behind a birth; DDEATH of each device of a node behind its NDEATH, with the same
 * payload (of a long one with what it says of the session). Each where a route takes it, and once:
 * a message that is read again tells nothing, and what a crash has it told again is recognised as
 * such. A death that names another session than the last birth, and what says a second time that
 * something lives or is gone, leaves nothing (record->stale). Where a route says so, a node of
 * which an alias is not known, or a message was lost, is asked to be born again, at most once a
 * minute. Belongs to the processor's thread.
 */

#include "base/arena.h"
#include "base/base.h"
#include "model/inbound.h"
#include "model/record.h"

typedef struct Births Births;
typedef struct Nodes Nodes;
typedef struct NodesOptions NodesOptions;
typedef struct Queue Queue;
typedef struct Routes Routes;

struct NodesOptions {
        int max_things, max_metrics; /* nodes and devices that are remembered; metrics of each */
        InboundFn inbound;           /* into the journal; NULL: nothing is told */
        void *arg;
        Queue *orders; /* of SparkplugOrder, to the broker; NULL: nobody is asked */
};

MUST_CHECK int nodes_new(Nodes **ret_nodes, const NodesOptions *options);
Nodes *nodes_free(Nodes *nodes);

/* Before a message is decoded: what is known of its node (envelope->terms), as of its number. */
void nodes_look(const Nodes *nodes, Record *envelope);
/* And after, by the table that it was read by. */
MUST_CHECK int nodes_judge(Nodes *nodes, Arena *arena, const Routes *routes, Record *record);

/* What a database has; of things that are none nothing. */
MUST_CHECK int nodes_restore(Nodes *nodes, Text thing, uint64_t seq, Text payload);
/* Behind all births: the last counter of a node. False: it is none. */
bool nodes_restore_count(const Nodes *nodes, Text key, uint64_t seq, Text said);
void nodes_stored(Nodes *nodes, uint64_t seq); /* all up to here is */
/* What is behind @stored_seq has numbers that are larger by @by from here on. */
void nodes_move(Nodes *nodes, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Nodes *, nodes_free);
