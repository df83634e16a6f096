/* MqttConnecting: what Paho is asked for, and how the broker's answer is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include <MQTTAsync.h>

#include "mqtt/connecting.h"

typedef struct Told Told;

struct Told {
        int n;
        bool is_present, has_no_names;
        int code;
        char text[160];
};

static MQTTAsync_connectOptions asked; /* of the last connect */
static MQTTAsync_SSLOptions asked_tls;
static int n_properties, session_expiry_s, receive_maximum;
static int answer;

/* In place of libpaho's. */
int MQTTAsync_connect(MQTTAsync handle, const MQTTAsync_connectOptions *options) {
        MQTTProperties *properties = options->connectProperties;

        assert_ptr_equal(handle, &asked);
        asked = *options;
        if (options->ssl)
                asked_tls = *options->ssl;
        n_properties = properties ? properties->count : 0;
        if (properties) {
                session_expiry_s = (int)
                        MQTTProperties_getNumericValue(properties,
                                                       MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL);
                receive_maximum =
                        (int)MQTTProperties_getNumericValue(properties,
                                                            MQTTPROPERTY_CODE_RECEIVE_MAXIMUM);
        }
        return answer;
}

static void on_connected(void *arg, bool is_present, bool has_no_names) {
        Told *told = arg;

        ++told->n;
        told->is_present = is_present;
        told->has_no_names = has_no_names;
}

static void on_refused(void *arg, int code, const char *message) {
        Told *told = arg;

        ++told->n;
        told->code = code;
        snprintf(told->text, sizeof(told->text), "%s", message ? message : "nothing");
}

static void on_tls_error(void *arg, const char *reason) {
        Told *told = arg;

        ++told->n;
        snprintf(told->text, sizeof(told->text), "%s", reason);
}

static const MqttOptions options = { .username = "ana",
                                     .keep_alive_s = 30,
                                     .session_expiry_s = 3600,
                                     .receive_maximum = 100,
                                     .connect_timeout_ms = 1500,
                                     .verify = true,
                                     .ca_file = "ca.pem" };

static bool start(Told *told, MqttConnecting connecting) {
        static MqttConnectingSink sink;

        sink = (MqttConnectingSink){ .arg = told,
                                     .connected = on_connected,
                                     .refused = on_refused,
                                     .tls_error = on_tls_error };
        connecting.options = &options;
        connecting.sink = &sink;
        return mqtt_connecting_start(&connecting, &asked);
}

static void test_5_is_asked_with_the_life_of_its_session(void **state) {
        Told told = { 0 };

        (void)state;
        assert_true(start(&told, (MqttConnecting){ .is_v5 = true, .password = "secret" }));
        assert_int_equal(asked.MQTTVersion, MQTTVERSION_5);
        assert_int_equal(asked.cleanstart, 0);
        assert_int_equal(session_expiry_s, 3600);
        assert_int_equal(receive_maximum, 100);
        assert_string_equal(asked.username, "ana");
        assert_string_equal(asked.password, "secret");
        assert_int_equal(asked.keepAliveInterval, 30);
        assert_int_equal(asked.connectTimeout, 2); /* in full seconds, and never less */
        assert_null(asked.ssl);
        assert_null(asked.onSuccess);
}

static void test_a_clean_session_ends_with_its_connection(void **state) {
        Told told = { 0 };

        (void)state;
        assert_true(start(&told, (MqttConnecting){ .is_v5 = true, .is_clean = true }));
        assert_int_equal(asked.cleanstart, 1);
        assert_int_equal(n_properties, 1); /* no expiry */
        assert_true(start(&told, (MqttConnecting){ .is_clean = true }));
        assert_int_equal(asked.MQTTVersion, MQTTVERSION_3_1_1);
        assert_int_equal(asked.cleansession, 1);
        assert_null(asked.onSuccess5);
        assert_null(asked.connectProperties);
}

