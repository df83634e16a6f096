#pragma once

/* What the files of the native dialect share: native.c answers, native_play.c plays times that are
 * over. Loop thread. */

#include "base/base.h"
#include "base/json_out.h"
#include "ws/dialects/native_request.h"
#include "ws/viewer/feed.h"

typedef struct WsTrouble WsTrouble;

/* Why a request is refused. */
struct WsTrouble {
        const char *code, *message; /* static */
        bool retry;
};

/* Begins an answer in the loop's buffer; the caller goes on with members, and ends it. */
JsonOut ws_native_begin(WsClient *client, Text id, bool is_ok);
MUST_CHECK int ws_native_end(WsClient *client, JsonOut *out);
MUST_CHECK int ws_native_refuse(WsClient *client, Text id, const WsTrouble *trouble);

/* native_play.c. Takes *followp, which is aimed and has the id of its request. */
MUST_CHECK int ws_native_play(WsClient *client, const WsNativeRequest *ask, WsFollow **followp);
MUST_CHECK int ws_native_pause(WsClient *client, const WsNativeRequest *ask, Text id);
MUST_CHECK int ws_native_seek(WsClient *client, const WsNativeRequest *ask, Text id);
MUST_CHECK int ws_native_live(WsClient *client, const WsNativeRequest *ask, Text id);
MUST_CHECK int ws_native_played(WsClient *client, const WsFollow *follow, int status);
MUST_CHECK int ws_native_joined(WsClient *client, const WsFollow *follow);
