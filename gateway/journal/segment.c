#include "gateway/journal/segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"

#define SEGMENT_MAGIC   "TIDEGSEG"
#define SEGMENT_VERSION 3 /* that is written; those before it have less, and are read as well */
#define SEGMENT_ALIGN   8
#define SEGMENT_KEY     sizeof(uint64_t)

_Static_assert(sizeof(SegmentHeader) == SEGMENT_HEADER_BYTES, "the header is the format");
_Static_assert(sizeof(SegmentRecord) == 48, "the record is the format");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little-endian");

static size_t segment_align(size_t n) {
        return (n + SEGMENT_ALIGN - 1) & ~(size_t)(SEGMENT_ALIGN - 1);
}

static size_t segment_key_bytes(const SegmentBody *body) {
        return body->sender_key != 0 ? SEGMENT_KEY : 0;
}

size_t segment_record_bytes(const SegmentBody *body) {
        return segment_align(sizeof(SegmentRecord) + body->topic.n + segment_key_bytes(body) +
                             body->payload.n);
}

uint32_t segment_body_crc(uint32_t seed, const SegmentBody *body) {
        uint32_t crc = crc32c(seed, body->topic.data, body->topic.n);

        crc = crc32c(crc, &body->sender_key, segment_key_bytes(body));
        return crc32c(crc, body->payload.data, body->payload.n);
}

uint64_t segment_record_messages(const SegmentRecord *record) {
        bool is_message = record->type == SEGMENT_MESSAGE || record->type == SEGMENT_TAKEN;
        bool is_several = is_message && (record->flags & SEGMENT_SEVERAL);

        return is_several && record->n_messages > 0 ? record->n_messages : 1;
}

uint64_t segment_record_last(const SegmentRecord *record) {
        return record->seq + segment_record_messages(record) - 1;
}

uint32_t segment_seed(const SegmentIdentity *identity) {
        return crc32c(0, &identity->salt, sizeof(identity->salt));
}

/* Never 0: that is what an unused page holds. */
static uint32_t segment_record_magic(uint32_t seed) {
        return crc32c(seed, SEGMENT_MAGIC, 8) | 1;
}

static uint32_t segment_header_crc(const SegmentHeader *header) {
        return crc32c(0, header, offsetof(SegmentHeader, crc));
}

bool segment_header_read(int dir_fd, const char *name, SegmentHeader *ret_header) {
        SegmentHeader header;
        ssize_t n;
        int fd;

        fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return false;
        n = pread(fd, &header, sizeof(header), 0);
        close(fd);
        if (n != sizeof(header) || memcmp(header.magic, SEGMENT_MAGIC, sizeof(header.magic)) != 0 ||
            header.crc != segment_header_crc(&header))
                return false;

        *ret_header = header;
        return true;
}

/* NULL: no memory. */
static Segment *segment_new(int dir_fd, const SegmentIdentity *identity) {
        Segment *segment;

        segment = calloc(1, sizeof(*segment));
        if (!segment)
                return NULL;

        segment->n_refs = 1;
        segment->fd = -1;
        segment->dir_fd = dir_fd;
        segment->seed = segment_seed(identity);
        segment->magic = segment_record_magic(segment->seed);
        return segment;
}

Segment *segment_ref(Segment *segment) {
        if (segment)
                atomic_fetch_add_explicit(&segment->n_refs, 1, memory_order_relaxed);
        return segment;
}

static void segment_free(Segment *segment) {
        if (segment->map)
                munmap(segment->map, segment->n_map);
        if (segment->fd >= 0)
                close(segment->fd);
        free(segment);
}

/* A loop, not a recursion: the list behind may be long. */
Segment *segment_unref(Segment *segment) {
        while (segment &&
               atomic_fetch_sub_explicit(&segment->n_refs, 1, memory_order_acq_rel) == 1) {
                Segment *next = segment_next(segment);

                segment_free(segment);
                segment = next;
        }
        return NULL;
}

Segment *segment_next(const Segment *segment) {
        return atomic_load(&segment->next);
}

void segment_link(Segment *segment, Segment *next) {
        atomic_store(&segment->next, segment_ref(next));
}

void segment_unlink_file(const Segment *segment) {
        if (unlinkat(segment->dir_fd, segment->name, 0) < 0 && errno != ENOENT)
                log_error("journal_unlink_failed file=%s errno=%d", segment->name, errno);
}

