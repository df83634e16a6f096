#include "ws/http/login_queue.h"

#include "base/clock.h"
#include "base/err.h"
#include "ws/access/party.h"
#include "ws/http/exchange.h"
#include "ws/http/precheck.h"

static bool ws_login_queue_has(const WsWaiter *waiter, uint64_t place, bool is_held) {
        return waiter->session && waiter->is_login && waiter->question.id != 0 &&
               waiter->is_held == is_held && ws_party_address(waiter->source) == place;
}

bool ws_login_queue_is_moving(const WsWaiters *waiters, const char *source) {
        uint64_t place = ws_party_address(source);

        for (size_t i = 0; i < waiters->n_all; ++i)
                if (ws_login_queue_has(&waiters->all[i], place, false))
                        return true;
        return false;
}

static WsWaiter *ws_login_queue_first(WsWaiters *waiters, uint64_t place) {
        WsWaiter *first = NULL;

        for (size_t i = 0; i < waiters->n_all; ++i) {
                WsWaiter *waiter = &waiters->all[i];

                if (ws_login_queue_has(waiter, place, true) &&
                    (!first || waiter->question.id < first->question.id))
                        first = waiter;
        }
        return first;
}

static int ws_login_queue_ask(WsWaiters *waiters, WsWaiter *waiter, WsCall *call) {
        int timeout_ms = ws_exchange_answer_ms(waiters->options);
        int r;

        waiter->is_held = false;
        waiter->question.held->deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        r = ws_questions_release(waiters->questions, &waiter->question, timeout_ms);
        if (r == WS_QUESTIONS_E_FULL)
                r = waiter->endpoint->answer(call, &(Answer){ .kind = QUERY_LOGIN, .status = 503 });
        return err_up(r);
}

/* False: its turn has not come. */
static bool ws_login_queue_take(WsWaiters *waiters, WsWaiter *waiter, const WsCall *blank) {
        CLEANUP_RESPONSE WsResponse response = ws_waiter_response(waiter);
        WsCall call = *blank;

        call.response = &response;
        ws_waiter_recall(waiter, &call);
        ws_precheck_origin(call.options, waiter->origin, &response);
        if (ws_endpoint_login_turn(&call)) {
                if (ws_login_queue_ask(waiters, waiter, &call) < 0)
                        ws_precheck_fault(&response);
        } else if (response.status == 0) {
                return false;
        }
        if (response.status != 0)
                ws_waiter_answer(waiter, &response);
        return true;
}

void ws_login_queue_move(WsWaiters *waiters, const char *source, const WsCall *blank) {
        uint64_t place = ws_party_address(source);
        WsWaiter *first = ws_login_queue_first(waiters, place);

        while (first && ws_login_queue_take(waiters, first, blank))
                first = ws_login_queue_first(waiters, place);
}

void ws_login_queue_move_all(WsWaiters *waiters, const WsCall *blank) {
        for (size_t i = 0; i < waiters->n_all; ++i) {
                const WsWaiter *waiter = &waiters->all[i];
                char source[sizeof(waiter->source)];

                if (!waiter->session || !waiter->is_held || waiter->question.id == 0 ||
                    ws_login_queue_is_moving(waiters, waiter->source))
                        continue;
                memcpy(source, waiter->source, sizeof(source));
                ws_login_queue_move(waiters, source, blank);
        }
}
