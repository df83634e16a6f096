/* bench-journal DIR [N]: what an append of 300 bytes costs, and a read, with each way to sync. */

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "gateway/journal/journal.h"

#define BENCH_BATCH 512

typedef struct BenchWay BenchWay;

struct BenchWay {
        const char *name;
        JournalFsync fsync;
        unsigned share; /* of the messages: each sync takes its time */
};

static int bench_append(Journal *journal, unsigned n, int64_t *ret_worst_us) {
        char payload[260] = { 0 };
        Inbound inbound = {
                .door = DOOR_MQTT,
                .qos = 1,
                .topic = TEXT("users/ana/devices/dev-0001/status-------"),
                .payload = { payload, sizeof(payload) },
        };
        uint64_t seq;

        *ret_worst_us = 0;
        for (unsigned i = 0; i < n; ++i) {
                int64_t begin_us = clock_mono_us();
                int64_t took_us;

                memcpy(payload, &i, sizeof(i));
                inbound.packet_id = (uint16_t)(i % 65535 + 1);
                if (journal_append(journal, &inbound, &seq) != 0)
                        return -1;
                took_us = clock_mono_us() - begin_us;
                if (took_us > *ret_worst_us)
                        *ret_worst_us = took_us;
        }
        return 0;
}

static uint64_t bench_read(Journal *journal) {
        static JournalRecord records[BENCH_BATCH];
        uint64_t seq = 0, n_total = 0;
        size_t n;

        while ((n = journal_read(journal, seq, records, BENCH_BATCH, SIZE_MAX)) > 0) {
                seq = records[n - 1].seq;
                n_total += n;
        }
        journal_commit(journal, seq);
        return n_total;
}

static int bench_way(const char *dir, const BenchWay *way, unsigned n) {
        CLEANUP(journal_close) Journal *journal = NULL;
        JournalOptions options = {
                .dir = dir,
                .max_bytes = UINT64_C(4) << 30,
                .segment_bytes = 64 << 20,
                .reserve_bytes = 256 << 20,
                .fsync = way->fsync,
                .fsync_interval_ms = 10,
        };
        int64_t begin_us, append_us, worst_us;
        uint64_t n_read;

        n /= way->share;
        if (journal_open(&journal, &options) != 0)
                return 1;
        (void)bench_read(journal);
        begin_us = clock_mono_us();
        if (bench_append(journal, n, &worst_us) != 0)
                return 1;
        append_us = clock_mono_us() - begin_us;
        begin_us = clock_mono_us();
        n_read = bench_read(journal);
        printf("fsync=%s messages=%u append_us=%.3f worst_us=%" PRId64 " read_us=%.3f\n",
               way->name,
               n,
               (double)append_us / n,
               worst_us,
               (double)(clock_mono_us() - begin_us) / (double)n_read);
        return 0;
}

int main(int argc, char *argv[]) {
        static const BenchWay ways[] = {
                { "never", JOURNAL_FSYNC_NEVER, 1 },
                { "10ms", JOURNAL_FSYNC_INTERVAL, 1 },
                { "always", JOURNAL_FSYNC_ALWAYS, 100 },
        };
        unsigned n = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1000000;
        int r = 0;

        if (argc < 2) {
                fprintf(stderr, "usage: bench-journal DIR [MESSAGES]\n");
                return 2;
        }
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(ways); ++i)
                r = bench_way(argv[1], &ways[i], n);
        return r;
}
