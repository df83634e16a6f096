#include "gateway/journal/journal_recovery.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_flights.h"
#include "model/inbound.h"

typedef struct SegmentScan SegmentScan;

struct SegmentScan {
        size_t n_records;
        size_t n_damages; /* places */
        size_t n_skipped; /* bytes */
        size_t end;       /* of the last whole record */
};

/* What came before it was known is compared with it; what came behind it was by then. */
static void journal_recover_learnt(JournalRecovery *recovery,
                                   const Segment *segment,
                                   const SegmentRecord *record,
                                   Sessions *sessions,
                                   JournalTaken *taken) {
        Text payload = segment_payload(record);

        if (record->device_id & JOURNAL_LEARNT_TURN) {
                if (payload.n == sizeof(recovery->known_turn))
                        memcpy(&recovery->known_turn, payload.data, payload.n);
                return;
        }
        if (record->device_id & JOURNAL_LEARNT_BEGIN)
                recovery->late_seq = recovery->last_message_seq;
        journal_flights_recover(sessions,
                                segment->seed,
                                record,
                                recovery->last_message_seq == 0,
                                taken);
}

/* At the head of a segment; of all but the oldest one what it says is known by then. */
static void journal_recover_recent(JournalRecovery *recovery,
                                   const SegmentRecord *record,
                                   Sessions *sessions) {
        if (recovery->n_segments > 0)
                return;
        recovery->known_turn = (uint64_t)record->device_id;
        sessions_load(sessions, record->packet_id, record + 1, record->n_payload);
}

static void journal_recover_record(JournalRecovery *recovery,
                                   const Segment *segment,
                                   const SegmentRecord *record,
                                   Sessions *sessions,
                                   JournalTaken *taken) {
        uint32_t crc;

        recovery->last_seq = segment_record_last(record);
        if (record->type == SEGMENT_SESSION) {
                sessions_begin(sessions, record->packet_id);
                return;
        }
        if (record->type == SEGMENT_RESUMED)
                sessions_resume(sessions, record->packet_id, (unsigned)record->device_id);
        if (record->type == SEGMENT_LEARNT)
                journal_recover_learnt(recovery, segment, record, sessions, taken);
        if (record->type == SEGMENT_AGAIN)
                redelivery_note_again(sessions_current(sessions), record->packet_id);
        if (record->type == SEGMENT_RECENT)
                journal_recover_recent(recovery, record, sessions);
        if (record->type != SEGMENT_MESSAGE && record->type != SEGMENT_TAKEN)
                return;
        if (record->type == SEGMENT_TAKEN)
                recovery->last_taken_seq = recovery->last_seq;
        if (record->type == SEGMENT_MESSAGE && recovery->first_message_seq == 0)
                recovery->first_message_seq = record->seq;
        if (record->type == SEGMENT_MESSAGE)
                recovery->last_message_seq = recovery->last_seq;
        if (record->door != DOOR_MQTT || record->packet_id == 0)
                return;
        crc = crc32c(segment->seed, record + 1, (size_t)record->n_topic + record->n_payload);
        redelivery_note_as(sessions_current(sessions),
                           record->packet_id,
                           redelivery_hash(crc, record->n_topic, record->n_payload),
                           record->seq);
}

/* Each message that is lost had a number; where many were left out, each took some room. */
static void journal_recover_damage(JournalRecovery *recovery, uint64_t until_seq, size_t n_bytes) {
        uint64_t n_numbers = until_seq - recovery->last_seq - 1;

        if (recovery->damaged_until_seq == 0)
                recovery->damaged_after_seq = recovery->last_seq;
        recovery->damaged_until_seq = until_seq;
        recovery->n_damaged_most += n_numbers < n_bytes ? n_numbers : n_bytes;
}

static void journal_recover_scan(JournalRecovery *recovery,
                                 const Segment *segment,
                                 Sessions *sessions,
                                 JournalTaken *taken,
                                 SegmentScan *ret_scan) {
        const SegmentRecord *record;
        size_t offset = 0;
        size_t n_skipped;

        ret_scan->end = SEGMENT_HEADER_BYTES;
        while ((record = segment_read(segment, &offset, recovery->last_seq, &n_skipped))) {
                ret_scan->n_damages += n_skipped > 0;
                ret_scan->n_skipped += n_skipped;
                ret_scan->n_records += 1;
                ret_scan->end = offset;
                if (n_skipped > 0)
                        journal_recover_damage(recovery, record->seq, n_skipped);
                journal_recover_record(recovery, segment, record, sessions, taken);
        }
}

