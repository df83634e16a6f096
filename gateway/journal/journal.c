#include "gateway/journal/journal.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_copy.h"
#include "gateway/journal/journal_recovery.h"
#include "gateway/journal/journal_state.h"
#include "model/metrics.h"

#define JOURNAL_MAX_TOPIC    65535
#define JOURNAL_BACK_STEP_US 1000000 /* of the clock, that receive times do not follow */
#define JOURNAL_RECENT_PART  16      /* of a segment is, at most, the memory of packet ids */
#define JOURNAL_RETRY_US     200000 /* between attempts to make a segment where none could be made */

/* ---- opening and closing ---- */

/* What the process before has written may not have reached the disk when it was killed. */
static void journal_sync_recovered(Journal *journal) {
        for (Segment *at = atomic_load(&journal->oldest); at; at = segment_next(at))
                if (journal_sync_segment(&journal->water, at) != 0)
                        return;
}

static int journal_recover_into(Journal *journal) {
        JournalRecovery found;
        int r;

        journal_note_open(&journal->note, journal->dir.fd, "stored");
        journal_note_open(&journal->newest_note, journal->dir.fd, "newest");
        r = journal_recover(&journal->dir, journal->sessions, &journal->taken, &found);
        if (r < 0)
                return err_up(r);

        atomic_store(&journal->oldest, found.oldest);
        if (journal->options.fsync == JOURNAL_FSYNC_INTERVAL)
                journal_sync_begin_at(&journal->sync, found.newest);
        journal->newest = segment_ref(found.newest);
        journal->first_seq = found.first_message_seq;
        journal->last_seq = journal->recovered_seq = found.last_message_seq;
        journal->used_seq = found.last_seq;
        journal->taken_seq = found.last_taken_seq;
        journal->late_seq = found.late_seq;
        journal->known_turn = found.known_turn;
        journal->damaged_after_seq = found.damaged_after_seq;
        journal->damaged_until_seq = found.damaged_until_seq;
        journal->n_damaged_most = found.n_damaged_most;
        journal->next_seq = journal_numbers_begin(&journal->numbers,
                                                  found.first_message_seq,
                                                  found.last_seq,
                                                  clock_now_us());
        journal->begin_seq = journal->next_seq - 1;
        if (journal_recover_misses(&found, journal->newest_note.seq))
                journal->used_seq = journal->missing_seq = journal->begin_seq;
        journal->last_index = found.last_index;
        journal_space_add(&journal->space, (int64_t)found.n_bytes, (int64_t)found.n_segments);
        return 0;
}

static int journal_start(Journal *journal) {
        int r;

        journal->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (journal->wake_fd < 0)
                return err_new(-errno);
        if (journal->options.fsync != JOURNAL_FSYNC_NEVER)
                journal_sync_recovered(journal);
        if (journal->options.fsync != JOURNAL_FSYNC_INTERVAL)
                return 0;
        r = journal_sync_start(&journal->sync, &journal->water, journal->options.fsync_interval_ms);
        return err_up(r);
}

static void journal_name(Journal *journal) {
        snprintf(journal->epoch,
                 sizeof(journal->epoch),
                 "%016" PRIx64,
                 journal->dir.identity.epoch);
}

/* With nothing open yet, so that journal_close() may follow at any time. NULL: no memory. */
static Journal *journal_new(void) {
        Journal *journal;

        journal = calloc(1, sizeof(*journal));
        if (!journal)
                return NULL;
        journal->dir = (JournalDir)JOURNAL_DIR_INIT;
        journal->numbers = (JournalNumbers)JOURNAL_NUMBERS_INIT;
        journal->note = journal->newest_note = (JournalNote)JOURNAL_NOTE_INIT;
        journal->sync = (JournalSync)JOURNAL_SYNC_INIT;
        journal->wake_fd = -1;
        journal->until_seq = UINT64_MAX;
        MUST(pthread_mutex_init(&journal->lock, NULL));
        return journal;
}

