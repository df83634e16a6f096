/* Journal: the session at the broker goes over, from others and to others. */

#include <stdatomic.h>

#include "base/log.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_state.h"

/* That a session was new is news of the turn in which it was: in a later one others have had it
 * meanwhile, and what they were sent may come to us. 0: written before that was noted. */
static bool journal_is_of_before(const Journal *journal, const SegmentRecord *record) {
        return record->type == SEGMENT_SESSION && record->device_id != 0 &&
               (uint64_t)record->device_id != atomic_load(&journal->turn);
}

static Text journal_flights_text(const JournalFlights *flights) {
        return (Text){ .data = (const char *)flights->bytes, .n = flights->n_bytes };
}

/* Several messages of one record are one flight, with the first of them. */
const Text *journal_flights(Journal *journal, uint64_t after_seq, uint64_t last_seq) {
        JournalFlights *flights = &journal->flights;
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, after_seq);
        uint64_t late_seq = atomic_load(&journal->late_seq);
        uint64_t last_raw = journal_numbers_raw(&journal->numbers, last_seq);
        JournalPlace place =
                journal_cursor_find(&journal->flying, atomic_load(&journal->oldest), after_raw);
        JournalPlace ahead = place;
        const SegmentRecord *record;

        flights->n_bytes = 0;
        while ((record = journal_place_next_any(&ahead)) && ahead.seq <= last_raw) {
                place = ahead;
                if (record->seq == place.seq && !journal_is_of_before(journal, record) &&
                    !journal_flights_add(flights, record, record->seq <= late_seq))
                        return NULL;
        }
        if (place.segment)
                journal_cursor_keep(&journal->flying, after_raw, &place);
        journal->flights_text = journal_flights_text(flights);
        return &journal->flights_text;
}

/* {lock} For a start. Where there is no room for it, that one asks the database once more. */
static void journal_keep_learnt(Journal *journal, Text flights, int64_t flags) {
        SegmentRecord record = { .type = SEGMENT_LEARNT, .device_id = flags };
        uint64_t n_max = journal->options.segment_bytes / 2;

        if (flights.n >= n_max || journal_write_record(journal, &record, flights) != 0)
                journal->has_unkept = true;
}

/* Behind what was learnt, and before anything that comes in the turn: who starts anew in it, and
 * is told the same once more, would take for it what came since, under a packet id that was free
 * again. */
void journal_begin_turn(Journal *journal, uint64_t fence) {
        pthread_mutex_lock(&journal->lock);
        if (!journal->has_unkept)
                journal_keep_learnt(journal,
                                    (Text){ .data = (const char *)&fence, .n = sizeof(fence) },
                                    JOURNAL_LEARNT_TURN);
        if (!journal->has_unkept)
                journal->known_turn = fence;
        pthread_mutex_unlock(&journal->lock);
        atomic_store(&journal->turn, fence);
}

uint64_t journal_known_turn(Journal *journal) {
        uint64_t known_turn;

        pthread_mutex_lock(&journal->lock);
        known_turn = journal->known_turn;
        pthread_mutex_unlock(&journal->lock);
        return known_turn;
}

void journal_end_connection(Journal *journal) {
        pthread_mutex_lock(&journal->lock);
        journal->is_over = true;
        pthread_mutex_unlock(&journal->lock);
}

uint64_t journal_others_seq(const Journal *journal) {
        return atomic_load(&journal->others_seq);
}

void journal_set_unsure(Journal *journal, bool is_unsure) {
        atomic_store(&journal->is_unsure, is_unsure);
}

bool journal_is_unsure(const Journal *journal) {
        return atomic_load(&journal->is_unsure);
}

bool journal_may_show(const Journal *journal) {
        return !journal_is_unsure(journal) && journal_last_seq(journal) <= journal_until(journal);
}

void journal_set_until(Journal *journal, uint64_t seq) {
        atomic_store(&journal->until_seq, seq);
}

uint64_t journal_reach(Journal *journal, uint64_t position) {
        uint64_t next;

        pthread_mutex_lock(&journal->lock);
        if (position < journal->shown_seq)
                position = journal->shown_seq;
        next = journal_numbers_next(&journal->numbers, journal->next_seq, position);
        pthread_mutex_unlock(&journal->lock);
        return next - 1;
}

uint64_t journal_until(const Journal *journal) {
        return atomic_load(&journal->until_seq);
}

uint64_t journal_turn(const Journal *journal) {
        return atomic_load(&journal->turn);
}

void journal_learn_begin(Journal *journal) {
        pthread_mutex_lock(&journal->lock);
        journal->is_new = atomic_load(&journal->last_seq) == 0;
        atomic_store(&journal->late_seq, atomic_load(&journal->last_seq));
        redelivery_resume_again(sessions_current(journal->sessions));
        journal_keep_learnt(journal, (Text){ 0 }, JOURNAL_LEARNT_BEGIN);
        pthread_mutex_unlock(&journal->lock);
}

void journal_learn(Journal *journal, Text flights, bool has_hole, bool is_first_pass) {
        const JournalLearner learner = {
                .sessions = journal->sessions,
                .seed = journal->seed,
                .is_new = journal->is_new,
                .has_hole = has_hole,
                .is_first_pass = is_first_pass,
        };

        pthread_mutex_lock(&journal->lock);
        journal_flights_learn(&learner, flights, &journal->taken);
        journal_keep_learnt(journal,
                            flights,
                            (has_hole ? JOURNAL_LEARNT_HOLE : 0) |
                                    (is_first_pass ? JOURNAL_LEARNT_FIRST : 0));
        pthread_mutex_unlock(&journal->lock);
}

