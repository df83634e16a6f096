#pragma once

/*
 * Node: says every third of the lease that this process is there, and under which name.
 *
 * A name that somebody chose (cluster.node) is one process's: whoever finds it with another one
 * that is alive is refused, at its start as well as later (it was stopped, say, and another one has
 * been started). One without a sign of life for as long as its lease has lost it, by our monotonic
 * clock, and so has a dead one that had our journal. Where nobody chose, the name says where the
 * journal is, and is nothing to quarrel about.
 *
 * In caller's memory; of the lease's thread, which lends its connection, but for node_drain().
 */

#include <limits.h>
#include <stdatomic.h>

#include "base/base.h"
#include "db/write/beat.h"

#define NODE_NAME_SIZE (HOST_NAME_MAX + PATH_MAX + 2)

typedef struct Node Node;
typedef struct NodeOptions NodeOptions;

/* Borrowed. */
struct NodeOptions {
        const char *cluster, *name, *advertise; /* of [cluster]; @name NULL: nobody chose */
        const char *journal_dir, *instance, *place, *host;
        int slot, lease_ms;
};

struct Node {
        NodeOptions options;
        char name[NODE_NAME_SIZE];
        int64_t next_us; /* monotonic */
        _Atomic bool is_draining;
        bool is_said; /* that somebody else has the name */

        /* Of somebody else. */
        DbBeatOwner seen;
        int64_t seen_us, since_us;
};

enum {
        NODE_E_TAKEN = 32, /* said why in the log */
};

/* What a node is called: @name, or after where it is. */
void node_write_name(const char *name,
                     const char *host,
                     const char *journal_dir,
                     char ret_name[static NODE_NAME_SIZE]);
void node_init(Node *node, const NodeOptions *options);
/* When it is time. Not @takes_part: it has no slot, and is to be given none. 0, NODE_E_TAKEN, or as
 * db/ answers: the connection is to be lost. */
MUST_CHECK int node_turn(Node *node, DbConn *conn, bool takes_part);
void node_drain(Node *node); /* any thread: it is to be said that we are about to end */
void node_end(Node *node, DbConn *conn);
