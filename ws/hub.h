#pragma once

/*
 * WsHub: who listens to what; hands each Event to every client that may see it.
 *
 * Indexes clients by dialect and by user, vehicle or device, so that the cost of an event follows
 * the number of its receivers. Remembers the last telemetry of each device and the last vehicle_log
 * of each vehicle. Knows clients (ws/viewer/client.h), not sockets. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/log.h"
#include "model/event.h"
#include "model/registry.h"
#include "ws/loop/last_known.h"
#include "ws/loop/lists.h"
#include "ws/loop/pending.h"
#include "ws/loop/ring.h"
#include "ws/loop/wheel.h"
#include "ws/viewer/dialect.h"
#include "ws/viewer/listing.h"
#include "ws/viewer/replays.h"
#include "ws/wire/backlog.h"

#define WS_HUB_BATCH 65536 /* bytes of one write */

typedef struct Queue Queue;
typedef struct WsClient WsClient;
typedef struct WsEdge WsEdge;
typedef struct WsHub WsHub;
typedef struct WsOptions WsOptions;
typedef struct WsShares WsShares;
typedef struct WsConnectionInfo WsConnectionInfo;

/* One line of /api/ws/stats and /api/ws/status. */
struct WsConnectionInfo {
        const char *dialect;           /* "A" ... "E", "native" */
        int64_t user_id;               /* 0 = anonymous or a device */
        int64_t vehicle_id, device_id; /* what the path names; 0 = none */
        int64_t connected_us;
        size_t queued_frames, queued_bytes;
        int64_t lag_us; /* age of the oldest queued frame */
        uint64_t offered, sent, conflated, dropped;
};

typedef void (*WsConnectionFn)(void *arg, const WsConnectionInfo *info);

/* The fields are for ws/viewer/client.c, ws/stats.c and the dialects. */
struct WsHub {
        Registry *registry;       /* borrowed */
        const WsOptions *options; /* borrowed; the server may change them between calls */
        const WsAccess *access;   /* borrowed; NULL = nobody can say who he is */
        WsIndex *index;
        WsLastKnown *recall;
        WsRing ring;
        WsReplays replays;
        WsPendings pendings;
        uint64_t before_seq; /* of the event before the one in hand */
        uint64_t open_seq;   /* no cursor that is given reaches this; 0 = nothing is open */
        uint64_t given_seq; /* numbers up to here may be in somebody's hands: the journal's at start
                             */
        TAILQ_HEAD(WsPaced, WsFeed) paced; /* hold something back */
        size_t n_stats_follows;            /* subscriptions that want statistics */
        WsTally tally;
        WsWheel wheel;
        TAILQ_HEAD(, WsClient) dirty; /* have something to write, or are to be closed */
        TAILQ_HEAD(WsPatient, WsClient)
        patient;                       /* catch up at the next tick: the others come first */
        int64_t work_us, work_at_us;   /* time that catching up may take, as of then */
        TAILQ_HEAD(, WsEdge) restless; /* devices' sockets that wait to be taken further */
        uint64_t n_edges;
        Queue *queries;      /* borrowed; NULL = nothing is asked */
        size_t n_clients;    /* with those whose handshake is under way */
        WsShares *places;    /* of them: of users, devices and addresses, see party.h */
        WsShares *bursts;    /* of bytes beyond the queues, see burst.h */
        WsShares *strangers; /* of them: have not said yet who they are; by address */
        size_t n_open[WS_DIALECT_COUNT];
        bool stats_wanted; /* somebody waits for statistics and should not wait for the next turn */
        LogPace given_up;  /* replays that the database did not answer */
        uint64_t n_skipped; /* messages that the outbox had no room for, as its gaps say */
        uint64_t n_changes; /* of devices: their states, and who sees them */
        struct {
                WsFrame *frame; /* a reference; NULL = none */
                int64_t user_id;
                bool sees_all;
                uint64_t n_changes;
        } list;              /* the last that dialect C sent: who comes in a crowd gets the same */
        WsListings listings; /* that it is to get */
        Buf text;            /* a payload in the making */
        WsPacker *packer;    /* of all sockets with permessage-deflate */
        uint8_t batch[WS_HUB_BATCH];
};

MUST_CHECK int ws_hub_new(WsHub **ret_hub, Registry *registry);
WsHub *ws_hub_free(WsHub *hub);                                /* its clients are gone before */
void ws_hub_set_options(WsHub *hub, const WsOptions *options); /* borrowed; without: defaults */

MUST_CHECK int ws_hub_publish(WsHub *hub, Event *event);
/* After every piece of work: writes what waits, begins the closes, adds to the metrics. */
void ws_hub_settle(WsHub *hub);
void ws_hub_tick(WsHub *hub); /* pings, silence, slowness, expiry */
int64_t ws_hub_tick_ms(const WsHub *hub);

/* Does it know who exists and where the numbers begin? Before that nobody can be served. */
bool ws_hub_is_loaded(const WsHub *hub);
/* A place out of @party's share, in place of the one that it had; false: that is used up. */
MUST_CHECK bool ws_hub_take_place(WsHub *hub, WsClient *client, uint64_t party);
/* And one of those who have not said yet who they are, for the address that it comes from. */
MUST_CHECK bool ws_hub_take_strange_place(WsHub *hub, WsClient *client);
void ws_hub_give_back_places(WsHub *hub, WsClient *client);
void ws_hub_make_known(WsHub *hub, WsClient *client);
/* Replays and snapshots get half of the loop's time, and no more than 20 ms of it at a time. */
bool ws_hub_may_work(WsHub *hub);
void ws_hub_worked(WsHub *hub, int64_t since_us);
size_t ws_hub_n_connections(const WsHub *hub);
size_t ws_hub_n_connections_of(const WsHub *hub, int64_t user_id);
/* PROTOCOL 6, checked: for each socket and for all of them, offered = sent + conflated + dropped +
 * queued. What does not fit goes to METRIC_WS_ACCOUNTING_DRIFT. */
void ws_hub_audit(WsHub *hub);
void ws_hub_each_connection(const WsHub *hub, WsConnectionFn fn, void *arg);

DEFINE_CLEANUP(WsHub *, ws_hub_free);
