/* WsNativeRequest: any message of a native client is read or refused, and what is read keeps its
 * promises. */

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/registry.h"
#include "tests/fuzz/fuzz.h"
#include "ws/dialects/native_request.h"
#include "ws/viewer/push.h"
#include "ws/viewer/subscription.h"

static void check_subscribe(const WsNativeRequest *ask, const WsEye *eye) {
        WsSubscription subscription;
        Cursor cursor;

        if (ws_subscription_init(&subscription) != 0)
                return;
        for (size_t i = 0; i < ask->to.n; ++i) {
                Text target = ws_client_message_text(&ask->to, i);

                if (target.data && ws_subscription_aim(&subscription, eye, target) < 0)
                        break;
        }
        for (size_t i = 0; i < ask->types.n; ++i) {
                Text type = ws_client_message_text(&ask->types, i);

                if (type.data)
                        (void)!ws_subscription_add_type(&subscription, type);
        }
        if (ask->has_box && ws_subscription_set_box(&subscription, ask->box) == 0)
                FUZZ_CHECK(subscription.south <= subscription.north);
        if (ask->since.data && cursor_parse(ask->since, &cursor) == 0)
                FUZZ_CHECK(cursor.n >= 1 && cursor.n <= CURSOR_MAX);
        FUZZ_CHECK(subscription.n_targets <= WS_SUBSCRIPTION_TARGETS);
        FUZZ_CHECK(!ask->has_box || (isfinite(ask->box[0]) && isfinite(ask->box[3])));
        FUZZ_CHECK(ask->max_hz >= 0 || ask->fault);
        ws_subscription_done(&subscription);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *message = malloc(n + 1);
        Registry *registry = NULL;
        CLEANUP_BUF Buf id = { 0 };
        WsNativeRequest ask;
        WsEye eye;

        if (!message || registry_new(&registry) != 0) {
                free(message);
                return 0;
        }
        if (n > 0)
                memcpy(message, data, n);
        message[n] = '\0';
        eye = (WsEye){ .registry = registry, .sees_all = true };
        if (ws_native_request_read(&ask, (Text){ .data = message, .n = n }) == 0) {
                ws_client_message_echo(&(JsonOut){ .buf = &id }, NULL, &ask.command, "id");
                FUZZ_CHECK(id.n > 0);
                if (ask.op == WS_OP_SUBSCRIBE && !ask.fault)
                        check_subscribe(&ask, &eye);
                if (!ask.fault && ask.rate != 0)
                        FUZZ_CHECK(ask.rate >= WS_NATIVE_MIN_RATE &&
                                   ask.rate <= WS_NATIVE_MAX_RATE);
                if (!ask.fault && ask.has_at)
                        FUZZ_CHECK(ask.at_us > 0 && !ask.since.data && !ask.wants_set);
                if (ask.op == WS_OP_AUTH && !ask.fault)
                        FUZZ_CHECK(ask.token.data != NULL);
                if (ask.op == WS_OP_COMMAND && !ask.fault)
                        FUZZ_CHECK(ask.device.data != NULL);
                ws_native_request_done(&ask);
        }
        registry_free(registry);
        free(message);
        return 0;
}
