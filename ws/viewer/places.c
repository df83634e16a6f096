#include "ws/viewer/places.h"

#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/access/shares.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"
#include "ws/viewer/client.h"

#define WS_PLACES_UNKNOWN 256 /* where the options do not say */

bool ws_places_take(WsClient *client, uint64_t party) {
        WsLoop *loop = client->loop;
        size_t n_max = (size_t)loop->options->max_connections;

        if (party == client->party)
                return true;
        if (!ws_shares_fit(loop->places, party, 1, n_max, ws_loop_share(loop))) {
                metric_add(METRIC_SHARE_REFUSED_SOCKETS, 1);
                return false;
        }
        if (!ws_shares_take(loop->places, party, 1))
                return false;
        if (client->party != 0)
                ws_shares_give_back(loop->places, client->party, 1);
        client->party = party;
        if (client->conn)
                ws_conn_set_payer(client->conn, party);
        return true;
}

bool ws_places_take_strange(WsClient *client) {
        WsLoop *loop = client->loop;
        const WsOptions *options = loop->options;
        size_t n_all = (size_t)options->max_connections / 4 + 1;
        size_t n_one = (size_t)options->max_unauthenticated;
        uint64_t party = ws_party_address(client->source);

        if (ws_shares_of(loop->strangers, party) >= (n_one > 0 ? n_one : WS_PLACES_UNKNOWN) ||
            !ws_shares_fit(loop->strangers, party, 1, n_all, ws_loop_share(loop))) {
                metric_add(METRIC_SHARE_REFUSED_STRANGERS, 1);
                return false;
        }
        client->is_unknown = ws_shares_take(loop->strangers, party, 1);
        return client->is_unknown;
}

void ws_places_make_known(WsClient *client) {
        WsLoop *loop = client->loop;
        if (client->is_unknown)
                ws_shares_give_back(loop->strangers, ws_party_address(client->source), 1);
        client->is_unknown = false;
}

void ws_places_give_back(WsClient *client) {
        WsLoop *loop = client->loop;
        ws_places_make_known(client);
        if (client->party != 0)
                ws_shares_give_back(loop->places, client->party, 1);
        client->party = 0;
        --loop->n_clients;
}
