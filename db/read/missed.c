#include "db/read/missed.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "db/read/missed_source.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        REPLAY_ARG_SIZE = 32,
        REPLAY_SLACK_S = 86400, /* by how much clocks may have been set back */
};

#define REPLAY_REST                                                                          \
        "said, v, d, n, data, type, severity, message, command, lat, lon, temp, hum, late, " \
        "journal"

typedef struct ReplaySpan ReplaySpan;

/* What is asked for, as parameters. */
struct ReplaySpan {
        char after[REPLAY_ARG_SIZE], upto[REPLAY_ARG_SIZE], since[REPLAY_ARG_SIZE],
                limit[REPLAY_ARG_SIZE];
        uint64_t upto_seq;
        Buf journals, vehicles, devices; /* arrays as text */
};

/* ---- what is asked -------------------------------------------------------------------------- */

static void replay_select(const ReplaySource *source, Buf *sql) {
        bool is_grouped = *source->group != '\0';

        buf_printf(sql, "(SELECT %d AS kind, seq, ", (int)source->kind);
        buf_append_string(sql,
                          is_grouped ? "min(received_at) AS received_at, max(time) AS time,"
                                       " NULL::text, "
                                     : "received_at, time, device_time, ");
        buf_append_string(sql, source->columns);
        buf_printf(sql,
                   ", journal_id FROM %s WHERE seq > $1::bigint AND seq <= $2::bigint"
                   " AND journal_id = ANY ($3::int[]) AND received_at >= to_timestamp($4::float8)",
                   source->table);
        buf_append_string(sql, source->filter);
        buf_append_string(sql, source->group);
        buf_append_string(sql, " ORDER BY seq LIMIT $7::int)");
}

/* Parameters that no chosen source uses have a type all the same. */
static void replay_sql(const QueryReplay *replay, Buf *sql) {
        size_t n = 0;

        buf_append_string(sql,
                          "WITH typed AS (SELECT $5::bigint[], $6::bigint[]) SELECT kind, seq,"
                          " (extract(epoch FROM received_at) * 1000000)::bigint,"
                          " (extract(epoch FROM time) * 1000000)::bigint, " REPLAY_REST " FROM (");
        for (size_t i = 0; i < N_ELEMENTS(replay_sources); ++i) {
                if (!replay_wants(replay, &replay_sources[i]))
                        continue;
                if (n++ > 0)
                        buf_append_string(sql, " UNION ALL ");
                replay_select(&replay_sources[i], sql);
        }
        buf_append_string(sql,
                          ") AS u (kind, seq, received_at, time, " REPLAY_REST
                          ") ORDER BY seq LIMIT $7::int");
}

static void replay_array(Buf *buf, const int64_t *ids, size_t n) {
        buf_append_char(buf, '{');
        for (size_t i = 0; i < n; ++i)
                buf_printf(buf, "%s%" PRId64, i > 0 ? "," : "", ids[i]);
        buf_append_char(buf, '}');
}

/* Whoever has a number has been received no earlier than it says, unless our clock was set back:
 * then numbers are ahead of it by so much. */
static double replay_since_s(uint64_t after_seq, uint64_t stored_seq) {
        int64_t ahead_us = (int64_t)stored_seq - clock_now_us();

        return (double)after_seq / 1e6 - REPLAY_SLACK_S -
               (ahead_us > 0 ? (double)ahead_us / 1e6 : 0);
}

/* Behind the first page numbers say where it goes on. */
static double replay_from_s(const QueryReplay *replay) {
        return (double)replay->from_us / 1e6 - (replay->is_first ? 0 : REPLAY_SLACK_S);
}

static int replay_prepare(const QueryReplay *replay,
                          uint64_t after_seq,
                          uint64_t stored_seq,
                          ReplaySpan *span) {
        double since_s =
                replay->is_playback ? replay_from_s(replay) : replay_since_s(after_seq, stored_seq);

        span->upto_seq = replay->upto_seq < stored_seq ? replay->upto_seq : stored_seq;
        snprintf(span->after, sizeof(span->after), "%" PRIu64, after_seq);
        snprintf(span->upto, sizeof(span->upto), "%" PRIu64, span->upto_seq);
        snprintf(span->since, sizeof(span->since), "%.6f", since_s > 0 ? since_s : 0);
        snprintf(span->limit, sizeof(span->limit), "%d", replay->limit + 1); /* is there more? */
        if (!replay->all_vehicles)
                replay_array(&span->vehicles, replay->vehicle_ids, replay->n_vehicle_ids);
        if (!replay->all_devices)
                replay_array(&span->devices, replay->device_ids, replay->n_device_ids);
        return buf_failed(&span->vehicles) || buf_failed(&span->devices) ? err_new(-ENOMEM) : 0;
}

