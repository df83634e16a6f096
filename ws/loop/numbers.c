#include "ws/loop/numbers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"

#define WS_NUMBERS_STRIDE 64 /* places between two marks */
#define WS_NUMBERS_MARKS  (WS_NUMBERS_STEPS / WS_NUMBERS_STRIDE)
#define WS_NUMBERS_SEQ    UINT64_C(0x03ffffffffffffff) /* of a step; the slot is above it */
#define WS_NUMBERS_BITS   58

static const char ws_numbers_unnamed[] = "0000000000000000";

/* ---- coming and going ----------------------------------------------------------------------- */

static int ws_numbers_make_room(WsNumbers *numbers) {
        numbers->steps = calloc(WS_NUMBERS_STEPS, sizeof(*numbers->steps));
        numbers->marks = calloc((size_t)WS_NUMBERS_MARKS * numbers->n, sizeof(*numbers->marks));
        numbers->old = calloc(N_ELEMENTS(numbers->old_places) * numbers->n, sizeof(*numbers->old));
        if (!numbers->steps || !numbers->marks || !numbers->old)
                return err_new(-ENOMEM);
        numbers->last_place = WS_NUMBERS_FIRST; /* of which nothing was shown yet: its mark is 0 */
        numbers->old_every = WS_NUMBERS_STEPS / 2;
        return 0;
}

int ws_numbers_open(WsNumbers *numbers, const char *epochs) {
        const char *at = epochs ? epochs : ws_numbers_unnamed;
        size_t n = 1;

        for (const char *comma = at; (comma = strchr(comma, ',')) != NULL; ++comma)
                ++n;
        if (n > CURSOR_MAX)
                return err_new(-EINVAL);
        ws_numbers_done(numbers);
        numbers->journals = calloc(n, sizeof(*numbers->journals));
        if (!numbers->journals)
                return err_new(-ENOMEM);

        numbers->n = n;
        for (size_t i = 0; i < n; ++i) {
                size_t length = strcspn(at, ",");

                snprintf(numbers->journals[i].epoch,
                         sizeof(numbers->journals[i].epoch),
                         "%.*s",
                         (int)length,
                         at);
                at += length + (at[length] == ',');
        }
        return n > 1 ? err_up(ws_numbers_make_room(numbers)) : 0;
}

void ws_numbers_done(WsNumbers *numbers) {
        free(numbers->journals);
        free(numbers->steps);
        free(numbers->marks);
        free(numbers->old);
        *numbers = (WsNumbers){ 0 };
}

/* ---- one after the other -------------------------------------------------------------------- */

size_t ws_numbers_slot(const WsNumbers *numbers, const Event *event) {
        return event->slot < numbers->n ? event->slot : 0;
}

void ws_numbers_leave_open(WsNumbers *numbers, const Event *event) {
        WsJournal *journal = &numbers->journals[ws_numbers_slot(numbers, event)];

        if (event->epoch == 0 || event->epoch == journal->named) {
                journal->open_seq = event->seq;
                return;
        }
        journal->other = event->epoch;
        journal->other_open_seq = event->seq;
}

static void ws_numbers_change_open(WsJournal *journal, uint64_t epoch) {
        uint64_t open_seq = journal->other == epoch ? journal->other_open_seq : 0;

        journal->other = journal->named;
        journal->other_open_seq = journal->open_seq;
        journal->open_seq = open_seq;
}

bool ws_numbers_name(WsNumbers *numbers, size_t slot, uint64_t epoch) {
        WsJournal *journal = &numbers->journals[slot];
        char before[CURSOR_EPOCH_SIZE];

        if (epoch == 0 || epoch == journal->named)
                return false;
        memcpy(before, journal->epoch, sizeof(before));
        ws_numbers_change_open(journal, epoch);
        journal->named = epoch;
        snprintf(journal->epoch, sizeof(journal->epoch), "%016" PRIx64, epoch);
        if (strcmp(before, journal->epoch) == 0)
                return false;
        memcpy(journal->former, before, sizeof(before));
        journal->former_seq = journal->live_seq = journal->doubt_seq = journal->passed = 0;
        return true;
}

