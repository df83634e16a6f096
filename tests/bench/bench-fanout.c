/*
 * bench-fanout: the server alone. Feeds it vehicle logs, as the outbox would, and measures its CPU
 * a delivery and its memory a socket. The viewers are another program (subscribe, or any client of
 * `/api/ws`).
 *
 *      bench-fanout [--listen 127.0.0.1:8000] [--viewers 1000] [--rate 50] [--size 400]
 *                   [--seconds 10] [--deflate 0|1] [--cert FILE --key FILE]
 *
 * Waits for the viewers, feeds for the time given, prints one JSON line and ends. --rate 0 prints
 * the memory alone.
 */

#include <getopt.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "model/event.h"
#include "model/metrics.h"
#include "model/query.h"
#include "tests/fake/asks.h"
#include "ws/access/auth.h"
#include "ws/loop/options.h"
#include "ws/server.h"

typedef struct Bench Bench;

struct Bench {
        int viewers, rate, size, seconds;
        WsOptions options;
        Queue *outbox, *queries;
        WsAuth *auth;
        WsServer *server;
        char *data;
};

static void bench_free_event(void *event) {
        event_unref(event);
}

static double bench_cpu(void) {
        struct timespec ts;

        MUST(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts));
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void bench_sleep_us(int64_t us) {
        struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

        nanosleep(&ts, NULL);
}

static long bench_rss_kib(void) {
        FILE *file = fopen("/proc/self/statm", "re");
        long size = 0, pages = 0;

        if (file && fscanf(file, "%ld %ld", &size, &pages) != 2)
                pages = 0;
        if (file)
                fclose(file);
        return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static int bench_world(Bench *bench) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        RegistryRow row = { .table = REGISTRY_VEHICLE,
                            .vehicle = { .id = 1, .code = "v1", .is_active = true } };
        Event *event = NULL;
        int r;

        r = registry_delta_new(&delta, true);
        if (r == 0)
                r = registry_delta_add(delta, &row);
        if (r == 0)
                r = event_new_registry(&event, delta);
        if (r == 0)
                r = queue_push(bench->outbox, event, 1000);
        if (r == 0)
                r = event_new_gap(&event, 1, 0);
        if (r == 0)
                r = queue_push(bench->outbox, event, 1000);
        return r;
}

static int bench_start(Bench *bench) {
        WsAuthOptions auth = { .algorithms = "HS256", .subject_claim = "sub", .anonymous = "*" };
        int r;

        r = ws_auth_new(&bench->auth, &auth);
        if (r == 0)
                r = queue_new(&bench->outbox, 65536, bench_free_event);
        if (r == 0)
                r = queue_new(&bench->queries, 16, asks_free);
        bench->options.ask = asks_keep;
        bench->options.ask_arg = bench->queries;
        if (r == 0)
                r = ws_server_new(&bench->server, &bench->options, bench->auth, bench->outbox);
        if (r == 0)
                r = ws_server_start(bench->server);
        return r == 0 ? bench_world(bench) : r;
}

/* Telemetry of about the size asked for: names that repeat, figures that do not. */
static void bench_fill(Bench *bench, int64_t now_us) {
        int size = bench->size;
        uint32_t x = (uint32_t)now_us;
        int n = snprintf(bench->data, (size_t)size, "{\"ts\":%lld", (long long)now_us);

        for (int i = 0; n < size - 24; ++i) {
                x = x * 1664525 + 1013904223;
                n += snprintf(bench->data + n,
                              (size_t)(size - n),
                              ",\"sensor_%d\":%u.%03u",
                              i % 10,
                              x >> 22,
                              (x >> 12) % 1000);
        }
        snprintf(bench->data + n, (size_t)(size - n), "}");
}

static int bench_feed_one(Bench *bench, uint64_t seq) {
        Record record = {
                .seq = seq,
                .received_us = clock_now_us(),
                .time_us = clock_now_us(),
                .kind = KIND_VEHICLE_LOG,
                .vehicle_id = 1,
        };
        Event *event = NULL;
        int r;

        bench_fill(bench, record.received_us);
        record.data = text_of(bench->data);
        r = event_new_message(&event, &record, NULL, true);
        return r == 0 ? queue_push(bench->outbox, event, 1000) : r;
}

static int bench_feed(Bench *bench) {
        int64_t began = clock_mono_us();
        int64_t until = began + bench->seconds * INT64_C(1000000);
        uint64_t n = 0;

        for (int64_t now = began; now < until; now = clock_mono_us()) {
                while ((int64_t)n < (now - began) * bench->rate / 1000000) {
                        int r = bench_feed_one(bench, ++n);

                        if (r != 0)
                                return r;
                }
                bench_sleep_us(bench->rate < 2000 ? 1000000 / bench->rate : 500);
        }
        return 0;
}

