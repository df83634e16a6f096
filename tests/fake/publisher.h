#pragma once

/*
 * A MqttPublisher without a broker: link tests/fake/publisher.c instead of mqtt/publisher.c. It
 * shows each message to @seen and answers from @answers, then 0.
 */

#include "mqtt/publisher.h"

typedef struct FakePublisher FakePublisher;

struct FakePublisher {
        const int *connects; /* answers of mqtt_publisher_connect(), in order */
        size_t n_connects;
        const int *publishes; /* and of mqtt_publisher_publish() */
        size_t n_publishes;
        void (*seen)(const char *topic, Text payload); /* only what was answered 0 */

        size_t n_connected, n_published, n_open;
};

extern FakePublisher fake_publisher;
