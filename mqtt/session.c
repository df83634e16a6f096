#include "mqtt/session.h"

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "gateway/base/err.h"
#include "gateway/base/secret.h"
#include "mqtt/broker.h"

#define MQTT_SESSION_URI_SIZE    512
#define MQTT_SESSION_ERROR_SIZE  160
#define MQTT_SESSION_MAX_SUBS    64
#define MQTT_SESSION_PATIENCE_MS 10000 /* beyond Paho's own time-out */

typedef enum MqttRequest {
        MQTT_REQUEST_NONE,
        MQTT_REQUEST_CONNECT,
        MQTT_REQUEST_SUBSCRIBE,
} MqttRequest;

struct MqttSession {
        MQTTAsync paho;
        const MqttOptions *options; /* borrowed */
        MqttSessionSink sink;
        bool is_clean;
        bool is_tls;
        char uri[MQTT_SESSION_URI_SIZE];

        pthread_mutex_t lock;
        pthread_cond_t changed;
        unsigned n_changes;  /* {lock} */
        unsigned n_seen;     /* by the owner's last wait */
        MqttRequest request; /* {lock} what the owner waits for; NONE = it has its answer */
        int result;          /* {lock} of the request; 0, or an MQTT_SESSION_E_* */
        int *codes;          /* {lock} where a SUBACK goes; borrowed from the owner's stack */
        size_t n_codes;      /* {lock} */
        char error[MQTT_SESSION_ERROR_SIZE]; /* {lock} */
        bool has_tls_error;                  /* {lock} */
        _Atomic int lost_code;
        _Atomic bool is_connected;
        _Atomic bool is_interrupted;
};

/* ---- telling the owner ---- */

static void mqtt_session_signal(MqttSession *session) { /* {lock} */
        ++session->n_changes;
        pthread_cond_broadcast(&session->changed);
}

/* An answer to what is not asked (any more) is late, and of no interest. */
static void mqtt_session_answer(MqttSession *session, MqttRequest request, int result) {
        pthread_mutex_lock(&session->lock);
        if (session->request == request) {
                session->request = MQTT_REQUEST_NONE;
                session->result = result;
        }
        mqtt_session_signal(session);
        pthread_mutex_unlock(&session->lock);
}

static void mqtt_session_codes(MqttSession *session, const int codes[], size_t n) {
        pthread_mutex_lock(&session->lock);
        if (session->request == MQTT_REQUEST_SUBSCRIBE && session->codes)
                for (size_t i = 0; i < n && i < session->n_codes; ++i)
                        session->codes[i] = codes[i];
        pthread_mutex_unlock(&session->lock);
        mqtt_session_answer(session, MQTT_REQUEST_SUBSCRIBE, 0);
}

static void mqtt_session_say(MqttSession *session, const char *text) {
        pthread_mutex_lock(&session->lock);
        snprintf(session->error, sizeof(session->error), "%s", text);
        for (char *c = session->error; *c; ++c)
                if ((unsigned char)*c < ' ' || *c == '"')
                        *c = ' ';
        pthread_mutex_unlock(&session->lock);
}

/* ---- Paho's callbacks ---- */

static int mqtt_session_on_message(void *context,
                                   char *topic,
                                   int n_topic,
                                   MQTTAsync_message *message) {
        MqttSession *session = context;
        const Inbound inbound = {
                .door = DOOR_MQTT,
                .is_redelivery = message->dup != 0,
                .qos = (uint8_t)message->qos,
                .packet_id = message->qos > 0 ? (uint16_t)message->msgid : 0,
                .topic = { topic, n_topic > 0 ? (size_t)n_topic : strlen(topic) },
                .payload = { message->payload, (size_t)message->payloadlen },
        };

        if (session->sink.message)
                session->sink.message(session->sink.arg, &inbound);
        MQTTAsync_freeMessage(&message);
        MQTTAsync_free(topic);
        return 1; /* 0 would be kept in memory, and acknowledged all the same */
}

static void mqtt_session_on_connected(MqttSession *session, bool is_present) {
        atomic_store(&session->lost_code, 0);
        atomic_store(&session->is_connected, true);
        if (session->sink.connected)
                session->sink.connected(session->sink.arg, is_present);
        mqtt_session_answer(session, MQTT_REQUEST_CONNECT, 0);
}

