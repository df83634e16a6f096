#include "base/backoff.h"

#include "base/clock.h"
#include "base/secret.h"

#define BACKOFF_MAX_SHIFT 16

static int backoff_ms(Backoff *backoff, int min_ms, int max_ms) {
        unsigned shift =
                backoff->n_failures < BACKOFF_MAX_SHIFT ? backoff->n_failures : BACKOFF_MAX_SHIFT;
        int64_t ms = (int64_t)min_ms << shift;

        ++backoff->n_failures;
        return ms < max_ms ? (int)ms : max_ms;
}

static int backoff_wait(Backoff *backoff, int ms) {
        backoff->until_us = clock_mono_us() + ms * INT64_C(1000);
        return ms;
}

int backoff_fail(Backoff *backoff, int min_ms, int max_ms) {
        return backoff_wait(backoff, backoff_ms(backoff, min_ms, max_ms));
}

int backoff_fail_apart(Backoff *backoff, int min_ms, int max_ms) {
        int ms = backoff_ms(backoff, min_ms, max_ms);
        uint32_t random = 0;

        if (ms < 2)
                ms = 2;
        if (secret_random(&random, sizeof(random)) == 0)
                ms = ms / 2 + (int)(random % (uint32_t)(ms - ms / 2 + 1));
        return backoff_wait(backoff, ms);
}

void backoff_be_longest(Backoff *backoff) {
        backoff->n_failures = BACKOFF_MAX_SHIFT;
}

int backoff_left_ms(const Backoff *backoff) {
        int64_t left_us = backoff->until_us - clock_mono_us();

        return left_us > 0 ? (int)(left_us / 1000) + 1 : 0;
}
