#include "ws/loop/wheel.h"

void ws_wheel_init(WsWheel *wheel, int64_t tick_ms, int64_t now_ms) {
        wheel->tick_ms = tick_ms > 0 ? tick_ms : 1;
        wheel->tick = now_ms / wheel->tick_ms;
        for (size_t i = 0; i < WS_WHEEL_N_SLOTS; ++i)
                TAILQ_INIT(&wheel->slots[i]);
}

void ws_wheel_link_init(WsWheelLink *link) {
        *link = (WsWheelLink){ .slot = -1 };
}

void ws_wheel_put(WsWheel *wheel, WsWheelLink *link, int64_t due_ms) {
        int64_t tick = (due_ms + wheel->tick_ms - 1) / wheel->tick_ms;

        ws_wheel_take(wheel, link);
        if (tick <= wheel->tick)
                tick = wheel->tick + 1;
        if (tick >= wheel->tick + WS_WHEEL_N_SLOTS)
                tick = wheel->tick + WS_WHEEL_N_SLOTS - 1;
        link->slot = (int)(tick % WS_WHEEL_N_SLOTS);
        TAILQ_INSERT_TAIL(&wheel->slots[link->slot], link, entry);
}

void ws_wheel_take(WsWheel *wheel, WsWheelLink *link) {
        if (link->slot < 0)
                return;

        TAILQ_REMOVE(&wheel->slots[link->slot], link, entry);
        link->slot = -1;
}

void ws_wheel_turn(WsWheel *wheel, int64_t now_ms, WsWheelFn fn) {
        int64_t now = now_ms / wheel->tick_ms;
        struct WsWheelSlot *slot;
        WsWheelLink *link;

        if (now - wheel->tick > WS_WHEEL_N_SLOTS) /* asleep for more than a turn: visit all once */
                wheel->tick = now - WS_WHEEL_N_SLOTS;
        while (wheel->tick < now) {
                ++wheel->tick; /* first, so that what is put back goes to a later slot */
                slot = &wheel->slots[wheel->tick % WS_WHEEL_N_SLOTS];
                while ((link = TAILQ_FIRST(slot))) {
                        ws_wheel_take(wheel, link);
                        fn(link, now_ms);
                }
        }
}
