#include "gateway/journal/journal_flights.h"

#include "base/err.h"
#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "model/inbound.h"

typedef struct Flight Flight;

enum {
        FLIGHT_MARK_SESSION = 1,
        FLIGHT_MARK_RESUMED,
        FLIGHT_MARK_AGAIN,
        FLIGHT_MARK_HELD, /* what follows is on a disk that is being stored */
};

#define FLIGHT_DUP      0x80000000u /* the broker said that it sends it again */
#define FLIGHT_LATE     0x40000000u /* came before another gateway had its turn */
#define FLIGHT_LENGTH   0x3fffffffu
#define FLIGHTS_AT_ONCE 1024 /* grown by */

/* As it is in the database (schema/0044), little-endian. The checksum is not the journal's own,
 * which begins with its secret. */
struct Flight {
        uint32_t crc; /* of topic and payload; of a mark: which */
        uint16_t
                packet_id; /* 0: a mark, as the records of the journal that are none of a message */
        uint16_t n_topic;  /* of a mark: the broker, or the packet id that came again */
        uint32_t length;   /* of the payload, and flags; of a mark: the most that is in flight */
};

_Static_assert(sizeof(Flight) == 12, "the flight is the format");

void journal_flights_done(JournalFlights *flights) {
        free(flights->bytes);
}

void journal_taken_done(JournalTaken *taken) {
        free(taken->seqs);
}

/* ---- for others ---- */

static uint32_t flights_mark(const SegmentRecord *record) {
        switch (record->type) {
        case SEGMENT_SESSION:
                return FLIGHT_MARK_SESSION;
        case SEGMENT_RESUMED:
                return FLIGHT_MARK_RESUMED;
        case SEGMENT_AGAIN:
                return FLIGHT_MARK_AGAIN;
        default:
                return 0;
        }
}

static bool flights_make(const SegmentRecord *record, bool is_late, Flight *ret_flight) {
        if (flights_mark(record) != 0) {
                *ret_flight = (Flight){
                        .crc = flights_mark(record),
                        .n_topic = record->packet_id,
                        .length = record->type == SEGMENT_SESSION ? 0 : (uint32_t)record->device_id,
                };
                return !is_late;
        }
        if (record->type != SEGMENT_MESSAGE || record->door != DOOR_MQTT || record->packet_id == 0)
                return false;
        *ret_flight = (Flight){
                .crc = crc32c(0, record + 1, (size_t)record->n_topic + record->n_payload),
                .packet_id = record->packet_id,
                .n_topic = record->n_topic,
                .length = (record->n_payload & FLIGHT_LENGTH) | (is_late ? FLIGHT_LATE : 0) |
                          (record->flags & SEGMENT_DUP ? FLIGHT_DUP : 0),
        };
        return true;
}

static bool flights_append(JournalFlights *flights, const Flight *flight) {
        if (flights->n_bytes == flights->n_allocated) {
                size_t n = flights->n_allocated + FLIGHTS_AT_ONCE * sizeof(*flight);
                uint8_t *bytes = realloc(flights->bytes, n);

                if (!bytes)
                        return false;
                flights->bytes = bytes;
                flights->n_allocated = n;
        }
        memcpy(flights->bytes + flights->n_bytes, flight, sizeof(*flight));
        flights->n_bytes += sizeof(*flight);
        return true;
}

bool journal_flights_add(JournalFlights *flights, const SegmentRecord *record, bool is_late) {
        Flight flight;

        return !flights_make(record, is_late, &flight) || flights_append(flights, &flight);
}

bool journal_flights_begin_held(JournalFlights *flights) {
        return flights_append(flights, &(Flight){ .crc = FLIGHT_MARK_HELD });
}

/* ---- of others ---- */

bool journal_flights_are_held(Text flights) {
        Flight first;

        if (flights.n < sizeof(first))
                return false;
        memcpy(&first, flights.data, sizeof(first));
        return first.packet_id == 0 && first.crc == FLIGHT_MARK_HELD;
}

/* What we have of it, the database has already. */
static void taken_add(JournalTaken *taken, uint64_t seq) {
        if (taken->n == taken->n_allocated) {
                size_t n = taken->n_allocated + FLIGHTS_AT_ONCE;
                uint64_t *seqs = realloc(taken->seqs, n * sizeof(*seqs));

                if (!seqs) {
                        log_warning("journal_taken_forgotten reason=out_of_memory");
                        return;
                }
                taken->seqs = seqs;
                taken->n_allocated = n;
        }
        taken->seqs[taken->n++] = seq;
}

static int taken_compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

void journal_taken_sort(JournalTaken *taken) {
        qsort(taken->seqs, taken->n, sizeof(*taken->seqs), taken_compare);
}

bool journal_taken_has(const JournalTaken *taken, size_t *i, uint64_t seq) {
        while (*i < taken->n && taken->seqs[*i] < seq)
                ++*i;
        return *i < taken->n && taken->seqs[*i] == seq;
}