/* ---- what is answered ----------------------------------------------------------------------- */

static void replay_details(const PGresult *result, int row, Record *record) {
        switch (record->kind) {
        case KIND_SENSOR_LOG:
                record->sensor.sensor_id = (int32_t)db_value_int(result, row, COLUMN_NUMBER);
                break;
        case KIND_VEHICLE_LOG:
                record->vehicle_log.latitude = db_value_number(result, row, COLUMN_LATITUDE);
                record->vehicle_log.longitude = db_value_number(result, row, COLUMN_LONGITUDE);
                break;
        case KIND_BLE_DETECTIONS:
                record->detections.n_items = (size_t)db_value_int(result, row, COLUMN_NUMBER);
                break;
        case KIND_CAMERA_EVENT:
                record->camera.event_type = db_value_text(result, row, COLUMN_TYPE);
                break;
        case KIND_ALERT:
                record->alert.extra = record->data;
                record->alert.alert_type = db_value_text(result, row, COLUMN_TYPE);
                record->alert.severity = db_value_text(result, row, COLUMN_SEVERITY);
                record->alert.message = db_value_text(result, row, COLUMN_MESSAGE);
                break;
        case KIND_COMMAND_STATE:
                record->ack.command_id = db_value_text(result, row, COLUMN_COMMAND);
                record->ack.state = db_value_text(result, row, COLUMN_TYPE);
                record->ack.message = db_value_text(result, row, COLUMN_MESSAGE);
                break;
        default:
                break;
        }
}

static DeviceState replay_state(const PGresult *result, int row, const Record *record) {
        DeviceState state = device_state_unknown();

        snprintf(state.status, sizeof(state.status), "%s", PQgetvalue(result, row, COLUMN_TYPE));
        state.last_seen_us = record->received_us;
        state.time_us = state.status_us = record->time_us;
        state.latitude = db_value_number(result, row, COLUMN_LATITUDE);
        state.longitude = db_value_number(result, row, COLUMN_LONGITUDE);
        state.temperature = db_value_number(result, row, COLUMN_TEMPERATURE);
        state.humidity = db_value_number(result, row, COLUMN_HUMIDITY);
        return state;
}

static int replay_tell(const PGresult *result, int row, size_t slot, DbMissedFn fn, void *arg) {
        DeviceState state;
        Record record = {
                .kind = (Kind)db_value_int(result, row, COLUMN_KIND),
                .seq = (uint64_t)db_value_int(result, row, COLUMN_SEQ),
                .received_us = db_value_int(result, row, COLUMN_RECEIVED),
                .time_us = db_value_int(result, row, COLUMN_TIME),
                .said_time = db_value_text(result, row, COLUMN_SAID),
                .vehicle_id = db_value_int(result, row, COLUMN_VEHICLE),
                .device_id = db_value_int(result, row, COLUMN_DEVICE),
                .data = db_value_text(result, row, COLUMN_DATA),
                .late = db_value_bool(result, row, COLUMN_LATE),
                .journal_id = db_value_int(result, row, COLUMN_JOURNAL),
        };

        replay_details(result, row, &record);
        if (record.kind != KIND_DEVICE_STATUS)
                return fn(arg, slot, &record, NULL);
        state = replay_state(result, row, &record);
        return fn(arg, slot, &record, &state);
}

static int replay_page(DbConn *conn,
                       const QueryReplay *replay,
                       const ReplaySpan *span,
                       PGresult **ret_result) {
        const char *args[] = {
                span->after,
                span->upto,
                span->journals.data,
                span->since,
                replay->all_vehicles ? NULL : span->vehicles.data,
                replay->all_devices ? NULL : span->devices.data,
                span->limit,
        };
        CLEANUP_BUF Buf sql = { 0 };
        int r;

        replay_sql(replay, &sql);
        if (buf_failed(&sql))
                return err_new(-ENOMEM);
        r = db_conn_exec(conn, &(DbQuery){ sql.data, N_ELEMENTS(args), args }, ret_result);
        return r < 0 ? err_up(r) : r;
}

