#pragma once

/* What a WsServer does with its WsOptions: owned copies, and reading `listen`. Pure. */

#include "base/base.h"
#include "ws/server.h"

/* A copy that owns its strings; numbers that make no sense become the nearest that do. */
MUST_CHECK int ws_options_copy(WsOptions *ret_options, const WsOptions *options);
void ws_options_done(WsOptions *options); /* of a copy */

typedef struct WsListen WsListen;

struct WsListen {
        char host[64]; /* numeric; "" = every address */
        bool is_ipv6;
        int port;
};

enum {
        WS_OPTIONS_E_LISTEN = 1, /* not host:port, or a host that does not resolve */
};

MUST_CHECK int ws_options_listen(const char *listen, WsListen *ret_address);
