#include "ws/http/renewal.h"

#include "base/err.h"
#include "model/metrics.h"
#include "ws/access/access.h"
#include "ws/access/party.h"
#include "ws/loop/questions.h"

int ws_renewal_ask(const WsAccess *access,
                   WsQuestions *questions,
                   const Device *device,
                   Text token) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        if (device->token_form == TOKEN_KEYED || !questions->ask)
                return 0;
        r = query_new(&query, QUERY_DEVICE_TOKEN);
        if (r < 0)
                return err_up(r);
        if (!ws_auth_key_token(access->auth, token, query->token_anew))
                return 0; /* without a pepper it stays as it is */
        query->party = ws_party_of(0, device->id, NULL);
        query->device_id = device->id;
        memcpy(query->token_checked, device->token_hash, sizeof(query->token_checked));
        r = questions->ask(questions->ask_arg, &query);
        if (r < 0)
                return err_up(r);
        if (r > 0) /* too much is asked: next time */
                metric_add(METRIC_QUERY_REFUSED, 1);
        return 0;
}
