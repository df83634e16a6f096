#include "tests/fake/paho.h"

#include <MQTTAsync.h>

#define PAHO_CLIENT ((MQTTAsync)(uintptr_t)1)

static struct {
        Text script;
        void *context;
        MQTTAsync_connectionLost *lost;
        MQTTAsync_messageArrived *arrived;
        MQTTAsync_disconnected *goodbye;
        bool is_connected;
} paho;

void fake_paho_set(Text script) {
        paho.script = script;
        paho.is_connected = false;
}

bool fake_paho_has_more(void) {
        return paho.script.n > 0;
}

static unsigned paho_take(void) {
        unsigned byte;

        if (paho.script.n == 0)
                return 0;
        byte = (unsigned char)paho.script.data[0];
        paho.script = (Text){ paho.script.data + 1, paho.script.n - 1 };
        return byte;
}

static char *paho_take_text(size_t *ret_n) {
        size_t n = paho_take() % 64;
        char *text;

        if (n > paho.script.n)
                n = paho.script.n;
        text = calloc(1, n + 1);
        MUST(text ? 0 : -ENOMEM);
        if (n > 0)
                memcpy(text, paho.script.data, n);
        paho.script = (Text){ paho.script.data + n, paho.script.n - n };
        *ret_n = n;
        return text;
}

/* ---- what comes by itself ---- */

static void paho_lose(void) {
        paho.is_connected = false;
        if (paho.lost)
                paho.lost(paho.context, NULL);
}

/* As Paho: the length of a topic is 0 where it has no NUL in it. */
static void paho_deliver(void) {
        MQTTAsync_message *message = calloc(1, sizeof(*message));
        unsigned flags = paho_take();
        size_t n_topic, n_payload;
        char *topic = paho_take_text(&n_topic);

        MUST(message ? 0 : -ENOMEM);
        message->payload = paho_take_text(&n_payload);
        message->payloadlen = (int)n_payload;
        message->qos = (int)(flags % 3);
        message->dup = (flags & 4) != 0;
        message->retained = (flags & 8) != 0;
        message->msgid = (int)paho_take();
        (void)paho.arrived(paho.context,
                           topic,
                           memchr(topic, '\0', n_topic) ? (int)n_topic : 0,
                           message);
}

static void paho_meanwhile(unsigned how) {
        if (how & 0x80)
                paho_deliver();
        if (how & 0x40 && paho.goodbye)
                paho.goodbye(paho.context, NULL, (enum MQTTReasonCodes)paho_take());
}

/* ---- answers ---- */

enum {
        PAHO_DONE,
        PAHO_FAILED,
        PAHO_NOTHING_SAID, /* it has failed, and nothing says why */
        PAHO_LOST,         /* no answer but the end of the connection */
        PAHO_NOT_TAKEN,    /* Paho itself refuses it */
        PAHO_N_ANSWERS,
};

static void paho_done(const MQTTAsync_responseOptions *response) {
        MQTTAsync_successData data = { .alt.qos = (signed char)paho_take() };
        MQTTAsync_successData5 data5 = MQTTAsync_successData5_initializer;

        data5.reasonCode = (enum MQTTReasonCodes)(data.alt.qos & 0xff);
        data5.alt.sub.reasonCodeCount = response->onSuccess5 ? (int)(paho_take() % 3) : 0;
        if (response->onSuccess5)
                response->onSuccess5(response->context, &data5);
        else if (response->onSuccess)
                response->onSuccess(response->context, &data);
}

static void paho_failed(const MQTTAsync_responseOptions *response, bool is_said) {
        MQTTAsync_failureData data = { .code = is_said ? (signed char)paho_take() : 0 };
        MQTTAsync_failureData5 data5 = MQTTAsync_failureData5_initializer;

        data5.reasonCode = (enum MQTTReasonCodes)(data.code & 0xff);
        if (response->onFailure5)
                response->onFailure5(response->context, is_said ? &data5 : NULL);
        else if (response->onFailure)
                response->onFailure(response->context, is_said ? &data : NULL);
}

static int paho_answer(const MQTTAsync_responseOptions *response) {
        bool has_more = fake_paho_has_more();
        unsigned how = paho_take();

        paho_meanwhile(how);
        switch (has_more ? (how & 0x3f) % PAHO_N_ANSWERS : PAHO_LOST) {
        case PAHO_DONE:
                paho_done(response);
                break;
        case PAHO_FAILED:
        case PAHO_NOTHING_SAID:
                paho_failed(response, (how & 0x3f) % PAHO_N_ANSWERS == PAHO_FAILED);
                break;
        case PAHO_LOST:
                paho_failed(response, false);
                paho_lose();
                break;
        default:
                return how & 0x20 ? MQTTASYNC_MAX_BUFFERED_MESSAGES : MQTTASYNC_FAILURE;
        }
        return MQTTASYNC_SUCCESS;
}

