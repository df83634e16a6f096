#pragma once

/*
 * MqttSource: one persistent MQTT session that fills the journal.
 *
 * Paho's thread calls @inbound for each message and sends the PUBACK when it has returned 0. At
 * high water (the @is_high predicate) the session disconnects, so that the broker keeps what comes,
 * and connects again when it is over; while @inbound does not take a message, Paho's thread waits.
 * The source has a thread of its own for connecting, back-off (capped, jittered), subscribing, the
 * canary that keeps Paho awake, and for watching high water.
 *
 * Lifetime: _new connects nothing, _start begins, _stop unsubscribes nothing and disconnects
 * after the callback in progress, _free releases. A message that is not taken when the source
 * stops must not be acknowledged, and Paho acknowledges what its callback returns from: that
 * callback then never returns, and the source stays in memory until the process ends.
 */

#include "base/base.h"
#include "model/inbound.h"
#include "mqtt/options.h"

typedef struct MqttSource MqttSource;

typedef struct MqttSink MqttSink;

/* What the source needs from the journal; called on Paho's and the source's threads. @broker: a
 * number that the URL of a broker always gets, and hardly ever another; never 0. */
struct MqttSink {
        void *arg;
        InboundFn inbound;
        /* Connected, and the broker goes on with our session, which has so many in flight at most.
         */
        void (*session_resumed)(void *arg, uint16_t broker, unsigned n_in_flight);
        void (*session_lost)(
                void *arg,
                uint16_t broker); /* connected, and the broker has no session of ours */
        bool (*is_high)(void *arg);
        /* Of what filters bring, is it wanted? What is not is left, and counted. NULL: all is. */
        bool (*is_wanted)(const void *wanted, Text topic);
        const void *wanted;

        /* Is the session surely ours, of all who might go by its name? If it is not, and another
         * client takes it, it is left to that one until it is. NULL: always. */
        const void *owner;
        bool (*is_ours)(const void *owner);
        /* Nor can it be said that nobody else is there: whatever ends the connection, another
         * client may have taken the session. NULL: never. */
        bool (*may_be_others)(const void *owner);
};

enum {
        MQTT_SOURCE_E_INVALID = 1, /* new: the URL or the version is not one that we know */
};

/* @options are borrowed, the sink is copied. */
MUST_CHECK int mqtt_source_new(MqttSource **ret_source,
                               const MqttOptions *options,
                               const MqttSink *sink);
MqttSource *mqtt_source_free(MqttSource *source);

/* Any thread; copies. Filters that went are unsubscribed, new ones subscribed, also later at each
 * new session. */
MUST_CHECK int mqtt_source_set_filters(MqttSource *source,
                                       const char *const filters[],
                                       size_t n_filters);

MUST_CHECK int mqtt_source_start(MqttSource *source);
/* The end in steps, for several of a process: all begin, all are awaited, then each is stopped. The
 * callback of one has Paho's lock while it waits, and no other one's connection ends meanwhile. */
void mqtt_source_begin_stop(MqttSource *source);
void mqtt_source_await(MqttSource *source);
void mqtt_source_stop(MqttSource *source);
bool mqtt_source_is_connected(const MqttSource *source);
/* Of any of this process: a message was never taken, and whoever asks anything of Paho waits for
 * ever. Any thread. */
bool mqtt_source_has_stuck(void);

DEFINE_CLEANUP(MqttSource *, mqtt_source_free);
