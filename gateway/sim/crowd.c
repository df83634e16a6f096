#include "gateway/sim/crowd.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"

#define CROWD_MEAN   18.0
#define CROWD_SWING  12.0
#define CROWD_WAVE_S 900.0 /* as if a train came in every quarter of an hour */
#define ARRIVALS_MAX 4     /* in one scan */
#define STAY_MIN_S   20.0
#define STAY_MAX_S   600.0

static void crowd_leave(Crowd *crowd, int64_t now_us) {
        size_t n = 0;

        for (size_t i = 0; i < crowd->n_people; ++i)
                if (crowd->people[i].leaves_us > now_us)
                        crowd->people[n++] = crowd->people[i];
        crowd->n_people = n;
}

static int crowd_arrive(Crowd *crowd, Dice *dice, int64_t now_us) {
        size_t i = crowd->n_people;
        char name[64];
        int r;

        snprintf(name,
                 sizeof(name),
                 "person %llu %llu",
                 (unsigned long long)crowd->n_ever++,
                 (unsigned long long)dice_roll(dice));
        r = secret_sha256_hex(text_of(name), crowd->people[i].hash);
        if (r != 0)
                return err_up(r);

        crowd->people[i].dbm = dice_between(dice, -88, -48);
        crowd->people[i].leaves_us =
                now_us + (int64_t)(dice_between(dice, STAY_MIN_S, STAY_MAX_S) * 1e6);
        ++crowd->n_people;
        return 0;
}

static int crowd_advance(Crowd *crowd, Dice *dice, int64_t now_us) {
        double phase = fmod((double)now_us / 1e6, CROWD_WAVE_S) / CROWD_WAVE_S;
        double wanted = CROWD_MEAN + CROWD_SWING * sin(phase * 2 * M_PI);
        int r = 0;

        crowd_leave(crowd, now_us);
        for (int i = 0; r == 0 && i < ARRIVALS_MAX; ++i)
                if (crowd->n_people < CROWD_MAX && (double)crowd->n_people < wanted)
                        r = crowd_arrive(crowd, dice, now_us);
        return r;
}

int crowd_write_scan(Crowd *crowd, Dice *dice, int64_t now_us, const char *device, Buf *payload) {
        JsonOut out = { .buf = payload };
        int r;

        r = crowd_advance(crowd, dice, now_us);
        if (r != 0)
                return err_up(r);

        json_out_object(&out, NULL);
        json_out_string(&out, "device_id", device);
        json_out_time(&out, "timestamp", now_us);
        json_out_array(&out, "detections");
        for (size_t i = 0; i < crowd->n_people; ++i) {
                int64_t heard_us = now_us - (int64_t)dice_below(dice, 2000) * 1000;

                if (dice_below(dice, 4) == 0) /* not everybody is heard in every scan */
                        continue;
                json_out_object(&out, NULL);
                json_out_string(&out, "device_hash", crowd->people[i].hash);
                json_out_fixed(&out, "rssi", 0, crowd->people[i].dbm + dice_between(dice, -5, 5));
                json_out_time(&out, "timestamp", heard_us);
                json_out_object_end(&out);
        }
        json_out_array_end(&out);
        json_out_string(&out, "name", "Ferry terminal");
        json_out_string(&out, "location", "Gate 2");
        json_out_object_end(&out);
        return 0;
}