/* ---- is it all there? ----------------------------------------------------------------------- */

/*
 * The journals of our slot, which take turns, and how far they are. DB_E_NOT_FOUND: the cursor is
 * of none of them, or something behind it is missing: named as such, or perhaps in a journal whose
 * gateway lost its turn, and the cursor is its own or from before that; or it stands where others
 * have stored what was seen, and it would come once more.
 *
 * The connection serves replays alone, and they read in the order of the index on seq, whatever a
 * table without statistics seems to be like.
 */
static int replay_journals(DbConn *conn,
                           const QueryReplay *replay,
                           ReplaySpan *span,
                           uint64_t *ret_stored_seq) {
        char after[REPLAY_ARG_SIZE];
        const char *args[] = { replay->own_epoch, replay->is_first ? replay->epoch : NULL, after };
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        snprintf(after, sizeof(after), "%" PRIu64, replay->after_seq);
        r = db_conn_exec(
                conn,
                &(DbQuery){ "SELECT array_agg(p.journal_id)::text,"
                            " CASE WHEN o.seq > 0 THEN o.seq ELSE max(p.seq) END,"
                            " coalesce(bool_or(p.epoch = $2::text), true)"
                            " AND NOT coalesce(bool_or(p.epoch <> o.epoch AND p.left_at IS NOT NULL"
                            " AND (p.epoch = $2::text OR p.left_at + interval '1 minute'"
                            " > to_timestamp($3::bigint / 1000000.0))), false)"
                            " AND NOT coalesce(bool_or(p.epoch = $2::text"
                            " AND $3::bigint > p.taken_after AND $3::bigint <= p.taken_until),"
                            " false)"
                            " AND NOT EXISTS (SELECT FROM journal_differences d"
                            " WHERE d.journal_id = ANY (array_agg(p.journal_id))"
                            " AND d.last_seq > $3::bigint AND d.records >= 0"
                            " AND d.kind <> 'refused'" /* a letter is not shown either */
                            " AND (d.settled_at IS NULL OR d.settled_by = 'accepted')),"
                            " set_config('enable_bitmapscan', 'off', false),"
                            " set_config('enable_seqscan', 'off', false),"
                            " set_config('enable_sort', 'off', false)"
                            " FROM journal_positions o JOIN journal_positions p"
                            " ON p.slot = o.slot WHERE o.epoch = $1 GROUP BY o.epoch, o.seq",
                            N_ELEMENTS(args),
                            args },
                &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) != 1 ||
            (!replay->is_playback && !replay->is_stored && !db_value_bool(result, 0, 2)))
                return DB_E_NOT_FOUND;

        buf_append_string(&span->journals, PQgetvalue(result, 0, 0));
        *ret_stored_seq = (uint64_t)db_value_int(result, 0, 1);
        return buf_failed(&span->journals) ? err_new(-ENOMEM) : 0;
}

/* The day with which the youngest of the tables that are wanted begins, as YYYYMMDD, against the
 * day of the time that is the number, and of what was received last before it (of a playback, of
 * when it begins): by those tables, or by @all. */
static int replay_is_kept(DbConn *conn, const QueryReplay *replay, bool all, bool *ret_is_kept) {
        CLEANUP(PQclear) PGresult *result = NULL;
        uint64_t from_us = replay->is_playback ? (uint64_t)replay->from_us : replay->after_seq;
        char after[REPLAY_ARG_SIZE], from[REPLAY_ARG_SIZE];
        const char *args[] = { after, NULL, from };
        CLEANUP_BUF Buf tables = { 0 }, sql = { 0 }, rows = { 0 };
        int r;

        snprintf(after, sizeof(after), "%" PRIu64, replay->after_seq);
        snprintf(from, sizeof(from), "%" PRIu64, from_us);
        for (size_t i = 0; i < N_ELEMENTS(replay_sources); ++i) {
                bool is_wanted = replay_wants(replay, &replay_sources[i]);
                const char *table = replay_sources[i].table;

                if (is_wanted)
                        buf_printf(&tables, "%s%s", tables.n > 0 ? "," : "{", table);
                if (is_wanted || all)
                        buf_printf(&rows,
                                   "%s(SELECT received_at AS r FROM %s WHERE seq <= $1::bigint"
                                   " ORDER BY seq DESC LIMIT 1)",
                                   rows.n > 0 ? " UNION ALL " : "",
                                   table);
        }
        buf_append_char(&tables, '}');
        buf_printf(&sql,
                   "SELECT coalesce((SELECT max(d) FROM (SELECT min(right(c.relname, 8))"
                   " AS d FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                   " WHERE i.inhparent::regclass::text = ANY ($2::text[])"
                   " GROUP BY i.inhparent) t), '') <= to_char(greatest("
                   "to_timestamp($3::bigint / 1000000.0), (SELECT max(r) FROM (%s) w))"
                   " AT TIME ZONE 'UTC', 'YYYYMMDD')",
                   buf_failed(&rows) ? "" : rows.data);
        if (buf_failed(&sql) || buf_failed(&tables) || buf_failed(&rows))
                return err_new(-ENOMEM);

        args[1] = tables.data;
        r = db_conn_exec(conn, &(DbQuery){ sql.data, N_ELEMENTS(args), args }, &result);
        if (r == 0)
                *ret_is_kept = db_value_bool(result, 0, 0);
        return r < 0 ? err_up(r) : r;
}

