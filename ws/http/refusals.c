#include "ws/http/refusals.h"

#include <stdio.h>

#include "base/bucket.h"
#include "base/err.h"
#include "base/log.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"

enum {
        WS_REFUSALS_SOURCES = 1024,
        WS_REFUSALS_PER_MINUTE = 20, /* of one source */
        WS_REFUSALS_TEXT = 200,      /* bytes of what was asked for, at most */
};

static const BucketRate ws_refusals_all = { .n = 120,
                                            .period_us = INT64_C(60000000),
                                            .burst = 120 };

struct WsRefusals {
        WsLimiter *sources;
        Bucket all;
        unsigned long long n_held;
};

int ws_refusals_new(WsRefusals **ret_refusals) {
        CLEANUP(ws_refusals_free) WsRefusals *refusals = NULL;
        int r;

        refusals = calloc(1, sizeof(*refusals));
        if (!refusals)
                return err_new(-ENOMEM);
        r = ws_limiter_new(&refusals->sources, WS_REFUSALS_SOURCES);
        if (r < 0)
                return err_up(r);
        *ret_refusals = TAKE(&refusals);
        return 0;
}

WsRefusals *ws_refusals_free(WsRefusals *refusals) {
        if (!refusals)
                return NULL;

        ws_limiter_free(refusals->sources);
        free(refusals);
        return NULL;
}

/* Its own share first: who has used it up takes nothing of what is there for all. */
static bool ws_refusals_may(WsRefusals *refusals, const char *source, int64_t now_us) {
        uint64_t party = ws_party_of(0, 0, source);
        Text name = { .data = (const char *)&party, .n = sizeof(party) };

        return ws_limiter_take(refusals->sources, name, WS_REFUSALS_PER_MINUTE, now_us) == 0 &&
               bucket_take(&refusals->all, &ws_refusals_all, 1, now_us) == 0;
}

/* In quotes: what comes from outside ends none, and is as long as it may be. */
static const char *ws_refusals_quote(const char *text, char ret_text[WS_REFUSALS_TEXT]) {
        snprintf(ret_text, WS_REFUSALS_TEXT, "%s", text);
        for (char *c = ret_text; *c; ++c)
                if (*c == '"' || *c == '\\')
                        *c = '?';
        return ret_text;
}

bool ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us) {
        char path[WS_REFUSALS_TEXT], origin[WS_REFUSALS_TEXT];

        if (!ws_refusals_may(refusals, refused->source, now_us)) {
                ++refusals->n_held;
                return false;
        }
        log_info("ws_refused path=\"%s\" status=%d reason=%s why=\"%s\" origin=\"%s\" "
                 "source=%s%s%s "
                 "more=%llu",
                 ws_refusals_quote(refused->path, path),
                 refused->status,
                 refused->code,
                 refused->why,
                 ws_refusals_quote(refused->origin, origin),
                 refused->source,
                 refused->key ? " set=" : "",
                 refused->key ? refused->key : "",
                 refusals->n_held);
        refusals->n_held = 0;
        return true;
}
