/* MqttSource: against a broker that does what it is told, and says what it was told. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "model/metrics.h"
#include "mqtt/source.h"

#define PATIENCE_MS 20000
#define PACKET_SIZE 4096

typedef enum Packet { /* MQTT 3.1.1, 2.2.1 */
                      CONNECT = 1,
                      PUBLISH = 3,
                      PUBACK = 4,
                      SUBSCRIBE = 8,
                      UNSUBSCRIBE = 10,
                      PINGREQ = 12,
                      DISCONNECT = 14,
                      GONE = 16, /* the connection is at its end */
} Packet;

typedef struct Said { /* what a client has sent */
        Packet type;
        unsigned packet_id;
        char filters[256]; /* with commas */
} Said;

typedef struct Broker {
        int fd;         /* that listens */
        _Atomic int on; /* the client's; -1: none is there */
        pthread_t thread;
        Queue *said;
        bool has_session;
} Broker;

static Broker broker;
static MqttSource *source;
static MqttOptions options;
static char url[64];

/* ---- the broker ----------------------------------------------------------------------------- */

static void say(const Said *said) {
        Said *copy = malloc(sizeof(*copy));

        assert_non_null(copy);
        *copy = *said;
        assert_int_equal(queue_push(broker.said, copy, 0), 0);
}

static bool read_all(int fd, uint8_t *bytes, size_t n) {
        size_t got = 0;
        ssize_t r;

        while (got < n && (r = read(fd, bytes + got, n - got)) > 0)
                got += (size_t)r;
        return got == n;
}

static bool read_packet(int fd, Packet *ret_type, uint8_t body[PACKET_SIZE], size_t *ret_n) {
        uint8_t byte;
        unsigned shift = 0;

        if (!read_all(fd, &byte, 1))
                return false;
        *ret_type = (Packet)(byte >> 4);
        *ret_n = 0;
        do {
                if (!read_all(fd, &byte, 1))
                        return false;
                *ret_n |= (size_t)(byte & 127) << shift;
                shift += 7;
        } while (byte & 128);
        return *ret_n <= PACKET_SIZE && read_all(fd, body, *ret_n);
}

static void write_all(int fd, const void *bytes, size_t n) {
        (void)!send(fd, bytes, n, MSG_NOSIGNAL);
}

/* A list of filters, each with its QoS behind it where @has_qos. How many. */
static size_t read_filters(const uint8_t *body, size_t n, bool has_qos, char ret_text[256]) {
        size_t n_filters = 0, n_text = 0;

        for (size_t at = 2; at + 2 <= n; ++n_filters) {
                size_t length = (size_t)body[at] << 8 | body[at + 1];

                n_text += (size_t)snprintf(ret_text + n_text,
                                           256 - n_text,
                                           "%s%.*s",
                                           n_filters ? "," : "",
                                           (int)length,
                                           (const char *)body + at + 2);
                at += 2 + length + has_qos;
        }
        return n_filters;
}

static void answer(int fd, Packet type, const uint8_t *body, size_t n) {
        Said said = { .type = type };
        uint8_t suback[32] = { 0x90, 2, body[0], body[1] };
        size_t n_filters;

        if (type != CONNECT && n >= 2)
                said.packet_id = (unsigned)body[0] << 8 | body[1];
        if (type == SUBSCRIBE || type == UNSUBSCRIBE) {
                n_filters = read_filters(body, n, type == SUBSCRIBE, said.filters);
                if (type == UNSUBSCRIBE)
                        n_filters = 0;
                suback[0] = type == SUBSCRIBE ? 0x90 : 0xb0;
                suback[1] = (uint8_t)(2 + n_filters);
                memset(suback + 4, 1, n_filters); /* QoS 1 is what they get */
        }
        say(&said); /* before it is answered: what follows from that comes behind it */
        if (type == CONNECT)
                write_all(fd, (uint8_t[]){ 0x20, 2, broker.has_session, 0 }, 4);
        else if (type == SUBSCRIBE || type == UNSUBSCRIBE)
                write_all(fd, suback, 2U + suback[1]);
        else if (type == PINGREQ)
                write_all(fd, (uint8_t[]){ 0xd0, 0 }, 2);
}

static void *broker_run(void *arg) {
        uint8_t body[PACKET_SIZE] = { 0 };
        Packet type;
        size_t n;
        int fd;

        (void)arg;
        while ((fd = accept(broker.fd, NULL, NULL)) >= 0) {
                atomic_store(&broker.on, fd);
                while (read_packet(fd, &type, body, &n))
                        answer(fd, type, body, n);
                atomic_store(&broker.on, -1);
                close(fd);
                say(&(Said){ .type = GONE });
        }
        return NULL;
}

