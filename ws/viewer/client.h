#pragma once

/*
 * WsClient: one who watches, by a WebSocket, a stream or a poll: who he is, what waits for him, and
 * what may be said to him.
 *
 * For those who have something to say: feeds, lists, devices, dialects. His life, and what is
 * written to his connection, is of ws/hub/viewer.h. ws_client_close() only marks him, so that it
 * may be called while a list is walked; nothing is offered to him from then on. Functions that
 * return int return faults only. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "base/bucket.h"
#include "base/buf.h"
#include "model/metrics.h"
#include "ws/loop/burst.h"
#include "ws/loop/lists.h"
#include "ws/loop/wheel.h"
#include "ws/viewer/dialect.h"
#include "ws/viewer/push.h"
#include "ws/wire/backlog.h"
#include "ws/wire/decoder.h"

typedef struct WsConn WsConn;
typedef struct WsEdge WsEdge;
typedef struct WsFeed WsFeed;
typedef struct WsListing WsListing;
typedef struct WsUplink WsUplink;

/* The poll is over; the client has left already. */
typedef void (*WsPollFn)(WsClient *client, WsConn *conn);
/* Is there room for an answer of @n bytes, in the share of who asks? */
typedef bool (*WsPollRoomFn)(WsConn *conn, size_t n);

typedef enum WsClientState {
        WS_CLIENT_WAITING, /* for the end of the handshake */
        WS_CLIENT_OPEN,
        WS_CLIENT_CLOSING, /* our close frame waits for room in the socket */
        WS_CLIENT_LEAVING, /* one side has said it is closing; the other may answer */
        WS_CLIENT_CLOSED,
} WsClientState;

typedef enum WsClose {
        WS_CLOSE_GOING_AWAY = 1001,
        WS_CLOSE_PROTOCOL = 1002,
        WS_CLOSE_BAD_DATA = 1007,
        WS_CLOSE_POLICY = 1008,
        WS_CLOSE_TOO_BIG = 1009,
        WS_CLOSE_FAULT = 1011,
        WS_CLOSE_RESTART = 1012,
        WS_CLOSE_BAD_TOKEN = 4001,
        WS_CLOSE_FORBIDDEN = 4002,
        WS_CLOSE_MISUSE = 4003,
        WS_CLOSE_REVOKED = 4004,
        WS_CLOSE_NO_AUTH = 4005,
        WS_CLOSE_TOO_MANY = 4006,
        WS_CLOSE_CAPACITY = 4100,
        WS_CLOSE_SLOW = 4101,
        WS_CLOSE_RATE = 4102,
        WS_CLOSE_DRAINING = 4200,
        WS_CLOSE_SILENT = 4201,
        WS_CLOSE_EXPIRED = 4202,
        WS_CLOSE_STATE_LOST = 4203,
} WsClose;

#define WS_CLIENT_GRACE_US 25000000 /* of an expired token, of a socket: it may still refresh */

/* Types of dialects D and E that a client may choose among. */
enum {
        WS_TYPE_RAW_LOG = 1 << 0,
        WS_TYPE_SENSOR_LOG = 1 << 1,
        WS_TYPE_VEHICLE_LOG = 1 << 2,
        WS_TYPE_CAMERA_EVENT = 1 << 3,
        WS_TYPE_ALERT = 1 << 4,
        WS_TYPE_STATISTICS = 1 << 5,
        WS_TYPE_ANY = (1 << 6) - 1,
};

struct WsClient {
        WsConn *conn; /* borrowed; NULL until it is open */
        WsLoop *loop; /* borrowed */
        const WsDialect *dialect;
        WsEdge *edge;     /* owned; NULL: not a device's own socket */
        WsUplink *uplink; /* owned; NULL: not a gateway's */
        WsFeed *feed;     /* owned; NULL: the dialect has no subscriptions, or it is leaving */
        WsClientState state;
        bool is_unknown;   /* has not said yet who it is: until auth_ms */
        bool sees_all;     /* an admin, or an anonymous path */
        bool is_binary;    /* the message that is coming in */
        bool is_packed;    /* that message, too */
        bool deflates;     /* permessage-deflate was agreed upon */
        bool wants_ping;   /* one is due */
        bool wants_stats;  /* has had none yet */
        bool has_chosen;   /* E: types were named */
        bool has_vehicles; /* D: vehicle_ids were named */
        bool is_dirty;
        bool is_patient; /* has something to catch up on, at the next tick */

