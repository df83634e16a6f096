#pragma once

/*
 * MqttLinger: an end of a connection that the broker hears.
 *
 * Paho closes its socket right behind its goodbye. If messages have come by then that it has not
 * read, the kernel sends a reset, and a broker that finds one may throw away what it had not read
 * itself: our last acknowledgements. So the socket is held open beside Paho, and read until the
 * broker hangs up, as it does after a goodbye. Which descriptor is Paho's is not told: those that
 * go to the broker's port are held, and of them the ones that were closed meanwhile are meant.
 * Needs /proc; without it there is nothing to hold. One thread.
 */

#include <sys/types.h>

#include "base/base.h"

#define MQTT_LINGER_MAX 16

typedef struct MqttLinger MqttLinger;

struct MqttLinger {
        size_t n;
        struct {
                int fd; /* a copy */
                ino_t inode;
        } held[MQTT_LINGER_MAX];
};

/* Holds what is connected to @port of anybody. */
void mqtt_linger_begin(MqttLinger *linger, int port);
/* Lets go of it; of what was closed meanwhile, once the peer has hung up, or at @until_us (of
 * clock_mono_us()). */
void mqtt_linger_end(MqttLinger *linger, int64_t until_us);
