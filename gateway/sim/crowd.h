#pragma once

/*
 * Crowd: the people around the BLE scanner of the invented fleet, who come and go.
 *
 * A person has a hash that looks like a scanner's (SHA-256), a distance, and a time to leave. How
 * many there are follows the hour. Pure but for its dice.
 */

#include "base/base.h"
#include "base/secret.h"
#include "gateway/sim/dice.h"

#define CROWD_MAX 48

typedef struct Buf Buf;
typedef struct Crowd Crowd;

struct Crowd {
        struct {
                char hash[SECRET_SHA256_SIZE];
                double dbm; /* as heard on average */
                int64_t leaves_us;
        } people[CROWD_MAX];
        size_t n_people;
        uint64_t n_ever;
};

/* Advances to @now_us and writes what one scan hears, as ble_detections of @device. */
MUST_CHECK int crowd_write_scan(Crowd *crowd,
                                Dice *dice,
                                int64_t now_us,
                                const char *device,
                                Buf *payload);