/* Bytes behind @from that are not the zeros of an unused end. */
static size_t journal_recover_tail(const Segment *segment, size_t from) {
        for (size_t n = segment->n_map; n > from; --n)
                if (segment->map[n - 1] != 0)
                        return n - from;
        return 0;
}

static void journal_recover_report(const Segment *segment, const SegmentScan *scan, bool is_last) {
        size_t n_tail = journal_recover_tail(segment, scan->end);

        if (scan->n_damages > 0)
                log_error("journal_damage file=%s places=%zu bytes=%zu kept=%zu",
                          segment->name,
                          scan->n_damages,
                          scan->n_skipped,
                          scan->n_records);
        if (n_tail > 0)
                log_warning("journal_torn_tail file=%s bytes=%zu cut=%s",
                            segment->name,
                            n_tail,
                            is_last ? "yes" : "no");
}

/* A segment without a record is of no use; one that holds something unreadable is set aside. */
static void journal_recover_drop(JournalRecovery *recovery, const Segment *segment) {
        char name[SEGMENT_NAME_SIZE + 16];

        if (journal_recover_tail(segment, SEGMENT_HEADER_BYTES) == 0) {
                recovery->empty_index = segment->index;
                segment_unlink_file(segment);
                return;
        }
        snprintf(name, sizeof(name), "%s.damaged", segment->name);
        if (renameat(segment->dir_fd, segment->name, segment->dir_fd, name) < 0)
                log_error("journal_rename_failed file=%s errno=%d", segment->name, errno);
        else
                log_error("journal_segment_set_aside file=%s", name);
}

static void journal_recover_link(JournalRecovery *recovery, Segment *segment) {
        if (recovery->last_index > 0 && segment->index > recovery->last_index + 1)
                log_error("journal_segment_missing before=%s count=%" PRIu64,
                          segment->name,
                          segment->index - recovery->last_index - 1);
        if (segment->index > 0)
                recovery->last_index = segment->index;
        else
                recovery->last_index += recovery->last_index > 0;

        if (recovery->newest)
                segment_link(recovery->newest, segment);
        else
                recovery->oldest = segment_ref(segment);
        recovery->newest = segment;
        recovery->n_segments += 1;
        recovery->n_bytes += segment->n_map;
}

static int journal_recover_segment(const JournalDir *dir,
                                   size_t i,
                                   Sessions *sessions,
                                   JournalTaken *taken,
                                   JournalRecovery *recovery) {
        CLEANUP(segment_unref) Segment *segment = NULL;
        bool is_last = i + 1 == dir->n_names;
        SegmentScan scan = { 0 };
        int r;

        r = segment_open(&segment, dir->fd, dir->names[i], &dir->identity);
        if (r == SEGMENT_E_INVALID)
                return 0;
        if (r != 0)
                return err_up(r);

        journal_recover_scan(recovery, segment, sessions, taken, &scan);
        journal_recover_report(segment, &scan, is_last);
        if (scan.n_records == 0) {
                journal_recover_drop(recovery, segment);
                return 0;
        }
        segment_end_at(segment, scan.end, recovery->last_seq, is_last);
        journal_recover_link(recovery, segment);
        return 0;
}

bool journal_recover_misses(JournalRecovery *recovery, uint64_t noted_index) {
        uint64_t last_index = recovery->last_index;

        if (recovery->empty_index > last_index)
                last_index = recovery->empty_index;
        if (noted_index <= last_index || (recovery->newest && recovery->last_index == 0))
                return false;
        log_error("journal_segment_missing after=%s count=%" PRIu64,
                  recovery->newest ? recovery->newest->name : "none",
                  noted_index - last_index);
        recovery->last_index = noted_index;
        return true;
}

int journal_recover(const JournalDir *dir,
                    Sessions *sessions,
                    JournalTaken *taken,
                    JournalRecovery *ret_recovery) {
        JournalRecovery recovery = { 0 };
        int r = 0;

        for (size_t i = 0; r == 0 && i < dir->n_names; ++i)
                r = journal_recover_segment(dir, i, sessions, taken, &recovery);
        if (r < 0) {
                segment_unref(recovery.oldest);
                return err_up(r);
        }
        *ret_recovery = recovery;
        return 0;
}