int journal_open(Journal **ret_journal, const JournalOptions *options) {
        CLEANUP(journal_close) Journal *journal = NULL;
        int r;

        journal = journal_new();
        if (!journal)
                return err_new(-ENOMEM);

        r = journal_options_fit(&journal->options, options);
        if (r > 0)
                return r;
        r = journal_dir_open(&journal->dir, options->dir);
        if (r == 0)
                r = journal_numbers_open(&journal->numbers,
                                         journal->dir.fd,
                                         journal->dir.identity.epoch);
        if (r > 0)
                return r;
        if (r == 0)
                r = sessions_new(&journal->sessions);
        if (r == 0)
                r = journal_recover_into(journal);
        if (r < 0)
                return err_up(r);

        journal->options.dir = NULL;
        journal->seed = segment_seed(&journal->dir.identity);
        journal_name(journal);
        fill_level_init(&journal->water,
                        journal->dir.fd,
                        journal->options.max_bytes - journal->options.reserve_bytes,
                        journal->options.min_free_bytes);
        metric_set(METRIC_JOURNAL_HIGH_BYTES,
                   (int64_t)(journal->options.max_bytes - journal->options.reserve_bytes));
        journal_keep_init(&journal->keep, options->keep_ms);
        r = journal_start(journal);
        if (r < 0)
                return err_up(r);

        *ret_journal = TAKE(&journal);
        return 0;
}

/* Which numbers it has; what is not a message may be in front. */
static void journal_copy_name(Journal *journal) {
        for (Segment *at = journal->oldest; at; at = segment_next(at)) {
                if (journal->first_seq == 0)
                        journal->first_seq = at->first_seq;
                journal->last_seq = atomic_load(&at->last_seq);
        }
}

int journal_open_copy(Journal **ret_journal, const char *dir) {
        CLEANUP(journal_close) Journal *journal = NULL;
        Segment *oldest = NULL;
        int r;

        journal = journal_new();
        if (!journal)
                return err_new(-ENOMEM);

        r = journal_dir_look(&journal->dir, dir);
        if (r == 0)
                r = journal_numbers_open(&journal->numbers,
                                         journal->dir.fd,
                                         journal->dir.identity.epoch);
        if (r == 0)
                r = journal_copy_segments(&journal->dir, &oldest);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        atomic_store(&journal->oldest, oldest);
        journal_copy_name(journal);
        journal_name(journal);
        *ret_journal = TAKE(&journal);
        return 0;
}

Journal *journal_close(Journal *journal) {
        if (!journal)
                return NULL;

        journal_sync_done(&journal->sync);
        if (journal->wake_fd >= 0) /* it is no copy */
                journal_seal(journal);
        segment_unref(journal->newest);
        segment_unref(atomic_load(&journal->oldest));
        sessions_free(journal->sessions);
        journal_flights_done(&journal->flights);
        journal_taken_done(&journal->taken);
        if (journal->wake_fd >= 0)
                close(journal->wake_fd);
        journal_numbers_close(&journal->numbers);
        journal_note_close(&journal->note);
        journal_note_close(&journal->newest_note);
        journal_dir_close(&journal->dir);
        MUST(pthread_mutex_destroy(&journal->lock));
        free(journal);
        return NULL;
}

/* ---- what anybody may ask ---- */

const char *journal_epoch(const Journal *journal) {
        return journal->epoch;
}

uint64_t journal_begin_seq(const Journal *journal) {
        return journal->begin_seq;
}

uint64_t journal_recovered_seq(const Journal *journal) {
        return journal_numbers_shifted(&journal->numbers, journal->recovered_seq);
}

