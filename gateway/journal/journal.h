#pragma once

/*
 * Journal: the append-only log that every accepted message goes through.
 *
 * Memory-mapped segments of records (length, CRC-32C, sequence number, receive
 * time, door, kind, packet id, topic, payload), preallocated so that a full disk is an answer and
 * never a SIGBUS. An exclusive lock keeps a second process out. Any thread may
 * append; one thread, the reader, reads and commits.
 *
 * Sequence numbers ascend and are never used twice, also after a crash that lost the tail: a start
 * begins behind all that can have been in use (journal_numbers.h), or at the clock in microseconds
 * if that is later. They are not dense. The epoch is a random name made with the journal. Until
 * journal_confirm(), nothing of this run, and of those before it that never knew, may be stored or
 * shown: numbers that are not above the database's position are moved there.
 *
 * Recovery cuts a torn tail; a damaged record before it is skipped (found again by
 * its magic, CRC and ascending number), counted and logged, and costs no neighbour.
 */

#include "base/base.h"
#include "gateway/journal/journal_options.h"
#include "gateway/journal/journal_writers.h"
#include "model/inbound.h"

typedef struct Journal Journal;
typedef struct JournalRecord JournalRecord;

/* Borrowed from the mapping: valid until the reader commits past it. */
struct JournalRecord {
        uint64_t seq;
        int64_t received_us;
        Door door;
        Kind kind;
        int64_t device_id;
        uint64_t sender_key; /* as in Inbound */
        bool is_retained;
        uint32_t place, n_messages; /* several may have come as one: which it is of how many */
        Text topic, payload;        /* not NUL-terminated; of all of them */
};

MUST_CHECK int journal_open(Journal **ret_journal, const JournalOptions *options);
/* What @dir holds now, also beside the process that has it: read it and close it, no more.
 * JOURNAL_E_INVALID: no journal is there; logged. */
MUST_CHECK int journal_open_copy(Journal **ret_journal, const char *dir);
Journal *journal_close(Journal *journal); /* flushes, unlocks */

const char *journal_epoch(const Journal *journal);
uint64_t journal_first_seq(const Journal *journal); /* of the oldest record; 0 if none */
uint64_t journal_last_seq(
        const Journal *journal); /* of the newest record; 0 if there never was one */

uint64_t journal_begin_seq(const Journal *journal); /* every record since this start is behind it */
uint64_t journal_recovered_seq(const Journal *journal); /* of the last one that was there then */
/* How many records with @after_seq < number <= @last_seq the damage found at the start can have
 * cost, at the most. */
size_t journal_damaged_most(const Journal *journal, uint64_t after_seq, uint64_t last_seq);
/* The same of all behind @after_seq, and between which numbers it lies. */
size_t journal_find_damage(const Journal *journal,
                           uint64_t after_seq,
                           uint64_t *ret_after_seq,
                           uint64_t *ret_until_seq);

/* Any thread. The reader is woken. Several messages in one (Inbound) are written at once or not at
 * all; *ret_seq is the number of the last of them. */
MUST_CHECK int journal_append(Journal *journal, const Inbound *inbound, uint64_t *ret_seq);

/*
 * What the broker may send again is compared with the recent records (packet id, topic, payload);
 * that memory survives a restart. To be told of each connection, before its first message: the
 * broker goes on with the session, of which it has so many messages in flight at most; or it has
 * begun a new one, packet ids start over, and nothing that came from it can be redelivered.
 * @broker: which one (gateway/journal/sessions.h).
 */
void journal_resume_session(Journal *journal, uint16_t broker, unsigned n_in_flight);
void journal_forget_session(Journal *journal, uint16_t broker);

/* Others have stored up to @stored_seq, and may have shown what they had not stored, up to
 * @used_seq, or about now: what comes has numbers above all of these, and so has what
 * journal_confirm() finds unconfirmed; what else is there keeps its own. Any thread.
 * JOURNAL_E_FULL: the disk does not take the note of it; nothing has changed. */
