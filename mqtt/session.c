#include "mqtt/session.h"

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/secret.h"
#include "mqtt/addresses.h"
#include "mqtt/broker.h"
#include "mqtt/candidates.h"
#include "mqtt/connecting.h"
#include "mqtt/linger.h"

#define MQTT_SESSION_ERROR_SIZE  160
#define MQTT_SESSION_PATIENCE_MS 10000 /* beyond Paho's own time-out */
#define MQTT_SESSION_GOODBYE_MS  2000  /* for a polite disconnection */
#define MQTT_SESSION_OLD_VERSION 1     /* CONNACK of 3.1.1: it does not speak 5 */
#define MQTT_SESSION_SLICE_MS    250   /* between looks at the time while we wait */
/* TLS 1.3 lets a client in before the server has looked at its certificate. */
#define MQTT_SESSION_NO_CERTIFICATE \
        "closed without a word; perhaps for want of a certificate that it takes (mqtt.cert_file)"

/*
 * Each connection has a Paho client of its own. A client that is destroyed calls nothing back any
 * more, so what was asked on one connection cannot be answered on the next, and an answer that came
 * too late has nobody left to mislead.
 */
struct MqttSession {
        MQTTAsync paho;
        bool is_used;               /* it has been asked to connect */
        const MqttOptions *options; /* borrowed */
        char *client_id;
        int window;
        MqttSessionSink sink;
        bool is_clean;
        MqttCandidates candidates;
        int version;                    /* that the client speaks */
        char url[MQTT_CANDIDATES_TEXT]; /* that it is for, and as Paho has it */
        char uri[MQTT_CANDIDATES_TEXT];
        char tried[MQTT_CANDIDATES_TEXT]; /* by the last connect */

        pthread_mutex_t lock;
        pthread_cond_t changed;
        unsigned n_changes; /* {lock} */
        unsigned n_seen;    /* by the owner's last wait */
        bool is_connecting; /* {lock} the owner waits for a CONNACK, and has none yet */
        int result;         /* {lock} what came of it; 0, or an MQTT_SESSION_E_* */
        char error[MQTT_SESSION_ERROR_SIZE]; /* {lock} */
        bool has_tls_error;                  /* {lock} */
        MqttFault fault;                     /* {lock} why the last connect failed */
        _Atomic int lost_code;
        _Atomic bool is_connected;
        _Atomic bool is_interrupted;
        _Atomic unsigned n_messages; /* that came */
        MqttConnectingSink answered;
        MqttSubscribing subscribings[MQTT_SESSION_FILTERS];
        MqttAnswers answers;
};

/* ---- telling the owner ---- */

static void mqtt_session_signal(MqttSession *session) { /* {lock} */
        ++session->n_changes;
        pthread_cond_broadcast(&session->changed);
}