void journal_learn_held(Journal *journal, Text flights, bool has_hole) {
        const JournalLearner learner = {
                .sessions = journal->sessions,
                .seed = journal->seed,
                .has_hole = has_hole,
                .stored_seq = atomic_load(&journal->stored_seq),
        };
        JournalFlights noted = { 0 }, ours = { 0 };

        pthread_mutex_lock(&journal->lock);
        if (has_hole)
                redelivery_forget(sessions_current(journal->sessions));
        journal_flights_hold(&learner, flights, &journal->taken, &noted, &ours);
        if (ours.n_bytes > 0)
                journal_keep_learnt(journal, journal_flights_text(&ours), JOURNAL_LEARNT_OURS);
        if (noted.n_bytes > 0 || has_hole)
                journal_keep_learnt(journal,
                                    journal_flights_text(&noted),
                                    has_hole ? JOURNAL_LEARNT_HOLE : 0);
        pthread_mutex_unlock(&journal->lock);
        journal_flights_done(&noted);
        journal_flights_done(&ours);
}

/* {lock} Nobody was sent another message under its packet id since. */
static bool journal_is_to_hold(const Journal *journal, const SegmentRecord *record) {
        const Redelivery *redelivery = sessions_current(journal->sessions);

        return record->type == SEGMENT_MESSAGE && record->door == DOOR_MQTT &&
               record->packet_id != 0 &&
               redelivery_seq(redelivery, record->packet_id) == record->seq &&
               redelivery_may_come(redelivery, record->packet_id);
}

const Text *journal_held(Journal *journal, uint64_t after_seq) {
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, after_seq);
        JournalPlace place = journal_cursor_find(&(JournalCursor){ 0 },
                                                 atomic_load(&journal->oldest),
                                                 after_raw);
        JournalFlights *flights = &journal->flights;
        const SegmentRecord *record;
        bool ok = true;

        flights->n_bytes = 0;
        pthread_mutex_lock(&journal->lock);
        while (ok && (record = journal_place_next(&place))) {
                if (record->seq != place.seq || !journal_is_to_hold(journal, record))
                        continue;
                ok = (flights->n_bytes > 0 || journal_flights_begin_held(flights)) &&
                     journal_flights_add(flights, record, true);
        }
        pthread_mutex_unlock(&journal->lock);
        journal->flights_text = journal_flights_text(flights);
        return ok ? &journal->flights_text : NULL;
}

/* {lock} Of those behind @after_raw. Nobody waits for the end of the journal, if that was one. */
static int journal_pass_all(Journal *journal,
                            uint64_t after_raw,
                            uint64_t *ret_n,
                            uint64_t *ret_n_new) {
        JournalPlace place = journal_cursor_find(&(JournalCursor){ 0 },
                                                 atomic_load(&journal->oldest),
                                                 after_raw);
        uint64_t last_seq = after_raw;
        const SegmentRecord *record;
        Segment *changed = NULL;
        size_t i = 0;
        int r = 0;

        while (r == 0 && (record = journal_place_next(&place))) {
                if (record->seq != place.seq ||
                    !journal_taken_has(&journal->taken, &i, place.seq)) {
                        last_seq = place.seq;
                        continue;
                }
                if (changed && changed != place.segment)
                        r = segment_sync_taken(changed);
                changed = place.segment;
                *ret_n += segment_record_messages(record);
                if (record->seq > journal->begin_seq)
                        *ret_n_new += segment_record_messages(record);
                if (r == 0)
                        r = segment_take(place.segment, record);
                if (r == 0 && journal->taken_seq < segment_record_last(record))
                        journal->taken_seq = segment_record_last(record);
        }
        if (r == 0 && changed)
                r = segment_sync_taken(changed);
        if (r == 0 && atomic_load(&journal->last_seq) > last_seq)
                atomic_store(&journal->last_seq, last_seq);
        return r;
}

int journal_pass_taken(Journal *journal, uint64_t position, uint64_t *ret_n, uint64_t *ret_n_new) {
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, position);
        JournalTaken *taken = &journal->taken;
        int r = 0;

        *ret_n = *ret_n_new = 0;
        pthread_mutex_lock(&journal->lock);
        if (taken->n > 0) {
                journal_taken_sort(taken);
                r = journal_pass_all(journal, after_raw, ret_n, ret_n_new);
                journal_cursor_forget(&journal->cursor);
                journal_cursor_forget(&journal->counting);
                journal_cursor_forget(&journal->flying);
        }
        if (r == 0)
                taken->n = 0;
        pthread_mutex_unlock(&journal->lock);
        if (r < 0) {
                log_error("journal_take_failed errno=%d", -r);
                return JOURNAL_E_FULL;
        }
        if (*ret_n > 0)
                log_info("journal_taken messages=%llu hint=\"another gateway was sent them as "
                         "well, and has stored them\"",
                         (unsigned long long)*ret_n);
        return 0;
}

uint64_t journal_taken_until(Journal *journal, uint64_t position) {
        uint64_t after_raw = journal_numbers_raw(&journal->numbers, position);
        uint64_t last_seq = atomic_load(&journal->last_seq);
        uint64_t taken_seq;

        pthread_mutex_lock(&journal->lock);
        taken_seq = journal->taken_seq;
        pthread_mutex_unlock(&journal->lock);
        if (taken_seq <= after_raw)
                return 0;
        return journal_numbers_shifted(&journal->numbers,
                                       taken_seq > last_seq ? taken_seq : last_seq);
}