/* What comes next of @type; what comes before is passed over. */
static Said next(Packet type) {
        void *item = NULL;
        Said said;

        do {
                assert_int_equal(queue_pop(broker.said, &item, 1, PATIENCE_MS), 1);
                said = *(Said *)item;
                free(item);
        } while (said.type != type);
        return said;
}

static void publish(unsigned packet_id, const char *topic, const char *payload) {
        size_t n_topic = strlen(topic), n_payload = strlen(payload);
        uint8_t packet[256] = { 0x32, (uint8_t)(2 + n_topic + 2 + n_payload), 0, (uint8_t)n_topic };

        memcpy(packet + 4, topic, n_topic);
        packet[4 + n_topic] = (uint8_t)(packet_id >> 8);
        packet[5 + n_topic] = (uint8_t)packet_id;
        memcpy(packet + 6 + n_topic, payload, n_payload);
        write_all(atomic_load(&broker.on), packet, 6 + n_topic + n_payload);
}

/* ---- the sink ------------------------------------------------------------------------------- */

static struct {
        _Atomic int n_refusals; /* that are still to come */
        _Atomic int n_taken, n_resumed, n_lost;
        _Atomic bool is_high;
        _Atomic size_t n_acks_before; /* of what was taken, as it was */
        char payload[64];             /* of the last */
} sink;

static int on_inbound(void *arg, const Inbound *inbound) {
        (void)arg;
        if (atomic_load(&sink.n_refusals) > 0) {
                atomic_fetch_sub(&sink.n_refusals, 1);
                return INBOUND_E_FULL;
        }
        assert_true(inbound->payload.n < sizeof(sink.payload));
        memcpy(sink.payload, inbound->payload.data, inbound->payload.n);
        sink.payload[inbound->payload.n] = '\0';
        atomic_store(&sink.n_acks_before, queue_length(broker.said));
        atomic_fetch_add(&sink.n_taken, 1);
        return 0;
}

static void on_resumed(void *arg, uint16_t number, unsigned n_in_flight) {
        (void)arg;
        assert_true(number != 0 && n_in_flight > 0);
        atomic_fetch_add(&sink.n_resumed, 1);
}

static void on_lost(void *arg, uint16_t number) {
        (void)arg;
        assert_true(number != 0);
        atomic_fetch_add(&sink.n_lost, 1);
}

static bool is_wanted(const void *wanted, Text topic) {
        return !text_equal(topic, text_of(wanted));
}

static bool is_high(void *arg) {
        (void)arg;
        return atomic_load(&sink.is_high);
}

/* ---- cases ---------------------------------------------------------------------------------- */

static int set_up(void **state) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(address);

        (void)state;
        log_set_level((LogLevel)-1);
        metrics_reset();
        memset(&sink, 0, sizeof(sink));
        broker = (Broker){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .on = -1 };
        assert_int_equal(queue_new(&broker.said, 1024, free), 0);
        assert_int_equal(bind(broker.fd, (struct sockaddr *)&address, n), 0);
        assert_int_equal(listen(broker.fd, 8), 0);
        assert_int_equal(getsockname(broker.fd, (struct sockaddr *)&address, &n), 0);
        assert_int_equal(pthread_create(&broker.thread, NULL, broker_run, NULL), 0);
        snprintf(url, sizeof(url), "mqtt://127.0.0.1:%d", ntohs(address.sin_port));
        options = (MqttOptions){ .url = url,
                                 .client_id = "test-source",
                                 .version = 4,
                                 .keep_alive_s = 60,
                                 .connect_timeout_ms = PATIENCE_MS,
                                 .backoff_min_ms = 10,
                                 .backoff_max_ms = 50 };
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        source = mqtt_source_free(source);
        assert_null(source);
        shutdown(broker.fd, SHUT_RDWR);
        pthread_join(broker.thread, NULL);
        close(broker.fd);
        queue_free(broker.said);
        return 0;
}

static void filter(const char *one) {
        assert_int_equal(mqtt_source_set_filters(source, &one, 1), 0);
}

static void start(const char *wanted) {
        const MqttSink to = { .inbound = on_inbound,
                              .session_resumed = on_resumed,
                              .session_lost = on_lost,
                              .is_high = is_high,
                              .is_wanted = is_wanted,
                              .wanted = "a/other" };

        assert_int_equal(mqtt_source_new(&source, &options, &to), 0);
        filter(wanted);
        assert_int_equal(mqtt_source_start(source), 0);
        assert_string_equal(next(SUBSCRIBE).filters, wanted);
}

