/* MqttFilterState: nothing is forgotten that the session may have, and nothing held that it may
 * not. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "mqtt/filter_state.h"

static void test_a_filter_goes_where_the_table_says(void **state) {
        enum { NO = MQTT_FILTER_STATES, WANTED = MQTT_FILTER_WANTED };
        enum { SUBSCRIBED = MQTT_FILTER_SUBSCRIBED, REFUSED = MQTT_FILTER_REFUSED };
        enum { STALE = MQTT_FILTER_STALE, COVERED = MQTT_FILTER_COVERED };
        enum { DOUBLED = MQTT_FILTER_DOUBLED, GONE = MQTT_FILTER_GONE };
        static const int columns[MQTT_FILTER_EVENTS][MQTT_FILTER_STATES] = {
                /* from WANTED, SUBSCRIBED, REFUSED, STALE, COVERED, DOUBLED, GONE */
                [MQTT_FILTER_ON_WISH] = { WANTED,
                                          SUBSCRIBED,
                                          REFUSED,
                                          WANTED,
                                          COVERED,
                                          DOUBLED,
                                          WANTED },
                [MQTT_FILTER_ON_DROP] = { STALE, STALE, STALE, STALE, STALE, STALE, GONE },
                [MQTT_FILTER_ON_GRANT] = { SUBSCRIBED, SUBSCRIBED, SUBSCRIBED, NO, NO, NO, NO },
                [MQTT_FILTER_ON_DENY] = { REFUSED, REFUSED, REFUSED, NO, NO, NO, NO },
                [MQTT_FILTER_ON_UNSUB] = { NO, NO, NO, GONE, NO, COVERED, NO },
                [MQTT_FILTER_ON_COVER] = { COVERED, NO, NO, NO, NO, NO, NO },
                [MQTT_FILTER_ON_DOUBLE] = { DOUBLED, DOUBLED, NO, NO, NO, NO, NO },
                [MQTT_FILTER_ON_UNCOVER] = { NO, NO, NO, NO, WANTED, WANTED, NO },
                [MQTT_FILTER_ON_RESUME] = { WANTED, WANTED, WANTED, STALE, WANTED, WANTED, GONE },
                [MQTT_FILTER_ON_FRESH] = { WANTED, WANTED, WANTED, GONE, WANTED, WANTED, GONE },
        };

        (void)state;
        for (int event = 0; event < MQTT_FILTER_EVENTS; ++event) {
                for (int from = 0; from < MQTT_FILTER_STATES; ++from) {
                        bool is_there = columns[event][from] != NO;
                        MqttFilterState at = (MqttFilterState)from;

                        assert_int_equal(mqtt_filter_step(&at, (MqttFilterEvent)event), is_there);
                        assert_int_equal(at, is_there ? columns[event][from] : from);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_filter_goes_where_the_table_says),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