size_t journal_damaged_most(const Journal *journal, uint64_t after_seq, uint64_t last_seq) {
        uint64_t from = journal_numbers_shifted(&journal->numbers, journal->damaged_after_seq);
        uint64_t until = journal_numbers_shifted(&journal->numbers, journal->damaged_until_seq);

        if (journal->damaged_until_seq == 0 || until <= after_seq + 1 || from >= last_seq)
                return 0;
        return journal->n_damaged_most;
}

size_t journal_find_damage(const Journal *journal,
                           uint64_t after_seq,
                           uint64_t *ret_after_seq,
                           uint64_t *ret_until_seq) {
        *ret_after_seq = journal_numbers_shifted(&journal->numbers, journal->damaged_after_seq);
        *ret_until_seq = journal_numbers_shifted(&journal->numbers, journal->damaged_until_seq);
        return journal_damaged_most(journal, after_seq, *ret_until_seq);
}

uint64_t journal_first_seq(const Journal *journal) {
        return journal_numbers_shifted(&journal->numbers, atomic_load(&journal->first_seq));
}

uint64_t journal_last_seq(const Journal *journal) {
        return journal_numbers_shifted(&journal->numbers, atomic_load(&journal->last_seq));
}

uint64_t journal_bytes(const Journal *journal) {
        return atomic_load(&journal->space.n_allocated);
}

bool journal_is_high(Journal *journal) {
        return fill_level_is_high(&journal->water,
                                  journal_space_used(&journal->space, &journal->keep),
                                  clock_now_us());
}

bool journal_has_failed(const Journal *journal) {
        return fill_level_is_broken(&journal->water);
}

/* ---- appending ---- */

static bool journal_may_grow(Journal *journal) {
        uint64_t n_bytes = journal->options.segment_bytes;

        return journal_space_allocated(&journal->space, &journal->keep) + n_bytes <=
                       journal->options.max_bytes &&
               fill_level_allows(&journal->water, n_bytes);
}

/* {lock} From here on the reader and the sync thread find it behind the one before. */
static void journal_add_segment(Journal *journal, Segment *segment) {
        if (journal->newest) {
                segment_link(journal->newest, segment);
                segment_unref(journal->newest);
        } else {
                if (journal->options.fsync == JOURNAL_FSYNC_INTERVAL)
                        journal_sync_begin_at(&journal->sync, segment);
                atomic_store(&journal->oldest, segment_ref(segment));
        }
        journal->newest = segment_ref(segment);
        journal->last_index = segment->index;
        segment_unref(journal->active);
        journal->active = segment;
        journal_space_add(&journal->space, (int64_t)segment->n_map, 1);
        atomic_store_explicit(&journal->space.n_unused,
                              segment->n_map - segment->end,
                              memory_order_relaxed);
}

/* {lock} @r: as a segment is refused, or a negative errno. */
static int journal_no_segment(Journal *journal, const char *what, int r, int64_t now_us) {
        journal->failed_us = now_us;
        /* The folder is gone: an end is for when nothing is left of what was in it. */
        if (r == -ENOENT && atomic_load(&journal->gone.n_waiting) > 0)
                return JOURNAL_E_FULL;
        if (r < 0 && !fill_level_passes(-r))
                fill_level_break(&journal->water, what, -r);
        return JOURNAL_E_FULL;
}

/* {lock} What may be redelivered, so that a start finds it here and needs no segment before this
 * one. Of less use than the record of @n_bytes that waits for room. */
static void journal_write_recent(Journal *journal, size_t n_bytes, int64_t now_us) {
        size_t n = journal->options.segment_bytes / JOURNAL_RECENT_PART / sizeof(RedeliveryItem);
        SegmentRecord record = { .type = SEGMENT_RECENT,
                                 .received_us = now_us,
                                 .device_id = (int64_t)journal->known_turn,
                                 .packet_id = sessions_broker(journal->sessions) };
        RedeliveryItem *items = calloc(n, sizeof(*items));
        SegmentBody body = { 0 };

        n = items ? sessions_save(journal->sessions, items, n) : 0;
        body.payload = (Text){ .data = (const char *)items, .n = n * sizeof(*items) };
        if ((n > 0 || journal->known_turn != 0) &&
            segment_has_room(journal->active, segment_record_bytes(&body) + n_bytes)) {
                record.seq = journal->used_seq = journal->next_seq++;
                segment_append(journal->active,
                               &record,
                               segment_body_crc(journal->seed, &body),
                               &body);
        }
        free(items);
}

