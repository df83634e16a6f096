#include "mqtt/connecting.h"

#include <MQTTAsync.h>

#include "base/err.h"
#include "mqtt/broker.h"

#define MQTT_CONNECTING_CIPHERS \
        "ECDHE+AESGCM:ECDHE+CHACHA20" /* of TLS 1.2: forward secrecy, AEAD */
#define MQTT_CONNECTING_REASON 160

/* ---- Paho's callbacks ---- */

static void mqtt_connecting_on_connected3(void *context, MQTTAsync_successData *data) {
        const MqttConnectingSink *sink = context;

        sink->connected(sink->arg, data->alt.connect.sessionPresent, true);
}

static void mqtt_connecting_on_connected5(void *context, MQTTAsync_successData5 *data) {
        const MqttConnectingSink *sink = context;
        const enum MQTTPropertyCodes names = MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIERS_AVAILABLE;

        sink->connected(sink->arg,
                        data->alt.connect.sessionPresent,
                        MQTTProperties_getNumericValue(&data->properties, names) == 0);
}

static void mqtt_connecting_on_refused3(void *context, MQTTAsync_failureData *data) {
        const MqttConnectingSink *sink = context;

        sink->refused(sink->arg, data ? data->code : -1, data ? data->message : NULL);
}

static void mqtt_connecting_on_refused5(void *context, MQTTAsync_failureData5 *data) {
        const MqttConnectingSink *sink = context;
        int code = data ? data->code : -1;

        if (data && code <= 0 && data->reasonCode > 0)
                code = (int)data->reasonCode;
        sink->refused(sink->arg, code, data ? data->message : NULL);
}

static int mqtt_connecting_on_tls_error(const char *text, size_t n, void *context) {
        const MqttConnectingSink *sink = context;
        char reason[MQTT_CONNECTING_REASON];
        (void)n;

        mqtt_broker_tls_error(text, reason, sizeof(reason));
        sink->tls_error(sink->arg, reason);
        return 1;
}

/* ---- asking ---- */

/* Paho hands contexts back as it got them, and forgot a const. */
static void *mqtt_connecting_context(const MqttConnecting *connecting) {
        union {
                const void *in;
                void *out;
        } context = { .in = connecting->sink };

        return context.out;
}

static MQTTAsync_SSLOptions mqtt_connecting_tls(const MqttConnecting *connecting) {
        const MqttOptions *options = connecting->options;
        MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

        tls.trustStore = options->ca_file;
        tls.keyStore = options->cert_file;
        tls.privateKey = options->key_file;
        tls.enableServerCertAuth = options->verify;
        tls.verify = options->verify;
        tls.sslVersion = MQTT_SSL_VERSION_TLS_1_2; /* and newer */
        tls.enabledCipherSuites = MQTT_CONNECTING_CIPHERS;
        tls.ssl_error_cb = mqtt_connecting_on_tls_error;
        tls.ssl_error_context = mqtt_connecting_context(connecting);
        return tls;
}

static int mqtt_connecting_add_number(MQTTProperties *properties,
                                      enum MQTTPropertyCodes code,
                                      int value) {
        MQTTProperty property = { .identifier = code };

        if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
                property.value.integer2 = (unsigned short)value;
        else
                property.value.integer4 = (unsigned)value;
        return MQTTProperties_add(properties, &property) == 0 ? 0 : err_new(-ENOMEM);
}

static bool mqtt_connecting_start5(const MqttConnecting *connecting,
                                   MQTTAsync paho,
                                   MQTTAsync_connectOptions options) {
        MQTTProperties properties = MQTTProperties_initializer;
        int r = 0;

        if (!connecting->is_clean)
                r = mqtt_connecting_add_number(&properties,
                                               MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                                               connecting->options->session_expiry_s);
        if (r == 0 && connecting->options->receive_maximum > 0)
                r = mqtt_connecting_add_number(&properties,
                                               MQTTPROPERTY_CODE_RECEIVE_MAXIMUM,
                                               connecting->options->receive_maximum);
        options.cleanstart = connecting->is_clean;
        options.connectProperties = &properties;
        options.onSuccess5 = mqtt_connecting_on_connected5;
        options.onFailure5 = mqtt_connecting_on_refused5;
        if (r == 0)
                r = MQTTAsync_connect(paho, &options);
        MQTTProperties_free(&properties);
        return r == MQTTASYNC_SUCCESS;
}

bool mqtt_connecting_start(const MqttConnecting *connecting, void *paho) {
        MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
        MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
        MQTTAsync_connectOptions options = connecting->is_v5 ? v5 : v3;
        MQTTAsync_SSLOptions tls = mqtt_connecting_tls(connecting);

        options.MQTTVersion = connecting->is_v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
        options.keepAliveInterval = connecting->options->keep_alive_s;
        options.connectTimeout = (connecting->options->connect_timeout_ms + 999) / 1000;
        options.username = connecting->options->username;
        options.password = connecting->password;
        options.context = mqtt_connecting_context(connecting);
        if (connecting->is_tls)
                options.ssl = &tls;
        if (connecting->is_v5)
                return mqtt_connecting_start5(connecting, paho, options);
        options.cleansession = connecting->is_clean;
        options.onSuccess = mqtt_connecting_on_connected3;
        options.onFailure = mqtt_connecting_on_refused3;
        return MQTTAsync_connect(paho, &options) == MQTTASYNC_SUCCESS;
}
