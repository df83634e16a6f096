#pragma once

/*
 * MqttSession: one session with a broker, over Paho, with calls that wait.
 *
 * With mqtt/connecting.c, mqtt/sending.c and mqtt/subscribing.c the one that knows Paho. Belongs to
 * one thread, which connects, and waits; Paho's threads call the sink. Paho holds its own lock
 * then, so nothing that a sink function waits for may need Paho. mqtt_session_interrupt() is for
 * any thread, and makes every wait end.
 *
 * It has a mutex, for what Paho's threads tell the owner's; it is never held over a call of Paho.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

typedef struct MqttSession MqttSession;
typedef struct MqttSessionSink MqttSessionSink;
typedef struct MqttSubscribing MqttSubscribing;
typedef struct MqttAnswers MqttAnswers;

/* One SUBSCRIBE or UNSUBSCRIBE on its way: mqtt/subscribing.c. */
struct MqttSubscribing {
        MqttSession *session; /* borrowed */
        _Atomic int outcome;
};

/* What the broker said of subscriptions, on Paho's thread and in the order of the messages. */
struct MqttAnswers {
        _Atomic unsigned n;        /* to SUBSCRIBEs and UNSUBSCRIBEs */
        _Atomic bool has_no_names; /* of this connection: no subscription identifiers */
};

/* On Paho's threads. Each may be NULL. */
struct MqttSessionSink {
        void *arg;
        void (*connected)(void *arg, bool is_present); /* before any message of the connection */
        void (*message)(void *arg, const Inbound *inbound); /* acknowledged once it returns */
        void (*lost)(void *arg);                            /* the connection; @reason follows */
};

enum {
        MQTT_SESSION_E_INVALID = 1, /* new: no URL that we know, or no such version */
        MQTT_SESSION_E_OFFLINE,     /* no connection; or it went away while we waited */
        MQTT_SESSION_E_REFUSED,     /* connect: the broker said no */
        MQTT_SESSION_E_INTERRUPTED,
        MQTT_SESSION_E_BUSY, /* publish: too many are waiting */
};

#define MQTT_SESSION_FILTERS    32   /* that are being subscribed at a time */
#define MQTT_SESSION_REFUSED    0x80 /* the codes of a SUBACK from here on */
#define MQTT_SESSION_TAKEN_OVER 0x8e /* mqtt_session_lost_code() */

/* @options are borrowed. @is_clean: a session that ends with the connection. */
MUST_CHECK int mqtt_session_new(MqttSession **ret_session,
                                const MqttOptions *options,
                                const char *client_id,
                                bool is_clean,
                                int window, /* of publishes */
                                const MqttSessionSink *sink);
MqttSession *mqtt_session_free(MqttSession *session);

/* One attempt, with the next candidate (mqtt/candidates.h). */
MUST_CHECK int mqtt_session_connect(MqttSession *session);
bool mqtt_session_has_more(const MqttSession *session);   /* it failed: try the next at once */
const char *mqtt_session_url(const MqttSession *session); /* of the last connect */
/* Of the last connect, or why a connection was given up, for the log; "" = it was not ours to tell.
 */
const char *mqtt_session_error(const MqttSession *session);
void mqtt_session_disconnect(MqttSession *session);         /* waits; not for an interruption */
bool mqtt_session_is_connected(const MqttSession *session); /* any thread */
void mqtt_session_check(MqttSession *session);              /* is it still there? */
int mqtt_session_lost_code(const MqttSession *session); /* MQTT 5: the broker's reason; else 0 */

/* For mqtt/sending.c and mqtt/subscribing.c. */
void *mqtt_session_paho(MqttSession *session);
bool mqtt_session_is_v5(const MqttSession *session);
bool mqtt_session_is_interrupted(const MqttSession *session);
int mqtt_session_timeout_ms(const MqttSession *session);
unsigned mqtt_session_n_messages(const MqttSession *session); /* that came */
MqttSubscribing *mqtt_session_subscribings(MqttSession *session);
MqttAnswers *mqtt_session_answers(MqttSession *session); /* any thread */
/* Ends the connection, and what was asked on it: once this returns, nothing is answered any more.
 */
void mqtt_session_give_up(MqttSession *session, const char *why);

/* Until something has happened since the last wait (connected, lost, published, interrupted). */
void mqtt_session_wait(MqttSession *session, int timeout_ms);
void mqtt_session_wake(MqttSession *session);      /* any thread */
void mqtt_session_interrupt(MqttSession *session); /* any thread; for good */

DEFINE_CLEANUP(MqttSession *, mqtt_session_free);
