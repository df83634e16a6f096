#pragma once

/*
 * WsPush: the messages of the native protocol that nobody asked for (docs/protocol.md, 4): what an
 * event looks like, whatever it travels by.
 *
 * The same bytes for everybody who may see the event, so that one frame serves all. Pure.
 */

#include "base/base.h"
#include "base/json_out.h"
#include "model/account.h"
#include "model/event.h"
#include "ws/loop/numbers.h"
#include "ws/viewer/dialect.h"

typedef struct WsPush WsPush;

/* One message on its way into a frame. */
struct WsPush {
        const char *type; /* of the message, for event streams */
        WsMark mark;      /* of its cursor; see ws_mark_is_none() */
        uint64_t key;     /* as WsFrame.key */
        Text json;
};

void ws_cursor_json(JsonOut *out, const char *name, const WsLoop *loop, WsMark mark);

const char *ws_push_type(const Event *event); /* "device_update", ... */
uint32_t ws_push_kinds(Text type);            /* 1 << Kind of those with that name; 0: none */
bool ws_push_is_shown(const Event *event);    /* not a heartbeat, which no table remembers */

/* What a newer message makes stale; 0 = nothing. Alerts, commands and raw logs never are. */
uint64_t ws_push_key(const Event *event);

void ws_push_event(const WsLoop *loop, const Event *event, JsonOut *out);
/* The same with the cursor @mark, where something before the event has not been sent yet; its own
 * place is its number. @names: of the subscriptions that it is for, as JSON; absent: of all that it
 * matches. */
void ws_push_event_at(const WsLoop *loop,
                      const Event *event,
                      WsMark mark,
                      Text names,
                      JsonOut *out);
/* Played to the subscription @name alone. */
void ws_push_replay(const WsLoop *loop,
                    const Event *event,
                    WsMark mark,
                    const char *name,
                    JsonOut *out);
/* A device that has not said anything since we look. */
void ws_push_device(const Device *device, JsonOut *out);