static void wait_ready(void) {
        int64_t until_us = clock_mono_us() + PATIENCE_MS * INT64_C(1000);

        while (!mqtt_source_is_connected(source) && clock_mono_us() < until_us)
                sched_yield();
        assert_true(mqtt_source_is_connected(source));
}

static void test_it_connects_nothing_before_it_is_started(void **state) {
        const MqttSink to = { .inbound = on_inbound };

        (void)state;
        assert_int_equal(mqtt_source_new(&source, &options, &to), 0);
        filter("a/#");
        assert_int_equal(queue_length(broker.said), 0);
        assert_false(mqtt_source_is_connected(source));
        source = mqtt_source_free(source);
        options.url = "http://127.0.0.1:1";
        assert_int_equal(mqtt_source_new(&source, &options, &to), MQTT_SOURCE_E_INVALID);
        assert_null(source);
}

static void test_what_was_taken_is_acknowledged_and_nothing_else(void **state) {
        (void)state;
        start("a/#");
        wait_ready();
        assert_true(atomic_load(&sink.n_lost) == 1 && atomic_load(&sink.n_resumed) == 0);
        atomic_store(&sink.n_refusals, 3); /* there is no room for it at first */
        publish(7, "a/x", "one");
        assert_int_equal(next(PUBACK).packet_id, 7);
        assert_int_equal(atomic_load(&sink.n_refusals), 0);
        assert_int_equal(atomic_load(&sink.n_taken), 1);
        assert_int_equal(atomic_load(&sink.n_acks_before), 0);
        assert_string_equal(sink.payload, "one");
}

/* A wide filter brings more than what a narrow one would. */
static void test_what_is_not_wanted_is_left_and_counted(void **state) {
        (void)state;
        start("a/#");
        wait_ready();
        publish(8, "a/other", "none");
        assert_int_equal(next(PUBACK).packet_id, 8); /* or it would come for ever */
        assert_int_equal(atomic_load(&sink.n_taken), 0);
        assert_int_equal(metric_get(METRIC_MQTT_UNWANTED), 1);
}

static void test_filters_that_went_are_unsubscribed_and_new_ones_subscribed(void **state) {
        (void)state;
        start("a/#");
        wait_ready();
        filter("b/+");
        assert_string_equal(next(SUBSCRIBE).filters, "b/+");
        assert_string_equal(next(UNSUBSCRIBE).filters, "a/#");
}

static void test_at_high_water_the_broker_keeps_what_comes(void **state) {
        (void)state;
        start("a/#");
        wait_ready();
        atomic_store(&sink.is_high, true);
        publish(9, "a/x", "last");
        assert_int_equal(next(PUBACK).packet_id, 9);
        next(DISCONNECT);
        next(GONE);
        assert_int_equal(atomic_load(&broker.on), -1);
        broker.has_session = true;
        atomic_store(&sink.is_high, false);
        next(CONNECT);
        wait_ready();
        assert_true(atomic_load(&sink.n_lost) == 1 && atomic_load(&sink.n_resumed) == 1);
        publish(10, "a/x", "more");
        assert_int_equal(next(PUBACK).packet_id, 10);
        assert_string_equal(sink.payload, "more");
}

static void test_a_broker_that_goes_is_found_again(void **state) {
        (void)state;
        start("a/#");
        wait_ready();
        shutdown(atomic_load(&broker.on), SHUT_RDWR);
        next(GONE);
        next(CONNECT); /* and has forgotten us */
        assert_string_equal(next(SUBSCRIBE).filters, "a/#");
        wait_ready();
        assert_int_equal(atomic_load(&sink.n_lost), 2);
        assert_int_equal(metric_get(METRIC_MQTT_DISCONNECTS), 1);
}

static void test_it_unsubscribes_nothing_as_it_ends(void **state) {
        void *item = NULL;
        Packet last = CONNECT;

        (void)state;
        start("a/#");
        wait_ready();
        mqtt_source_stop(source);
        while (last != GONE) {
                assert_int_equal(queue_pop(broker.said, &item, 1, PATIENCE_MS), 1);
                last = ((Said *)item)->type;
                assert_int_not_equal(last, UNSUBSCRIBE);
                free(item);
        }
        assert_false(mqtt_source_is_connected(source));
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_it_connects_nothing_before_it_is_started),
                CASE(test_what_was_taken_is_acknowledged_and_nothing_else),
                CASE(test_what_is_not_wanted_is_left_and_counted),
                CASE(test_filters_that_went_are_unsubscribed_and_new_ones_subscribed),
                CASE(test_at_high_water_the_broker_keeps_what_comes),
                CASE(test_a_broker_that_goes_is_found_again),
                CASE(test_it_unsubscribes_nothing_as_it_ends),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
