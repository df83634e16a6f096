#pragma once

/*
 * MqttCandidates: which broker of a list is tried next, and in which version of MQTT.
 *
 * Pure. With version 0 (auto), 5 is tried first. 3.1.1 follows at once where the broker says that
 * it does not speak 5, or closes the connection twice without a word when it is spoken to in 5. As
 * that may be a broker that is just coming up, 5 is tried again at the next connection.
 */

#include "base/base.h"

#define MQTT_CANDIDATES_MAX       8
#define MQTT_CANDIDATES_ADDRESSES 8 /* of one name */
#define MQTT_CANDIDATES_TEXT      512

#define MQTT_CANDIDATES_WHY     192
#define MQTT_CANDIDATES_REASONS 4
#define MQTT_CANDIDATES_OTHER   96

typedef struct MqttCandidates MqttCandidates;
typedef struct MqttSaid MqttSaid;

typedef enum MqttFault {
        MQTT_FAULT_OTHER,
        MQTT_FAULT_VERSION, /* it does not speak this version */
        MQTT_FAULT_CLOSED,  /* it took the connection, and closed it without an answer */
} MqttFault;

struct MqttCandidates {
        const char *urls; /* borrowed */
        size_t n_urls, at;
        int wanted; /* 4, 5, 0 = auto */

        char url[MQTT_CANDIDATES_TEXT]; /* what is next: as it is written, and as Paho wants it */
        char uri[MQTT_CANDIDATES_TEXT];
        bool is_tls;
        int version;
        bool is_round_over; /* all have failed in turn: time for a pause */
        bool is_old;        /* it has said that it does not speak 5 */
        unsigned n_closed;

        /* Of the name in url, once that has failed: what else there is to try, as Paho wants it. */
        char others[MQTT_CANDIDATES_ADDRESSES][MQTT_CANDIDATES_OTHER];
        size_t n_others, n_tried;
};

/* Why one could not be connected to, as people were told: the last reasons, since an attempt often
 * has two that take turns, as one for each version of MQTT. */
struct MqttSaid {
        char url[MQTT_CANDIDATES_TEXT];
        char errors[MQTT_CANDIDATES_REASONS][MQTT_CANDIDATES_WHY];
        size_t n_said;
};

/* Is that a reason that was not said of @url? Then it is now. */
bool mqtt_said_is_news(MqttSaid said[MQTT_CANDIDATES_MAX], const char *url, const char *error);

/* False: not a list of URLs that we know, or no such version. */
bool mqtt_candidates_init(MqttCandidates *candidates, const char *urls, int version);
/* What is next failed by the name in its URL, which has this address, among others. They are tried
 * before the next URL, and one that answers is what is next until it fails. Once for each URL and
 * round: it has room for so many. */
bool mqtt_candidates_is_wide(const MqttCandidates *candidates);
void mqtt_candidates_widen(MqttCandidates *candidates, const char *address, const char *port);

void mqtt_candidates_fail(MqttCandidates *candidates, MqttFault fault);
void mqtt_candidates_succeed(
        MqttCandidates *candidates); /* decides what the next time begins with */