/* {lock} Not more often than now and then where the disk or the descriptors do not allow it. */
static int journal_new_segment(Journal *journal, size_t n_bytes, int64_t now_us) {
        Segment *segment = NULL;
        int r;

        if (now_us >= journal->failed_us && now_us - journal->failed_us < JOURNAL_RETRY_US)
                return JOURNAL_E_FULL;
        r = journal_numbers_reserve(&journal->numbers,
                                    journal->next_seq,
                                    journal->options.segment_bytes / sizeof(SegmentRecord));
        if (r != 0)
                return journal_no_segment(journal, "numbers", r, now_us);
        r = segment_create(&segment,
                           journal->dir.fd,
                           &journal->dir.identity,
                           &(SegmentSpec){
                                   .index = journal->last_index + 1,
                                   .first_seq = journal->next_seq,
                                   .before_seq = journal->used_seq,
                                   .size = journal->options.segment_bytes,
                           });
        if (r != 0)
                return journal_no_segment(journal, "segment", r, now_us);
        journal_note_put(&journal->newest_note, segment->index);
        journal_add_segment(journal, segment);
        journal_write_recent(journal, n_bytes, now_us);
        return 0;
}

/* {lock} Room for a record of @n_bytes, in a new segment if need be. */
static int journal_make_room(Journal *journal, size_t n_bytes, int64_t now_us) {
        int r = JOURNAL_E_FULL;

        if (journal->active && segment_has_room(journal->active, n_bytes))
                return 0;
        if (journal_may_grow(journal))
                r = journal_new_segment(journal, n_bytes, now_us);
        (void)fill_level_is_high(&journal->water,
                                 journal_space_used(&journal->space, &journal->keep),
                                 now_us);
        return r;
}

/* {lock} More numbers than the segment was given, and what fits into it yet may need some. */
static int journal_reserve(Journal *journal, uint64_t n, int64_t now_us) {
        size_t n_unused = journal->active->n_map - journal->active->end;
        int r;

        r = journal_numbers_reserve(&journal->numbers,
                                    journal->next_seq,
                                    n + n_unused / sizeof(SegmentRecord));
        return r == 0 ? 0 : journal_no_segment(journal, "numbers", r, now_us);
}

/* {lock} Where nothing that was given out is in doubt, nothing that is skipped is either. */
static int journal_skip_to(Journal *journal, uint64_t seq, int64_t now_us) {
        uint64_t next = journal->next_seq;
        int r = journal_numbers_skip(&journal->numbers, journal->used_seq, seq);

        if (r != 0)
                return journal_no_segment(journal, "numbers", r, now_us);
        journal->next_seq = seq;
        if (journal->active)
                r = journal_reserve(journal, 1, now_us);
        if (r != 0)
                journal->next_seq = next;
        return r;
}

int journal_go_behind(Journal *journal, uint64_t stored_seq, uint64_t used_seq) {
        int64_t now_us = clock_now_us();
        uint64_t last = (uint64_t)now_us;
        int r = 0;

        last = last > stored_seq ? last : stored_seq;
        last = last > used_seq ? last : used_seq;
        pthread_mutex_lock(&journal->lock);
        if (journal->next_seq <= last)
                r = journal_skip_to(journal, last + 1, now_us);
        if (r == 0) {
                if (journal->shown_seq < used_seq) /* what is in doubt stays so */
                        journal->shown_seq = used_seq;
                atomic_store(&journal->others_seq, stored_seq);
        }
        pthread_mutex_unlock(&journal->lock);
        return r;
}