static void mqtt_session_on_connected3(void *context, MQTTAsync_successData *data) {
        mqtt_session_on_connected(context, data->alt.connect.sessionPresent);
}

static void mqtt_session_on_connected5(void *context, MQTTAsync_successData5 *data) {
        mqtt_session_on_connected(context, data->alt.connect.sessionPresent);
}

static void mqtt_session_on_refused(MqttSession *session, int code, const char *message) {
        bool has_tls_error;

        pthread_mutex_lock(&session->lock);
        has_tls_error = session->has_tls_error;
        pthread_mutex_unlock(&session->lock);
        if (code > 0)
                mqtt_session_say(session, mqtt_broker_refusal(code));
        else if (!has_tls_error)
                mqtt_session_say(session, message ? message : "no connection");
        mqtt_session_answer(session,
                            MQTT_REQUEST_CONNECT,
                            code > 0 ? MQTT_SESSION_E_REFUSED : MQTT_SESSION_E_OFFLINE);
}

static void mqtt_session_on_refused3(void *context, MQTTAsync_failureData *data) {
        mqtt_session_on_refused(context, data ? data->code : -1, data ? data->message : NULL);
}

static void mqtt_session_on_refused5(void *context, MQTTAsync_failureData5 *data) {
        int code = data ? data->code : -1;

        if (data && code <= 0 && data->reasonCode > 0)
                code = data->reasonCode;
        mqtt_session_on_refused(context, code, data ? data->message : NULL);
}

static int mqtt_session_on_tls_error(const char *text, size_t n, void *context) {
        MqttSession *session = context;
        char reason[MQTT_SESSION_ERROR_SIZE];
        (void)n;

        mqtt_broker_tls_error(text, reason, sizeof(reason));
        mqtt_session_say(session, reason);
        pthread_mutex_lock(&session->lock);
        session->has_tls_error = true;
        pthread_mutex_unlock(&session->lock);
        return 1;
}

static void mqtt_session_on_lost(void *context, char *cause) {
        MqttSession *session = context;
        (void)cause;

        if (!atomic_exchange(&session->is_connected, false))
                return;
        if (session->sink.lost)
                session->sink.lost(session->sink.arg);
        pthread_mutex_lock(&session->lock);
        mqtt_session_signal(session);
        pthread_mutex_unlock(&session->lock);
}

/* MQTT 5: the broker's last word. Paho closes the connection then, and says no more about it. */
static void mqtt_session_on_goodbye(void *context,
                                    MQTTProperties *properties,
                                    enum MQTTReasonCodes reason) {
        MqttSession *session = context;
        (void)properties;

        atomic_store(&session->lost_code, (int)reason);
        mqtt_session_answer(session, MQTT_REQUEST_CONNECT, MQTT_SESSION_E_OFFLINE);
        mqtt_session_on_lost(session, NULL);
}

static void mqtt_session_on_gone3(void *context, MQTTAsync_successData *data) {
        (void)data;
        mqtt_session_on_lost(context, NULL);
}

static void mqtt_session_on_gone5(void *context, MQTTAsync_successData5 *data) {
        (void)data;
        mqtt_session_on_lost(context, NULL);
}

static void mqtt_session_on_suback3(void *context, MQTTAsync_successData *data) {
        MqttSession *session = context;

        /* With one filter the code is in the structure itself. Unsubscribing has none. */
        if (session->n_codes == 1)
                mqtt_session_codes(session, &data->alt.qos, 1);
        else
                mqtt_session_codes(session, data->alt.qosList, session->n_codes);
}

static void mqtt_session_on_suback5(void *context, MQTTAsync_successData5 *data) {
        MqttSession *session = context;
        int codes[MQTT_SESSION_MAX_SUBS] = { (int)data->reasonCode };
        size_t n = session->n_codes;

        for (size_t i = 0; n > 1 && i < n && i < (size_t)data->alt.sub.reasonCodeCount; ++i)
                codes[i] = (int)data->alt.sub.reasonCodes[i];
        mqtt_session_codes(session, codes, n);
}

