#pragma once

/*
 * WsEntrances: the addresses at which the server listens, and the certificate for them.
 *
 * Opened and closed by who makes the server; in between they belong to the loop's thread. Zeroed
 * memory is none.
 */

#include "base/base.h"
#include "ws/net/listener.h"

typedef struct WsEntrances WsEntrances;

struct WsEntrances {
        const WsOptions *options;                 /* borrowed, may change */
        WsTls *tls;                               /* NULL = plain */
        WsListener *listeners[WS_ENTRANCE_COUNT]; /* NULL = none */
        int ports[WS_ENTRANCE_COUNT];             /* 0 = none */
};

enum {
        WS_ENTRANCES_E_START = 1, /* cannot listen there, or cannot use the certificate: logged */
};

MUST_CHECK int ws_entrances_open(WsEntrances *entrances,
                                 struct uv_loop_s *loop,
                                 const WsOptions *options,
                                 WsConns *conns);
void ws_entrances_close(WsEntrances *entrances); /* free once the loop has turned */
void ws_entrances_done(WsEntrances *entrances);  /* after that */

void ws_entrances_resume(WsEntrances *entrances); /* a few times a second */
void ws_entrances_renew(WsEntrances *entrances);  /* the certificate, from its files */
