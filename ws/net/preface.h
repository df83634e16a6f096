#pragma once

/*
 * WsPreface: the header with which a proxy says for whom it opens a connection: PROXY protocol,
 * version 2 (haproxy.org/download/2.9/doc/proxy-protocol.txt).
 *
 * What a proxy says for itself (LOCAL: its health checks), and a connection that it cannot name
 * (AF_UNSPEC, AF_UNIX), are the proxy's. What follows the addresses is skipped. Version 1 is not
 * read. Pure.
 */

#include "base/base.h"
#include "ws/access/address.h"

#define WS_PREFACE_MIN 16   /* bytes that tell how long it is */
#define WS_PREFACE_MAX 4096 /* a longer one is refused */

typedef struct WsPreface WsPreface;

struct WsPreface {
        size_t n; /* bytes of all of it: known, and never less than what is there, with E_MORE too
                   */
        bool has_source;
        WsAddress source;
};

enum {
        WS_PREFACE_E_MORE =
                1, /* up to ret_preface->n bytes are still to come, and no more is read */
        WS_PREFACE_E_BAD,
};

MUST_CHECK int ws_preface_parse(WsPreface *ret_preface, Text bytes);
