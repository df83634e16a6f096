#include "gateway/store/books.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/write/books.h"
#include "gateway/journal/journal.h"
#include "model/metrics.h"

#define BOOKS_STEP    4096    /* records walked in one turn of the processor */
#define BOOKS_OPEN_US 5000000 /* while something is open: it may have been settled meanwhile */

struct Books {
        Journal *journal; /* borrowed */
        DbConn *conn;     /* borrowed */
        int64_t interval_us;

        bool is_open;         /* `seen` is what the database said */
        bool is_said;         /* that something is open, */
        bool is_refused_said; /* and that letters are refused */
        DbBooks seen;         /* last */
        uint64_t walked_seq;  /* from seen.checked_seq on */
        uint64_t n_walked;
        int64_t due_us; /* monotonic */
};

int books_new(Books **ret_books, Journal *journal, DbConn *conn, int interval_ms) {
        Books *books;

        books = calloc(1, sizeof(*books));
        if (!books)
                return err_new(-ENOMEM);
        books->journal = journal;
        books->conn = conn;
        books->interval_us = interval_ms * INT64_C(1000);
        *ret_books = books;
        return 0;
}

Books *books_free(Books *books) {
        free(books);
        return NULL;
}

/* ---- what is open ------------------------------------------------------------------------- */

static bool books_has_open(const DbBooks *seen) {
        return seen->n_missing > 0 || seen->n_gaps > 0;
}

/* Behind which number the journal has to stay as it is. */
static uint64_t books_hold_seq(const DbBooks *seen) {
        uint64_t seq = seen->n_missing > 0 ? seen->open_after_seq : UINT64_MAX;

        return seen->n_refused > 0 && seen->refused_after_seq < seq ? seen->refused_after_seq : seq;
}

/* What is neither a row nor a letter, since PostgreSQL takes it as none of them. */
static void books_show_refused(Books *books, const DbBooks *seen) {
        metric_set(METRIC_LETTERS_REFUSED, (int64_t)seen->n_refused);
        if (seen->n_refused > 0 && !books->is_refused_said)
                log_error("letters_refused messages=%llu after=%llu last=%llu"
                          " hint=\"the journal keeps them: mend the constraint, then tidegate "
                          "journal"
                          " verify --store\"",
                          (unsigned long long)seen->n_refused,
                          (unsigned long long)seen->refused_after_seq,
                          (unsigned long long)seen->refused_last_seq);
        if (seen->n_refused == 0 && books->is_refused_said)
                log_info("letters_refused_settled");
        books->is_refused_said = seen->n_refused > 0;
}

/* What stays open keeps its part of the journal, from which it can be settled. */
static void books_show(Books *books, const DbBooks *seen) {
        bool has_open = books_has_open(seen);

        metric_set(METRIC_BOOKS_DRIFT, (int64_t)seen->n_missing);
        metric_set(METRIC_JOURNAL_GAPS, (int64_t)seen->n_gaps);
        books_show_refused(books, seen);
        journal_hold(books->journal, books_hold_seq(seen));
        if (has_open && !books->is_said)
                log_error("accounting_open messages=%llu gaps=%llu after=%llu last=%llu"
                          " hint=\"tidegate journal verify\"",
                          (unsigned long long)seen->n_missing,
                          (unsigned long long)seen->n_gaps,
                          (unsigned long long)seen->open_after_seq,
                          (unsigned long long)seen->open_last_seq);
        if (!has_open && books->is_said)
                log_info("accounting_settled");
        books->is_said = has_open;
}

static int books_read(Books *books, DbBooks *ret_seen) {
        int r;

        r = db_books_read(books->conn, journal_epoch(books->journal), ret_seen);
        if (r == DB_E_NOT_FOUND) /* somebody took the row away: connect, and begin anew */
                return DB_E_OFFLINE;
        if (r == 0)
                books_show(books, ret_seen);
        return r < 0 ? err_up(r) : r;
}

static void books_begin_at(Books *books, const DbBooks *seen) {
        books->seen = *seen;
        books->walked_seq = seen->checked_seq;
        books->n_walked = 0;
        books->is_open = true;
}

/* ---- gaps --------------------------------------------------------------------------------- */

static int books_note_gaps(Books *books, uint64_t position) {
        uint64_t after_seq, last_seq;
        int r = 0;

        while (r == 0 && journal_find_hole(books->journal, position, &after_seq, &last_seq)) {
                log_error("journal_gap after=%llu last=%llu position=%llu hint=\"in neither"
                          " the journal nor the database: that is older than what is kept, or"
                          " files are missing\"",
                          (unsigned long long)after_seq,
                          (unsigned long long)last_seq,
                          (unsigned long long)position);
                metric_add(METRIC_JOURNAL_GAP, 1);
                r = db_books_note_gap(books->conn,
                                      journal_epoch(books->journal),
                                      after_seq,
                                      last_seq);
                position = last_seq;
        }
        return r < 0 ? err_up(r) : r;
}

/* Has it all that is to be compared, or did it lose some, in the middle or (in a power cut, or as
 * it was put back from a copy) at its end, where the record of the position is? What lies between
 * @own_seq and the position is in the journals of others. */
