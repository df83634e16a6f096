/* Bench: what a map costs beyond a plain route, each operation, and finding the route of a topic
 * among a thousand. Prints µs of the processor. */

#include <stdio.h>
#include <time.h>

#include "base/arena.h"
#include "gateway/decode/decode.h"

#define ROUNDS   100000
#define N_ROUTES 1000
#define RECEIVE  INT64_C(1800000000000000)

static const char payload[] =
        "{\"last_seen\":1799999999123,\"temp\":\"21.50\",\"hum\":60.2,\"mv\":3050,\"lat\":"
        "481234567,"
        "\"pos\":\"54.7, 25.2\",\"state\":\"ON\",\"raw\":\"0x1F\",\"nested\":{\"a\":{\"b\":7.25}},"
        "\"rssi\":-71,\"link\":255,\"id\":89490200001234567890,\"mode\":\"AUTO\",\"fw\":\"1.4.2\"}";

static const char *const ten[] = {
        "time = /last_seen | time unix_ms",
        "temperature = /temp | number",
        "humidity = /hum",
        "battery = /mv | scale 0.001",
        "latitude = /lat | scale 1e-7",
        "longitude = /pos | part 2 \",\" | number",
        "status = /state | word online=on,1 offline=off,0",
        "level = /nested/a/b | round 1",
        "rssi = /rssi | clamp -100 0",
        "link = /link | null 255 | default 0",
        NULL,
};

static const char *const each[] = {
        "x = /hum",
        "x = /nested/a/b",
        "x = /*/a",
        "x = topic.device",
        "x = 'text'",
        "x = /temp | number",
        "x = /rssi | int",
        "x = /state | bool",
        "x = /mv | text",
        "x = /mv | scale 0.001",
        "x = /hum | offset -273.15",
        "x = /hum | round 0",
        "x = /rssi | clamp -60 0",
        "x = /state | word online=on,1 offline=off,0",
        "x = /pos | part -1 \",\"",
        "x = /raw | hex",
        "x = /last_seen | time unix_ms",
        "x = /link | null nan - 255",
        "x = /none | default 0",
};

static double cpu_us(void) {
        struct timespec t;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void add_line(Route *route, const char *line) {
        const char *sign = strstr(line, " = ");
        char why[MAP_WHY_SIZE];

        MUST(map_add(route->map,
                     route->topic,
                     (Text){ line, (size_t)(sign - line) },
                     text_of(sign + 3),
                     why));
}

static double decode_us(Arena *arena, const Route *route) {
        const Record envelope = { .received_us = RECEIVE,
                                  .topic = TEXT("t/d"),
                                  .payload = text_of(payload) };
        const TopicMatch match = { .device = TEXT("d") };
        double begun_us = cpu_us(), spent_us;
        Record record;

        for (int n = 0; n < ROUNDS; ++n) {
                MUST(decode(arena, route, &match, &envelope, &record));
                if (n % 256 == 0)
                        arena_reset(arena);
        }
        spent_us = cpu_us() - begun_us;
        arena_reset(arena);
        return record.reason == REASON_NONE ? spent_us / ROUNDS : -1;
}

static void bench_maps(Arena *arena) {
        Route route = { .kind = KIND_TELEMETRY, .max_bytes = 65536 };
        double plain_us, empty_us, mapped_us;

        MUST(topic_template_new(&route.topic, "t/{device}"));
        plain_us = decode_us(arena, &route);
        MUST(map_new(&route.map, route.kind));
        empty_us = decode_us(arena, &route);
        printf("%-48s %8.3f\n", "plain, of 14 members", plain_us);
        printf("%-48s %8.3f\n", "a map without lines, beyond", empty_us - plain_us);
        for (size_t i = 0; i < N_ELEMENTS(each); ++i) {
                map_free(route.map);
                MUST(map_new(&route.map, route.kind));
                add_line(&route, each[i]);
                printf("  beyond that: %-33s %8.3f\n",
                       each[i],
                       decode_us(arena, &route) - empty_us);
        }
        map_free(route.map);
        MUST(map_new(&route.map, route.kind));
        for (const char *const *line = ten; *line; ++line)
                add_line(&route, *line);
        mapped_us = decode_us(arena, &route);
        printf("%-48s %8.3f\n", "ten members, beyond plain", mapped_us - plain_us);
        route.keeps_named = true;
        mapped_us = decode_us(arena, &route);
        printf("%-48s %8.3f\n", "ten members, keep = named, beyond plain", mapped_us - plain_us);
        route_done(&route);
}

static void bench_topics(void) {
        CLEANUP(routes_unref) Routes *routes = NULL;
        const Route *taking[ROUTES_MAX_TAKING];
        char topics[3][64] = { "site/17/area/x/sensor/d/v",
                               "site/999/area/x/sensor/d/v",
                               "no/such" };
        bool ignored;

        MUST(routes_new(&routes));
        for (int i = 0; i < N_ROUTES; ++i) {
                Route route = { .kind = KIND_TELEMETRY, .max_bytes = 65536 };
                char topic[64];

                snprintf(topic, sizeof(topic), "site/%d/area/+/sensor/{device}/#", i);
                route.name = strdup("r");
                MUST(topic_template_new(&route.topic, topic));
                MUST(routes_add(routes, &route));
        }
        for (size_t i = 0; i < N_ELEMENTS(topics); ++i) {
                double begun_us = cpu_us();
                size_t n = 0;

                for (int k = 0; k < ROUNDS; ++k)
                        n += routes_taking(routes, text_of(topics[i]), taking, &ignored);
                printf("%d routes, %-36s %8.3f  (%zu)\n",
                       N_ROUTES,
                       topics[i],
                       (cpu_us() - begun_us) / ROUNDS,
                       n / ROUNDS);
        }
}

int main(void) {
        CLEANUP(arena_free) Arena *arena = NULL;

        MUST(arena_new(&arena, 65536));
        bench_maps(arena);
        bench_topics();
        return EXIT_SUCCESS;
}