static void paho_refuse(const MQTTAsync_connectOptions *options) {
        static const char *const messages[] = { NULL,
                                                "socket error",
                                                "TCP connect completion failure",
                                                "CONNACK return code",
                                                "a \"word\"\nof TLS" };
        const char *message = messages[paho_take() % N_ELEMENTS(messages)];
        int code = (signed char)paho_take();
        MQTTAsync_failureData data = { .code = code, .message = message };
        MQTTAsync_failureData5 data5 = MQTTAsync_failureData5_initializer;

        data5.code = code;
        data5.message = message;
        data5.reasonCode = (enum MQTTReasonCodes)paho_take();
        if (options->ssl && message)
                options->ssl->ssl_error_cb(message,
                                           strlen(message),
                                           options->ssl->ssl_error_context);
        if (options->onFailure5)
                options->onFailure5(options->context, &data5);
        else
                options->onFailure(options->context, &data);
}

int MQTTAsync_connect(MQTTAsync handle, const MQTTAsync_connectOptions *options) {
        MQTTAsync_successData data = { 0 };
        MQTTAsync_successData5 data5 = MQTTAsync_successData5_initializer;
        bool has_more = fake_paho_has_more();
        unsigned how = paho_take();

        (void)handle;
        if ((how & 0x3f) % 4 == 3)
                return MQTTASYNC_FAILURE;
        if (!has_more || (how & 0x3f) % 4 != 0) {
                paho_refuse(options);
                return MQTTASYNC_SUCCESS;
        }
        data.alt.connect.sessionPresent = data5.alt.connect.sessionPresent = (how & 0x20) != 0;
        paho.is_connected = true;
        if (options->onSuccess5)
                options->onSuccess5(options->context, &data5);
        else
                options->onSuccess(options->context, &data);
        paho_meanwhile(how);
        return MQTTASYNC_SUCCESS;
}

int MQTTAsync_subscribe(MQTTAsync handle,
                        const char *topic,
                        int qos,
                        MQTTAsync_responseOptions *response) {
        (void)handle, (void)topic, (void)qos;
        return paho_answer(response);
}

int MQTTAsync_unsubscribe(MQTTAsync handle,
                          const char *topic,
                          MQTTAsync_responseOptions *response) {
        (void)handle, (void)topic;
        return paho_answer(response);
}

int MQTTAsync_send(MQTTAsync handle,
                   const char *topic,
                   int n,
                   const void *payload,
                   int qos,
                   int retained,
                   MQTTAsync_responseOptions *response) {
        (void)handle, (void)topic, (void)n, (void)payload, (void)qos, (void)retained;
        return paho_answer(response);
}

int MQTTAsync_disconnect(MQTTAsync handle, const MQTTAsync_disconnectOptions *options) {
        (void)handle;
        if (paho_take() % 2 == 0)
                return MQTTASYNC_FAILURE;
        if (options->onSuccess5)
                options->onSuccess5(options->context, NULL);
        else
                options->onSuccess(options->context, NULL);
        return MQTTASYNC_SUCCESS;
}

/* ---- the rest of MQTTAsync.h that we call ---- */

int MQTTAsync_createWithOptions(MQTTAsync *handle,
                                const char *uri,
                                const char *client_id,
                                int persistence_type,
                                void *persistence,
                                MQTTAsync_createOptions *options) {
        (void)uri, (void)client_id, (void)persistence_type, (void)persistence, (void)options;
        *handle = PAHO_CLIENT;
        return MQTTASYNC_SUCCESS;
}

int MQTTAsync_setCallbacks(MQTTAsync handle,
                           void *context,
                           MQTTAsync_connectionLost *lost,
                           MQTTAsync_messageArrived *arrived,
                           MQTTAsync_deliveryComplete *delivered) {
        (void)handle, (void)delivered;
        paho.context = context;
        paho.lost = lost;
        paho.arrived = arrived;
        paho.goodbye = NULL;
        return MQTTASYNC_SUCCESS;
}

int MQTTAsync_setDisconnected(MQTTAsync handle, void *context, MQTTAsync_disconnected *goodbye) {
        (void)handle, (void)context;
        paho.goodbye = goodbye;
        return MQTTASYNC_SUCCESS;
}

int MQTTAsync_isConnected(MQTTAsync handle) {
        (void)handle;
        return paho.is_connected;
}

void MQTTAsync_destroy(MQTTAsync *handle) {
        *handle = NULL;
        paho.is_connected = false;
}

void MQTTAsync_setTraceLevel(enum MQTTASYNC_TRACE_LEVELS level) {
        (void)level;
}

void MQTTAsync_freeMessage(MQTTAsync_message **message) {
        free((*message)->payload);
        free(*message);
        *message = NULL;
}

/* Those of the library account for memory with what it makes only for a real client. */
int MQTTProperties_add(MQTTProperties *properties, const MQTTProperty *property) {
        MQTTProperty *array =
                reallocarray(properties->array, (size_t)properties->count + 1, sizeof(*array));

        if (!array)
                return -1;
        properties->array = array;
        array[properties->count++] = *property;
        return 0;
}

void MQTTProperties_free(MQTTProperties *properties) {
        free(properties->array);
        *properties = (MQTTProperties){ 0 };
}

void MQTTAsync_free(void *memory) {
        free(memory);
}