/* An answer to what is not asked (any more) is late, and of no interest. */
static void mqtt_session_answer(MqttSession *session, int result) {
        pthread_mutex_lock(&session->lock);
        if (session->is_connecting) {
                session->is_connecting = false;
                session->result = result;
        }
        mqtt_session_signal(session);
        pthread_mutex_unlock(&session->lock);
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

/* 0: it names none, or several, of which it is the only copy. */
static uint32_t mqtt_session_filter_of(MQTTProperties *properties) {
        const enum MQTTPropertyCodes code = MQTTPROPERTY_CODE_SUBSCRIPTION_IDENTIFIER;

        return MQTTProperties_propertyCount(properties, code) == 1
                       ? (uint32_t)MQTTProperties_getNumericValue(properties, code)
                       : 0;
}

static int mqtt_session_on_message(void *context,
                                   char *topic,
                                   int n_topic,
                                   MQTTAsync_message *message) {
        MqttSession *session = context;
        const Inbound inbound = {
                .door = DOOR_MQTT,
                .is_redelivery = message->dup != 0,
                .is_retained = message->retained != 0,
                .qos = (uint8_t)message->qos,
                .subscription = mqtt_session_filter_of(&message->properties),
                .packet_id = message->qos > 0 ? (uint16_t)message->msgid : 0,
                .topic = { topic, n_topic > 0 ? (size_t)n_topic : strlen(topic) },
                .payload = { message->payload, (size_t)message->payloadlen },
        };

        atomic_fetch_add_explicit(&session->n_messages, 1, memory_order_relaxed);
        if (session->sink.message)
                session->sink.message(session->sink.arg, &inbound);
        MQTTAsync_freeMessage(&message);
        MQTTAsync_free(topic);
        return 1; /* 0 would be kept in memory, and acknowledged all the same */
}

static void mqtt_session_on_connected(void *arg, bool is_present, bool has_no_names) {
        MqttSession *session = arg;

        atomic_store(&session->answers.has_no_names, has_no_names);
        atomic_store(&session->lost_code, 0);
        atomic_store(&session->is_connected, true);
        if (session->sink.connected)
                session->sink.connected(session->sink.arg, is_present);
        mqtt_session_answer(session, 0);
}

static void mqtt_session_on_refused(void *arg, int code, const char *message) {
        MqttSession *session = arg;
        bool was_closed = mqtt_broker_was_closed(message);
        bool has_tls_error;

        pthread_mutex_lock(&session->lock);
        has_tls_error = session->has_tls_error;
        if (code == MQTT_SESSION_OLD_VERSION || code == MQTTREASONCODE_UNSUPPORTED_PROTOCOL_VERSION)
                session->fault = MQTT_FAULT_VERSION;
        else if (code <= 0 && !has_tls_error && was_closed)
                session->fault = MQTT_FAULT_CLOSED;
        pthread_mutex_unlock(&session->lock);
        if (code > 0)
                mqtt_session_say(session, mqtt_broker_refusal(code));
        else if (!has_tls_error && was_closed && session->candidates.is_tls)
                mqtt_session_say(session, MQTT_SESSION_NO_CERTIFICATE);
        else if (!has_tls_error)
                mqtt_session_say(session, message ? message : "no connection");
        mqtt_session_answer(session, code > 0 ? MQTT_SESSION_E_REFUSED : MQTT_SESSION_E_OFFLINE);
}

static void mqtt_session_on_tls_error(void *arg, const char *reason) {
        MqttSession *session = arg;

        mqtt_session_say(session, reason);
        pthread_mutex_lock(&session->lock);
        session->has_tls_error = true;
        pthread_mutex_unlock(&session->lock);
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
        mqtt_session_answer(session, MQTT_SESSION_E_OFFLINE);
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

/* ---- making one ---- */

static int mqtt_session_create(MqttSession *session, MQTTAsync *ret_paho) {
        MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer5;
        MQTTAsync paho = NULL;
        int r;

        if (!secure_getenv(
                    "MQTT_C_CLIENT_TRACE")) /* else it formats some lines a message, for nobody */
                MQTTAsync_setTraceLevel(MQTTASYNC_TRACE_ERROR);
        create.MQTTVersion = session->candidates.version;
        create.maxBufferedMessages = session->window;
        r = MQTTAsync_createWithOptions(&paho,
                                        session->candidates.uri,
                                        session->client_id,
                                        MQTTCLIENT_PERSISTENCE_NONE,
                                        NULL,
                                        &create);
        if (r == MQTTASYNC_SUCCESS)
                r = MQTTAsync_setCallbacks(paho,
                                           session,
                                           mqtt_session_on_lost,
                                           mqtt_session_on_message,
                                           NULL);
        if (r == MQTTASYNC_SUCCESS && create.MQTTVersion == MQTTVERSION_5)
                r = MQTTAsync_setDisconnected(paho, session, mqtt_session_on_goodbye);
        if (r != MQTTASYNC_SUCCESS) {
                if (paho)
                        MQTTAsync_destroy(&paho);
                return MQTT_SESSION_E_INVALID;
        }
        *ret_paho = paho;
        session->version = create.MQTTVersion;
        snprintf(session->url, sizeof(session->url), "%s", session->candidates.url);
        snprintf(session->uri, sizeof(session->uri), "%s", session->candidates.uri);
        return 0;
}

/*
 * The end of a connection, and of whatever was asked on it: it is closed, and all that waited for
 * an answer is told, before this returns. The new client comes before the old one goes, as the last
 * one to go takes Paho's threads with it.
 */
static void mqtt_session_renew(MqttSession *session) {
        MQTTAsync next = NULL;

        if (mqtt_session_create(session, &next) == 0) {
                MQTTAsync_destroy(&session->paho);
                session->paho = next;
                session->is_used = false;
        } /* else the next attempt to connect fails, and tries this again */
        mqtt_session_on_lost(session, NULL);
}

void mqtt_session_give_up(MqttSession *session, const char *why) {
        if (atomic_load(&session->is_connected))
                mqtt_session_say(session, why);
        mqtt_session_renew(session);
}

int mqtt_session_new(MqttSession **ret_session,
                     const MqttOptions *options,
                     const char *client_id,
                     bool is_clean,
                     int window,
                     const MqttSessionSink *sink) {
        CLEANUP(mqtt_session_free) MqttSession *session = NULL;
        int r;

        session = calloc(1, sizeof(*session));
        if (!session)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&session->lock, NULL));
        MUST(pthread_cond_init(&session->changed, NULL));

        session->options = options;
        session->is_clean = is_clean;
        session->window = window;
        session->sink = *sink;
        session->answered = (MqttConnectingSink){ .arg = session,
                                                  .connected = mqtt_session_on_connected,
                                                  .refused = mqtt_session_on_refused,
                                                  .tls_error = mqtt_session_on_tls_error };
        if (!mqtt_candidates_init(&session->candidates, options->url, options->version) ||
            !client_id || !*client_id)
                return MQTT_SESSION_E_INVALID;
        session->client_id = strdup(client_id);
        if (!session->client_id)
                return err_new(-ENOMEM);
        r = mqtt_session_create(session, &session->paho);
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
        free(session->client_id);
        MUST(pthread_cond_destroy(&session->changed));
        MUST(pthread_mutex_destroy(&session->lock));
        free(session);
        return NULL;
}

