#pragma once

/*
 * World: all that stands behind one or a few connections, as the server puts it together, without
 * sockets, and with a time of its own: for the fuzz target of the entrance.
 *
 * There are root, an admin, and the users ana, bob (a viewer), eve and zoe; ana's dev-1 (which has
 * a token, is in a group and shared with eve) and veh-1, bob's dev-2 and veh-2, ana's dev-3, which
 * is not active, and ana's dev-4, of whose token there is a bcrypt. Whatever is asked of the
 * database is answered with @status.
 */

#include "base/buf.h"
#include "tests/fake/conn.h"
#include "ws/access/limiter.h"
#include "ws/http/exchange.h"
#include "ws/http/gate.h"
#include "ws/http/http.h"
#include "ws/hub/hub.h"
#include "ws/hub/statistics.h"
#include "ws/loop/options.h"

#define WORLD_PEERS     3
#define WORLD_MAX_INPUT 20000
#define WORLD_TURN_MS   700 /* with WORLD_TIMED */
#define WORLD_CHANGE    3   /* turns until the world changes */
#define WORLD_SILENT    (-1)

enum {
        WORLD_LINES = 1,    /* what comes behind a handshake is lines, each a text message */
        WORLD_SLOW = 2,     /* a peer takes what is written a turn later */
        WORLD_PIECES = 4,   /* it comes in pieces of a few bytes */
        WORLD_EVENTS = 8,   /* messages of devices are shown meanwhile */
        WORLD_REFUSED = 16, /* the database is away */
        WORLD_SCENE = 32,   /* the next byte says a status and a scene */
        WORLD_TIMED = 128,  /* time passes from turn to turn */
};

typedef enum WorldScene {
        SCENE_PLAIN,
        SCENE_DRAINING,
        SCENE_STANDBY,
        SCENE_STARTING,
        SCENE_NARROW, /* every limit is as small as it can be */
        SCENE_TLS,
        SCENE_HEALTH,   /* they come by the door for health */
        SCENE_STUCK,    /* no peer reads */
        SCENE_BARE,     /* what begins is no TLS, */
        SCENE_STRANGE,  /* or has no preface */
        SCENE_ENDED,    /* ana and her device are locked out after a few turns, */
        SCENE_MOVED,    /* or what was hers is bob's, */
        SCENE_GAP,      /* or messages are missing */
        SCENE_UNSIGNED, /* no tokens are made here */
        SCENE_FULL,     /* no more questions are taken */
        SCENE_OWN,      /* one party has reached its share */
} WorldScene;

typedef struct Peer Peer;
typedef struct World World;

struct Peer {
        WsConn conn;
        WsExchange session;
        Buf in;          /* what is still to come, */
        size_t n_before; /* of it already known to the handler, and not used */
        bool is_gone;
};

struct World {
        WsOptions options;
        WsAccess access;
        Registry *registry;
        Queue *queries;
        WsTickets *tickets;
        WsLimiter *failures;
        WsHub *hub;
        WsStatistics *stats;
        WsGate *gate;
        WsHttp *http;
        Peer peers[WORLD_PEERS];
        size_t n_peers;
        unsigned flags;
        int status;                /* of answers; 0: as they should be, WORLD_SILENT: none comes */
        uint64_t n_turns;          /* of the time before, in which some scenes keep answers back */
        Query *asked[WORLD_PEERS]; /* owned: of which the end is still to come */
        WorldScene scene;
        uint64_t seq;
};

void world_init(World *world, unsigned flags, WorldScene scene, int status);
void world_done(World *world);
void world_pass(int64_t n_us); /* so much time */

/* What `$` and @name stand for: a token or a ticket; NULL: nothing. */
const char *world_credential(World *world, char name, char ticket[WS_TICKET_SIZE]);

void world_answer(World *world); /* all that is asked of the database */
void world_show(World *world);   /* messages of each kind, and a command */
void world_change(World *world); /* as its scene has it */