/* {lock} */
static int journal_write(Journal *journal,
                         SegmentRecord *record,
                         uint32_t body_crc,
                         const SegmentBody *body) {
        uint64_t n = segment_record_messages(record);
        int64_t now_us = clock_now_us();
        int r;

        r = journal_make_room(journal, segment_record_bytes(body), now_us);
        if (r == 0 && n > 1)
                r = journal_reserve(journal, n, now_us);
        if (r != 0)
                return r;

        if (now_us < journal->last_received_us &&
            journal->last_received_us - now_us < JOURNAL_BACK_STEP_US)
                now_us = journal->last_received_us;
        journal->last_received_us = now_us;
        record->seq = journal->next_seq;
        journal->next_seq += n;
        journal->used_seq = journal->next_seq - 1;
        record->received_us = now_us;
        segment_append(journal->active, record, body_crc, body);
        atomic_store_explicit(&journal->space.n_unused,
                              journal->active->n_map - journal->active->end,
                              memory_order_relaxed);
        return 0;
}

int journal_write_record(Journal *journal, SegmentRecord *record, Text payload) {
        const SegmentBody body = { .payload = payload };

        return journal_write(journal, record, segment_body_crc(journal->seed, &body), &body);
}

/* {lock} */
static int journal_write_mark(Journal *journal) {
        SegmentRecord record = { .type = SEGMENT_SESSION,
                                 .device_id = (int64_t)atomic_load(&journal->turn),
                                 .packet_id = sessions_broker(journal->sessions) };
        int r;

        r = journal_write_record(journal, &record, (Text){ 0 });
        journal->forget_pending = r != 0;
        return r;
}

/* {lock} It is in flight once more, which who comes after us is to know. */
static void journal_write_again(Journal *journal, uint16_t packet_id) {
        SegmentRecord record = { .type = SEGMENT_AGAIN, .packet_id = packet_id };

        (void)!journal_write_record(journal, &record, (Text){ 0 });
}

/* {lock} */
static int journal_write_message(Journal *journal,
                                 const Inbound *inbound,
                                 uint32_t crc,
                                 const SegmentBody *body) {
        bool has_packet = inbound->door == DOOR_MQTT && inbound->packet_id != 0;
        uint64_t hash = redelivery_hash(crc, inbound->topic.n, inbound->payload.n);
        SegmentRecord record = {
                .type = SEGMENT_MESSAGE,
                .door = (uint8_t)inbound->door,
                .kind = (uint8_t)inbound->kind,
                .flags = (uint8_t)((inbound->qos & SEGMENT_QOS_MASK) |
                                   (inbound->is_redelivery ? SEGMENT_DUP : 0) |
                                   (inbound->is_retained ? SEGMENT_RETAINED : 0)),
                .device_id = inbound->device_id,
                .packet_id = inbound->packet_id,
        };
        int r = 0;

        if (inbound->n_messages > 1) {
                record.flags |= SEGMENT_SEVERAL;
                record.n_messages = inbound->n_messages;
        }
        if (journal->options.fsync == JOURNAL_FSYNC_ALWAYS && fill_level_is_broken(&journal->water))
                return JOURNAL_E_FULL;
        if (has_packet && redelivery_is_known(sessions_current(journal->sessions),
                                              inbound->packet_id,
                                              hash,
                                              inbound->is_redelivery)) {
                journal_write_again(journal, inbound->packet_id);
                return JOURNAL_E_DUPLICATE;
        }
        if (journal->forget_pending)
                r = journal_write_mark(journal);
        if (r == 0)
                r = journal_write(journal, &record, crc, body);
        if (r != 0)
                return r;

        if (has_packet)
                redelivery_note_as(sessions_current(journal->sessions),
                                   inbound->packet_id,
                                   hash,
                                   record.seq);
        if (atomic_load_explicit(&journal->first_seq, memory_order_relaxed) == 0)
                atomic_store(&journal->first_seq, record.seq);
        atomic_store(&journal->last_seq, segment_record_last(&record));
        return 0;
}