/* ---- waiting ---- */

void mqtt_session_wait(MqttSession *session, int timeout_ms) {
        struct timespec deadline = deadline_in(timeout_ms);

        pthread_mutex_lock(&session->lock);
        while (session->n_changes == session->n_seen && !session->is_interrupted)
                if (!deadline_wait(&session->changed, &session->lock, &deadline))
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

/* {lock} */
static void mqtt_session_doze(MqttSession *session) {
        struct timespec until = deadline_in(MQTT_SESSION_SLICE_MS);

        (void)deadline_wait(&session->changed, &session->lock, &until);
}

/* ---- connecting ---- */

static bool mqtt_session_start(MqttSession *session, const char *password) {
        const MqttConnecting connecting = { .options = session->options,
                                            .password = password,
                                            .is_v5 = session->version == MQTTVERSION_5,
                                            .is_tls = session->candidates.is_tls,
                                            .is_clean = session->is_clean,
                                            .sink = &session->answered };

        return mqtt_connecting_start(&connecting, session->paho);
}

/* Paho gives up a connect by itself after the time-out, but for what it forgets. */
static int mqtt_session_await_connack(MqttSession *session) {
        int64_t until_us =
                clock_mono_us() +
                (session->options->connect_timeout_ms + MQTT_SESSION_PATIENCE_MS) * INT64_C(1000);
        int r = MQTT_SESSION_E_INTERRUPTED;

        pthread_mutex_lock(&session->lock);
        while (session->is_connecting && !session->is_interrupted && clock_mono_us() < until_us)
                mqtt_session_doze(session);
        if (!session->is_connecting)
                r = session->result;
        else if (!session->is_interrupted)
                r = MQTT_SESSION_E_OFFLINE;
        session->is_connecting = false;
        pthread_mutex_unlock(&session->lock);
        return r;
}

/* It could not be reached by its name. With TLS the name is what its certificate is checked for. */
static void mqtt_session_widen(MqttSession *session) {
        MqttCandidates *candidates = &session->candidates;

        if (session->fault == MQTT_FAULT_OTHER && !mqtt_candidates_is_wide(candidates) &&
            !(candidates->is_tls && session->options->verify))
                mqtt_addresses_widen(candidates,
                                     session->options->connect_timeout_ms,
                                     &session->is_interrupted);
}

int mqtt_session_connect(MqttSession *session) {
        CLEANUP(secret_free) char *password = NULL;
        bool is_asked;
        int r = 0;

        if (session->options->password_file)
                r = secret_read_file(session->options->password_file, &password);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                mqtt_session_say(session, "the password file cannot be read");
                return MQTT_SESSION_E_REFUSED;
        }

        if (session->is_used || session->version != session->candidates.version ||
            strcmp(session->url, session->candidates.url) != 0)
                mqtt_session_renew(session);
        pthread_mutex_lock(&session->lock);
        session->has_tls_error = false;
        session->fault = MQTT_FAULT_OTHER;
        session->error[0] = '\0';
        session->is_connecting = true;
        session->result = 0;
        pthread_mutex_unlock(&session->lock);
        memcpy(session->tried, session->url, sizeof(session->tried));
        is_asked = !session->is_used && mqtt_session_start(session, password);
        session->is_used = true;
        if (!is_asked) {
                mqtt_session_say(session, "Paho does not accept the options");
                mqtt_session_answer(session, MQTT_SESSION_E_OFFLINE);
        }
        r = mqtt_session_await_connack(session);
        if (r == MQTT_SESSION_E_OFFLINE)
                mqtt_session_widen(session);
        if (r == 0)
                mqtt_candidates_succeed(&session->candidates);
        else if (r != MQTT_SESSION_E_INTERRUPTED)
                mqtt_candidates_fail(&session->candidates, session->fault);
        if (r == MQTT_SESSION_E_OFFLINE)
                mqtt_session_renew(session); /* lest it is answered later */
        return r;
}

