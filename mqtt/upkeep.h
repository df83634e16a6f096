#pragma once

/*
 * MqttUpkeep: which filters are wanted, and the broker's session brought up to them.
 *
 * What is wanted is subscribed first, the widest filters alone where they bring all; one that is
 * refused is asked for again after a pause. Then what the session has of former wishes is
 * unsubscribed. A broker that does not answer to that is left alone for an hour after three times:
 * messages that no route takes are better than none.
 *
 * mqtt_upkeep_want() is for any thread, mqtt_upkeep_takes() for Paho's, all else for the source's.
 * Memory of the source.
 */

#include <stdatomic.h>

#include "base/backoff.h"
#include "base/base.h"

typedef struct MqttDoor MqttDoor;
typedef struct MqttFilters MqttFilters;
typedef struct MqttOptions MqttOptions;
typedef struct MqttSession MqttSession;
typedef struct MqttUpkeep MqttUpkeep;

struct MqttUpkeep {
        const MqttOptions *options;  /* borrowed */
        _Atomic(MqttFilters *) next; /* wanted from the next turn on; owned */
        _Atomic(MqttDoor *) door;    /* NULL: all is wanted; owned */

        /* {source's thread} from here on */
        MqttFilters *filters; /* owned */
        Backoff refused;
        bool has_looked;       /* whether there is a file */
        bool knows_session;    /* what filters it may have */
        unsigned n_unanswered; /* attempts to unsubscribe, in a row */
        int64_t unanswered_us; /* the last of them */
};

MUST_CHECK int mqtt_upkeep_init(MqttUpkeep *upkeep, const MqttOptions *options);
void mqtt_upkeep_done(MqttUpkeep *upkeep);

MUST_CHECK int mqtt_upkeep_want(MqttUpkeep *upkeep, const char *const filters[], size_t n_filters);
/* As long as it is not known which filters the session has, whatever it brings. */
bool mqtt_upkeep_takes(const MqttUpkeep *upkeep, Text topic);

void mqtt_upkeep_turn(MqttUpkeep *upkeep); /* takes what is wanted by now */
void mqtt_upkeep_look(MqttUpkeep *upkeep); /* before the broker can send anything */
void mqtt_upkeep_connected(MqttUpkeep *upkeep, bool is_session_new);

/* True: all that is wanted was asked for, and answered. False: the connection is gone, or we are to
 * stop. */
bool mqtt_upkeep_subscribe(MqttUpkeep *upkeep, MqttSession *session);
/* What else there is to do, behind it. */
void mqtt_upkeep_tidy(MqttUpkeep *upkeep, MqttSession *session);