MUST_CHECK int journal_go_behind(Journal *journal, uint64_t stored_seq, uint64_t used_seq);
/* What was said there last, known to whoever has read what came behind it; 0: nothing. */
uint64_t journal_others_seq(const Journal *journal);

/*
 * The session at the broker goes over with the slot, and the broker sends again what it has not
 * heard an acknowledgement of. So what each transaction stores is kept in the database, in few
 * bytes a message: a *flight* (packet id, length, checksum); docs/decisions/092.
 *
 * Reader: those of (after_seq, last_seq], as bytes; borrowed until the next call. NULL: no memory.
 */
const Text *journal_flights(Journal *journal, uint64_t after_seq, uint64_t last_seq);

/*
 * Any thread, before the session is resumed: flights that others have stored since our turn, as
 * they did; in two passes over all of them. What they had from before somebody else's turn comes in
 * the first one.
 * @has_hole: some are not known between what is known already and these. What the broker sends
 * again of them is a duplicate from now on; and what our own journal has of them, and has not
 * stored, is taken: journal_pass_taken().
 */
void journal_learn_begin(Journal *journal);
void journal_learn(Journal *journal, Text flights, bool has_hole, bool is_first_pass);
/* The same of flights that are held (journal_flights.h), which say so; in their place among the
 * others, in the second pass, or alone while our turn goes on. */
void journal_learn_held(Journal *journal, Text flights, bool has_hole);
/* Reader, of a journal that nobody takes in to any more, once it has learnt: what of it is not
 * stored and may still be sent to others, as flights that are held; as journal_flights(). */
const Text *journal_held(Journal *journal, uint64_t after_seq);
/* Another gateway has had the session at the broker since the connection began by which messages
 * come: what that still brings came there as well, under the same packet ids and without DUP, and
 * is not told from what is new. Until the next one begins nothing is taken by MQTT
 * (JOURNAL_E_STALE). Any thread, before anything is learnt. */
void journal_end_connection(Journal *journal);
/* What comes now may have gone to another gateway, too, which nobody can be asked about: it is to
 * be stored before it is shown. Any thread. */
void journal_set_unsure(Journal *journal, bool is_unsure);
/* Up to where numbers are given, or will be once journal_confirm() knows that @position, or what
 * journal_go_behind() said, is where the database is. Any thread. */
uint64_t journal_reach(Journal *journal, uint64_t position);
/* Numbers up to @seq are ours to show; UINT64_MAX: all, as at first. Any thread. */
void journal_set_until(Journal *journal, uint64_t seq);
uint64_t journal_until(const Journal *journal);
bool journal_may_show(const Journal *journal); /* before it is stored: sure, and numbered so */
bool journal_is_unsure(const Journal *journal);
/* All of it is learnt, and the turn begins that the fence names: as its owner the journal may be
 * stored. Any thread; 0: none has. */
void journal_begin_turn(Journal *journal, uint64_t fence);
uint64_t journal_turn(const Journal *journal);
/* Up to which turn what others have stored is known to it, also after a start: of what came since,
 * nothing is one of these. 0: it is to be told all. Any thread. */
uint64_t journal_known_turn(Journal *journal);
/* Reader, before anything behind @position is read to be stored: what others have stored is no
 * message any more. How many of ours that were, and of those that came in this run. JOURNAL_E_FULL:
 * the disk does not take it. */
MUST_CHECK int journal_pass_taken(Journal *journal,
                                  uint64_t position,
                                  uint64_t *ret_n,
                                  uint64_t *ret_n_new);
/* Reader: was anything of what is behind @position passed over so, now or before a start? Up to
 * where viewers may have seen numbers of ours; 0: nothing. */
uint64_t journal_taken_until(Journal *journal, uint64_t position);

/*
 * High water is reached at max_bytes - reserve_bytes of records, at too little free disk, or when a
 * sync has failed (until the next start), and ends 10 % below. Any thread.
 */
