#pragma once

/* WsHandshake: the answer that makes a connection a WebSocket (RFC 6455 4.2.2). Pure. */

#include "base/base.h"
#include "base/buf.h"

/* @protocol and @parameters (of permessage-deflate, with their semicolon) NULL: none. @hsts_s as in
 * response.h. */
MUST_CHECK int ws_handshake_write(Buf *buf,
                                  const char *key,
                                  const char *protocol,
                                  const char *parameters,
                                  int hsts_s);