/* With the size of before, as the header says it. */
static int segment_write_all(const Segment *segment, int fd) {
        size_t n_bytes = atomic_load(&segment->end), n_written = 0;
        ssize_t n = 0;

        while (n_written < n_bytes &&
               (n = pwrite(fd, segment->map + n_written, n_bytes - n_written, (off_t)n_written)) >
                       0)
                n_written += (size_t)n;
        if (n_written < n_bytes)
                return n < 0 ? -errno : -ENOSPC;
        return ftruncate(fd, (off_t)segment->n_map) < 0 ? -errno : 0;
}

int segment_write_again(const Segment *segment) {
        int fd, r;

        fd = openat(segment->dir_fd,
                    segment->name,
                    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                    0600);
        if (fd < 0)
                return -errno;
        r = segment_write_all(segment, fd);
        if (r == 0 && dup3(fd, segment->fd, O_CLOEXEC) < 0) /* whoever syncs it has the new one */
                r = -errno;
        close(fd);
        if (r < 0)
                segment_unlink_file(segment);
        return r;
}

static int segment_map(Segment *segment, size_t n_bytes, int protection) {
        void *map;

        map = mmap(NULL, n_bytes, protection, MAP_SHARED, segment->fd, 0);
        if (map == MAP_FAILED)
                return -errno;
        segment->map = map;
        segment->n_map = n_bytes;
        return 0;
}

static void segment_write_header(Segment *segment, const SegmentIdentity *identity) {
        SegmentHeader header = {
                .magic = SEGMENT_MAGIC,
                .version = SEGMENT_VERSION,
                .before_low = (uint32_t)segment->before_seq,
                .before_high = (uint32_t)(segment->before_seq >> 32),
                .epoch = identity->epoch,
                .salt = identity->salt,
                .first_seq = segment->first_seq,
                .index = segment->index,
                .size = segment->n_map,
        };

        header.crc = segment_header_crc(&header);
        memcpy(segment->map, &header, sizeof(header));
}

/* Allocates every block of the file now: later there may be no room, and a mapping cannot say so.
 */
static int segment_allocate(Segment *segment, size_t size) {
        int r;

        segment->fd = openat(segment->dir_fd,
                             segment->name,
                             O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                             0600);
        if (segment->fd < 0)
                return -errno;
        r = -posix_fallocate(segment->fd, 0, (off_t)size);
        if (r == 0)
                r = segment_map(segment, size, PROT_READ | PROT_WRITE);
        if (r < 0)
                segment_unlink_file(segment);
        return r;
}

int segment_create(Segment **ret_segment,
                   int dir_fd,
                   const SegmentIdentity *identity,
                   const SegmentSpec *spec) {
        CLEANUP(segment_unref) Segment *segment = NULL;
        int r;

        segment = segment_new(dir_fd, identity);
        if (!segment)
                return err_new(-ENOMEM);

        segment->first_seq = spec->first_seq;
        segment->before_seq = spec->before_seq;
        segment->index = spec->index;
        snprintf(segment->name, sizeof(segment->name), "%016" PRIx64 ".seg", spec->first_seq);
        r = segment_allocate(segment, spec->size);
        if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG)
                return SEGMENT_E_FULL;
        if (r < 0)
                return err_new(r);

        segment_write_header(segment, identity);
        atomic_store(&segment->end, SEGMENT_HEADER_BYTES);
        *ret_segment = TAKE(&segment);
        return 0;
}

/* A damaged header is no reason to lose the records: the name and the size say what we need. */
static int segment_check_header(Segment *segment, const SegmentIdentity *identity) {
        SegmentHeader header;

        if (!segment_header_read(segment->dir_fd, segment->name, &header)) {
                log_warning("journal_segment_header_damaged file=%s", segment->name);
                return 0;
        }
        if (header.version == 0 || header.version > SEGMENT_VERSION ||
            header.epoch != identity->epoch) {
                log_error("journal_segment_foreign file=%s version=%" PRIu32 " epoch=%016" PRIx64,
                          segment->name,
                          header.version,
                          header.epoch);
                return SEGMENT_E_INVALID;
        }
        segment->index = header.index;
        segment->before_seq = (uint64_t)header.before_high << 32 | header.before_low;
        return 0;
}