void ws_numbers_settle(WsNumbers *numbers, size_t slot, uint64_t stored_seq) {
        WsJournal *journal = &numbers->journals[slot];

        journal->former_seq = stored_seq < journal->last_seq ? stored_seq : journal->last_seq;
}

bool ws_numbers_know(const WsNumbers *numbers, size_t slot, const char *epoch, uint64_t seq) {
        const WsJournal *journal = &numbers->journals[slot];

        return strcmp(epoch, journal->epoch) == 0 ||
               (strcmp(epoch, journal->former) == 0 && seq <= journal->former_seq);
}

bool ws_numbers_are_begun(const WsNumbers *numbers) {
        for (size_t i = 0; i < numbers->n; ++i)
                if (!numbers->journals[i].is_begun)
                        return false;
        return true;
}

static uint64_t *ws_numbers_mark(const WsNumbers *numbers, uint64_t place) {
        return numbers->marks + (size_t)(place / WS_NUMBERS_STRIDE % WS_NUMBERS_MARKS) * numbers->n;
}

/* Room for one more: every other one of the old is given up, but never the first. */
static void ws_numbers_thin(WsNumbers *numbers) {
        size_t n = numbers->n;

        for (size_t i = 1; i * 2 < numbers->n_old; ++i) {
                numbers->old_places[i] = numbers->old_places[i * 2];
                memcpy(numbers->old + i * n, numbers->old + i * 2 * n, n * sizeof(*numbers->old));
        }
        numbers->n_old = (numbers->n_old + 1) / 2;
        numbers->old_every *= 2;
}

static void ws_numbers_note(WsNumbers *numbers, uint64_t place) {
        uint64_t *mark = ws_numbers_mark(numbers, place);

        for (size_t i = 0; i < numbers->n; ++i)
                mark[i] = numbers->journals[i].last_seq;
        if (place % numbers->old_every != 0)
                return;
        if (numbers->n_old == N_ELEMENTS(numbers->old_places))
                ws_numbers_thin(numbers);
        memcpy(numbers->old + numbers->n_old * numbers->n, mark, numbers->n * sizeof(*mark));
        numbers->old_places[numbers->n_old++] = place;
}

uint64_t ws_numbers_step(WsNumbers *numbers, size_t slot, uint64_t seq) {
        WsJournal *journal = &numbers->journals[slot];
        uint64_t place = ++numbers->last_place;

        assert(slot < numbers->n);
        if (journal->last_seq < seq)
                journal->last_seq = seq;
        numbers->steps[place % WS_NUMBERS_STEPS] =
                (uint64_t)slot << WS_NUMBERS_BITS | (journal->last_seq & WS_NUMBERS_SEQ);
        if (place % WS_NUMBERS_STRIDE == 0)
                ws_numbers_note(numbers, place);
        return place;
}

/* ---- what a place says ---------------------------------------------------------------------- */

static uint64_t ws_numbers_first(const WsNumbers *numbers) {
        uint64_t oldest = numbers->last_place < WS_NUMBERS_STEPS
                                  ? WS_NUMBERS_FIRST
                                  : numbers->last_place - WS_NUMBERS_STEPS + WS_NUMBERS_STRIDE;

        return oldest + (WS_NUMBERS_STRIDE - oldest % WS_NUMBERS_STRIDE) % WS_NUMBERS_STRIDE;
}

/* No more than was shown by then. */
static void ws_numbers_seen_long_ago(const WsNumbers *numbers, uint64_t place, uint64_t seen[]) {
        size_t i = numbers->n_old;

        while (i > 0 && numbers->old_places[i - 1] > place)
                --i;
        if (i == 0)
                memset(seen, 0, numbers->n * sizeof(*seen));
        else
                memcpy(seen, numbers->old + (i - 1) * numbers->n, numbers->n * sizeof(*seen));
}