static int bench_run(Bench *bench) {
        int64_t sent, bytes;
        long idle = bench_rss_kib();
        double cpu;
        int r = 0;

        while (metric_get(METRIC_WS_CONNECTIONS_D) < bench->viewers)
                bench_sleep_us(10000);
        bench_sleep_us(500000);
        printf("{\"viewers\":%d,\"rss_kib_empty\":%ld,\"rss_kib\":%ld,\"rss_bytes_a_socket\":%.0f",
               bench->viewers,
               idle,
               bench_rss_kib(),
               (double)(bench_rss_kib() - idle) * 1024.0 / bench->viewers);
        sent = metric_get(METRIC_WS_SENT);
        bytes = metric_get(METRIC_WS_BYTES_OUT);
        cpu = bench_cpu();
        if (bench->rate > 0)
                r = bench_feed(bench);
        cpu = bench_cpu() - cpu;
        sent = metric_get(METRIC_WS_SENT) - sent;
        bytes = metric_get(METRIC_WS_BYTES_OUT) - bytes;
        printf(",\"rate\":%d,\"deliveries\":%lld,\"queued\":%lld,\"dropped\":%lld,\"cpu_s\":%.3f,"
               "\"cpu_us_a_delivery\":%.3f,\"bytes_a_delivery\":%.1f,"
               "\"rss_kib_after\":%ld}\n",
               bench->rate,
               (long long)sent,
               (long long)metric_get(METRIC_WS_QUEUED),
               (long long)metric_get(METRIC_WS_DROPPED),
               cpu,
               sent > 0 ? cpu * 1e6 / (double)sent : 0.0,
               sent > 0 ? (double)bytes / (double)sent : 0.0,
               bench_rss_kib());
        return r;
}

static int bench_options(Bench *bench, int argc, char **argv) {
        static const struct option names[] = {
                { "listen", 1, NULL, 'l' }, { "viewers", 1, NULL, 'v' }, { "rate", 1, NULL, 'r' },
                { "size", 1, NULL, 's' },   { "seconds", 1, NULL, 't' }, { "cert", 1, NULL, 'c' },
                { "key", 1, NULL, 'k' },    { "deflate", 1, NULL, 'd' }, { 0 },
        };

        for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;)
                switch (c) {
                case 'l':
                        bench->options.listen = optarg;
                        break;
                case 'v':
                        bench->viewers = atoi(optarg); /* NOLINT(cert-err34-c): a tool for us */
                        break;
                case 'r':
                        bench->rate = atoi(optarg); /* NOLINT(cert-err34-c) */
                        break;
                case 's':
                        bench->size = atoi(optarg); /* NOLINT(cert-err34-c) */
                        break;
                case 't':
                        bench->seconds = atoi(optarg); /* NOLINT(cert-err34-c) */
                        break;
                case 'd':
                        bench->options.deflate = atoi(optarg) != 0; /* NOLINT(cert-err34-c) */
                        break;
                case 'c':
                        bench->options.tls_cert = optarg;
                        break;
                case 'k':
                        bench->options.tls_key = optarg;
                        break;
                default:
                        return -EINVAL;
                }
        return bench->size >= 64 && bench->viewers > 0 ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
        Bench bench = {
                .viewers = 1000,
                .rate = 50,
                .size = 400,
                .seconds = 10,
                .options = { .listen = "127.0.0.1:8000",
                             .version = "0",
                             .epoch = "0",
                             .max_message_bytes = 65536,
                             .max_body_bytes = 65536,
                             .queue_bytes = 1048576,
                             .slow_ms = 30000,
                             .handshake_timeout_ms = 10000,
                             .ping_interval_ms = 20000,
                             .silence_ms = 600000,
                             .max_connections = 50000,
                             .max_connections_per_user = 50000,
                             .messages_per_s = 50,
                             .max_subscriptions = 100,
                             .max_paced = 50000,
                             .deflate_min_bytes = 128,
                             .stats_interval_ms = 5000 },
        };
        int r;

        if (bench_options(&bench, argc, argv) != 0)
                return 2;
        bench.data = calloc(1, (size_t)bench.size + 1);
        r = bench.data ? bench_start(&bench) : -ENOMEM;
        if (r == 0)
                r = bench_run(&bench);
        ws_server_free(bench.server);
        queue_free(bench.outbox);
        queue_free(bench.queries);
        ws_auth_free(bench.auth);
        free(bench.data);
        return r != 0;
}