/* One filter alone was refused; or the request did not get through. */
static void mqtt_session_on_subnack(MqttSession *session, int code) {
        if (code >= MQTT_SESSION_REFUSED)
                mqtt_session_codes(session, &code, 1);
        else
                mqtt_session_answer(session, MQTT_REQUEST_SUBSCRIBE, MQTT_SESSION_E_OFFLINE);
}

static void mqtt_session_on_subnack3(void *context, MQTTAsync_failureData *data) {
        mqtt_session_on_subnack(context, data ? data->code : -1);
}

static void mqtt_session_on_subnack5(void *context, MQTTAsync_failureData5 *data) {
        mqtt_session_on_subnack(context, data ? (int)data->reasonCode : -1);
}

static void mqtt_session_on_published(MqttSession *session, bool is_done) {
        if (session->sink.published)
                session->sink.published(session->sink.arg, is_done);
        pthread_mutex_lock(&session->lock);
        mqtt_session_signal(session);
        pthread_mutex_unlock(&session->lock);
}

static void mqtt_session_on_puback3(void *context, MQTTAsync_successData *data) {
        (void)data;
        mqtt_session_on_published(context, true);
}

static void mqtt_session_on_puback5(void *context, MQTTAsync_successData5 *data) {
        (void)data;
        mqtt_session_on_published(context, true);
}

static void mqtt_session_on_pubnack3(void *context, MQTTAsync_failureData *data) {
        (void)data;
        mqtt_session_on_published(context, false);
}

static void mqtt_session_on_pubnack5(void *context, MQTTAsync_failureData5 *data) {
        (void)data;
        mqtt_session_on_published(context, false);
}

/* ---- making one ---- */

static int mqtt_session_create(MqttSession *session, const char *client_id, int window) {
        MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
        int r;

        create.MQTTVersion = session->options->version;
        create.maxBufferedMessages = window;
        r = MQTTAsync_createWithOptions(&session->paho,
                                        session->uri,
                                        client_id,
                                        MQTTCLIENT_PERSISTENCE_NONE,
                                        NULL,
                                        &create);
        if (r == MQTTASYNC_SUCCESS)
                r = MQTTAsync_setCallbacks(session->paho,
                                           session,
                                           mqtt_session_on_lost,
                                           mqtt_session_on_message,
                                           NULL);
        if (r == MQTTASYNC_SUCCESS && session->options->version == MQTTVERSION_5)
                r = MQTTAsync_setDisconnected(session->paho, session, mqtt_session_on_goodbye);
        return r == MQTTASYNC_SUCCESS ? 0 : MQTT_SESSION_E_INVALID;
}

int mqtt_session_new(MqttSession **ret_session,
                     const MqttOptions *options,
                     const char *client_id,
                     bool is_clean,
                     int window,
                     const MqttSessionSink *sink) {
        CLEANUP(mqtt_session_free) MqttSession *session = NULL;
        pthread_condattr_t attr;
        int r;

        session = calloc(1, sizeof(*session));
        if (!session)
                return err_new(-ENOMEM);
        MUST(pthread_condattr_init(&attr));
        MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC));
        MUST(pthread_mutex_init(&session->lock, NULL));
        MUST(pthread_cond_init(&session->changed, &attr));
        MUST(pthread_condattr_destroy(&attr));

        session->options = options;
        session->is_clean = is_clean;
        session->sink = *sink;
        if (!mqtt_broker_uri(options->url, session->uri, sizeof(session->uri), &session->is_tls) ||
            !client_id || !*client_id ||
            (options->version != MQTTVERSION_3_1_1 && options->version != MQTTVERSION_5))
                return MQTT_SESSION_E_INVALID;
        r = mqtt_session_create(session, client_id, window);
        if (r != 0)
                return r;

        *ret_session = TAKE(&session);
        return 0;
}

MqttSession *mqtt_session_free(MqttSession *session) {
        if (!session)
                return NULL;

        if (session->paho)
                MQTTAsync_destroy(&session->paho);
        MUST(pthread_cond_destroy(&session->changed));
        MUST(pthread_mutex_destroy(&session->lock));
        free(session);
        return NULL;
}

/* ---- waiting ---- */

static struct timespec mqtt_session_deadline(int timeout_ms) {
        struct timespec at;

