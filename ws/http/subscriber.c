#include "ws/http/subscriber.h"

#include "ws/http/exchange.h"
#include "ws/http/precheck.h"
#include "ws/http/response.h"
#include "ws/hub/viewer.h"
#include "ws/net/conn.h"
#include "ws/viewer/client.h"

/* The answer of a poll is there: it is written in a later turn, when nobody walks a list. */
static void ws_subscriber_on_poll(WsClient *client, WsConn *conn) {
        (void)client;
        ws_conn_want_write(conn);
}

static bool ws_subscriber_hold(WsConn *conn, size_t n) {
        return ws_exchange_hold(ws_conn_user(conn), n);
}

void ws_subscriber_attach(WsExchange *session, WsCall *call) {
        WsClient *client = TAKE(&call->client);

        assert(call->request); /* what subscribes has no body */
        session->client = client;
        session->state = WS_EXCHANGE_EVENTS;
        ws_conn_leave_crowd(session->conn);
        session->close = call->response->close;
        client->origin = *call->request->origin ? strdup(call->request->origin) : NULL;
        client->answer = ws_subscriber_on_poll;
        client->hold = ws_subscriber_hold;
        ws_conn_set_deadline(session->conn, 0);
        if (client->dialect->door == WS_DOOR_POLL)
                ws_conn_pause(session->conn, true); /* the next request stays unread */
        else
                ws_exchange_begin_events(session, call->response);
        if (ws_viewer_open(client, session->conn) < 0)
                ws_conn_close(session->conn);
}

static void ws_subscriber_refuse(const WsClient *client, WsResponse *response) {
        ws_response_retry_after(response, 1);
        ws_response_problem(response, 503, "over_capacity", client->close_reason);
}

void ws_subscriber_answer(WsExchange *session, const WsOptions *options) {
        CLEANUP(ws_viewer_free) WsClient *client = TAKE(&session->client);
        CLEANUP_RESPONSE WsResponse response = { .close = session->close };

        ws_precheck_origin(options, client->origin ? client->origin : "", &response);
        ws_response_header(&response, "Cache-Control", "no-store");
        if (client->told)
                ws_response_header(&response, "Tidegate-Cursor", client->told);
        response.status = 204;
        if (client->out.n > 0)
                buf_append_text(ws_response_json(&response), buf_text(&client->out));
        else if (client->has_lost_all)
                ws_response_problem(&response, 404, "not_found", client->close_reason);
        else if (client->close_code == WS_CLOSE_REVOKED || client->close_code == WS_CLOSE_EXPIRED)
                ws_response_problem(&response, 401, "unauthorized", client->close_reason);
        else if (client->close_code == WS_CLOSE_CAPACITY)
                ws_subscriber_refuse(client, &response);
        else if (client->close_code != 0 && client->close_code != WS_CLOSE_DRAINING)
                ws_response_problem(&response, 503, "state_lost", client->close_reason);
        ws_exchange_respond(session, &response);
}
