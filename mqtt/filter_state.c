#include "mqtt/filter_state.h"

#include "base/log.h"

enum {
        WAN = MQTT_FILTER_WANTED,
        SUB = MQTT_FILTER_SUBSCRIBED,
        REF = MQTT_FILTER_REFUSED,
        STA = MQTT_FILTER_STALE,
        COV = MQTT_FILTER_COVERED,
        DOU = MQTT_FILTER_DOUBLED,
        GON = MQTT_FILTER_GONE,
        NO = MQTT_FILTER_STATES,
};

/* As the header has it. */
static const int mqtt_filter_table[MQTT_FILTER_STATES][MQTT_FILTER_EVENTS] = {
        [MQTT_FILTER_WANTED] = { WAN, STA, SUB, REF, NO, COV, DOU, NO, WAN, WAN },
        [MQTT_FILTER_SUBSCRIBED] = { SUB, STA, SUB, REF, NO, NO, DOU, NO, WAN, WAN },
        [MQTT_FILTER_REFUSED] = { REF, STA, SUB, REF, NO, NO, NO, NO, WAN, WAN },
        [MQTT_FILTER_STALE] = { WAN, STA, NO, NO, GON, NO, NO, NO, STA, GON },
        [MQTT_FILTER_COVERED] = { COV, STA, NO, NO, NO, NO, NO, WAN, WAN, WAN },
        [MQTT_FILTER_DOUBLED] = { DOU, STA, NO, NO, COV, NO, NO, WAN, WAN, WAN },
        [MQTT_FILTER_GONE] = { WAN, GON, NO, NO, NO, NO, NO, NO, GON, GON },
};

bool mqtt_filter_step(MqttFilterState *state, MqttFilterEvent event) {
        int next = mqtt_filter_table[*state][event];

        if (next == NO) {
                log_error("mqtt_filter_out_of_step state=%d event=%d hint=\"a bug: please report "
                          "it\"",
                          (int)*state,
                          (int)event);
                return false;
        }
        *state = (MqttFilterState)next;
        return true;
}
