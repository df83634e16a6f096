#pragma once

/*
 * Segment: one memory-mapped file of the journal, and the format of what is in it.
 *
 * A header of 64 bytes, then records: a header of 48 bytes, topic, payload, zeros up to a multiple
 * of 8. A record is one message, with one number, or since version 2 several (SEGMENT_SEVERAL),
 * which have as many numbers, from its own on; since version 3 the payload may follow the
 * key of who sent it (SEGMENT_KEYED). Numbers are little-endian, as the machine has them.
 * The file is preallocated when it is made, so a write into the mapping cannot meet a full disk.
 * One thread writes (under the journal's append lock), any number read what has been published;
 * nothing is changed once it is published, but for the type of a record (segment_take()).
 *
 * The magic and the checksums begin with the journal's salt, a secret: nobody can make a payload
 * that is taken for records when the way past damage is searched for.
 *
 * Segments are a list. Each holds a reference on the next, so who holds one may walk on.
 */

#include "base/base.h"

#define SEGMENT_MIN_BYTES    (UINT64_C(64) * 1024)
#define SEGMENT_HEADER_BYTES 64
#define SEGMENT_NAME_SIZE    32 /* 16 hex digits of the first number, ".seg", NUL */

typedef struct Segment Segment;
typedef struct SegmentBody SegmentBody;
typedef struct SegmentHeader SegmentHeader;
typedef struct SegmentIdentity SegmentIdentity;
typedef struct SegmentRecord SegmentRecord;
typedef struct SegmentSpec SegmentSpec;

struct SegmentIdentity { /* of the journal */
        uint64_t epoch;
        uint64_t salt;
};

struct SegmentHeader {
        char magic[8];
        uint32_t version;
        uint32_t before_low; /* of the last number used before this segment; 0 and 0 = not known */
        uint64_t epoch, salt;
        uint64_t first_seq;
        uint64_t index; /* of the segment in the journal: no number is left out */
        uint64_t size;
        uint32_t before_high;
        uint32_t crc; /* of all before it */
};

typedef enum SegmentRecordType {
        SEGMENT_MESSAGE,
        SEGMENT_SESSION, /* a broker began a new session: no earlier packet id of it counts.
                            packet_id, as in the next: which broker; device_id: in which turn */
        SEGMENT_RECENT,  /* what may be redelivered of all before it: RedeliveryItem[]; device_id:
                            up to which turn what others have stored was learnt by then */
        SEGMENT_RESUMED, /* a connection began, with the session of before; device_id: the most that
                            may be in flight */
        SEGMENT_AGAIN,   /* what came under packet_id last came once more, and was recognised */
        SEGMENT_LEARNT,  /* what others have stored of the session (journal_flights.h) */
        SEGMENT_TAKEN,   /* was a message, which another gateway was sent as well, and has stored */
} SegmentRecordType;

enum {
        SEGMENT_QOS_MASK = 3,
        SEGMENT_DUP = 4,
        SEGMENT_RETAINED = 8,
        SEGMENT_SEVERAL = 16, /* it is n_messages; no door that knows its device writes such */
        SEGMENT_KEYED =
                32, /* eight bytes before the payload, of n_payload: SegmentBody.sender_key */
};

struct SegmentRecord {
        uint32_t magic;
        uint32_t crc;    /* of topic, payload and all of this behind it, beginning with the salt */
        uint32_t length; /* of all, without the padding */
        uint8_t type, door, kind, flags;
        uint64_t seq;
        int64_t received_us;
        union {
                int64_t device_id;
                uint64_t n_messages; /* SEGMENT_SEVERAL */
        };
        uint32_t n_payload;
        uint16_t n_topic;
        uint16_t packet_id;
};

struct Segment {
        _Atomic unsigned n_refs;
        int fd;
        int dir_fd; /* borrowed */
        char name[SEGMENT_NAME_SIZE];
        uint8_t *map;
        size_t n_map;
        uint32_t seed;  /* of the checksums */
        uint32_t magic; /* of the records */
        uint64_t first_seq;
        uint64_t before_seq;       /* the last number used before it; 0 = none, or not known */
        uint64_t index;            /* 0 = the header is damaged */
        bool is_recovered;         /* was there when the journal was opened; never written again */
        _Atomic uint64_t last_seq; /* 0 = empty */
        _Atomic size_t end;        /* published */
        _Atomic(Segment *) next;   /* owned reference */
        size_t n_synced;           /* {sync thread}, or {append lock} with fsync=always */
        bool is_dir_synced;        /* likewise */
        bool is_gone;              /* {reader} its file was removed, */
        bool is_given_up;          /* {reader} and could not be written again, which was said */
        int64_t stored_us;         /* {reader} monotonic: when all of it was found to be stored */
};

