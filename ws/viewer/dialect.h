#pragma once

/*
 * WsDialect: one way of speaking to a socket: which paths, who may, what is said and understood.
 *
 * A constant table of functions for each dialect of docs/protocol.md, 3; another one (the native
 * protocol) is one more table in ws_dialect_all. Dialects know clients, the loop and the registry,
 * no sockets. Loop thread.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/event.h"
#include "model/record.h"
#include "ws/access/access.h"
#include "ws/loop/loop.h"

typedef struct WsClient WsClient;
typedef struct WsDialect WsDialect;
typedef struct WsFollow WsFollow;
typedef struct WsFrame WsFrame;
typedef struct WsLoop WsLoop;
typedef struct WsPush WsPush;

/* What carries the messages of a client. */
typedef enum WsDoor {
        WS_DOOR_SOCKET, /* a WebSocket */
        WS_DOOR_STREAM, /* the body of an HTTP answer that does not end */
        WS_DOOR_POLL,   /* one HTTP answer */
} WsDoor;

#define WS_DIALECT_KIND(kind) (UINT32_C(1) << (kind))

struct WsDialect {
        WsDialectId id;
        const char *name;
        uint32_t kinds;  /* WS_DIALECT_KIND of each kind that it shows */
        bool is_guarded; /* marked † in docs/protocol.md, 3: 403 with bad or without credentials */
        bool hears_binary; /* receive() is told of a binary message of who is no device */

        /* Is it a path of this dialect? @ret_target is what the path names; absent if nothing. */
        bool (*match)(Text path, Text *ret_target);
        /* May a device open this path itself, with its token? NULL = none. */
        bool (*takes_device)(Text path);
        /* 0 and fills in the client, or the HTTP status that refuses it. */
        int (*admit)(WsClient *client, const WsIdentity *identity, Text target);
        int (*open)(WsClient *client);                  /* NULL = says nothing */
        int (*receive)(WsClient *client, Text message); /* one text message; NULL = ignores */
        bool (*wants)(const WsClient *client, const Event *event); /* NULL = everything */
        /* The payload for everybody; an empty @buf = this event is not shown. */
        int (*format)(const WsLoop *loop, const Event *event, Buf *buf);
        /* The message with the statistics of one scope; NULL = none. @data is JSON. */
        void (*format_stats)(Text data, Buf *buf);

        /* What follows is of the dialects whose clients have subscriptions (ws/viewer/feed.h). */
        bool has_feed;
        WsDoor door;
        /* The answer to a subscription, once it is known whether it could be resumed. */
        int (*subscribed)(WsClient *client, const WsFollow *follow);
        /* What became of what was asked of a playback: 200, 404 (it is not kept any more), 503. */
        int (*played)(WsClient *client, const WsFollow *follow, int status);
        /* As it travels; NULL = as a text frame of a WebSocket. */
        int (*wrap)(const WsLoop *loop, const WsPush *push, WsFrame **ret_frame);
        /* In place of writing the backlog to a socket; NULL = write. */
        void (*flush)(WsClient *client);
};

/* What all dialects with statistics say of them: {"type":…,"timestamp":…,"data":…}. */
void ws_dialect_statistics(Buf *buf, const char *type, Text data);

extern const WsDialect ws_dialect_people_counter, ws_dialect_energy, ws_dialect_device_hub,
        ws_dialect_vehicles, ws_dialect_cameras;
extern const WsDialect ws_dialect_native, ws_dialect_events, ws_dialect_poll, ws_dialect_uplink;
extern const WsDialect *const ws_dialect_all[];
extern const size_t ws_dialect_n_all;

/* The dialect that serves @path; NULL if none. */
const WsDialect *ws_dialect_find(Text path, Text *ret_target);

/* For dialect tables: @path is @prefix and then one level, which is the target. */
bool ws_dialect_match_level(Text path, Text prefix, Text *ret_target);
