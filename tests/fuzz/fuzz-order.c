/* WsOrder: orders of users, frames of devices and bodies of receivers, whatever is in them. */

#include "tests/fuzz/fuzz.h"
#include "ws/device/detections.h"
#include "ws/device/order.h"

static void check_order(Text text) {
        const WsOptions options = { .command_max_timeout_ms = 60000 };
        WsRefused refused = { 0 };
        WsOrder order;

        FUZZ_CHECK(ws_order_read(&options, text, &order, &refused) == 0);
        if (refused.status == 0) {
                FUZZ_CHECK(strnlen(order.action, WS_ORDER_NAME) - 1 < WS_ORDER_NAME - 1);
                FUZZ_CHECK(strnlen(order.idempotency_key, WS_ORDER_NAME) < WS_ORDER_NAME);
                FUZZ_CHECK(order.timeout_ms >= 0 && order.timeout_ms <= 60000);
                FUZZ_CHECK(!order.payload || order.payload[0] == '{');
        }
        ws_order_done(&order);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Text text = { .data = (const char *)data, .n = n };
        WsDetections found;

        check_order(text);
        (void)ws_order_is_ack(text);
        for (int is_single = 0; is_single < 2; ++is_single)
                if (!ws_detections_read(text, is_single, &found))
                        FUZZ_CHECK(found.n_good <= found.n_items &&
                                   strnlen(found.device, sizeof(found.device)) <
                                           sizeof(found.device));
        return 0;
}