/* The reader is woken once, when it sleeps; see journal_poll_fd(). */
static void journal_wake(Journal *journal) {
        if (atomic_load(&journal->is_reader_waiting) &&
            atomic_exchange(&journal->is_reader_waiting, false))
                (void)eventfd_write(journal->wake_fd, 1);
        journal_sync_note(&journal->sync);
}

static void journal_count(const Inbound *inbound, int r) {
        static const Metric received[] = {
                [DOOR_MQTT] = METRIC_RECEIVED_MQTT,     [DOOR_WS] = METRIC_RECEIVED_WS,
                [DOOR_HTTP] = METRIC_RECEIVED_HTTP,     [DOOR_INTERNAL] = METRIC_RECEIVED_INTERNAL,
                [DOOR_UPLINK] = METRIC_RECEIVED_UPLINK,
        };
        int64_t n = inbound->n_messages > 1 ? inbound->n_messages : 1;

        switch (r) {
        case 0:
                metric_add(received[inbound->door], n);
                break;
        case JOURNAL_E_DUPLICATE:
                metric_add(received[inbound->door], n);
                metric_add(METRIC_DUPLICATE, n);
                break;
        case JOURNAL_E_FULL:
                metric_add(METRIC_REFUSED_JOURNAL_FULL, 1);
                break;
        default:
                break;
        }
}

int journal_append(Journal *journal, const Inbound *inbound, uint64_t *ret_seq) {
        const SegmentBody body = { inbound->topic, inbound->payload, inbound->sender_key };
        uint64_t n_max = journal->options.segment_bytes - SEGMENT_HEADER_BYTES;
        uint32_t crc;
        int r, synced = 0;

        if (inbound->topic.n > JOURNAL_MAX_TOPIC || inbound->payload.n > n_max ||
            segment_record_bytes(&body) > n_max)
                return JOURNAL_E_TOO_LARGE;
        assert(inbound->n_messages <= 1 || inbound->device_id == 0);
        crc = segment_body_crc(journal->seed, &body);

        pthread_mutex_lock(&journal->lock);
        r = journal->is_over && inbound->door == DOOR_MQTT
                    ? JOURNAL_E_STALE
                    : journal_write_message(journal, inbound, crc, &body);
        if (r == 0) {
                *ret_seq = journal->next_seq - 1;
                if (journal->options.fsync == JOURNAL_FSYNC_ALWAYS)
                        synced = journal_sync_segment(&journal->water, journal->active);
        }
        pthread_mutex_unlock(&journal->lock);

        /* Also when it was full: the mark of a new session may have been written. */
        journal_wake(journal);
        journal_count(inbound, r);
        return r == 0 && synced != 0 ? JOURNAL_E_UNSYNCED : r;
}

void journal_resume_session(Journal *journal, uint16_t broker, unsigned n_in_flight) {
        SegmentRecord record = { .type = SEGMENT_RESUMED,
                                 .device_id = n_in_flight,
                                 .packet_id = broker };

        pthread_mutex_lock(&journal->lock);
        journal->is_over = false;
        sessions_resume(journal->sessions, broker, n_in_flight);
        /* Without it a start takes more for acknowledged than is: no reason to take no message. */
        (void)!journal_write_record(journal, &record, (Text){ 0 });
        pthread_mutex_unlock(&journal->lock);
        journal_wake(journal);
}

void journal_forget_session(Journal *journal, uint16_t broker) {
        pthread_mutex_lock(&journal->lock);
        journal->is_over = false;
        sessions_begin(journal->sessions, broker);
        (void)journal_write_mark(journal);
        pthread_mutex_unlock(&journal->lock);
        journal_wake(journal);
}
