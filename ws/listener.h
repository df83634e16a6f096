#pragma once

/*
 * WsListener: how libwebsockets is set up to listen, and what its sockets are like.
 *
 * The facts about Debian's libwebsockets 4.1.6 that decide it are in docs/decisions. Used once,
 * when a server is made; ws_listener_tune() on the loop's thread.
 */

#include "gateway/base/base.h"
#include "ws/server.h"

#define WS_LISTENER_SPARE 1024 /* sockets beyond the WebSockets: HTTP, handshakes, our own */

typedef struct WsListening WsListening;
struct lws_context;
struct lws_extension;
struct lws_protocols;

/* What a listener is made of: all borrowed, for as long as it lives. */
struct WsListening {
        const WsOptions *options;
        const struct lws_protocols *protocols;
        const struct lws_extension *extensions;
        void *loop;               /* an uv_loop_t of ours */
        void *user;               /* of the context */
        struct lws_context **lws; /* set here; NULL again once lws has freed it */
};

enum {
        WS_LISTENER_E_START = 1, /* cannot listen there: logged */
        WS_LISTENER_E_BROKEN, /* cannot use the certificate, or the like: logged. libwebsockets has
                                 unloaded the code that its handles in the loop point to: abandon
                                 the loop, never run it */
};

MUST_CHECK int ws_listener_open(WsListening *listening, int *ret_port);
void ws_listener_tune(int fd); /* a socket that was just accepted */
