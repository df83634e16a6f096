/*
 * Session: what a broker says to a connect, to subscriptions and publishes, and what it sends by
 * itself. The first byte picks URL and version, the rest is what tests/fake/paho.h makes of it:
 * whatever it is, a filter that counts as granted has a QoS or a refusal for it, no message has
 * more bytes than came, and words for people are one line.
 */

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "model/inbound.h"
#include "mqtt/sending.h"
#include "mqtt/session.h"
#include "mqtt/subscribing.h"
#include "tests/fake/paho.h"
#include "tests/fuzz/fuzz.h"

#define N_ROUNDS  8
#define N_FILTERS 3

/* In place of libc's: no name has an address, and nobody is asked. */
int getaddrinfo(const char *name,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret_found) {
        (void)name, (void)service, (void)hints, (void)ret_found;
        return EAI_NONAME;
}

typedef struct Heard Heard;

struct Heard {
        size_t n_connects, n_losses, n_messages;
};

static void on_connected(void *arg, bool is_present) {
        Heard *heard = arg;

        (void)is_present;
        ++heard->n_connects;
}

static void on_message(void *arg, const Inbound *inbound) {
        Heard *heard = arg;
        volatile char sink = 0;

        for (size_t i = 0; i < inbound->topic.n; ++i)
                sink = (char)(sink ^ inbound->topic.data[i]);
        for (size_t i = 0; i < inbound->payload.n; ++i)
                sink = (char)(sink ^ inbound->payload.data[i]);
        FUZZ_CHECK(inbound->qos <= 2 && (inbound->qos > 0 || inbound->packet_id == 0));
        ++heard->n_messages;
}

static void on_lost(void *arg) {
        Heard *heard = arg;

        ++heard->n_losses;
}

static void check_subscribing(MqttSession *session) {
        static const char *const filters[N_FILTERS] = { "a", "b/+", "c/#" };
        int codes[N_FILTERS];

        if (mqtt_subscribing_begin(session, filters, N_FILTERS, 1, codes) == 0)
                for (size_t i = 0; i < N_FILTERS; ++i)
                        FUZZ_CHECK((codes[i] >= 0 && codes[i] <= 2) ||
                                   (codes[i] >= MQTT_SESSION_REFUSED && codes[i] <= 0xff));
        else
                FUZZ_CHECK(!mqtt_session_is_connected(session));
        if (mqtt_subscribing_end(session, filters, 1) != 0)
                FUZZ_CHECK(!mqtt_session_is_connected(session));
}

static void check_sending(MqttSession *session) {
        static const MqttMessage message = { .topic = "t",
                                             .payload = { "{}", 2 },
                                             .response_topic = "r",
                                             .correlation = { "c", 1 },
                                             .expiry_s = 5 };
        MqttSending sending = { .session = session };

        FUZZ_CHECK(mqtt_sending_start(&sending, session, &message) >= 0);
        FUZZ_CHECK(atomic_load(&sending.outcome) >= MQTT_OUTCOME_PENDING &&
                   atomic_load(&sending.outcome) <= MQTT_OUTCOME_REFUSED);
}

static void check_round(MqttSession *session) {
        int r = mqtt_session_connect(session);

        FUZZ_CHECK(r >= 0 && !strpbrk(mqtt_session_error(session), "\"\n"));
        (void)mqtt_session_has_more(session);
        FUZZ_CHECK(mqtt_session_lost_code(session) >= 0 && mqtt_session_url(session)[0]);
        if (r == 0 && mqtt_session_is_connected(session)) {
                check_subscribing(session);
                check_sending(session);
                mqtt_session_check(session);
                mqtt_session_disconnect(session);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        static const char *const urls[] = { "mqtt://h",
                                            "mqtts://h:1,mqtt://g",
                                            "mqtt://a,mqtt://b" };
        static const int versions[] = { 0, 4, 5 };
        MqttOptions options = { .connect_timeout_ms = 1,
                                .session_expiry_s = 5,
                                .receive_maximum = 7 };
        Heard heard = { 0 };
        MqttSessionSink sink = {
                .arg = &heard, .connected = on_connected, .message = on_message, .lost = on_lost
        };
        MqttSession *session = NULL;

        if (n == 0)
                return 0;
        options.url = urls[data[0] % N_ELEMENTS(urls)];
        options.version = versions[data[0] / 16 % N_ELEMENTS(versions)];
        fake_paho_set((Text){ (const char *)data + 1, n - 1 });
        FUZZ_CHECK(mqtt_session_new(&session, &options, "id", data[0] & 8, 5, &sink) == 0);
        for (int i = 0; i < N_ROUNDS && fake_paho_has_more(); ++i)
                check_round(session);
        FUZZ_CHECK(heard.n_losses <= heard.n_connects);
        FUZZ_CHECK(heard.n_messages == mqtt_session_n_messages(session));
        mqtt_session_free(session);
        return 0;
}
