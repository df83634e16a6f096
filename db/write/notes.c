#include "db/write/notes.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        NOTES_ARG_SIZE = 24,
};

void db_notes_done(DbNotes *notes) {
        free(notes->notes);
        *notes = (DbNotes){ 0 };
}

int db_notes_keep(DbNotes *notes, const PGresult *result) {
        size_t n = (size_t)PQntuples(result);

        if (n > notes->capacity) {
                DbNote *more = realloc(notes->notes, n * sizeof(*more));

                if (!more)
                        return err_new(-ENOMEM);
                notes->notes = more;
                notes->capacity = n;
        }
        for (size_t i = 0; i < n; ++i)
                notes->notes[i] = (DbNote){
                        .record = (int32_t)strtol(PQgetvalue(result, (int)i, 0), NULL, 10),
                        .is_unknown = *PQgetvalue(result, (int)i, 1) == 't',
                };
        notes->n = n;
        return 0;
}

void db_notes_apply(const DbNotes *notes, Record *const records[], size_t n) {
        for (size_t i = 0; i < notes->n; ++i) {
                size_t k = (size_t)notes->notes[i].record;

                if (k >= n)
                        continue;
                if (notes->notes[i].is_unknown)
                        records[k]->reason = REASON_UNKNOWN_COMMAND;
                else
                        records[k]->unchanged = true;
        }
}

/* ---- afterwards ---- */

static bool notes_concern(const Record *record) {
        return (record->kind == KIND_COMMAND_ACK || record->kind == KIND_COMMAND_STATE) &&
               record->reason == REASON_NONE && !record->duplicate;
}

/* The numbers and the places of news of commands, as text of two arrays; between which times. */
static size_t notes_list(Record *const records[],
                         size_t n,
                         Buf *seqs,
                         Buf *places,
                         int64_t ret_us[2]) {
        size_t n_listed = 0;

        for (size_t i = 0; i < n; ++i) {
                int64_t time_us = record_first_us(records[i]);

                if (!notes_concern(records[i]))
                        continue;
                buf_printf(seqs,
                           "%c%llu",
                           n_listed ? ',' : '{',
                           (unsigned long long)records[i]->seq);
                buf_printf(places, "%c%zu", n_listed ? ',' : '{', i);
                ret_us[0] = n_listed == 0 || time_us < ret_us[0] ? time_us : ret_us[0];
                ret_us[1] = n_listed == 0 || time_us > ret_us[1] ? time_us : ret_us[1];
                ++n_listed;
        }
        buf_append_char(seqs, '}');
        buf_append_char(places, '}');
        return n_listed;
}

/* What is an event has moved its command; what is neither that nor a letter has not. Numbers and
 * times of all of them narrow down where to look. */
#define NOTES_OF(table)                                                                     \
        "EXISTS (SELECT FROM " table " t WHERE t.journal_id = $1::bigint AND t.seq = u.seq" \
        " AND t.seq BETWEEN (SELECT min(seq) FROM u) AND (SELECT max(seq) FROM u)"          \
        " AND t.received_at BETWEEN to_timestamp($4::bigint / 1000000) AND"                 \
        " to_timestamp($5::bigint / 1000000 + 1))"

int db_notes_recall(DbConn *conn, uint32_t journal_id, Record *const records[], size_t n) {
        static const char sql[] =
                "WITH u AS MATERIALIZED (SELECT * FROM unnest($2::bigint[], $3::integer[])"
                " AS u (seq, place))"
                " SELECT place, " NOTES_OF("dead_letters") " FROM u WHERE NOT " NOTES_OF(
                        "command_events");
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP_BUF Buf seqs = { 0 }, places = { 0 };
        char journal[NOTES_ARG_SIZE], times[2][NOTES_ARG_SIZE];
        const char *args[] = { journal, NULL, NULL, times[0], times[1] };
        DbNotes notes = { 0 };
        int64_t times_us[2] = { 0 };
        int r;

        if (notes_list(records, n, &seqs, &places, times_us) == 0)
                return 0;
        if (buf_failed(&seqs) || buf_failed(&places))
                return err_new(-ENOMEM);
        snprintf(journal, sizeof(journal), "%lu", (unsigned long)journal_id);
        for (size_t i = 0; i < 2; ++i)
                snprintf(times[i], sizeof(times[i]), "%lld", (long long)times_us[i]);
        args[1] = seqs.data;
        args[2] = places.data;
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = db_notes_keep(&notes, result);
        if (r == 0)
                db_notes_apply(&notes, records, n);
        db_notes_done(&notes);
        return err_up(r);
}
