/* Bench: what it costs to sign a frame of so many bytes, and to look at one. Prints ns. */

#include <stdio.h>

#include "base/clock.h"
#include "db/live_keys.h"
#include "gateway/live/keys.h"

#define ROUNDS 20000

static int64_t bench_rounds(const LiveKeys *keys, Text frame, bool looks) {
        CLEANUP_BUF Buf buf = { 0 };
        int64_t begun_us;
        Text bytes;

        MUST(live_keys_sign(keys, frame, &buf, &bytes));
        begun_us = clock_mono_us();
        for (int i = 0; i < ROUNDS; ++i)
                if (looks)
                        MUST(live_keys_check(keys, bytes));
                else
                        MUST(live_keys_sign(keys, frame, &buf, &bytes));
        return (clock_mono_us() - begun_us) * 1000 / ROUNDS;
}

int main(void) {
        static const DbLiveKeys known = { .n = 1, .must_sign = true, .keys[0].number = 1 };
        static const size_t sizes[] = { 20, 250, 4096, 65536 };
        static char bytes[65536];
        CLEANUP(live_keys_free) LiveKeys *keys = NULL;

        MUST(live_keys_new(&keys));
        MUST(live_keys_set(keys, &known));
        for (size_t i = 0; i < N_ELEMENTS(sizes); ++i)
                printf("%6zu bytes: sign %6lld look %6lld\n",
                       sizes[i],
                       (long long)bench_rounds(keys, (Text){ bytes, sizes[i] }, false),
                       (long long)bench_rounds(keys, (Text){ bytes, sizes[i] }, true));
        return 0;
}