/* Numbers say when a journal began, and not how long ago this one was given. Where no row that is
 * wanted says it, those of others may, which somebody may have locked. */
static int replay_check_retention(DbConn *conn, const QueryReplay *replay) {
        bool is_kept = true;
        int r = 0;

        if (replay_wants_any(replay))
                r = replay_is_kept(conn, replay, false, &is_kept);
        if (r == 0 && !is_kept)
                r = replay_is_kept(conn, replay, true, &is_kept);
        if (r == 0 && !is_kept)
                return DB_E_EXISTS;
        return r < 0 ? err_up(r) : r;
}

/* ---- where does a playback begin? ----------------------------------------------------------- */

/*
 * Numbers ascend with what was received, so the first that was received at a time is found by
 * halves: of each the last row that there is, in the one partition of that day. Where our clock was
 * set back by so much that it showed a time twice, this is one of the two places.
 */
static void replay_last(const QueryReplay *replay, const char *within, Buf *sql) {
        size_t n = 0;

        for (size_t i = 0; i < N_ELEMENTS(replay_sources); ++i)
                if (replay_wants(replay, &replay_sources[i]))
                        buf_printf(sql,
                                   "%s(SELECT seq, received_at FROM %s WHERE %s"
                                   " AND journal_id = ANY ($3::int[])"
                                   " AND received_at >= to_timestamp($5::float8)"
                                   " AND received_at < to_timestamp($5::float8 + 86400)"
                                   " ORDER BY seq DESC LIMIT 1)",
                                   n++ > 0 ? " UNION ALL " : "",
                                   replay_sources[i].table,
                                   within);
}

static void replay_whence_sql(const QueryReplay *replay, Buf *sql) {
        buf_append_string(sql,
                          "WITH RECURSIVE step (lo, hi) AS (SELECT $1::bigint, max(seq) FROM (");
        replay_last(replay, "seq > $1::bigint AND seq <= $2::bigint", sql);
        buf_append_string(
                sql,
                ") d UNION ALL"
                " SELECT CASE WHEN l.received_at >= to_timestamp($4::float8) THEN s.lo ELSE m.mid"
                " END, CASE WHEN l.received_at >= to_timestamp($4::float8) THEN l.seq ELSE s.hi END"
                " FROM step s CROSS JOIN LATERAL (SELECT s.lo + (s.hi - s.lo) / 2) m (mid)"
                " LEFT JOIN LATERAL (SELECT seq, received_at FROM (");
        replay_last(replay, "seq > s.lo AND seq <= m.mid", sql);
        buf_append_string(sql,
                          ") u ORDER BY seq DESC LIMIT 1) l ON true WHERE s.hi - s.lo > $6::int)"
                          " SELECT max(lo) FROM step");
}