bool journal_is_high(Journal *journal);
bool journal_has_failed(
        const Journal *journal);                /* the disk, and not for lack of room: start anew */
uint64_t journal_bytes(const Journal *journal); /* of the files */

/* Reader: up to @n_max messages after @after_seq, in order, fewer if they exceed @max_bytes; 0 =
 * none. Of several in one the first may come in one call, and the rest in the next. */
size_t journal_read(Journal *journal,
                    uint64_t after_seq,
                    JournalRecord ret_records[],
                    size_t n_max,
                    size_t max_bytes);
uint64_t journal_count_after(
        Journal *journal,
        uint64_t after_seq); /* reader; a scan: for the start, not for each batch */

/*
 * Reader: the database is at @position, and stores nothing behind it. To be called before anything
 * is read to be stored, and again whenever that is not where the reader left it: what is behind
 * @stored_seq then is to be stored yet (0: only what was never confirmed), and has numbers above
 * @position afterwards, if need be others than before: by *ret_by more. JOURNAL_E_FULL: the disk
 * does not take the note of it; nothing has changed.
 */
MUST_CHECK int journal_confirm(Journal *journal,
                               uint64_t stored_seq,
                               uint64_t position,
                               uint64_t *ret_by);

/* Reader: which of all folders with that epoch this is; to be begun before it is stored. */
void journal_begin_writer(Journal *journal, const char *id);
/* The same of a folder from which an edge brings. */
void journal_begin_run(Journal *journal, const char *id);
JournalWriters *journal_writers(Journal *journal);

/* Reader: the position may be moved, by others or for them, while we do not know: what comes from
 * now on is not confirmed, also for the next process, until journal_confirm() is called. Nothing if
 * it was said already. JOURNAL_E_FULL: as there. */
MUST_CHECK int journal_doubt(Journal *journal);

/*
 * Reader: a descriptor for poll(2), readable once a record after @after_seq is there. Call before
 * each poll(); -1 = there is one already, do not sleep.
 */
int journal_poll_fd(Journal *journal, uint64_t after_seq);

/*
 * Reader: everything up to @seq is in the database, and accounted for. Segments behind it stay for
 * keep_ms, can be read, and count as room: when that is needed they go, the oldest first. What may
 * yet be redelivered stays in any case. To be called now and then, too, when nothing new was
 * stored.
 */
void journal_commit(Journal *journal, uint64_t seq);
/* Reader: the database has got as far as this; and how far it had got when that was last said, also
 * before the start. */
void journal_note_stored(Journal *journal, uint64_t seq);
uint64_t journal_noted_seq(const Journal *journal);
/* Any thread: the same, in the numbers of journal_append(); 0 = nothing in this run. */
uint64_t journal_stored_seq(const Journal *journal);
/* Reader, now and then: have files been removed? Nothing more is written to those. @now_us:
 * monotonic. */
void journal_look(Journal *journal, int64_t now_us);
/* Reader: all behind @seq is to be stored again: none of it goes before that is said anew. */
void journal_rewind(Journal *journal, uint64_t seq);
/* Reader: what is behind @seq stays beyond keep_ms, as long as there is room. UINT64_MAX: no more.
 */
void journal_hold(Journal *journal, uint64_t seq);
/* Reader: would more room be of use? Then say soon what is stored. */
bool journal_is_tight(const Journal *journal);

/*
 * Reader: the first range of numbers behind @after_seq that this journal has used and no longer
 * has: (*ret_after_seq, *ret_last_seq]. False: there is none.
 */
bool journal_find_hole(const Journal *journal,
                       uint64_t after_seq,
                       uint64_t *ret_after_seq,
                       uint64_t *ret_last_seq);
/* Reader: the next of the records behind *@after_seq and up to @last_seq, at most @n_max of them:
 * how many there were. *@after_seq moves behind them; it is @last_seq once all are counted. */
uint64_t journal_count_some(Journal *journal, uint64_t *after_seq, uint64_t last_seq, size_t n_max);

DEFINE_CLEANUP(Journal *, journal_close);
