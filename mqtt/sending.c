#include "mqtt/sending.h"

#include <MQTTAsync.h>

#include "base/err.h"

/* ---- Paho's thread ---- */

static void mqtt_sending_finish(void *context, MqttOutcome outcome) {
        MqttSending *sending = context;

        atomic_store(&sending->outcome, (int)outcome);
        if (sending->told)
                sending->told(sending->arg, outcome);
        mqtt_session_wake(sending->session);
}

static void mqtt_sending_on_done3(void *context, MQTTAsync_successData *data) {
        (void)data;
        mqtt_sending_finish(context, MQTT_OUTCOME_DONE);
}

static void mqtt_sending_on_done5(void *context, MQTTAsync_successData5 *data) {
        (void)data;
        mqtt_sending_finish(context, MQTT_OUTCOME_DONE);
}

/* A connection that ends fails whatever is under way, before its end is told. That is no word of
 * the broker's: it stays pending. MQTT 3 has no other failure. */
static void mqtt_sending_on_failed3(void *context, MQTTAsync_failureData *data) {
        (void)data;
        mqtt_sending_finish(context, MQTT_OUTCOME_PENDING);
}

static void mqtt_sending_on_failed5(void *context, MQTTAsync_failureData5 *data) {
        bool is_refused = data && data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR;

        mqtt_sending_finish(context, is_refused ? MQTT_OUTCOME_REFUSED : MQTT_OUTCOME_PENDING);
}

/* ---- the owner ---- */

static int mqtt_sending_add_text(MQTTProperties *properties,
                                 enum MQTTPropertyCodes code,
                                 Text text) {
        MQTTProperty property = { .identifier = code };
        union {
                const char *in;
                char *out;
        } bytes = { .in = text.data }; /* Paho copies it, and forgot a const */

        property.value.data = (MQTTLenString){ .len = (int)text.n, .data = bytes.out };
        return MQTTProperties_add(properties, &property) == 0 ? 0 : err_new(-ENOMEM);
}

static int mqtt_sending_describe(const MqttMessage *message, MQTTProperties *properties) {
        const MQTTProperty expiry = { .identifier = MQTTPROPERTY_CODE_MESSAGE_EXPIRY_INTERVAL,
                                      .value.integer4 = message->expiry_s };
        int r = 0;

        if (message->response_topic)
                r = mqtt_sending_add_text(properties,
                                          MQTTPROPERTY_CODE_RESPONSE_TOPIC,
                                          text_of(message->response_topic));
        if (r == 0 && message->correlation.data)
                r = mqtt_sending_add_text(properties,
                                          MQTTPROPERTY_CODE_CORRELATION_DATA,
                                          message->correlation);
        if (r == 0 && message->expiry_s > 0 && MQTTProperties_add(properties, &expiry) != 0)
                r = err_new(-ENOMEM);
        return r;
}

/* What Paho answers: its codes are negative as well, so faults of ours stay apart from them. */
static int mqtt_sending_send(MqttSending *sending,
                             const MqttMessage *message,
                             MQTTAsync_responseOptions *response) {
        int r;

        r = MQTTAsync_send(mqtt_session_paho(sending->session),
                           message->topic,
                           (int)message->payload.n,
                           message->payload.data,
                           message->qos,
                           message->is_retained,
                           response);
        if (r == MQTTASYNC_MAX_BUFFERED_MESSAGES || r == MQTTASYNC_NO_MORE_MSGIDS)
                return MQTT_SESSION_E_BUSY;
        return r == MQTTASYNC_SUCCESS ? 0 : MQTT_SESSION_E_OFFLINE;
}

int mqtt_sending_start(MqttSending *sending, MqttSession *session, const MqttMessage *message) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        int r = 0;

        if (sending->session != session) /* what is under way may be reading it */
                sending->session = session;
        atomic_store(&sending->outcome, MQTT_OUTCOME_PENDING);
        response.context = sending;
        if (mqtt_session_is_v5(session)) {
                response.onSuccess5 = mqtt_sending_on_done5;
                response.onFailure5 = mqtt_sending_on_failed5;
                r = mqtt_sending_describe(message, &response.properties);
        } else {
                response.onSuccess = mqtt_sending_on_done3;
                response.onFailure = mqtt_sending_on_failed3;
        }
        if (r == 0)
                r = mqtt_sending_send(sending, message, &response);
        MQTTProperties_free(&response.properties);
        return r < 0 ? err_up(r) : r;
}