        MUST(clock_gettime(CLOCK_MONOTONIC, &at));
        at.tv_sec += timeout_ms / 1000;
        at.tv_nsec += timeout_ms % 1000 * 1000000L;
        if (at.tv_nsec >= 1000000000L) {
                at.tv_nsec -= 1000000000L;
                ++at.tv_sec;
        }
        return at;
}

void mqtt_session_wait(MqttSession *session, int timeout_ms) {
        struct timespec deadline = mqtt_session_deadline(timeout_ms);

        pthread_mutex_lock(&session->lock);
        while (session->n_changes == session->n_seen && !session->is_interrupted)
                if (pthread_cond_timedwait(&session->changed, &session->lock, &deadline) != 0)
                        break;
        session->n_seen = session->n_changes;
        pthread_mutex_unlock(&session->lock);
}

void mqtt_session_wake(MqttSession *session) {
        pthread_mutex_lock(&session->lock);
        mqtt_session_signal(session);
        pthread_mutex_unlock(&session->lock);
}

void mqtt_session_interrupt(MqttSession *session) {
        atomic_store(&session->is_interrupted, true);
        mqtt_session_wake(session);
}

static void mqtt_session_ask(MqttSession *session, MqttRequest request, int codes[], size_t n) {
        pthread_mutex_lock(&session->lock);
        session->request = request;
        session->result = 0;
        session->codes = codes;
        session->n_codes = n;
        pthread_mutex_unlock(&session->lock);
}

/*
 * Paho gives up a connect by itself after the time-out, but for what it forgets; of any other
 * request nothing may be heard any more when the connection is gone.
 */
static int mqtt_session_await(MqttSession *session, bool needs_connection) {
        struct timespec deadline = mqtt_session_deadline(session->options->connect_timeout_ms +
                                                         MQTT_SESSION_PATIENCE_MS);
        int r = MQTT_SESSION_E_INTERRUPTED;

        pthread_mutex_lock(&session->lock);
        while (session->request != MQTT_REQUEST_NONE && !session->is_interrupted &&
               (!needs_connection || session->is_connected))
                if (pthread_cond_timedwait(&session->changed, &session->lock, &deadline) != 0)
                        break;
        if (session->request == MQTT_REQUEST_NONE)
                r = session->result;
        else if (!session->is_interrupted)
                r = MQTT_SESSION_E_OFFLINE;
        session->request = MQTT_REQUEST_NONE;
        session->codes = NULL;
        pthread_mutex_unlock(&session->lock);
        return r;
}

/* ---- connecting ---- */

static MQTTAsync_SSLOptions mqtt_session_tls(MqttSession *session) {
        const MqttOptions *options = session->options;
        MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;

        tls.trustStore = options->ca_file;
        tls.keyStore = options->cert_file;
        tls.privateKey = options->key_file;
        tls.enableServerCertAuth = options->verify;
        tls.verify = options->verify;
        tls.sslVersion = MQTT_SSL_VERSION_TLS_1_2; /* and newer */
        tls.ssl_error_cb = mqtt_session_on_tls_error;
        tls.ssl_error_context = session;
        return tls;
}

static int mqtt_session_add_number(MQTTProperties *properties,
                                   enum MQTTPropertyCodes code,
                                   int value) {
        MQTTProperty property = { .identifier = code };

        if (code == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM)
                property.value.integer2 = (unsigned short)value;
        else
                property.value.integer4 = (unsigned)value;
        return MQTTProperties_add(properties, &property) == 0 ? 0 : err_new(-ENOMEM);
}

static int mqtt_session_start5(MqttSession *session, MQTTAsync_connectOptions options) {
        MQTTProperties properties = MQTTProperties_initializer;
        int r = 0;

        if (!session->is_clean)
                r = mqtt_session_add_number(&properties,
                                            MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL,
                                            session->options->session_expiry_s);
        if (r == 0 && session->options->receive_maximum > 0)
                r = mqtt_session_add_number(&properties,
                                            MQTTPROPERTY_CODE_RECEIVE_MAXIMUM,
                                            session->options->receive_maximum);
        options.cleanstart = session->is_clean;
        options.connectProperties = &properties;
        options.onSuccess5 = mqtt_session_on_connected5;
        options.onFailure5 = mqtt_session_on_refused5;
        if (r == 0)
                r = MQTTAsync_connect(session->paho, &options);
        MQTTProperties_free(&properties);
        return r;
}

