#pragma once

/*
 * WsNative: the native protocol `tidegate.v1` on a WebSocket (docs/protocol.md, 4): the table is
 * ws_dialect_native.
 *
 * Requests are read by ws/dialects/native_request.h, subscriptions live in ws/viewer/feed.h,
 * commands in ws/device/order.h; here is what is said. Loop thread.
 */

#include "base/base.h"

#define WS_NATIVE_NAME "tidegate.v1"

/* Does `Sec-WebSocket-Protocol` offer it? */
bool ws_native_is_offered(const char *protocols);
