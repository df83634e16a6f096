#pragma once

/*
 * MqttFilterState: what we want of one filter, and what the broker's session has of it.
 *
 *                 WISH  DROP  GRANT  DENY  UNSUB  COVER  DOUBLE  UNCOVER  RESUME  FRESH
 *   (W) wanted      W     T     S      R     -      C      D       -        W       W
 *   (S) subscribed  S     T     S      R     -      -      D       -        W       W
 *   (R) refused     R     T     S      R     -      -      -       -        W       W
 *   (T) stale       W     T     -      -     G      -      -       -        T       G
 *   (C) covered     C     T     -      -     -      -      -       W        W       W
 *   (D) doubled     D     T     -      -     C      -      -       W        W       W
 *   (G) gone        W     G     -      -     -      -      -       -        G       G
 *
 * What an earlier connection granted counts for nothing on the next (RESUME, FRESH): a broker that
 * was restored calls a session present whose subscriptions it has forgotten. What may be in the
 * session is unsubscribed before it is forgotten, unless the session is new. -: cannot be, is
 * logged, and changes nothing.
 */

#include "base/base.h"

typedef enum MqttFilterState {
        MQTT_FILTER_WANTED,
        MQTT_FILTER_SUBSCRIBED,
        MQTT_FILTER_REFUSED, /* wanted, and refused by the broker */
        MQTT_FILTER_STALE,   /* not wanted any more, but the session may have it */
        MQTT_FILTER_COVERED, /* wanted, and a wider one brings its messages */
        MQTT_FILTER_DOUBLED, /* likewise, but the session may have it as well, and sends a copy */
        MQTT_FILTER_GONE,    /* not wanted, and not there */
        MQTT_FILTER_STATES
} MqttFilterState;

typedef enum MqttFilterEvent {
        MQTT_FILTER_ON_WISH,  /* the configuration has it */
        MQTT_FILTER_ON_DROP,  /* it has it no more */
        MQTT_FILTER_ON_GRANT, /* SUBACK */
        MQTT_FILTER_ON_DENY,
        MQTT_FILTER_ON_UNSUB,   /* UNSUBACK */
        MQTT_FILTER_ON_COVER,   /* a wider one is in use, and the session has only that */
        MQTT_FILTER_ON_DOUBLE,  /* likewise, but the session may have both */
        MQTT_FILTER_ON_UNCOVER, /* that one is in use no more */
        MQTT_FILTER_ON_RESUME,  /* another connection, of the session that was there */
        MQTT_FILTER_ON_FRESH,   /* of a new one */
        MQTT_FILTER_EVENTS
} MqttFilterEvent;

/* False: it cannot be. */
bool mqtt_filter_step(MqttFilterState *state, MqttFilterEvent event);
