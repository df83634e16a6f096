#include "gateway/journal/journal_numbers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_options.h"

#define NUMBERS_FILE        "numbers"
#define NUMBERS_MAGIC       "TIDEGNUM"
#define NUMBERS_VERSION     1
#define NUMBERS_PLACE       4096 /* bytes from one place of the file to the next */
#define NUMBERS_PLACES      2
#define NUMBERS_BLOCK       (UINT64_C(1) << 20)
#define NUMBERS_MANY_SHIFTS (JOURNAL_NUMBERS_SHIFTS / 2)
/* A clock beyond this (the year 2112) is believed by nobody: numbers are to stay below 2^53. */
#define NUMBERS_MAX_CLOCK_US (INT64_C(1) << 52)
#define NUMBERS_LIMIT        (UINT64_C(1) << 56) /* of what a file can say */

typedef struct NumbersPlace NumbersPlace;

struct NumbersPlace {
        char magic[8];
        uint32_t version;
        uint32_t n_shifts;
        uint64_t epoch;
        uint64_t generation;
        uint64_t reserved;
        uint64_t unconfirmed;
        JournalShift shifts[JOURNAL_NUMBERS_SHIFTS];
        uint32_t unused;
        uint32_t crc; /* of all before it */
};

_Static_assert(sizeof(NumbersPlace) == 824, "the place is the format");

static uint32_t numbers_crc(const NumbersPlace *place) {
        return crc32c(0, place, offsetof(NumbersPlace, crc));
}

/* ---- the file ---- */

/* Could we have written it? Numbers stay far below these, so nothing overflows that begins here. */
static bool numbers_is_possible(const NumbersPlace *place) {
        bool is_possible = place->n_shifts <= JOURNAL_NUMBERS_SHIFTS &&
                           place->generation < NUMBERS_LIMIT && place->reserved < NUMBERS_LIMIT &&
                           place->unconfirmed < NUMBERS_LIMIT;

        for (size_t i = 0; is_possible && i < place->n_shifts; ++i) {
                const JournalShift *shift = &place->shifts[i];

                is_possible = shift->from > 0 && shift->from <= shift->to &&
                              shift->to < NUMBERS_LIMIT && shift->by < NUMBERS_LIMIT;
        }
        return is_possible;
}

static bool numbers_is_valid(const NumbersPlace *place, uint64_t epoch) {
        return memcmp(place->magic, NUMBERS_MAGIC, sizeof(place->magic)) == 0 &&
               place->crc == numbers_crc(place) && place->version == NUMBERS_VERSION &&
               place->epoch == epoch && numbers_is_possible(place);
}

/* Shifts that are there already may be looked at right now: only new ones are written. */
static void numbers_take(JournalNumbers *numbers, const NumbersPlace *place) {
        numbers->generation = place->generation;
        numbers->reserved = place->reserved;
        numbers->unconfirmed = place->unconfirmed;
        for (size_t i = atomic_load(&numbers->n_shifts); i < place->n_shifts; ++i)
                numbers->shifts[i] = place->shifts[i];
        atomic_store_explicit(&numbers->n_shifts, place->n_shifts, memory_order_release);
}

int journal_numbers_open(JournalNumbers *numbers, int dir_fd, uint64_t epoch) {
        NumbersPlace place, newest = { 0 };
        ssize_t n = 0;
        int fd;

        *numbers = (JournalNumbers){ .dir_fd = dir_fd, .fd = -1, .epoch = epoch };
        fd = openat(dir_fd, NUMBERS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0 && errno == ENOENT)
                return 0;
        for (int i = 0; i < NUMBERS_PLACES && fd >= 0 && n >= 0; ++i) {
                n = pread(fd, &place, sizeof(place), (off_t)i * NUMBERS_PLACE);
                if (n == (ssize_t)sizeof(place) && numbers_is_valid(&place, epoch) &&
                    place.generation > newest.generation)
                        newest = place;
        }
        if (fd < 0 || n < 0) {
                log_error("journal_unusable file=%s errno=%d", NUMBERS_FILE, errno);
                if (fd >= 0)
                        close(fd);
                return JOURNAL_E_INVALID;
        }
        close(fd);
        numbers_take(numbers, &newest);
        if (newest.generation == 0)
                log_error("journal_numbers_damaged hint=\"numbers continue at the clock and above "
                          "the database's position\"");
        return 0;
}

void journal_numbers_close(JournalNumbers *numbers) {
        if (numbers->fd >= 0)
                close(numbers->fd);
        numbers->fd = -1;
}