void ws_numbers_seen(const WsNumbers *numbers, uint64_t place, uint64_t seen[]) {
        uint64_t at = place - place % WS_NUMBERS_STRIDE;

        if (place >= numbers->last_place) {
                for (size_t i = 0; i < numbers->n; ++i)
                        seen[i] = numbers->journals[i].last_seq;
                return;
        }
        if (at < ws_numbers_first(numbers)) {
                ws_numbers_seen_long_ago(numbers, place, seen);
                return;
        }
        memcpy(seen, ws_numbers_mark(numbers, at), numbers->n * sizeof(*seen));
        while (++at <= place) {
                uint64_t step = numbers->steps[at % WS_NUMBERS_STEPS];

                seen[step >> WS_NUMBERS_BITS] = step & WS_NUMBERS_SEQ;
        }
}

static bool ws_numbers_is_within(const WsNumbers *numbers,
                                 const uint64_t seen[],
                                 const uint64_t since[]) {
        for (size_t i = 0; i < numbers->n; ++i)
                if (seen[i] > since[i])
                        return false;
        return true;
}

uint64_t ws_numbers_find(const WsNumbers *numbers, const uint64_t since[]) {
        uint64_t low = ws_numbers_first(numbers), high = numbers->last_place;
        uint64_t seen[CURSOR_MAX];

        ws_numbers_seen(numbers, low, seen);
        if (!ws_numbers_is_within(numbers, seen, since))
                return 0;
        while (low < high) { /* what was shown by low is within */
                uint64_t middle = high - (high - low) / 2;

                ws_numbers_seen(numbers, middle, seen);
                if (ws_numbers_is_within(numbers, seen, since))
                        low = middle;
                else
                        high = middle - 1;
        }
        return low;
}

/* ---- as a text ------------------------------------------------------------------------------ */

static uint64_t ws_numbers_given(const WsJournal *journal, uint64_t seq) {
        return journal->open_seq != 0 && seq >= journal->open_seq ? journal->open_seq - 1 : seq;
}

/* For each frame, so by hand. */
static void ws_numbers_one(const WsJournal *journal, uint64_t seq, char *ret_text) {
        size_t n = strlen(journal->epoch), n_digits = 0;
        char digits[20];

        seq = ws_numbers_given(journal, seq);
        do
                digits[n_digits++] = (char)('0' + seq % 10);
        while ((seq /= 10) > 0);
        memcpy(ret_text, journal->epoch, n);
        ret_text[n++] = ':';
        while (n_digits > 0)
                ret_text[n++] = digits[--n_digits];
        ret_text[n] = '\0';
}

const char *ws_numbers_number(const WsNumbers *numbers,
                              const Event *event,
                              char ret_text[CURSOR_TEXT_SIZE]) {
        ws_numbers_one(&numbers->journals[ws_numbers_slot(numbers, event)], event->seq, ret_text);
        return ret_text;
}

/* Apart from what one journal needs, which has nothing to clear. */
static const char *ws_numbers_several(const WsNumbers *numbers, WsMark mark, char *ret_text) {
        uint64_t room[CURSOR_MAX];
        const uint64_t *seen = mark.seen;
        Cursor cursor;

        cursor.n = numbers->n;
        if (!seen) {
                ws_numbers_seen(numbers, mark.place, room);
                seen = room;
        }
        for (size_t i = 0; i < numbers->n; ++i) {
                memcpy(cursor.parts[i].epoch, numbers->journals[i].epoch, CURSOR_EPOCH_SIZE);
                cursor.parts[i].seq = ws_numbers_given(&numbers->journals[i], seen[i]);
        }
        return cursor_text(&cursor, ret_text);
}

const char *ws_numbers_cursor(const WsNumbers *numbers,
                              WsMark mark,
                              char ret_text[CURSOR_TEXT_SIZE]) {
        if (numbers->n > 1)
                return ws_numbers_several(numbers, mark, ret_text);
        ws_numbers_one(&numbers->journals[0], mark.place, ret_text);
        return ret_text;
}
