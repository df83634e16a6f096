/* Bench: what an element of a route with `each` costs, and a message of Sparkplug as JSON, beside
 * what a message by itself costs. Prints µs of the processor. */

#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/elements.h"
#include "gateway/sparkplug/message.h"
#include "gateway/sparkplug/payload.h"
#include "gateway/sparkplug/table.h"
#include "tests/fake/sparkplug.h"

#define ROUNDS  20000
#define RECEIVE INT64_C(1800000000000000)
#define LARGE   ((size_t)1 << 20)

static char route_name[] = "r";

static double cpu_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void put_reading(Buf *buf, size_t i) {
        buf_printf(buf, "{\"id\":\"s%zu\",\"t\":21.%02zu,\"h\":60.5,\"v\":3.05}", i, i % 100);
}

static double single_us(Arena *arena) {
        CLEANUP_BUF Buf payload = { 0 };
        Route route = { .name = route_name, .kind = KIND_TELEMETRY, .max_bytes = 65536 };
        const TopicMatch match = { .device = TEXT("d") };
        double begun_us;
        Record envelope, record;

        put_reading(&payload, 1);
        envelope = (Record){ .received_us = RECEIVE,
                             .topic = TEXT("t/d"),
                             .payload = buf_text(&payload) };
        MUST(topic_template_new(&route.topic, "t/{device}"));
        begun_us = cpu_us();
        for (int n = 0; n < ROUNDS; ++n) {
                MUST(decode(arena, &route, &match, &envelope, &record));
                MUST(record.reason != REASON_NONE);
                if (n % 256 == 0)
                        arena_reset(arena);
        }
        begun_us = cpu_us() - begun_us;
        arena_reset(arena);
        route.name = NULL;
        route_done(&route);
        return begun_us / ROUNDS;
}

/* Taken apart twice, as the inlet does it to count, and then decoded. */
static double elements_us(Arena *arena, size_t n_elements) {
        CLEANUP_BUF Buf payload = { 0 };
        Route route = {
                .name = route_name, .kind = KIND_TELEMETRY, .max_bytes = 65536, .each_max = 1000
        };
        const TopicMatch match = { .device = TEXT("d") };
        int rounds = ROUNDS / (int)n_elements;
        double begun_us;
        Record envelope;

        buf_append_string(&payload, "{\"gateway\":\"g1\",\"readings\":[");
        for (size_t i = 0; i < n_elements; ++i) {
                if (i > 0)
                        buf_append_char(&payload, ',');
                put_reading(&payload, i);
        }
        buf_append_string(&payload, "]}");
        envelope = (Record){ .received_us = RECEIVE,
                             .topic = TEXT("t/d"),
                             .payload = buf_text(&payload) };
        MUST(topic_template_new(&route.topic, "t/{device}"));
        MUST(json_path_new(&route.each, TEXT("/readings")));
        begun_us = cpu_us();
        for (int n = 0; n < rounds; ++n) {
                for (int pass = 0; pass < 2; ++pass) {
                        Elements elements = { 0 };
                        Record record;

                        MUST(elements_open(&elements, arena, &route, &match, &envelope, NULL));
                        MUST(elements_count(&elements) != n_elements);
                        for (size_t i = 0; pass == 1 && i < n_elements; ++i) {
                                MUST(elements_decode(&elements, arena, i, &envelope, &record));
                                MUST(record.reason != REASON_NONE);
                        }
                        elements_done(&elements);
                }
                arena_reset(arena);
        }
        begun_us = cpu_us() - begun_us;
        route.name = NULL;
        route_done(&route);
        return begun_us / (rounds * (double)n_elements);
}

/* @n floats, by name or by alias. */
static void put_metrics(Buf *payload, unsigned n, bool has_names) {
        put_whole(payload, PAYLOAD_TIME, 1795853420123);
        for (unsigned i = 0; i < n; ++i) {
                CLEANUP_BUF Buf value = { 0 };
                char name[32];
                float x = 21.5F + (float)i;

                snprintf(name, sizeof(name), "Motor/%u/Temp", i);
                put_whole(&value, METRIC_ALIAS, i);
                put_fixed(&value, METRIC_FLOAT, &x, sizeof(x));
                put_metric(payload, has_names ? name : NULL, has_names ? 9 : 0, &value);
        }
        put_whole(payload, PAYLOAD_SEQ, 7);
}

static double sparkplug_us(unsigned n_metrics, bool has_names) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *opened = NULL;
        CLEANUP(sparkplug_table_unref) SparkplugTable *table = NULL;
        CLEANUP_BUF Buf birth = { 0 };
        CLEANUP_BUF Buf data = { 0 };
        CLEANUP_BUF Buf json = { 0 };
        int rounds = ROUNDS / (int)n_metrics;
        double begun_us;

        put_metrics(&birth, n_metrics, true);
        put_metrics(&data, n_metrics, has_names);
        MUST(sparkplug_payload_open(&opened, buf_text(&birth)));
        MUST(sparkplug_table_new(&table, opened, LARGE));
        begun_us = cpu_us();
        for (int n = 0; n < rounds; ++n) {
                SparkplugNews news;

                buf_reset(&json);
                MUST(sparkplug_message_write(&json, buf_text(&data), table, LARGE, &news));
        }
        return (cpu_us() - begun_us) / rounds;
}

int main(void) {
        CLEANUP(arena_free) Arena *arena = NULL;
        static const unsigned sizes[] = { 1, 10, 100 };

        MUST(arena_new(&arena, 65536));
        printf("%-48s %8.3f\n", "a message of four members", single_us(arena));
        for (size_t i = 0; i < N_ELEMENTS(sizes); ++i)
                printf("one of %-3u elements of four members %13s %8.3f\n",
                       sizes[i],
                       "",
                       elements_us(arena, sizes[i]));
        for (size_t i = 0; i < N_ELEMENTS(sizes); ++i)
                printf("Sparkplug, %-3u metrics: by name %8.3f, by alias %8.3f\n",
                       sizes[i],
                       sparkplug_us(sizes[i], true),
                       sparkplug_us(sizes[i], false));
        return EXIT_SUCCESS;
}
