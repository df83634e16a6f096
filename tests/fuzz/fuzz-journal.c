/*
 * Journal: damage of any kind to its files: opening never crashes, numbers ascend, and what is
 * appended afterwards is there. An input of `!` and triples (two bytes of offset, one of news)
 * changes a good segment, of `+` so that its checksums are right again; any other is the segment.
 * Before that `2`: a second segment is there, and it is the one that is changed; `i`: the file with
 * the identity is lost.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_copy.h"
#include "tests/fuzz/fuzz.h"

#define SEGMENT_BYTES UINT64_C(65536)
#define MAX_RECORDS   64
#define N_SEGMENTS    2
#define N_LARGE       10000 /* bytes of a payload, of which a few fill a segment */

typedef struct File File;

struct File {
        char path[128];
        uint8_t bytes[SEGMENT_BYTES];
        size_t n;
};

static struct {
        char dir[64];
        char identity[128];
        uint8_t identity_bytes[128];
        size_t n_identity;
        File segments[N_SEGMENTS];
} good; /* a journal as it should be */

static JournalOptions options(void) {
        return (JournalOptions){ .dir = good.dir,
                                 .max_bytes = 16 * SEGMENT_BYTES,
                                 .segment_bytes = SEGMENT_BYTES,
                                 .reserve_bytes = 2 * SEGMENT_BYTES,
                                 .fsync = JOURNAL_FSYNC_NEVER };
}

static void append(Journal *journal, uint16_t packet_id, size_t n_payload) {
        static char large[N_LARGE];
        Inbound inbound = { .qos = 1,
                            .packet_id = packet_id,
                            .topic = TEXT("devices/d/status"),
                            .payload = { large, n_payload } };
        uint64_t seq;

        FUZZ_CHECK(journal_append(journal, &inbound, &seq) == 0);
}

static void remove_files(void) {
        struct dirent *entry;
        DIR *stream = opendir(good.dir);
        char path[512];

        FUZZ_CHECK(stream);
        while ((entry = readdir(stream))) { /* NOLINT(concurrency-mt-unsafe) */
                snprintf(path, sizeof(path), "%s/%s", good.dir, entry->d_name);
                if (entry->d_name[0] != '.')
                        unlink(path);
        }
        closedir(stream);
}

static void remove_dir(void) {
        remove_files();
        rmdir(good.dir);
}

static size_t read_file(const char *path, uint8_t *ret_bytes, size_t n) {
        FILE *file = fopen(path, "rb");

        FUZZ_CHECK(file);
        n = fread(ret_bytes, 1, n, file);
        fclose(file);
        return n;
}

static void read_segments(void) {
        JournalDir dir = JOURNAL_DIR_INIT;

        FUZZ_CHECK(journal_dir_look(&dir, good.dir) == 0 && dir.n_names == N_SEGMENTS);
        for (size_t i = 0; i < N_SEGMENTS; ++i) {
                File *file = &good.segments[i];

                snprintf(file->path, sizeof(file->path), "%s/%s", good.dir, dir.names[i]);
                file->n = read_file(file->path, file->bytes, sizeof(file->bytes));
        }
        journal_dir_close(&dir);
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
        for (uint16_t i = 1; i <= 14; ++i)
                append(journal, i, i > 4 && i < 13 ? N_LARGE : 19);
        journal_close(journal);
        read_segments();
        snprintf(good.identity, sizeof(good.identity), "%s/identity", good.dir);
        good.n_identity =
                read_file(good.identity, good.identity_bytes, sizeof(good.identity_bytes));
}

static void write_file(const char *path, const void *bytes, size_t n) {
        FILE *file = fopen(path, "wb");

        FUZZ_CHECK(file && fwrite(bytes, 1, n, file) == n);
        fclose(file);
}

/* As if the one who writes had written it so. */
static void seal(uint8_t *bytes) {
        SegmentHeader *header = (SegmentHeader *)(void *)bytes;
        uint32_t seed = crc32c(0, &header->salt, sizeof(header->salt));
        uint32_t magic = crc32c(seed, header->magic, sizeof(header->magic)) | 1;
        size_t at = SEGMENT_HEADER_BYTES;

        header->crc = crc32c(0, header, offsetof(SegmentHeader, crc));
        while (SEGMENT_BYTES - at >= sizeof(SegmentRecord)) {
                SegmentRecord *record = (SegmentRecord *)(void *)(bytes + at);
                uint64_t n_body = (uint64_t)record->n_topic + record->n_payload;

                if (record->length == 0 || n_body > SEGMENT_BYTES - at - sizeof(*record))
                        break;
                record->length = (uint32_t)(sizeof(*record) + n_body);
                record->magic = magic;
                record->crc = crc32c(crc32c(seed, record + 1, n_body),
                                     &record->length,
                                     sizeof(*record) - offsetof(SegmentRecord, length));
                at += (record->length + 7) / 8 * 8;
        }
}

static void write_segment(const File *file, const uint8_t *data, size_t n) {
        static _Alignas(8) uint8_t bytes[SEGMENT_BYTES];
        bool is_sealed = n > 0 && data[0] == '+';

        if (n == 0 || !(is_sealed || data[0] == '!')) {
                write_file(file->path, data, n);
                return;
        }
        memcpy(bytes, file->bytes, sizeof(bytes));
        for (size_t i = 1; i + 2 < n; i += 3)
                bytes[(data[i] << 8 | data[i + 1]) % SEGMENT_BYTES] ^= data[i + 2];
        if (is_sealed)
                seal(bytes);
        write_file(file->path, bytes, file->n);
}

static void write_files(const uint8_t *data, size_t n) {
        bool is_second = n > 0 && data[0] == '2';
        bool is_lost;

        data += is_second ? 1 : 0;
        n -= is_second ? 1 : 0;
        is_lost = n > 0 && data[0] == 'i';
        data += is_lost ? 1 : 0;
        n -= is_lost ? 1 : 0;
        remove_files();
        if (!is_lost)
                write_file(good.identity, good.identity_bytes, good.n_identity);
        if (is_second)
                write_file(good.segments[0].path, good.segments[0].bytes, good.segments[0].n);
        write_segment(&good.segments[is_second], data, n);
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

/* As those look who only look: the process that writes is not asked. */
static void check_copy(void) {
        CLEANUP(segment_unref) Segment *oldest = NULL;
        JournalDir dir = JOURNAL_DIR_INIT;
        uint64_t last = 0;

        if (journal_dir_look(&dir, good.dir) == 0) {
                FUZZ_CHECK(journal_copy_segments(&dir, &oldest) == 0);
                for (const Segment *segment = oldest; segment; segment = segment_next(segment)) {
                        const SegmentRecord *record;
                        size_t offset = 0, n_skipped;

                        while ((record = segment_read(segment, &offset, last, &n_skipped))) {
                                FUZZ_CHECK(record->seq > last);
                                last = record->seq;
                        }
                }
        }
        journal_dir_close(&dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        JournalOptions o;
        Journal *journal = NULL;
        size_t n_records;

        if (!good.dir[0])
                good_init();
        write_files(data, n);
        check_copy();
        o = options();
        if (journal_open(&journal, &o) != 0)
                return 0;
        n_records = read_all(journal);
        append(journal, 7, 19);
        FUZZ_CHECK(read_all(journal) == n_records + 1);
        journal_close(journal);
        return 0;
}
