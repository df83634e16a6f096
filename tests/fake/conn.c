#include "tests/fake/conn.h"

bool fake_conn_drain(WsConn *conn) {
        bool is_told = ws_conn_is_open(conn) && conn->wants_write;

        conn->n_unsent = 0;
        conn->wants_write = false;
        return is_told;
}

void ws_conn_leave_crowd(WsConn *conn) {
        (void)conn;
}

void ws_conn_set_payer(WsConn *conn, uint64_t party) {
        (void)conn, (void)party;
}

void ws_conn_set_user(WsConn *conn, void *user) {
        conn->user = user;
}

void *ws_conn_user(const WsConn *conn) {
        return conn->user;
}

const char *ws_conn_source(const WsConn *conn) {
        return conn->source;
}

bool ws_conn_is_tls(const WsConn *conn) {
        return conn->is_tls;
}

int ws_conn_door(const WsConn *conn) {
        return conn->door;
}

bool ws_conn_write(WsConn *conn, const void *data, size_t n) {
        if (!ws_conn_is_open(conn))
                return false;
        buf_append(&conn->out, data, n);
        if (conn->is_slow)
                conn->n_unsent += n;
        return !buf_failed(&conn->out);
}

size_t ws_conn_n_unsent(const WsConn *conn) {
        return conn->n_unsent;
}

bool ws_conn_is_full(const WsConn *conn) {
        return conn->n_unsent > 0;
}

void ws_conn_want_write(WsConn *conn) {
        if (ws_conn_is_open(conn))
                conn->wants_write = true;
}

void ws_conn_pause(WsConn *conn, bool is_paused) {
        if (ws_conn_is_open(conn))
                conn->is_paused = is_paused;
}

bool ws_conn_is_paused(const WsConn *conn) {
        return conn->is_paused;
}

bool ws_conn_has_ended(const WsConn *conn) {
        return conn->has_ended;
}

bool ws_conn_is_given_up(const WsConn *conn) {
        (void)conn; /* there is no kernel */
        return false;
}

bool ws_conn_is_open(const WsConn *conn) {
        return !conn->is_closing && !conn->is_ending;
}

void ws_conn_set_deadline(WsConn *conn, int64_t deadline_ms) {
        conn->deadline_ms = deadline_ms;
}

void ws_conn_end(WsConn *conn) {
        if (!ws_conn_is_open(conn))
                return;
        conn->is_ending = true;
        conn->is_paused = conn->wants_write = false;
}

void ws_conn_close(WsConn *conn) {
        conn->is_closing = true;
}
