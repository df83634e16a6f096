#pragma once

/*
 * Dice: pseudo-random numbers for the simulator (splitmix64): same seed, same numbers. Not for
 * secrets.
 */

#include "base/base.h"

typedef struct Dice Dice;

struct Dice {
        uint64_t state; /* the seed */
};

static inline uint64_t dice_roll(Dice *dice) {
        uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

static inline unsigned dice_below(Dice *dice, unsigned n) {
        return (unsigned)(dice_roll(dice) % n);
}

static inline double dice_between(Dice *dice, double low, double high) {
        return low + (high - low) * ((double)(dice_roll(dice) >> 11) * 0x1p-53);
}