static bool books_journal_is_whole(Books *books, const DbBooks *seen, uint64_t own_seq) {
        uint64_t after_seq = own_seq - 1;
        uint64_t last_seq;

        if (journal_count_some(books->journal, &after_seq, own_seq, 1) == 0)
                return false;
        return !journal_find_hole(books->journal, seen->checked_seq, &after_seq, &last_seq) ||
               after_seq >= seen->seq;
}

/* The books go on behind the position: what lies before it cannot be compared. */
static int books_skip(Books *books, const DbBooks *seen, const char *reason) {
        int r;

        log_warning("accounting_skipped reason=%s after=%llu last=%llu",
                    reason,
                    (unsigned long long)seen->checked_seq,
                    (unsigned long long)seen->seq);
        r = db_books_skip(books->conn, journal_epoch(books->journal), seen);
        return r < 0 ? err_up(r) : r;
}

/* Records that are gone before they were compared are not guessed at. */
static int books_skip_holes(Books *books, const DbBooks *seen, uint64_t own_seq) {
        if (seen->checked_seq >= own_seq || books_journal_is_whole(books, seen, own_seq))
                return 0;
        return books_skip(books, seen, "journal_hole");
}

void books_close(Books *books) {
        books->is_open = false;
}

int books_open(Books *books, uint64_t position, uint64_t own_seq) {
        DbBooks seen = { 0 };
        int r;

        books->is_open = false;
        r = books_note_gaps(books, position);
        if (r == 0)
                r = books_read(books, &seen);
        if (r == 0)
                r = books_skip_holes(books, &seen, own_seq);
        if (r == DB_E_BUSY) /* whoever holds the row goes on checking from where we are */
                r = 0;
        if (r == 0)
                r = books_read(books, &seen);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        books_begin_at(books, &seen);
        books->due_us = 0;
        return 0;
}

/* ---- comparing ---------------------------------------------------------------------------- */

bool books_walk(Books *books, uint64_t stored_seq) {
        if (!books->is_open || books->walked_seq >= stored_seq)
                return true;
        books->n_walked +=
                journal_count_some(books->journal, &books->walked_seq, stored_seq, BOOKS_STEP);
        return books->walked_seq >= stored_seq;
}

/* The database has more than we can read any more: what was damaged had been stored before. */
static bool books_is_damage(const Books *books, const DbBooks *seen, int64_t n_missing) {
        size_t n_most = journal_damaged_most(books->journal, seen->checked_seq, seen->seq);

        return n_missing < 0 && (size_t)-n_missing <= n_most;
}

static int books_compare(Books *books, DbBooks *seen) {
        int64_t n_counted = (int64_t)(seen->stored - seen->checked_stored);
        int64_t n_missing = (int64_t)books->n_walked - n_counted;
        bool is_damage = books_is_damage(books, seen, n_missing);
        int r;

        if (seen->seq == seen->checked_seq && n_missing == 0)
                return 0;
        if (is_damage)
                r = books_skip(books, seen, "journal_damage");
        else
                r = db_books_check(books->conn,
                                   journal_epoch(books->journal),
                                   seen,
                                   books->n_walked);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (n_missing != 0 && !is_damage)
                log_error("accounting_drift messages=%lld after=%llu last=%llu journal=%llu"
                          " database=%lld hint=\"tidegate journal verify\"",
                          (long long)n_missing,
                          (unsigned long long)seen->checked_seq,
                          (unsigned long long)seen->seq,
                          (unsigned long long)books->n_walked,
                          (long long)n_counted);
        seen->checked_seq = seen->seq;
        seen->checked_stored = seen->stored;
        return n_missing != 0 ? books_read(books, seen) : 0;
}

bool books_is_due(Books *books, uint64_t stored_seq) {
        return books->is_open && clock_mono_us() >= books->due_us && books_walk(books, stored_seq);
}

void books_hurry(Books *books) {
        if (!books->is_refused_said)
                books->due_us = 0;
}

int books_check(Books *books, uint64_t stored_seq) {
        int64_t now_us = clock_mono_us();
        DbBooks seen;
        int r;

        if (!books_is_due(books, stored_seq))
                return 0;
        r = books_read(books, &seen);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        books->due_us = now_us + books->interval_us;
        if ((books_has_open(&seen) || seen.n_refused > 0) && books->interval_us > BOOKS_OPEN_US)
                books->due_us = now_us + BOOKS_OPEN_US;

        if (seen.checked_seq != books->seen.checked_seq ||
            seen.checked_stored != books->seen.checked_stored) {
                books_begin_at(books, &seen); /* somebody has verified: on from there */
                books->due_us = now_us;
                return 0;
        }
        if (seen.seq != books->walked_seq)
                return 0; /* a position that is not ours: the store finds out */
        r = books_compare(books, &seen);
        if (r == 0)
                books_begin_at(books, &seen);
        return r == DB_E_BUSY ? 0 : r < 0 ? err_up(r) : r;
}

uint64_t books_done_seq(const Books *books) {
        if (!books->is_open)
                return 0;
        return journal_is_tight(books->journal) ? books->walked_seq : books->seen.checked_seq;
}
