/*
 * Broker: a version and a list of URLs, as they are configured, up to a newline; behind it what
 * OpenSSL says of a broker. The list is gone through as connections fail; words for people are one
 * line without quotes.
 */

#include <string.h>

#include "mqtt/broker.h"
#include "mqtt/candidates.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT 4096
#define N_TRIES   40

static void check_candidates(const char *urls, int version) {
        MqttCandidates candidates;

        if (!mqtt_candidates_init(&candidates, urls, version))
                return;
        FUZZ_CHECK(candidates.n_urls >= 1 && candidates.n_urls <= MQTT_CANDIDATES_MAX);
        for (int i = 0; i < N_TRIES; ++i) {
                FUZZ_CHECK(candidates.version == 4 || candidates.version == 5);
                FUZZ_CHECK(version == 0 || candidates.version == version);
                FUZZ_CHECK(strstr(urls, candidates.url));
                FUZZ_CHECK(strncmp(candidates.uri, candidates.is_tls ? "ssl://" : "tcp://", 6) ==
                           0);
                mqtt_candidates_fail(&candidates, (MqttFault)(i % 3));
        }
        mqtt_candidates_succeed(&candidates);
}

static void check_words(const char *text) {
        char reason[160], small[8];

        mqtt_broker_tls_error(text, reason, sizeof(reason));
        FUZZ_CHECK(strlen(reason) < sizeof(reason) && !strpbrk(reason, "\"\n"));
        mqtt_broker_tls_error(text, small, sizeof(small));
        FUZZ_CHECK(strlen(small) < sizeof(small));
        for (int code = -1; code < 256; ++code)
                FUZZ_CHECK(mqtt_broker_refusal(code));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *copy, *line;

        if (n == 0 || n > MAX_INPUT)
                return 0;
        copy = malloc(n + 1);
        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        copy[n] = '\0';
        line = strchr(copy, '\n');
        if (line)
                *line = '\0';
        check_candidates(copy + 1, copy[0] - '0');
        check_words(line ? line + 1 : "");
        free(copy);
        return 0;
}