static int mqtt_session_start(MqttSession *session, const char *password) {
        MQTTAsync_connectOptions v3 = MQTTAsync_connectOptions_initializer;
        MQTTAsync_connectOptions v5 = MQTTAsync_connectOptions_initializer5;
        bool is_v5 = session->options->version == MQTTVERSION_5;
        MQTTAsync_connectOptions options = is_v5 ? v5 : v3;
        MQTTAsync_SSLOptions tls = mqtt_session_tls(session);

        options.MQTTVersion = session->options->version;
        options.keepAliveInterval = session->options->keep_alive_s;
        options.connectTimeout = (session->options->connect_timeout_ms + 999) / 1000;
        options.username = session->options->username;
        options.password = password;
        options.context = session;
        if (session->is_tls)
                options.ssl = &tls;
        if (is_v5)
                return mqtt_session_start5(session, options);
        options.cleansession = session->is_clean;
        options.onSuccess = mqtt_session_on_connected3;
        options.onFailure = mqtt_session_on_refused3;
        return MQTTAsync_connect(session->paho, &options);
}

int mqtt_session_connect(MqttSession *session) {
        CLEANUP(secret_free) char *password = NULL;
        int r = 0;

        if (session->options->password_file)
                r = secret_read_file(session->options->password_file, &password);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                mqtt_session_say(session, "the password file cannot be read");
                return MQTT_SESSION_E_REFUSED;
        }

        pthread_mutex_lock(&session->lock);
        session->has_tls_error = false;
        session->error[0] = '\0';
        pthread_mutex_unlock(&session->lock);
        mqtt_session_ask(session, MQTT_REQUEST_CONNECT, NULL, 0);
        r = mqtt_session_start(session, password);
        if (r != MQTTASYNC_SUCCESS) {
                mqtt_session_say(session, "Paho does not accept the options");
                mqtt_session_answer(session, MQTT_REQUEST_CONNECT, MQTT_SESSION_E_OFFLINE);
        }
        return mqtt_session_await(session, false);
}

const char *mqtt_session_error(const MqttSession *session) {
        return session->error; /* nobody writes it but during a connect */
}

bool mqtt_session_is_connected(const MqttSession *session) {
        return atomic_load(&session->is_connected);
}

/* Paho does not say each time that a connection is gone, so it is asked as well. */
void mqtt_session_check(MqttSession *session) {
        if (mqtt_session_is_connected(session) && !MQTTAsync_isConnected(session->paho))
                mqtt_session_on_lost(session, NULL);
}

int mqtt_session_lost_code(const MqttSession *session) {
        return atomic_load(&session->lost_code);
}

void mqtt_session_disconnect(MqttSession *session) {
        MQTTAsync_disconnectOptions v3 = MQTTAsync_disconnectOptions_initializer;
        MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5;
        bool is_v5 = session->options->version == MQTTVERSION_5;
        MQTTAsync_disconnectOptions options = is_v5 ? v5 : v3;

        options.context = session;
        if (is_v5)
                options.onSuccess5 = mqtt_session_on_gone5;
        else
                options.onSuccess = mqtt_session_on_gone3;
        if (!mqtt_session_is_connected(session) ||
            MQTTAsync_disconnect(session->paho, &options) != MQTTASYNC_SUCCESS)
                return;

        pthread_mutex_lock(&session->lock);
        while (session->is_connected)
                pthread_cond_wait(&session->changed, &session->lock);
        pthread_mutex_unlock(&session->lock);
}

/* ---- subscribing, publishing ---- */