/* Nothing at or before *@ret_after_seq was received at the time that it is to begin, or later. */
static int replay_whence(DbConn *conn,
                         const QueryReplay *replay,
                         const ReplaySpan *span,
                         uint64_t stored_seq,
                         uint64_t *ret_after_seq) {
        char lo[REPLAY_ARG_SIZE], hi[REPLAY_ARG_SIZE], at[REPLAY_ARG_SIZE], day[REPLAY_ARG_SIZE];
        char near[REPLAY_ARG_SIZE];
        const char *args[] = { lo, hi, span->journals.data, at, day, near };
        CLEANUP(PQclear) PGresult *result = NULL;
        CLEANUP_BUF Buf sql = { 0 };
        int r;

        snprintf(lo, sizeof(lo), "%" PRIu64, replay->after_seq);
        snprintf(hi, sizeof(hi), "%" PRIu64, stored_seq);
        snprintf(at, sizeof(at), "%.6f", (double)replay->from_us / 1e6);
        snprintf(day, sizeof(day), "%" PRId64, replay->from_us / 1000000 / 86400 * 86400);
        snprintf(near, sizeof(near), "%d", replay->limit);
        replay_whence_sql(replay, &sql);
        if (buf_failed(&sql))
                return err_new(-ENOMEM);
        r = db_conn_exec(conn, &(DbQuery){ sql.data, N_ELEMENTS(args), args }, &result);
        if (r == 0)
                *ret_after_seq = (uint64_t)db_value_int(result, 0, 0);
        return r < 0 ? err_up(r) : r;
}

/* No page ends between two rows of one number, as the next one begins behind a number. */
static bool replay_is_equal(const PGresult *result, int row) {
        return row > 0 && row < PQntuples(result) &&
               db_value_int(result, row, COLUMN_SEQ) == db_value_int(result, row - 1, COLUMN_SEQ);
}

static bool replay_has_room(const QueryReplay *replay, int n, size_t n_bytes) {
        return n < replay->limit && (replay->max_bytes == 0 || n_bytes < replay->max_bytes);
}

/* How many rows there is room for: one at least, if there are any. */
static int replay_fit(const PGresult *result, const QueryReplay *replay) {
        int n = PQntuples(result), i = 0;
        size_t n_bytes = 0;

        for (; i < n && replay_has_room(replay, i, n_bytes); ++i)
                n_bytes += (size_t)PQgetlength(result, i, COLUMN_DATA);
        return i + replay_is_equal(result, i);
}

static void replay_span_done(ReplaySpan *span) {
        buf_done(&span->journals);
        buf_done(&span->vehicles);
        buf_done(&span->devices);
}

/* All but the rows: 0, or why there are none. *after_seq: behind which they are, for a playback
 * that begins. */
static int replay_begin(DbConn *conn,
                        const QueryReplay *replay,
                        ReplaySpan *span,
                        uint64_t *after_seq) {
        uint64_t stored_seq = 0;
        int r;

        r = replay_journals(conn, replay, span, &stored_seq);
        if (r == 0 && replay->is_first && replay->after_seq > stored_seq)
                return DB_E_NOT_FOUND; /* a number that nothing has had yet */
        if (r == 0 && replay->is_first)
                r = replay_check_retention(conn, replay);
        if (r == 0 && replay->is_first && replay->is_playback && replay_wants_any(replay))
                r = replay_whence(conn, replay, span, stored_seq, after_seq);
        if (r == 0)
                r = replay_prepare(replay, *after_seq, stored_seq, span);
        return r < 0 ? err_up(r) : r;
}

static int replay_ask(DbConn *conn,
                      const QueryReplay *replay,
                      uint64_t *ret_upto_seq,
                      PGresult **ret_result) {
        __attribute__((cleanup(replay_span_done))) ReplaySpan span = { 0 };
        uint64_t after_seq = replay->after_seq;
        int r;

        r = replay_begin(conn, replay, &span, &after_seq);
        if (r == 0)
                *ret_upto_seq = span.upto_seq;
        if (r == 0 && replay_wants_any(replay) && span.upto_seq > after_seq)
                r = replay_page(conn, replay, &span, ret_result);
        return r < 0 ? err_up(r) : r;
}