        int64_t user_id;    /* 0 = anonymous */
        int64_t generation; /* of the user when he came: with another one he has to come again */
        uint64_t party;     /* out of whose share its place is; 0 = of nobody's */
        char source[46];    /* address of the peer */
        char *origin;       /* owned; of a poll: to be allowed to read the answer; NULL = none */
        char *open_path;    /* owned; that auth.anonymous opened to him; NULL: he said who he is */
        WsScope scope;      /* ALL, USER, or what the path names: VEHICLE, DEVICE */
        int64_t target_id;
        unsigned types;       /* WS_TYPE_* that it wants */
        int64_t *vehicle_ids; /* D: ascending */
        size_t n_vehicle_ids;

        int close_code;
        const char *close_reason; /* static */

        int64_t connected_us;
        int64_t expires_us; /* of the token, with its grace; INT64_MAX = never */
        int64_t auth_ms;    /* monotonic: while is_unknown */
        WsPollFn answer;    /* of a poll: once, when @out is its answer */
        WsPollRoomFn hold;  /* of a poll: while it is in the making; NULL = there always is */
        Buf out;            /* of a poll; empty: nothing has happened */
        char *told; /* owned; of a poll: where the next one goes on; NULL = where this one began */
        bool is_lost;        /* a poll that could not be resumed */
        bool has_lost_all;   /* is closed because nothing is left of what it named */
        WsFollow *first;     /* owned until it is open: of a stream or poll, */
        Cursor *since;       /* owned; and where it goes on; NULL = it begins now */
        int64_t progress_ms; /* monotonic: when it is told how far it is; 0 = it does not want that
                              */
        int64_t seen_ms, ping_ms, deadline_ms; /* monotonic: last sign of life, next ping, end */
        Bucket incoming;                       /* what it may send */

        WsListing *listing; /* C: borrowed; the list that it waits for; NULL = it waits for none */
        bool is_late;       /* for the one after it */
        size_t list_bytes;  /* C: of its own list of devices; 0 = it shares one */

        WsSpot everyone, person, audience;
        WsBacklog backlog;
        WsBurst burst;
        WsDecoder decoder;
        Buf in;           /* a message that came in several pieces */
        size_t n_in;      /* bytes of it so far */
        Buf pong;         /* to the last PING for which there was no room */
        bool is_halfway;  /* through a message */
        int64_t begun_ms; /* that began then */
        WsWheelLink link;
        TAILQ_ENTRY(WsClient) dirty, patient, lister;
};

/* What one may say to it, and what becomes of that. */
MUST_CHECK int ws_client_offer(WsClient *client, WsFrame *frame);
/* The same, but a client that is too slow stays: WS_BACKLOG_E_FULL, counted as dropped. */
MUST_CHECK int ws_client_try(WsClient *client, WsFrame *frame);
MUST_CHECK int ws_client_wrap(const WsClient *client, const WsPush *push, WsFrame **ret_frame);
MUST_CHECK int ws_client_say(WsClient *client, const Buf *buf); /* a frame for this one alone */
void ws_client_close(WsClient *client, WsClose code, const char *reason, Metric metric);
void ws_client_pause(WsClient *client, bool is_paused); /* reading from it */

void ws_client_touch(WsClient *client);      /* it has something to do when the loop settles */
void ws_client_be_patient(WsClient *client); /* until the next tick */
void ws_client_go_on(WsClient *client);
size_t ws_client_n_limited(const WsLoop *loop,
                           int64_t user_id);        /* sockets that count for the limit */
void ws_client_put_off_progress(WsClient *client);  /* it has just been told */
bool ws_client_is_in_grace(const WsClient *client); /* of an open socket: its token has expired */

/* For ws/hub/viewer.c: the lists of those that have something to do, and the clock. */
void ws_client_mark(WsClient *client);
void ws_client_unmark(WsClient *client);
void ws_client_stop_waiting(WsClient *client);
void ws_client_schedule(WsClient *client); /* when to look at it next */