/* All of its room is taken when it is made: whatever has to be written later can be. */
static int numbers_create(JournalNumbers *numbers) {
        int fd, r;

        fd = openat(numbers->dir_fd, NUMBERS_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = posix_fallocate(fd, 0, (off_t)NUMBERS_PLACES * NUMBERS_PLACE);
        if (r == 0 && fsync(numbers->dir_fd) < 0)
                r = errno;
        if (r != 0) {
                close(fd);
                return -r;
        }
        numbers->fd = fd;
        return 0;
}

/* On the disk when it returns 0, in the place of the one before the last. */
static int numbers_write(JournalNumbers *numbers, NumbersPlace *place) {
        off_t offset;
        ssize_t n;
        int r;

        memcpy(place->magic, NUMBERS_MAGIC, sizeof(place->magic));
        place->version = NUMBERS_VERSION;
        place->epoch = numbers->epoch;
        place->generation = numbers->generation + 1;
        place->crc = numbers_crc(place);
        if (!numbers_is_possible(place)) /* nobody could read it again */
                return -EOVERFLOW;
        r = numbers->fd < 0 ? numbers_create(numbers) : 0;
        if (r != 0)
                return r;

        offset = (off_t)(place->generation % NUMBERS_PLACES) * NUMBERS_PLACE;
        n = pwrite(numbers->fd, place, sizeof(*place), offset);
        if (n != (ssize_t)sizeof(*place))
                return n < 0 ? -errno : -ENOSPC;
        return fdatasync(numbers->fd) < 0 ? -errno : 0;
}

static NumbersPlace numbers_place(const JournalNumbers *numbers) {
        NumbersPlace place = {
                .n_shifts = (uint32_t)atomic_load(&numbers->n_shifts),
                .reserved = numbers->reserved,
                .unconfirmed = numbers->unconfirmed,
        };

        memcpy(place.shifts, numbers->shifts, sizeof(place.shifts));
        return place;
}

/* ---- shifts ---- */

static uint64_t shift_apply(const JournalShift *shift, uint64_t seq) {
        return seq >= shift->from && seq <= shift->to ? seq + shift->by : seq;
}

static uint64_t shifts_apply(const JournalShift shifts[], size_t n, uint64_t raw) {
        uint64_t seq = raw;

        for (size_t i = 0; i < n; ++i)
                seq = shift_apply(&shifts[i], seq);
        return seq;
}

static uint64_t shifts_undo(const JournalShift shifts[], size_t n, uint64_t seq) {
        uint64_t raw = seq;

        while (n-- > 0) {
                const JournalShift *shift = &shifts[n];

                if (raw < shift->from || raw > shift->to + shift->by)
                        continue;
                raw = raw >= shift->from + shift->by ? raw - shift->by : shift->from - 1;
        }
        return raw;
}

/* The number from which on all is that has the raw numbers from @from_raw on. Of @from_raw itself
 * there may be no record: then it is in no shift, though what comes before it was. */
static uint64_t shifts_begin(const JournalShift shifts[], size_t n, uint64_t from_raw) {
        uint64_t at = shifts_apply(shifts, n, from_raw);
        uint64_t behind = from_raw > 0 ? shifts_apply(shifts, n, from_raw - 1) + 1 : 0;

        return at > behind ? at : behind;
}

uint64_t journal_numbers_shifted(const JournalNumbers *numbers, uint64_t raw) {
        size_t n = atomic_load_explicit(&numbers->n_shifts, memory_order_acquire);

        return shifts_apply(numbers->shifts, n, raw);
}

uint64_t journal_numbers_raw(const JournalNumbers *numbers, uint64_t seq) {
        size_t n = atomic_load_explicit(&numbers->n_shifts, memory_order_acquire);

        return shifts_undo(numbers->shifts, n, seq);
}

bool journal_numbers_are_many(const JournalNumbers *numbers) {
        return atomic_load(&numbers->n_shifts) >= NUMBERS_MANY_SHIFTS;
}

void journal_numbers_prune(JournalNumbers *numbers, uint64_t first_raw) {
        uint64_t seq = first_raw;
        size_t n = 0;

        for (size_t i = 0; i < atomic_load(&numbers->n_shifts); ++i) {
                JournalShift shift = numbers->shifts[i];

                if (first_raw == 0 || seq > shift.to)
                        continue;
                seq = shift_apply(&shift, seq);
                numbers->shifts[n++] = shift;
        }
        atomic_store(&numbers->n_shifts, n);
}

uint64_t journal_numbers_begin(JournalNumbers *numbers,
                               uint64_t first_raw,
                               uint64_t last_raw,
                               int64_t now_us) {
        uint64_t next = journal_numbers_shifted(numbers, last_raw) + 1;

        journal_numbers_prune(numbers, first_raw);
        if (numbers->reserved >= next)
                next = numbers->reserved + 1;
        if (now_us > 0 && now_us < NUMBERS_MAX_CLOCK_US && (uint64_t)now_us > next)
                next = (uint64_t)now_us;
        return next;
}

/* ---- giving out ---- */

int journal_numbers_reserve(JournalNumbers *numbers, uint64_t next, uint64_t n) {
        NumbersPlace place = numbers_place(numbers);
        bool is_known = numbers->is_confirmed || numbers->unconfirmed > 0;
        int r;

        if (is_known && next + n - 1 <= numbers->reserved)
                return 0;
        if (!is_known)
                place.unconfirmed = next;
        if (next + n - 1 > place.reserved)
                place.reserved = next + n + NUMBERS_BLOCK;
        r = numbers_write(numbers, &place);
        if (r == 0)
                numbers_take(numbers, &place);
        return r;
}

int journal_numbers_skip(JournalNumbers *numbers, uint64_t last, uint64_t after) {
        NumbersPlace place = numbers_place(numbers);
        int r;

        if (numbers->unconfirmed == 0 || numbers->unconfirmed <= last)
                return 0;
        place.unconfirmed = after;
        r = numbers_write(numbers, &place);
        if (r == 0)
                numbers_take(numbers, &place);
        return r;
}

int journal_numbers_doubt(JournalNumbers *numbers, uint64_t next) {
        NumbersPlace place = numbers_place(numbers);
        int r;

        if (!numbers->is_confirmed || numbers->unconfirmed > 0)
                return 0;
        if (numbers->generation ==
            0) { /* nothing was given out yet: the first reservation says it */
                numbers->is_confirmed = false;
                return 0;
        }
        place.unconfirmed = next;
        r = numbers_write(numbers, &place);
        if (r == 0)
                numbers_take(numbers, &place);
        return r;
}

/* Nothing of the raw numbers from @from_raw on is stored, and this run has shown nothing of them:
 * one shift does for all that were only of these. Only then, as each adds all of its way to the
 * numbers that come. */
static void numbers_join(const JournalNumbers *numbers, NumbersPlace *place, uint64_t from_raw) {
        size_t n = place->n_shifts;

        if (n < JOURNAL_NUMBERS_SHIFTS || numbers->is_confirmed)
                return;
        while (n > 0 && shifts_undo(place->shifts, n - 1, place->shifts[n - 1].from) >= from_raw)
                --n;
        place->n_shifts = (uint32_t)n;
}

/* Above @position, and so above what they were: those are at or below it. */
static int numbers_shift(const JournalNumbers *numbers,
                         NumbersPlace *place,
                         uint64_t from_raw,
                         uint64_t next,
                         uint64_t position) {
        uint64_t from;

        numbers_join(numbers, place, from_raw);
        if (place->n_shifts == JOURNAL_NUMBERS_SHIFTS)
                return -EOVERFLOW;
        from = shifts_begin(place->shifts, place->n_shifts, from_raw);
        place->shifts[place->n_shifts++] =
                (JournalShift){ .from = from, .to = next - 1, .by = position + 1 - from };
        return 0;
}

/* As @place says, once it is in the file. */
static int numbers_settle(JournalNumbers *numbers, NumbersPlace *place, size_t n_same) {
        int r;

        r = numbers_write(numbers, place);
        if (r != 0)
                return r;
        if (n_same < atomic_load(&numbers->n_shifts))
                atomic_store(&numbers->n_shifts, n_same);
        numbers_take(numbers, place);
        return 0;
}

/* By how much what comes from @from_raw on is to be moved; 0: it need not be. */
static uint64_t numbers_by(const JournalNumbers *numbers,
                           uint64_t from_raw,
                           uint64_t next,
                           uint64_t position) {
        uint64_t from = shifts_begin(numbers->shifts, atomic_load(&numbers->n_shifts), from_raw);

        return from_raw > 0 && from < next && from <= position ? position + 1 - from : 0;
}

uint64_t journal_numbers_next(const JournalNumbers *numbers, uint64_t next, uint64_t position) {
        uint64_t by = numbers_by(numbers, numbers->unconfirmed, next, position);

        return by > 0 || next > position ? next + by : position + 1;
}

int journal_numbers_judge(JournalNumbers *numbers,
                          uint64_t from_raw,
                          uint64_t next,
                          uint64_t position,
                          uint64_t *ret_next,
                          uint64_t *ret_by) {
        NumbersPlace place = numbers_place(numbers);
        uint64_t ahead = numbers->reserved > next ? numbers->reserved - next : 0;
        uint64_t by, after = next;
        int r = 0;

        if (from_raw == 0)
                from_raw = numbers->unconfirmed;
        by = numbers_by(numbers, from_raw, next, position);
        if (by > 0) {
                r = numbers_shift(numbers, &place, from_raw, next, position);
                if (r != 0)
                        return r;
                by = place.shifts[place.n_shifts - 1].by;
                after = next + by;
        } else if (next <= position) {
                after = position + 1;
        }
        place.unconfirmed = 0;
        if (after != next)
                place.reserved = after + (ahead > NUMBERS_BLOCK ? ahead : NUMBERS_BLOCK);
        /* Where there is no file, nothing was given out yet. */
        if (numbers->unconfirmed > 0 || by > 0 || (after != next && numbers->generation > 0)) {
                r = numbers_settle(numbers, &place, place.n_shifts - (by > 0));
                if (r != 0)
                        return r;
        }
        numbers->is_confirmed = true;
        *ret_next = after;
        *ret_by = by;
        return 0;
}
