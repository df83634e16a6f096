#pragma once

/*
 * Inbound: one message at a door (MQTT, WebSocket, HTTP), about to be journalled.
 *
 * The doors know the journal only through this: they fill an Inbound and call
 * the InboundFn they were given. Any thread; the function does not keep pointers.
 */

#include "base/base.h"
#include "model/record.h"

typedef enum Door {
        DOOR_MQTT,
        DOOR_WS,
        DOOR_HTTP,
        DOOR_INTERNAL, /* the gateway itself: what became of a command */
        DOOR_UPLINK,   /* another gateway, of what it took in; the payload has a mark (uplink.h) */
} Door;

typedef struct Inbound Inbound;

struct Inbound {
        Door door;
        Kind kind;          /* KIND_NONE: the routes decide by topic (MQTT) */
        bool is_redelivery; /* MQTT DUP */
        bool is_retained;   /* MQTT: the broker had it before it had our subscription */
        uint8_t qos;
        uint32_t subscription; /* MQTT 5: the one filter that it comes for; else 0 */
        uint16_t packet_id;    /* MQTT QoS 1 and 2; else 0 */
        int64_t device_id;     /* authenticated device of the other doors; else 0 */
        uint64_t sender_key;   /* and Device.key_hash of that, or of the edge that brings it; 0: an
                                  id is all that is known */
        unsigned line;         /* of an uplink: the one that it was given; else 0 */
        uint32_t n_messages;   /* it is so many, each with its own number: the inlet says; 0 = 1 */
        Text topic;
        Text payload;
        uint64_t *ret_seq; /* its number, of several messages the last one's; NULL: nobody asks */
};

enum {
        INBOUND_E_FULL = 1, /* not taken: do not acknowledge, come back later */
};

/* 0: as durable as journal.fsync says (or recognised as a redelivery); acknowledge now. */
typedef int (*InboundFn)(void *arg, const Inbound *inbound);
