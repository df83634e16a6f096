#pragma once

/*
 * WsLoop: what all that runs on one loop shares: who exists, what was shown last, who is where in
 * its lists, and how much of everything there is left.
 *
 * The ground of viewers, devices and dialects: it knows none of them, and names some to keep them
 * in lists. What happens to it is the hub's (ws/hub/hub.h). Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "model/event.h"
#include "model/registry.h"
#include "ws/loop/last_known.h"
#include "ws/loop/lists.h"
#include "ws/loop/numbers.h"
#include "ws/loop/ring.h"
#include "ws/loop/wheel.h"
#include "ws/wire/backlog.h"

/* In the order of METRIC_WS_CONNECTIONS_*. */
typedef enum WsDialectId {
        WS_DIALECT_PEOPLE_COUNTER,
        WS_DIALECT_ENERGY,
        WS_DIALECT_DEVICE_HUB,
        WS_DIALECT_VEHICLES,
        WS_DIALECT_CAMERAS,
        WS_DIALECT_NATIVE,
        WS_DIALECT_EVENTS, /* the native messages as an event stream */
        WS_DIALECT_POLL,   /* and as answers to long polls */
        WS_DIALECT_UPLINK, /* gateways at the edge */
        WS_DIALECT_COUNT
} WsDialectId;

#define WS_LOOP_BATCH 65536 /* bytes of one write */

typedef struct Queue Queue;
typedef struct WsClient WsClient;
typedef struct WsEdge WsEdge;
typedef struct WsFrame WsFrame;
typedef struct WsPacker WsPacker;
typedef struct WsFeed WsFeed;
typedef struct WsAccess WsAccess;
typedef struct WsListings WsListings;
typedef struct WsLoop WsLoop;
typedef struct WsOptions WsOptions;
typedef struct WsPendings WsPendings;
typedef struct WsQuestions WsQuestions;
typedef struct WsReplays WsReplays;
typedef struct WsShares WsShares;
typedef struct WsTurns WsTurns;
typedef struct WsUplink WsUplink;

struct WsLoop {
        Registry *registry;           /* borrowed */
        const WsOptions *options;     /* borrowed; the server may change them between calls */
        void (*settle)(WsLoop *loop); /* the hub's: after every piece of work */
        const WsAccess *access;       /* borrowed; NULL = nobody can say who he is */
        WsIndex *index;
        WsLastKnown *last_known;
        WsNumbers numbers;
        WsRing ring;
        WsQuestions *questions; /* borrowed of the hub, these five */
        WsTurns *turns;
        WsReplays *replays;
        WsPendings *pendings;
        WsListings *listings;
        uint64_t before_seq;               /* the place of the event before the one in hand */
        TAILQ_HEAD(WsPaced, WsFeed) paced; /* hold something back */
        size_t n_stats_follows;            /* subscriptions that want statistics */
        WsTally tally;
        WsWheel wheel;
        TAILQ_HEAD(, WsClient) dirty; /* have something to write, or are to be closed */
        TAILQ_HEAD(WsPatient, WsClient)
        patient;                        /* catch up at the next tick: the others come first */
        int64_t work_us, work_at_us;    /* time that catching up may take, as of then */
        TAILQ_HEAD(, WsUplink) uplinks; /* of gateways at the edge */
        TAILQ_HEAD(, WsEdge) restless;  /* devices' sockets that wait to be taken further */
        size_t n_clients;               /* with those whose handshake is under way */
        WsShares *places;               /* of them: of users, devices and addresses, see party.h */
        WsShares *bursts;               /* of bytes beyond the queues, see burst.h */
        WsShares *strangers;            /* of them: have not said yet who they are; by address */
        size_t n_open[WS_DIALECT_COUNT];
        bool stats_wanted; /* somebody waits for statistics and should not wait for the next turn */
        LogPace given_up;  /* replays that the database did not answer */
        LogPace misdirected; /* telemetry of who is no device */
        uint64_t n_skipped;  /* messages that the outbox had no room for, as its gaps say */
        uint64_t n_changes;  /* of devices: their states, and who sees them */
        struct {
                WsFrame *frame; /* a reference; NULL = none */
                int64_t user_id;
                bool sees_all;
                uint64_t n_changes;
        } list;           /* the last that dialect C sent: who comes in a crowd gets the same */
        Buf text;         /* a payload in the making */
        WsPacker *packer; /* of all sockets with permessage-deflate */
        uint8_t batch[WS_LOOP_BATCH];
};

MUST_CHECK int ws_loop_init(WsLoop *loop, Registry *registry); /* memory of the owner */
void ws_loop_done(WsLoop *loop);                               /* its clients are gone before */

int64_t ws_loop_tick_ms(const WsLoop *loop);
/* Does it know who exists and where the numbers begin? Before that nobody can be served. */
bool ws_loop_is_loaded(const WsLoop *loop);
/* Percent of a thing that one party may have; without an option, all. */
int ws_loop_share(const WsLoop *loop);
/* Replays and snapshots get half of the loop's time, and no more than 20 ms of it at a time. */
bool ws_loop_may_work(WsLoop *loop);
void ws_loop_worked(WsLoop *loop, int64_t since_us);
void ws_loop_settle(WsLoop *loop); /* after every piece of work: ws_hub_settle() */

/* A message gets its place, and is in the ring. */
MUST_CHECK int ws_loop_remember(WsLoop *loop, Event *event);
