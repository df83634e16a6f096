#pragma once

/*
 * WsNativeRequest: one request of the native protocol (docs/protocol.md, 4), read and checked as
 * far as it can be without knowing who asks.
 *
 * Memory of the caller, released by ws_native_request_done(); all texts are borrowed from it.
 * json-c is lenient (FACTS): what goes back to the client is only what ws_client_message_echo()
 * lets through. Pure.
 */

#include "base/base.h"
#include "ws/dialects/client_message.h"

typedef struct WsNativeRequest WsNativeRequest;

typedef enum WsOp {
        WS_OP_UNKNOWN,
        WS_OP_AUTH,
        WS_OP_SUBSCRIBE,
        WS_OP_UNSUBSCRIBE,
        WS_OP_MOVE,
        WS_OP_PAUSE,
        WS_OP_SEEK,
        WS_OP_LIVE,
        WS_OP_PING,
        WS_OP_REFRESH,
        WS_OP_COMMAND,
        WS_OP_CANCEL,
} WsOp;

struct WsNativeRequest {
        WsClientMessage command; /* the message */
        WsOp op;
        const char *fault; /* what is wrong with its members, static or in @words; NULL = nothing */
        char words[64];

        Text token;                    /* auth, refresh */
        Text subscription;             /* unsubscribe, move, pause, seek, live */
        Text device;                   /* command; a number as text, in @number */
        Text command_id;               /* cancel */
        WsClientMessageList to, types; /* subscribe */
        Text since;                    /* absent if none */
        bool wants_snapshot;
        bool wants_set;
        Text set;                 /* the text of the one that it has; absent if none */
        bool tells_gone;          /* what it names may go: then it is told, and nothing is closed */
        bool skips_gone;          /* may be gone already */
        bool has_pace, names_box; /* move: said, be it null */
        double max_hz;            /* 0 = does not say */
        bool has_box;
        double box[4]; /* west, south, east, north */
        char number[24];
        bool has_at; /* subscribe, seek */
        int64_t at_us;
        double rate; /* 0 = does not say */
};

#define WS_NATIVE_MIN_RATE 0.1
#define WS_NATIVE_MAX_RATE 100.0

enum {
        WS_NATIVE_REQUEST_E_MISUSE = 1, /* not an object with an op: nothing to answer to */
};

MUST_CHECK int ws_native_request_read(WsNativeRequest *ask, Text message);
void ws_native_request_done(WsNativeRequest *ask);
