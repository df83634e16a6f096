#pragma once

/*
 * WsNumbers: the journals that a loop shows, in the one order in which it shows them.
 *
 * Each event has a place in that order. With one journal it is the event's number, and nothing of
 * this costs anything. With several, places are counted here as events come, and a place stands for
 * what was shown of each journal by then: exactly so for the last WS_NUMBERS_STEPS events, and for
 * what is older than that by what was shown at a place before it.
 *
 * A journal of a slot follows on the one before it, so that a slot has one number line. Memory of
 * the owner, zeroed. Loop thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "ws/wire/cursor.h"

#define WS_NUMBERS_STEPS 262144 /* 8 bytes each */

typedef struct WsJournal WsJournal;
typedef struct WsMark WsMark;
typedef struct WsNumbers WsNumbers;

struct WsJournal {
        char epoch[CURSOR_EPOCH_SIZE];
        uint64_t named; /* the same, once it is another than that of the start; else 0 */
        char former[CURSOR_EPOCH_SIZE]; /* the one before it, whose slot it was; "" */
        uint64_t former_seq;            /* up to here all of it was shown here, and is stored */
        uint64_t live_seq;   /* of several: of the newest that itself said it was shown; 0: none */
        uint64_t doubt_seq;  /* shown of the one before it, which may not have stored it: it was
                                named by what does not say where it begins; 0: that is known */
        uint64_t passed;     /* whose numbers were not above, of none of these two; 0: nobody's */
        uint64_t passed_seq; /* and behind which they begin */
        bool is_begun;       /* what follows is known */
        uint64_t last_seq;   /* of several: of the newest that was shown, or missed */
        uint64_t open_seq;   /* no cursor that is given reaches this; 0 = nothing is open */
        uint64_t other;      /* the journal that had the slot before, or has it next, */
        uint64_t other_open_seq; /* and what is open of that */
        uint64_t given_seq; /* numbers up to here may be in somebody's hands: the journal's at start
                             */
};

struct WsNumbers {
        WsJournal *journals; /* owned, in the order of the slots */
        size_t n;            /* 1 to CURSOR_MAX */
        uint64_t last_place; /* of several; the first is WS_NUMBERS_FIRST */
        uint64_t *steps;     /* owned; of several: slot and number of what came at a place */
        uint64_t *marks;     /* owned: what was shown by each place that is a multiple of 64 */
        uint64_t *old;       /* owned: likewise, of fewer and fewer places: */
        uint64_t old_places[64];
        size_t n_old;
        uint64_t old_every; /* steps between two of them */
};

#define WS_NUMBERS_FIRST 64
#define WS_MARK_NOTHING  1 /* the place of a mark that says nothing was seen */

/* How far a client is: what a cursor says. */
struct WsMark {
        uint64_t place;
        const uint64_t *seen; /* borrowed, of each journal, in place of what the place says; NULL */
};

static inline WsMark ws_mark(uint64_t place) {
        return (WsMark){ .place = place };
}

static inline bool ws_mark_is_none(WsMark mark) {
        return mark.place == 0 && !mark.seen;
}

/* @epochs: of the journals, with commas; NULL: of one that nobody has named. -EINVAL: too many. */
MUST_CHECK int ws_numbers_open(WsNumbers *numbers, const char *epochs);
void ws_numbers_done(WsNumbers *numbers);

static inline bool ws_numbers_are_several(const WsNumbers *numbers) {
        return numbers->n > 1;
}

/* The slot of an event, or the first if there is none such. */
size_t ws_numbers_slot(const WsNumbers *numbers, const Event *event);
/* Of several, what has the number @seq comes now: its place. */
uint64_t ws_numbers_step(WsNumbers *numbers, size_t slot, uint64_t seq);
/* The slot's journal is another one now, with the same number line; 0: it is the same. True: it was
 * another one that was shown. */
bool ws_numbers_name(WsNumbers *numbers, size_t slot, uint64_t epoch);
/* EVENT_OPEN. Of another journal than the slot's it counts once that is named: it is said before
 * anything behind it, or by one that had the slot before. */
void ws_numbers_leave_open(WsNumbers *numbers, const Event *event);
/* The one before it had stored so much: up to there it is known what was shown of it. */
void ws_numbers_settle(WsNumbers *numbers, size_t slot, uint64_t stored_seq);
/* Is @seq of that journal, or of the one before it, known here with all that was shown before? */
bool ws_numbers_know(const WsNumbers *numbers, size_t slot, const char *epoch, uint64_t seq);
/* Does it know of each journal where its numbers are? */
bool ws_numbers_are_begun(const WsNumbers *numbers);

/* Of several: what was shown of each by @place; @seen has room for all. */
void ws_numbers_seen(const WsNumbers *numbers, uint64_t place, uint64_t seen[]);
/* Of several: the last place by which no more was shown than @since; 0: none that is known. */
uint64_t ws_numbers_find(const WsNumbers *numbers, const uint64_t since[]);

/* Where an event is by its own number. */
const char *ws_numbers_number(const WsNumbers *numbers,
                              const Event *event,
                              char ret_text[CURSOR_TEXT_SIZE]);
const char *ws_numbers_cursor(const WsNumbers *numbers,
                              WsMark mark,
                              char ret_text[CURSOR_TEXT_SIZE]);
