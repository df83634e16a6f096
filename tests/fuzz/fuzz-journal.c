/*
 * Journal: damage of any kind to its files: opening never crashes, numbers ascend, and what is
 * appended afterwards is there. An input of `!` and triples (two bytes of offset, one of news)
 * changes a good segment; any other is the segment.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/journal.h"
#include "tests/fuzz/fuzz.h"

#define SEGMENT_BYTES UINT64_C(65536)
#define MAX_RECORDS   64

static struct {
        char dir[64];
        char segment[128]; /* its path */
        uint8_t bytes[SEGMENT_BYTES];
        size_t n;
} good; /* a journal as it should be */

static JournalOptions options(void) {
        return (JournalOptions){ .dir = good.dir,
                                 .max_bytes = 16 * SEGMENT_BYTES,
                                 .segment_bytes = SEGMENT_BYTES,
                                 .reserve_bytes = 2 * SEGMENT_BYTES,
                                 .fsync = JOURNAL_FSYNC_NEVER };
}

static void append(Journal *journal, uint16_t packet_id) {
        Inbound inbound = { .qos = 1,
                            .packet_id = packet_id,
                            .topic = TEXT("devices/d/status"),
                            .payload = TEXT("{\"status\":\"online\"}") };
        uint64_t seq;

        FUZZ_CHECK(journal_append(journal, &inbound, &seq) == 0);
}

static void remove_files(bool all) {
        struct dirent *entry;
        DIR *stream = opendir(good.dir);
        char path[512];

        FUZZ_CHECK(stream);
        while ((entry = readdir(stream))) { /* NOLINT(concurrency-mt-unsafe) */
                snprintf(path, sizeof(path), "%s/%s", good.dir, entry->d_name);
                if (entry->d_name[0] != '.' && (all || strcmp(entry->d_name, "identity") != 0))
                        unlink(path);
        }
        closedir(stream);
}

static void remove_dir(void) {
        remove_files(true);
        rmdir(good.dir);
}

static void find_segment(void) {
        struct dirent *entry;
        DIR *stream = opendir(good.dir);
        FILE *file;

        FUZZ_CHECK(stream);
        while ((entry = readdir(stream))) /* NOLINT(concurrency-mt-unsafe) */
                if (strstr(entry->d_name, ".seg"))
                        snprintf(good.segment,
                                 sizeof(good.segment),
                                 "%s/%.60s",
                                 good.dir,
                                 entry->d_name);
        closedir(stream);

        file = fopen(good.segment, "rb");
        FUZZ_CHECK(file);
        good.n = fread(good.bytes, 1, sizeof(good.bytes), file);
        fclose(file);
}

static void good_init(void) {
        JournalOptions o;
        Journal *journal = NULL;

        log_set_level((LogLevel)-1);
        snprintf(good.dir,
                 sizeof(good.dir),
                 "%s/tidegate-fuzz-journal-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        FUZZ_CHECK(mkdtemp(good.dir));
        atexit(remove_dir);
        o = options();
        FUZZ_CHECK(journal_open(&journal, &o) == 0);
        for (uint16_t i = 1; i <= 6; ++i)
                append(journal, i);
        journal_close(journal);
        find_segment();
}

static void write_segment(const uint8_t *data, size_t n) {
        static uint8_t bytes[SEGMENT_BYTES];
        const uint8_t *content = data;
        FILE *file;

        if (n > 0 && data[0] == '!') {
                memcpy(bytes, good.bytes, sizeof(bytes));
                for (size_t i = 1; i + 2 < n; i += 3)
                        bytes[(data[i] << 8 | data[i + 1]) % SEGMENT_BYTES] ^= data[i + 2];
                content = bytes;
                n = good.n;
        }
        remove_files(false);
        file = fopen(good.segment, "wb");
        FUZZ_CHECK(file);
        FUZZ_CHECK(fwrite(content, 1, n, file) == n);
        fclose(file);
}

/* Number of records; every byte of them is looked at. */
static size_t read_all(Journal *journal) {
        JournalRecord records[MAX_RECORDS];
        volatile char sink = 0;
        uint64_t last = 0;
        size_t n, n_all = 0;

        while ((n = journal_read(journal, last, records, MAX_RECORDS, SIZE_MAX)) > 0) {
                for (size_t i = 0; i < n; ++i) {
                        FUZZ_CHECK(records[i].seq > last);
                        last = records[i].seq;
                        for (size_t k = 0; k < records[i].topic.n; ++k)
                                sink = (char)(sink ^ records[i].topic.data[k]);
                        for (size_t k = 0; k < records[i].payload.n; ++k)
                                sink = (char)(sink ^ records[i].payload.data[k]);
                }
                n_all += n;
        }
        return n_all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        JournalOptions o;
        Journal *journal = NULL;
        size_t n_records;

        if (good.n == 0)
                good_init();
        write_segment(data, n);
        o = options();
        if (journal_open(&journal, &o) != 0)
                return 0;
        n_records = read_all(journal);
        append(journal, 7);
        FUZZ_CHECK(read_all(journal) == n_records + 1);
        journal_close(journal);
        return 0;
}
