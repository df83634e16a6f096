#include "ws/http/renewal.h"

#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/access.h"
#include "ws/access/party.h"
#include "ws/loop/questions.h"

static int ws_renewal_query(Query **ret_query,
                            const WsAccess *access,
                            const Device *device,
                            Text token) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, QUERY_DEVICE_TOKEN);
        if (r < 0)
                return err_up(r);
        query->device_id = device->id;
        memcpy(query->token_checked, device->token_hash, sizeof(query->token_checked));
        query->has_token_anew = ws_auth_key_token(access->auth, token, query->token_anew);
        *ret_query = TAKE(&query);
        return 0;
}

int ws_renewal_ask(const WsAccess *access,
                   WsQuestions *questions,
                   const Device *device,
                   Text token) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        if (device->token_form != TOKEN_SHA256 || !questions->ask)
                return 0; /* a bcrypt was made ours where it was checked, or has to stay one */
        r = ws_renewal_query(&query, access, device, token);
        if (r < 0)
                return err_up(r);
        if (!query->has_token_anew)
                return 0; /* without a pepper it stays as it is */
        query->party = ws_party_of(0, device->id, NULL);
        r = questions->ask(questions->ask_arg, &query);
        if (r < 0)
                return err_up(r);
        if (r > 0) /* too much is asked: next time */
                metric_add(METRIC_QUERY_REFUSED, 1);
        return 0;
}

int ws_renewal_proof(Query **ret_query, const WsAccess *access, const Device *device, Text token) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = ws_renewal_query(&query, access, device, token);
        if (r < 0)
                return err_up(r);
        query->password = strndup(token.data, token.n);
        if (!query->password)
                return err_new(-ENOMEM);
        *ret_query = TAKE(&query);
        return 0;
}
