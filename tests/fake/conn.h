#pragma once

/*
 * FakeConn: a connection without socket, loop or time, in place of ws/net/conn.c: what is written
 * to it is kept for whoever looks, what is asked of it is done when the test says so.
 */

#include "base/base.h"
#include "base/buf.h"
#include "ws/net/conn.h"

struct WsConn {
        void *user;
        const char *source;
        int door;
        bool is_tls;
        bool is_slow; /* what is written leaves with fake_conn_drain() */
        bool is_paused, has_ended, is_ending, is_closing, wants_write;
        int64_t deadline_ms;
        Buf out;         /* all that was written */
        size_t n_unsent; /* of it */
};

/* The peer has taken everything; true: the handler is to be told so. */
bool fake_conn_drain(WsConn *conn);