int db_missed(DbConn *conn,
              const QueryReplay *replay,
              DbMissedFn fn,
              void *arg,
              uint64_t *ret_upto_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int n, n_told, r;

        r = replay_ask(conn, replay, ret_upto_seq, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        n = PQntuples(result);
        n_told = replay_fit(result, replay);
        for (int i = 0; r == 0 && i < n_told; ++i)
                r = replay_tell(result, i, 0, fn, arg);
        if (n_told < n || n > replay->limit)
                *ret_upto_seq = (uint64_t)db_value_int(result, n_told - 1, COLUMN_SEQ);
        return err_up(r);
}

/* ---- of several journals -------------------------------------------------------------------- */

typedef struct ReplayPage ReplayPage;

/* What there is of one of them. */
struct ReplayPage {
        PGresult *result; /* owned; NULL: nothing is asked for */
        int n, at;
        bool is_full; /* there is more behind it */
        uint64_t upto_seq;
};

struct replay_pages {
        size_t n;
        ReplayPage pages[QUERY_PARTS_MAX];
};

static void replay_pages_done(struct replay_pages *pages) {
        for (size_t i = 0; i < pages->n; ++i)
                PQclear(pages->pages[i].result);
}

static int replay_read(DbConn *conn, const QueryReplay *replay, size_t i, ReplayPage *page) {
        QueryReplay one = *replay; /* borrows what it has */
        int r;

        memcpy(one.epoch, replay->parts[i].epoch, sizeof(one.epoch));
        memcpy(one.own_epoch, replay->parts[i].own_epoch, sizeof(one.own_epoch));
        one.after_seq = replay->parts[i].after_seq;
        one.upto_seq = UINT64_MAX;
        r = replay_ask(conn, &one, &page->upto_seq, &page->result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        page->n = PQntuples(page->result);
        page->is_full = page->n > replay->limit;
        return 0;
}

static uint64_t replay_next_seq(const ReplayPage *page) {
        return page->at < page->n ? (uint64_t)db_value_int(page->result, page->at, COLUMN_SEQ)
                                  : UINT64_MAX;
}

/* The one whose next row has the least number; NULL: none, or one that is told may have more. */
static ReplayPage *replay_least(struct replay_pages *pages) {
        ReplayPage *least = NULL;

        for (size_t i = 0; i < pages->n; ++i) {
                ReplayPage *page = &pages->pages[i];

                if (page->at == page->n && page->is_full)
                        return NULL;
                if (page->at < page->n &&
                    (!least || replay_next_seq(page) < replay_next_seq(least)))
                        least = page;
        }
        return least;
}

static int replay_merge(struct replay_pages *pages,
                        const QueryReplay *replay,
                        DbMissedFn fn,
                        void *arg) {
        size_t n_bytes = 0;
        ReplayPage *page;
        int n = 0, r = 0;

        while (r == 0 && (page = replay_least(pages)) &&
               (replay_has_room(replay, n, n_bytes) ||
                (n <= replay->limit && replay_is_equal(page->result, page->at)))) {
                ++n;
                n_bytes += (size_t)PQgetlength(page->result, page->at, COLUMN_DATA);
                r = replay_tell(page->result, page->at, (size_t)(page - pages->pages), fn, arg);
                ++page->at;
        }
        return err_up(r);
}

/* Up to where each was told: to its end, or to the row before the next. */
static void replay_reach(const struct replay_pages *pages,
                         const QueryReplay *replay,
                         uint64_t ret_upto[],
                         bool *ret_is_cut) {
        *ret_is_cut = false;
        for (size_t i = 0; i < pages->n; ++i) {
                const ReplayPage *page = &pages->pages[i];
                bool is_cut = page->at < page->n || page->is_full;

                *ret_is_cut |= is_cut;
                if (!is_cut)
                        ret_upto[i] = page->upto_seq;
                else if (page->at > 0)
                        ret_upto[i] =
                                (uint64_t)db_value_int(page->result, page->at - 1, COLUMN_SEQ);
                else
                        ret_upto[i] = replay->parts[i].after_seq;
                if (ret_upto[i] < replay->parts[i].after_seq)
                        ret_upto[i] = replay->parts[i].after_seq;
        }
}

int db_missed_several(DbConn *conn,
                      const QueryReplay *replay,
                      DbMissedFn fn,
                      void *arg,
                      uint64_t ret_upto[],
                      bool *ret_is_cut) {
        __attribute__((cleanup(replay_pages_done))) struct replay_pages pages = {
                .n = replay->n_parts,
        };
        int r = 0;

        assert(replay->n_parts <= QUERY_PARTS_MAX);
        for (size_t i = 0; r == 0 && i < replay->n_parts; ++i)
                r = replay_read(conn, replay, i, &pages.pages[i]);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        r = replay_merge(&pages, replay, fn, arg);
        if (r < 0)
                return err_up(r);
        replay_reach(&pages, replay, ret_upto, ret_is_cut);
        return 0;
}