/* Whoever writes the file may cut it, which a mapping of it would not survive. */
static int segment_copy_file(Segment *segment, size_t n_bytes) {
        size_t n_read = 0;
        uint8_t *copy;
        ssize_t n = 1;

        /* cppcheck-suppress invalidFunctionArg; of an anonymous mapping that is the descriptor */
        copy = mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (copy == MAP_FAILED)
                return err_new(-errno);
        segment->map = copy;
        segment->n_map = n_bytes;
        while (n_read < n_bytes && n > 0) {
                n = pread(segment->fd, copy + n_read, n_bytes - n_read, (off_t)n_read);
                if (n < 0)
                        return err_new(-errno);
                n_read += (size_t)n;
        }
        atomic_store(&segment->end, n_read);
        return 0;
}

static int segment_open_file(Segment *segment, const SegmentIdentity *identity, bool copy) {
        int flags = (copy ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW;
        struct stat st;
        int r;

        segment->fd = openat(segment->dir_fd, segment->name, flags);
        if (segment->fd < 0 && copy && errno == ENOENT)
                return -ENOENT;
        if (segment->fd < 0 || fstat(segment->fd, &st) < 0)
                return err_new(-errno);
        if (!S_ISREG(st.st_mode))
                return SEGMENT_E_INVALID;
        if (st.st_size < SEGMENT_HEADER_BYTES)
                return 0;

        r = segment_check_header(segment, identity);
        if (r != 0)
                return r;
        if (copy)
                return segment_copy_file(segment, (size_t)st.st_size);
        r = segment_map(segment, (size_t)st.st_size, PROT_READ);
        if (r < 0)
                return err_new(r);
        atomic_store(&segment->end, segment->n_map);
        return 0;
}

/* 0, SEGMENT_E_INVALID, a fault, or of a copy -ENOENT, which is none. */
static int segment_open_as(Segment **ret_segment,
                           int dir_fd,
                           const char *name,
                           const SegmentIdentity *identity,
                           bool copy) {
        CLEANUP(segment_unref) Segment *segment = NULL;
        char *rest;
        int r;

        segment = segment_new(dir_fd, identity);
        if (!segment)
                return err_new(-ENOMEM);

        segment->is_recovered = true;
        segment->is_dir_synced = true;
        snprintf(segment->name, sizeof(segment->name), "%s", name);
        segment->first_seq = strtoull(name, &rest, 16);
        if (rest != name + 16 || strcmp(rest, ".seg") != 0)
                return SEGMENT_E_INVALID;
        r = segment_open_file(segment, identity, copy);
        if (r != 0)
                return r;

        *ret_segment = TAKE(&segment);
        return 0;
}

int segment_open(Segment **ret_segment,
                 int dir_fd,
                 const char *name,
                 const SegmentIdentity *identity) {
        int r;

        r = segment_open_as(ret_segment, dir_fd, name, identity, false);
        return r < 0 ? err_up(r) : r;
}

int segment_copy(Segment **ret_segment,
                 int dir_fd,
                 const char *name,
                 const SegmentIdentity *identity) {
        return segment_open_as(ret_segment, dir_fd, name, identity, true);
}

bool segment_has_room(const Segment *segment, size_t n_bytes) {
        return !segment->is_recovered && segment->n_map - segment->end >= n_bytes;
}

static uint32_t segment_record_crc(const SegmentRecord *record, uint32_t body_crc) {
        return crc32c(body_crc, &record->length, sizeof(*record) - offsetof(SegmentRecord, length));
}

/* The body first and its header last: a process that is killed between leaves no half record. */
void segment_append(Segment *segment,
                    SegmentRecord *record,
                    uint32_t body_crc,
                    const SegmentBody *body) {
        const Text topic = body->topic, payload = body->payload;
        size_t n_key = segment_key_bytes(body);
        size_t end = atomic_load_explicit(&segment->end, memory_order_relaxed);
        uint8_t *target = segment->map + end;

        record->magic = segment->magic;
        record->n_topic = (uint16_t)topic.n;
        record->n_payload = (uint32_t)(n_key + payload.n);
        record->length = (uint32_t)(sizeof(*record) + topic.n + n_key + payload.n);
        if (n_key > 0)
                record->flags |= SEGMENT_KEYED;
        record->crc = segment_record_crc(record, body_crc);

        if (topic.n > 0)
                memcpy(target + sizeof(*record), topic.data, topic.n);
        memcpy(target + sizeof(*record) + topic.n, &body->sender_key, n_key);
        if (payload.n > 0)
                memcpy(target + sizeof(*record) + topic.n + n_key, payload.data, payload.n);
        memcpy(target, record, sizeof(*record));

        atomic_store_explicit(&segment->last_seq,
                              segment_record_last(record),
                              memory_order_release);
        atomic_store(&segment->end, end + segment_align(record->length));
}

Text segment_topic(const SegmentRecord *record) {
        return (Text){ .data = (const char *)(record + 1), .n = record->n_topic };
}

static bool segment_is_keyed(const SegmentRecord *record) {
        return (record->flags & SEGMENT_KEYED) && record->n_payload >= SEGMENT_KEY;
}

Text segment_payload(const SegmentRecord *record) {
        size_t n_key = segment_is_keyed(record) ? SEGMENT_KEY : 0;

        return (Text){
                .data = (const char *)(record + 1) + record->n_topic + n_key,
                .n = record->n_payload - n_key,
        };
}

uint64_t segment_sender_key(const SegmentRecord *record) {
        uint64_t key = 0;

        if (segment_is_keyed(record))
                memcpy(&key, (const char *)(record + 1) + record->n_topic, sizeof(key));
        return key;
}

/* The record at @offset, if one is there, and whole. Looks at nothing behind @end. */
static const SegmentRecord *segment_record_at(const Segment *segment, size_t offset, size_t end) {
        const SegmentRecord *record = (const void *)(segment->map + offset);
        uint32_t crc;

        if (end - offset < sizeof(*record) || record->magic != segment->magic)
                return NULL;
        if (record->length > end - offset ||
            record->length != sizeof(*record) + record->n_topic + (uint64_t)record->n_payload)
                return NULL;
        crc = crc32c(segment->seed, record + 1, record->length - sizeof(*record));
        return segment_record_crc(record, crc) == record->crc ? record : NULL;
}

const SegmentRecord *segment_read(const Segment *segment,
                                  size_t *offset,
                                  uint64_t after_seq,
                                  size_t *ret_skipped) {
        size_t end = atomic_load_explicit(&segment->end, memory_order_acquire);
        size_t at = *offset;
        size_t n_skipped = 0;
        const SegmentRecord *found = NULL;

        if (at < SEGMENT_HEADER_BYTES)
                at = SEGMENT_HEADER_BYTES;
        while (!found && at < end) {
                const SegmentRecord *record = segment_record_at(segment, at, end);

                if (!record) {
                        at += SEGMENT_ALIGN;
                        n_skipped += SEGMENT_ALIGN;
                        continue;
                }
                at += segment_align(record->length);
                found = segment_record_last(record) > after_seq ? record : NULL;
        }
        *offset = at < end ? at : end;
        *ret_skipped = n_skipped;
        return found;
}

/* Through the file: a recovered one is mapped for reading only. Who reads it meanwhile, or after a
 * power cut, finds it as it was, as it is to be, or damaged: then it is passed over, too. */
int segment_take(const Segment *segment, const SegmentRecord *record) {
        SegmentRecord taken = *record;
        off_t offset = (const uint8_t *)record - segment->map;
        uint32_t crc = crc32c(segment->seed, record + 1, record->length - sizeof(*record));
        ssize_t n;

        taken.type = SEGMENT_TAKEN;
        taken.crc = segment_record_crc(&taken, crc);
        n = pwrite(segment->fd, &taken, sizeof(taken), offset);
        return n == sizeof(taken) ? 0 : n < 0 ? -errno : -EIO;
}

int segment_sync_taken(const Segment *segment) {
        return fdatasync(segment->fd) < 0 ? -errno : 0;
}

void segment_end_at(Segment *segment, size_t end, uint64_t last_seq, bool cut) {
        atomic_store(&segment->end, end);
        atomic_store(&segment->last_seq, last_seq);
        if (!cut || segment->n_map <= end)
                return;
        if (ftruncate(segment->fd, (off_t)end) < 0) {
                log_error("journal_truncate_failed file=%s errno=%d", segment->name, errno);
                return;
        }
        munmap(segment->map, segment->n_map);
        segment->map = NULL;
        if (segment_map(segment, end, PROT_READ) < 0) {
                log_error("journal_map_failed file=%s errno=%d", segment->name, errno);
                atomic_store(&segment->end, 0);
        }
}

int segment_sync(Segment *segment) {
        size_t end = atomic_load(&segment->end);

        if (end <= segment->n_synced && segment->is_dir_synced)
                return SEGMENT_E_CLEAN;
        if (fdatasync(segment->fd) < 0)
                return -errno;
        if (!segment->is_dir_synced && fsync(segment->dir_fd) < 0)
                return -errno;
        segment->n_synced = end;
        segment->is_dir_synced = true;
        return 0;
}