const char *mqtt_session_url(const MqttSession *session) {
        return session->tried;
}

bool mqtt_session_has_more(const MqttSession *session) {
        return !session->candidates.is_round_over;
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

/* Waits for Paho to have said it, and closed its socket. */
static void mqtt_session_say_goodbye(MqttSession *session, int64_t until_us) {
        MQTTAsync_disconnectOptions v3 = MQTTAsync_disconnectOptions_initializer;
        MQTTAsync_disconnectOptions v5 = MQTTAsync_disconnectOptions_initializer5;
        bool is_v5 = session->version == MQTTVERSION_5;
        MQTTAsync_disconnectOptions options = is_v5 ? v5 : v3;

        options.context = session;
        if (is_v5)
                options.onSuccess5 = mqtt_session_on_gone5;
        else
                options.onSuccess = mqtt_session_on_gone3;
        if (MQTTAsync_disconnect(session->paho, &options) != MQTTASYNC_SUCCESS)
                return;
        pthread_mutex_lock(&session->lock);
        while (session->is_connected && clock_mono_us() < until_us)
                mqtt_session_doze(session);
        pthread_mutex_unlock(&session->lock);
}

void mqtt_session_disconnect(MqttSession *session) {
        int64_t until_us = clock_mono_us() + MQTT_SESSION_GOODBYE_MS * INT64_C(1000);
        MqttLinger linger;

        if (!mqtt_session_is_connected(session))
                return;
        mqtt_linger_begin(&linger, mqtt_broker_port(session->uri));
        mqtt_session_say_goodbye(session, until_us);
        mqtt_linger_end(&linger, until_us);
        if (mqtt_session_is_connected(session) && !atomic_load(&session->is_interrupted))
                mqtt_session_renew(session);
}

/* ---- for sending and subscribing ---- */

void *mqtt_session_paho(MqttSession *session) {
        return session->paho;
}

MqttSubscribing *mqtt_session_subscribings(MqttSession *session) {
        return session->subscribings;
}

MqttAnswers *mqtt_session_answers(MqttSession *session) {
        return &session->answers;
}

unsigned mqtt_session_n_messages(const MqttSession *session) {
        return atomic_load_explicit(&session->n_messages, memory_order_relaxed);
}

int mqtt_session_timeout_ms(const MqttSession *session) {
        return session->options->connect_timeout_ms;
}

bool mqtt_session_is_interrupted(const MqttSession *session) {
        return atomic_load(&session->is_interrupted);
}

bool mqtt_session_is_v5(const MqttSession *session) {
        return session->version == MQTTVERSION_5;
}