static void test_tls_has_forward_secrecy_and_checks_the_name(void **state) {
        Told told = { 0 };

        (void)state;
        assert_true(start(&told, (MqttConnecting){ .is_v5 = true, .is_tls = true }));
        assert_int_equal(asked_tls.enableServerCertAuth, 1);
        assert_int_equal(asked_tls.verify, 1);
        assert_string_equal(asked_tls.trustStore, "ca.pem");
        assert_int_equal(asked_tls.sslVersion, MQTT_SSL_VERSION_TLS_1_2);
        assert_non_null(strstr(asked_tls.enabledCipherSuites, "ECDHE"));
        assert_int_equal(asked_tls.ssl_error_cb("1:error:0A000086:SSL routines::certificate verify "
                                                "failed",
                                                0,
                                                asked_tls.ssl_error_context),
                         1);
        assert_int_equal(told.n, 1);
        assert_non_null(strstr(told.text, "certificate verify failed"));
}

static void test_what_paho_does_not_take_is_told_at_once(void **state) {
        Told told = { 0 };

        (void)state;
        answer = MQTTASYNC_FAILURE;
        assert_false(start(&told, (MqttConnecting){ .is_v5 = true }));
        assert_false(start(&told, (MqttConnecting){ .is_v5 = false }));
        answer = MQTTASYNC_SUCCESS;
        assert_int_equal(told.n, 0);
}

static void test_the_answer_says_whether_a_session_was_there(void **state) {
        MQTTAsync_successData v3 = { .alt.connect.sessionPresent = 1 };
        MQTTAsync_successData5 v5 = { .properties = MQTTProperties_initializer };
        MQTTProperty no_names = { .identifier =
                                          MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE };
        Told told = { 0 };

        (void)state;
        assert_true(start(&told, (MqttConnecting){ .is_v5 = false }));
        asked.onSuccess(asked.context, &v3);
        assert_true(told.is_present);
        assert_true(told.has_no_names); /* 3.1.1 has none */

        assert_true(start(&told, (MqttConnecting){ .is_v5 = true }));
        asked.onSuccess5(asked.context, &v5);
        assert_false(told.is_present);
        assert_false(told.has_no_names); /* it says nothing: it has them */
        assert_int_equal(MQTTProperties_add(&v5.properties, &no_names), 0);
        asked.onSuccess5(asked.context, &v5);
        assert_true(told.has_no_names);
        MQTTProperties_free(&v5.properties);
}

static void test_a_refusal_has_the_brokers_code_or_none(void **state) {
        MQTTAsync_failureData v3 = { .code = 5, .message = "not authorised" };
        MQTTAsync_failureData5 v5 = { .reasonCode = MQTTREASONCODE_NOT_AUTHORIZED, .code = -1 };
        Told told = { 0 };

        (void)state;
        assert_true(start(&told, (MqttConnecting){ .is_v5 = false }));
        asked.onFailure(asked.context, &v3);
        assert_int_equal(told.code, 5);
        assert_string_equal(told.text, "not authorised");
        asked.onFailure(asked.context, NULL);
        assert_int_equal(told.code, -1);
        assert_true(start(&told, (MqttConnecting){ .is_v5 = true }));
        asked.onFailure5(asked.context, &v5);
        assert_int_equal(told.code, MQTTREASONCODE_NOT_AUTHORIZED);
        assert_string_equal(told.text, "nothing");
        asked.onFailure5(asked.context, NULL);
        assert_int_equal(told.code, -1);
        assert_int_equal(told.n, 4);
}

/* Its memory is in order only while there is a client. */
static int setup(void **state) {
        return MQTTAsync_create(state,
                                "tcp://127.0.0.1:1",
                                "test",
                                MQTTCLIENT_PERSISTENCE_NONE,
                                NULL);
}

static int teardown(void **state) {
        MQTTAsync_destroy(state);
        return 0;
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_5_is_asked_with_the_life_of_its_session),
                cmocka_unit_test(test_a_clean_session_ends_with_its_connection),
                cmocka_unit_test(test_tls_has_forward_secrecy_and_checks_the_name),
                cmocka_unit_test(test_what_paho_does_not_take_is_told_at_once),
                cmocka_unit_test(test_the_answer_says_whether_a_session_was_there),
                cmocka_unit_test(test_a_refusal_has_the_brokers_code_or_none),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