/* What is behind the header of a record. */
struct SegmentBody {
        Text topic, payload;
        uint64_t sender_key; /* Device.key_hash, of whose id is in it; 0: not known */
};

/* A segment that is to be made. */
struct SegmentSpec {
        uint64_t index;
        uint64_t first_seq, before_seq; /* as in Segment */
        size_t size;                    /* of the file, in bytes */
};

enum {
        SEGMENT_E_FULL = 1, /* create: no room on the disk */
        SEGMENT_E_INVALID,  /* open: not a file of ours, or of another journal or version */
        SEGMENT_E_CLEAN,    /* sync: there was nothing to do */
};

bool segment_header_read(int dir_fd,
                         const char *name,
                         SegmentHeader *ret_header); /* is it whole? */

MUST_CHECK int segment_create(Segment **ret_segment,
                              int dir_fd,
                              const SegmentIdentity *identity,
                              const SegmentSpec *spec);
/* A copy of what the file holds now, whoever writes it: nothing of it is mapped or locked. Another
 * error than SEGMENT_E_INVALID: -ENOENT, it went meanwhile. */
MUST_CHECK int segment_copy(Segment **ret_segment,
                            int dir_fd,
                            const char *name,
                            const SegmentIdentity *identity);
/* For reading only. A file that is too short for anything is an empty segment. */
MUST_CHECK int segment_open(Segment **ret_segment,
                            int dir_fd,
                            const char *name,
                            const SegmentIdentity *identity);
Segment *segment_ref(Segment *segment);
Segment *segment_unref(Segment *segment);
Segment *segment_next(const Segment *segment); /* borrowed; NULL if it is the newest */
void segment_link(Segment *segment, Segment *next);
void segment_unlink_file(const Segment *segment);
/* What it has, into a file of its name again, which takes the place of the one that somebody
 * removed; not while it may be written. -errno: -EEXIST, there is one of that name. */
MUST_CHECK int segment_write_again(const Segment *segment);

/* Messages that are one record, and the number of the last of them. */
uint64_t segment_record_messages(const SegmentRecord *record);
uint64_t segment_record_last(const SegmentRecord *record);

/* Bytes that a record takes. */
size_t segment_record_bytes(const SegmentBody *body);
bool segment_has_room(const Segment *segment, size_t n_bytes);
uint32_t segment_seed(const SegmentIdentity *identity);
/* The checksum of the body, to be made before the append lock is taken. */
uint32_t segment_body_crc(uint32_t seed, const SegmentBody *body);
/* Completes @record (magic, crc, length) and publishes it. There must be room. */
void segment_append(Segment *segment,
                    SegmentRecord *record,
                    uint32_t body_crc,
                    const SegmentBody *body);

/*
 * The first whole record at or behind *@offset that has a number above @after_seq; NULL if there is
 * none. *@offset moves behind it, or to the end. *@ret_skipped: bytes of damage passed on the way.
 */
const SegmentRecord *segment_read(const Segment *segment,
                                  size_t *offset,
                                  uint64_t after_seq,
                                  size_t *ret_skipped);
Text segment_topic(const SegmentRecord *record);
Text segment_payload(const SegmentRecord *record);
uint64_t segment_sender_key(const SegmentRecord *record);

/* @record is no message any more. It is the reader's of the segment to call. -errno: it still is.
 */
MUST_CHECK int segment_take(const Segment *segment, const SegmentRecord *record);
MUST_CHECK int segment_sync_taken(
        const Segment *segment); /* and that it is, also behind a power cut */

/* Recovered segments: the records end here; what is behind it is cut off the file if @cut. */
void segment_end_at(Segment *segment, size_t end, uint64_t last_seq, bool cut);

/* What is published reaches the disk, and the file's name too. */
MUST_CHECK int segment_sync(Segment *segment);

DEFINE_CLEANUP(Segment *, segment_unref);
