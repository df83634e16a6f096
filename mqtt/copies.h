#pragma once

/*
 * MqttCopies: is it a further copy of the message before it?
 *
 * A broker may send a message once for each of our filters that takes it. Filters that meet are
 * joined (filters.h), so that two take one topic only while they change, and where a join is
 * refused. With MQTT 5 each copy says which filter it is for. Copies come one behind the other:
 * what equals the message before it, for a filter that this one has not come for, is a copy of it.
 *
 * Nothing is a copy by its filter alone: some brokers send one copy, and name one of its filters.
 * An answer to a subscription lies between what came for other filters, so no copy is looked for
 * across one. A doubt leaves two messages. Memory of the caller, `{ 0 }`; one thread.
 */

#include "base/buf.h"
#include "model/inbound.h"

#define MQTT_COPIES_MAX 16 /* filters of one message that are told apart; more leave more rows */

typedef struct MqttCopies MqttCopies;

struct MqttCopies {
        Buf last; /* topic and payload */
        size_t n_topic;
        uint8_t qos;
        unsigned n_answers;
        uint32_t seen[MQTT_COPIES_MAX]; /* the filters that it has come for */
        size_t n_seen;                  /* 0: there is none */
};

/* True, and counted: it is one. @n_answers: how often a broker has answered, see session.h. */
bool mqtt_copies_hear(MqttCopies *copies, const Inbound *inbound, unsigned n_answers);
void mqtt_copies_forget(MqttCopies *copies); /* a new connection */
void mqtt_copies_done(MqttCopies *copies);
