#include "tests/fake/publisher.h"

struct MqttPublisher {
        char unused;
};

FakePublisher fake_publisher;

static int next_answer(const int **answers, size_t *n) {
        if (*n == 0)
                return 0;
        --*n;
        return *(*answers)++;
}

int mqtt_publisher_new(MqttPublisher **ret_publisher, const MqttOptions *options, int window) {
        (void)options;
        (void)window;
        *ret_publisher = calloc(1, sizeof(**ret_publisher));
        ++fake_publisher.n_open;
        return *ret_publisher ? 0 : -ENOMEM;
}

MqttPublisher *mqtt_publisher_free(MqttPublisher *publisher) {
        if (publisher)
                --fake_publisher.n_open;
        free(publisher);
        return NULL;
}

int mqtt_publisher_connect(MqttPublisher *publisher) {
        int r = next_answer(&fake_publisher.connects, &fake_publisher.n_connects);

        (void)publisher;
        if (r == 0)
                ++fake_publisher.n_connected;
        return r;
}

int mqtt_publisher_publish(MqttPublisher *publisher,
                           const char *topic,
                           Text payload,
                           int qos,
                           bool retain) {
        int r = next_answer(&fake_publisher.publishes, &fake_publisher.n_publishes);

        (void)publisher;
        (void)qos;
        (void)retain;
        if (r != 0)
                return r;
        ++fake_publisher.n_published;
        fake_publisher.seen(topic, payload);
        return 0;
}

int mqtt_publisher_flush(MqttPublisher *publisher, int timeout_ms) {
        (void)publisher;
        (void)timeout_ms;
        return 0;
}

int mqtt_publisher_n_unsure(const MqttPublisher *publisher) {
        (void)publisher;
        return 0;
}
