/* Clock: a zone and a time, on two lines; what is read can be written, and reads the same again. */

#include <string.h>

#include "base/clock.h"
#include "base/timestamp.h"
#include "tests/fuzz/fuzz.h"

static void check_time(Text text, const Zone *zone) {
        char again[CLOCK_TEXT_SIZE];
        int64_t time_us, again_us;

        if (timestamp_parse(text, zone, &time_us) != 0)
                return;
        clock_format(time_us, again);
        FUZZ_CHECK(timestamp_parse(text_of(again), NULL, &again_us) == 0);
        FUZZ_CHECK(time_us - again_us >= 0 && time_us - again_us < 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *line = n > 0 ? memchr(data, '\n', n) : NULL;
        size_t n_name = line ? (size_t)(line - (const char *)data) : n;
        char *name = strndup((const char *)data, n_name);
        Zone *zone = NULL;

        FUZZ_CHECK(name);
        if (line) {
                Text text = { .data = line + 1, .n = n - n_name - 1 };

                check_time(text, NULL);
                if (zone_new(&zone, name) == 0)
                        check_time(text, zone);
        }
        zone_free(zone);
        free(name);
        return 0;
}