/* As it is among our own. */
static uint64_t flights_hash(const JournalLearner *learner, const Flight *flight) {
        uint32_t n_payload = flight->length & FLIGHT_LENGTH;
        uint32_t crc =
                crc32c_begun_with(learner->seed, flight->crc, (size_t)flight->n_topic + n_payload);

        return redelivery_hash(crc, flight->n_topic, n_payload);
}

/* As if it had come to us. The number of ours that it is; 0: it is none. */
static uint64_t flights_learn(const JournalLearner *learner, const Flight *flight, bool is_late) {
        Redelivery *redelivery = sessions_current(learner->sessions);
        uint64_t hash = flights_hash(learner, flight);
        uint64_t seq = redelivery_seq(redelivery, flight->packet_id);
        bool is_marked = is_late || (flight->length & FLIGHT_DUP) != 0;

        if (redelivery_is_known(redelivery, flight->packet_id, hash, is_marked))
                return seq;
        if (!is_late || learner->is_new)
                redelivery_note(redelivery, flight->packet_id, hash);
        return 0;
}

/* A connection of theirs, or what came again in it. */
static void flights_follow(const JournalLearner *learner, const Flight *mark) {
        if (mark->crc == FLIGHT_MARK_SESSION)
                sessions_begin(learner->sessions, mark->n_topic);
        else if (mark->crc == FLIGHT_MARK_RESUMED)
                sessions_resume(learner->sessions, mark->n_topic, mark->length);
        else if (mark->crc == FLIGHT_MARK_AGAIN)
                redelivery_note_again(sessions_current(learner->sessions), mark->n_topic);
}

/* The next one that belongs to the pass; false: there is none. */
static bool flights_next(const JournalLearner *learner,
                         Text flights,
                         size_t *at,
                         Flight *ret_flight) {
        while (*at + sizeof(*ret_flight) <= flights.n) {
                bool is_late;

                memcpy(ret_flight, flights.data + *at, sizeof(*ret_flight));
                *at += sizeof(*ret_flight);
                is_late = ret_flight->packet_id != 0 && (ret_flight->length & FLIGHT_LATE);
                if (is_late == learner->is_first_pass)
                        return true;
        }
        return false;
}

void journal_flights_learn(const JournalLearner *learner, Text flights, JournalTaken *taken) {
        Flight flight;
        size_t at = 0;

        if (learner->has_hole && !learner->is_first_pass)
                redelivery_forget(sessions_current(learner->sessions));
        if (journal_flights_are_held(flights))
                return;
        while (flights_next(learner, flights, &at, &flight)) {
                uint64_t seq = 0;

                if (flight.packet_id == 0)
                        flights_follow(learner, &flight);
                else
                        seq = flights_learn(learner, &flight, learner->is_first_pass);
                if (seq != 0 && taken)
                        taken_add(taken, seq);
        }
}

/* For a start, which knows less where there is no memory for it. */
static void flights_keep_held(JournalFlights *held, const Flight *flight) {
        if (held && (held->n_bytes > 0 || journal_flights_begin_held(held)))
                (void)flights_append(held, flight);
}

void journal_flights_hold(const JournalLearner *learner,
                          Text flights,
                          JournalTaken *taken,
                          JournalFlights *noted,
                          JournalFlights *ours) {
        Redelivery *redelivery = sessions_current(learner->sessions);
        Flight flight;

        for (size_t at = 0; at + sizeof(flight) <= flights.n; at += sizeof(flight)) {
                uint64_t hash, seq;

                memcpy(&flight, flights.data + at, sizeof(flight));
                if (flight.packet_id == 0)
                        continue;
                hash = flights_hash(learner, &flight);
                seq = redelivery_seq(redelivery, flight.packet_id);
                if (seq <= learner->stored_seq) {
                        redelivery_note_held(redelivery, flight.packet_id, hash);
                        flights_keep_held(noted, &flight);
                } else if (taken && redelivery_is_last(redelivery, flight.packet_id, hash)) {
                        taken_add(taken, seq);
                        flights_keep_held(ours, &flight);
                }
        }
}

void journal_flights_recover(Sessions *sessions,
                             uint32_t seed,
                             const SegmentRecord *record,
                             bool is_new,
                             JournalTaken *taken) {
        bool are_ours = (record->device_id & JOURNAL_LEARNT_OURS) != 0;
        const JournalLearner learner = {
                .sessions = sessions,
                .seed = seed,
                .is_new = is_new,
                .has_hole = (record->device_id & JOURNAL_LEARNT_HOLE) != 0,
                .is_first_pass = (record->device_id & JOURNAL_LEARNT_FIRST) != 0,
                .stored_seq = are_ours ? 0 : UINT64_MAX, /* as it was looked at then */
        };

        if (record->device_id & JOURNAL_LEARNT_BEGIN)
                redelivery_resume_again(sessions_current(sessions));
        journal_flights_learn(&learner, segment_payload(record), taken);
        if (journal_flights_are_held(segment_payload(record)))
                journal_flights_hold(&learner, segment_payload(record), taken, NULL, NULL);
}