int mqtt_session_subscribe(MqttSession *session,
                           const char *const filters[],
                           size_t n_filters,
                           int qos,
                           int ret_codes[]) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        MQTTSubscribe_options option = MQTTSubscribe_options_initializer;
        MQTTSubscribe_options each[MQTT_SESSION_MAX_SUBS];
        char *topics[MQTT_SESSION_MAX_SUBS];
        int wanted[MQTT_SESSION_MAX_SUBS];

        assert(n_filters > 0 && n_filters <= MQTT_SESSION_MAX_SUBS);
        option.retainHandling = 1; /* retained messages only where the subscription is new */
        for (size_t i = 0; i < n_filters; ++i) {
                memcpy(&topics[i], &filters[i], sizeof(topics[i])); /* Paho forgot a const */
                wanted[i] = qos;
                each[i] = option;
        }
        response.context = session;
        if (session->options->version == MQTTVERSION_5) {
                response.onSuccess5 = mqtt_session_on_suback5;
                response.onFailure5 = mqtt_session_on_subnack5;
                response.subscribeOptions = option;
                response.subscribeOptionsList = each;
                response.subscribeOptionsCount = n_filters > 1 ? (int)n_filters : 0;
        } else {
                response.onSuccess = mqtt_session_on_suback3;
                response.onFailure = mqtt_session_on_subnack3;
        }

        mqtt_session_ask(session, MQTT_REQUEST_SUBSCRIBE, ret_codes, n_filters);
        if (MQTTAsync_subscribeMany(session->paho, (int)n_filters, topics, wanted, &response) !=
            MQTTASYNC_SUCCESS)
                mqtt_session_answer(session, MQTT_REQUEST_SUBSCRIBE, MQTT_SESSION_E_OFFLINE);
        return mqtt_session_await(session, true);
}

static void mqtt_session_on_unsuback3(void *context, MQTTAsync_successData *data) {
        (void)data;
        mqtt_session_answer(context, MQTT_REQUEST_SUBSCRIBE, 0);
}

static void mqtt_session_on_unsuback5(void *context, MQTTAsync_successData5 *data) {
        (void)data;
        mqtt_session_answer(context, MQTT_REQUEST_SUBSCRIBE, 0);
}

int mqtt_session_unsubscribe(MqttSession *session, const char *const filters[], size_t n_filters) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        char *topics[MQTT_SESSION_MAX_SUBS];

        assert(n_filters > 0 && n_filters <= MQTT_SESSION_MAX_SUBS);
        for (size_t i = 0; i < n_filters; ++i)
                memcpy(&topics[i], &filters[i], sizeof(topics[i])); /* Paho forgot a const */
        response.context = session;
        if (session->options->version == MQTTVERSION_5) {
                response.onSuccess5 = mqtt_session_on_unsuback5;
                response.onFailure5 = mqtt_session_on_subnack5;
        } else {
                response.onSuccess = mqtt_session_on_unsuback3;
                response.onFailure = mqtt_session_on_subnack3;
        }

        mqtt_session_ask(session, MQTT_REQUEST_SUBSCRIBE, NULL, 0);
        if (MQTTAsync_unsubscribeMany(session->paho, (int)n_filters, topics, &response) !=
            MQTTASYNC_SUCCESS)
                mqtt_session_answer(session, MQTT_REQUEST_SUBSCRIBE, MQTT_SESSION_E_OFFLINE);
        return mqtt_session_await(session, true);
}

int mqtt_session_publish(MqttSession *session,
                         const char *topic,
                         Text payload,
                         int qos,
                         bool retain) {
        MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
        int r;

        response.context = session;
        if (session->options->version == MQTTVERSION_5) {
                response.onSuccess5 = mqtt_session_on_puback5;
                response.onFailure5 = mqtt_session_on_pubnack5;
        } else {
                response.onSuccess = mqtt_session_on_puback3;
                response.onFailure = mqtt_session_on_pubnack3;
        }
        r = MQTTAsync_send(session->paho,
                           topic,
                           (int)payload.n,
                           payload.data,
                           qos,
                           retain,
                           &response);
        if (r == MQTTASYNC_MAX_BUFFERED_MESSAGES || r == MQTTASYNC_NO_MORE_MSGIDS)
                return MQTT_SESSION_E_BUSY;
        return r == MQTTASYNC_SUCCESS ? 0 : MQTT_SESSION_E_OFFLINE;
}

void *mqtt_session_paho(MqttSession *session) {
        return session->paho;
}

bool mqtt_session_is_v5(const MqttSession *session) {
        return session->options->version == MQTTVERSION_5;
}
