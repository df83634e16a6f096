#pragma once

/*
 * WsListener: one address where connections are accepted.
 *
 * As many as the options and the descriptors of the process allow: some of those are left to
 * PostgreSQL, the broker and the journal, so that a crowd of viewers never costs a message. Who is
 * too many is told so (503; with TLS hung up on) and counted. Where the system has no descriptor at
 * all it rests until ws_listener_resume(). Loop thread.
 */

#include "base/base.h"
#include "ws/loop/options.h"

#define WS_LISTENER_HEALTH 64 /* connections at the listener for health alone */

typedef struct WsConns WsConns;
typedef struct WsListener WsListener;
typedef struct WsTls WsTls;
struct uv_loop_s;

/* Whose connections they are: ws_conn_door(). */
typedef enum WsEntrance {
        WS_ENTRANCE_ALL,
        WS_ENTRANCE_HEALTH, /* /livez, /readyz, /metrics and /health alone; plain */
        WS_ENTRANCE_COUNT
} WsEntrance;

enum {
        WS_LISTENER_E_START = 1, /* cannot listen there: logged */
};

MUST_CHECK int ws_listener_open(WsListener **ret_listener,
                                struct uv_loop_s *loop,
                                const WsOptions *options, /* borrowed, may change */
                                const char *address,
                                WsEntrance entrance);
/* From now on; @tls NULL: plain. Both borrowed. */
void ws_listener_start(WsListener *listener, WsConns *conns, WsTls *tls);
void ws_listener_resume(WsListener *listener); /* a few times a second */
void ws_listener_close(WsListener *listener);  /* it is free once the loop has turned */
int ws_listener_port(const WsListener *listener);

/* The process may have as many files as this needs, if the system allows it; if it does not, there
 * are as many places as it allows. */
void ws_listener_fit(WsOptions *options);
