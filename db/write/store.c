#include "db/write/store.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/trouble.h"
#include "db/write/books.h"
#include "db/write/notes.h"
#include "db/write/partitions.h"
#include "db/write/probe.h"
#include "db/write/rows.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define STORE_STUCK "2 s" /* that a session has waited for its client within a transaction */

enum {
        STORE_ARG_SIZE = 24,
        STORE_DAYS = 64,   /* days whose partitions are known to exist */
        STORE_RETRIES = 3, /* of a batch that lost against somebody else's transaction */
        STORE_MAX_STEPS = DB_SHEET_COUNT + 4, /* BEGIN, SET, advance or probe, sheets, COMMIT */
        STORE_STEP_OTHER = DB_SHEET_COUNT,
        STORE_STEP_COMMIT,
};

struct DbStore {
        DbConn *conn; /* borrowed */
        char *epoch;
        int max_people;
        DbRows *rows;

        uint32_t journal_id; /* in network order, as is what follows */
        uint64_t session;
        uint64_t seq;     /* stored so far; host order */
        uint64_t own_seq; /* likewise, of ours, before others had their turn */

        int64_t days[STORE_DAYS]; /* since 1970 */
        size_t n_days, next_day;
        int64_t new_days[STORE_DAYS]; /* that are being made; times within them */
        size_t n_new_days;

        DbBatch batch;              /* under way; records borrowed */
        int64_t n_without;          /* see db_rows_without() */
        int steps[STORE_MAX_STEPS]; /* the sheet that each statement of the pipeline writes */
        size_t n_steps, step;
        int n_retries;
        bool under_way, rolling_back;
        bool committed;  /* or, of a trial, come through */
        bool immediate;  /* what a constraint defers to the COMMIT is checked with its row */
        PGresult *error; /* the first one of the batch */
        int error_step;  /* the sheet that met it */
        DbNotes notes;
};

int db_store_new(DbStore **ret_store, DbConn *conn, const char *epoch) {
        CLEANUP(db_store_free) DbStore *store = NULL;
        int r;

        store = calloc(1, sizeof(*store));
        if (!store)
                return err_new(-ENOMEM);
        store->conn = conn;
        store->epoch = strdup(epoch);
        if (!store->epoch)
                return err_new(-ENOMEM);
        r = db_rows_new(&store->rows);
        if (r < 0)
                return err_up(r);

        *ret_store = TAKE(&store);
        return 0;
}

DbStore *db_store_free(DbStore *store) {
        if (!store)
                return NULL;
        PQclear(store->error);
        db_notes_done(&store->notes);
        db_rows_free(store->rows);
        free(store->epoch);
        free(store);
        return NULL;
}

void db_store_limit_people(DbStore *store, int n_max) {
        store->max_people = n_max;
}

static int store_offline(DbStore *store) {
        store->under_way = false;
        db_rows_forget_sensors(store->rows);
        db_conn_disconnect(store->conn);
        return DB_E_OFFLINE;
}

/* A predecessor whose link is gone without a word: its server side waits in the middle of a batch
 * for what will never come, with the position locked. No time-out of the server counts there (a
 * pipeline's statements are done, and it is not idle either), and TCP notices after hours, if at
 * all. A session that works, or waits for somebody else's lock, is none of that. */
static int store_end_stuck(DbStore *store) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = {
                .sql = "WITH stuck AS MATERIALIZED (SELECT pid FROM pg_stat_activity a"
                       " WHERE application_name = current_setting('application_name')"
                       " AND datname = current_database() AND usename = current_user"
                       " AND pid <> pg_backend_pid() AND wait_event_type = 'Client'"
                       " AND xact_start IS NOT NULL"
                       " AND query_start < clock_timestamp() - interval '" STORE_STUCK "'"
                       " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid"
                       " AND l.relation = 'journal_positions'::regclass"
                       " AND l.mode = 'RowExclusiveLock'))"
                       " SELECT pg_terminate_backend(pid) FROM stuck"
        };
        int r;

        r = db_conn_exec(store->conn, &query, &result);
        if (r != 0)
                return r;
        if (PQntuples(result) > 0)
                log_warning("database_session_ended sessions=%d hint=\"it held the position for a"
                            " connection that is gone\"",
                            PQntuples(result));
        return 0;
}

/* The row is locked by a batch that is still under way on a connection lost: this waits for it,
 * and what that connection may still send is refused from now on. Whoever takes the slot meanwhile
 * waits for us, or we do for them. */
static int store_take_over(DbStore *store, const DbHolder *holder, uint64_t *ret_floor) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char slot[STORE_ARG_SIZE] = "", last[STORE_ARG_SIZE] = "";
        const char *args[] = { store->epoch, slot, holder ? holder->instance : NULL, last };
        int r;

        if (holder) {
                snprintf(slot, sizeof(slot), "%d", holder->slot);
                snprintf(last, sizeof(last), "%llu", (unsigned long long)holder->last_seq);
        }
        r = db_conn_exec(
                store->conn,
                &(DbQuery){ "WITH mine AS MATERIALIZED (SELECT FROM slots"
                            " WHERE slot = nullif($2, '')::int AND instance = $3"
                            " FOR KEY SHARE),"
                            " others AS (SELECT coalesce(max(seq), 0) AS seq"
                            " FROM journal_positions WHERE slot = nullif($2, '')::int),"
                            " was AS (SELECT seq FROM journal_positions WHERE epoch = $1),"
                            " begin AS (SELECT CASE WHEN $4 = '0' THEN seq ELSE 0 END AS seq"
                            " FROM others)"
                            " INSERT INTO journal_positions AS p (epoch, slot, seq, checked_seq)"
                            " SELECT $1, coalesce(nullif($2, '')::int, 0), b.seq, b.seq"
                            " FROM begin b"
                            " WHERE $2 = '' OR EXISTS (SELECT FROM mine)"
                            " ON CONFLICT (epoch) DO UPDATE SET session = p.session + 1,"
                            " slot = excluded.slot, left_at = NULL,"
                            " seq = CASE WHEN p.seq >= nullif($4, '')::bigint THEN"
                            " greatest(p.seq, (SELECT seq FROM others)) ELSE p.seq END"
                            " RETURNING journal_id, seq, session,"
                            " greatest(seq, (SELECT seq FROM others)),"
                            " coalesce((SELECT seq FROM was), 0)",
                            N_ELEMENTS(args),
                            args },
                &result);
        if (r != 0)
                return r;
        if (PQntuples(result) == 0)
                return DB_E_STANDBY;
        store->journal_id = htonl((uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10));
        store->seq = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        store->session = htobe64(strtoull(PQgetvalue(result, 0, 2), NULL, 10));
        *ret_floor = strtoull(PQgetvalue(result, 0, 3), NULL, 10);
        store->own_seq = strtoull(PQgetvalue(result, 0, 4), NULL, 10);
        return 0;
}

static bool store_send_prepares(PGconn *pg) {
        bool ok = PQsendPrepare(pg, "begin", "BEGIN", 0, NULL) &&
                  PQsendPrepare(pg, "commit", "COMMIT", 0, NULL) &&
                  PQsendPrepare(pg, "rollback", "ROLLBACK", 0, NULL) &&
                  PQsendPrepare(pg,
                                "advance",
                                "SELECT tidegate_advance($1, $2, $3, $4, $5)",
                                0,
                                NULL);

        for (int i = 0; i < DB_SHEET_COUNT && ok; ++i) {
                Oid types[DB_ROWS_MAX_PARAMS];
                int n = db_rows_types((DbSheet)i, types);

                ok = PQsendPrepare(pg, db_rows_name((DbSheet)i), db_rows_sql((DbSheet)i), n, types);
        }
        return ok && PQpipelineSync(pg);
}

/* Waits until the pipeline is through. */
static int store_finish_prepares(DbConn *conn) {
        int64_t deadline_us = db_conn_deadline(conn);
        int failed = 0;
        int r;

        for (;;) {
                CLEANUP(PQclear) PGresult *result = NULL;

                r = db_conn_result(conn, deadline_us, &result);
                if (r != 0)
                        return r;
                if (PQresultStatus(result) == PGRES_PIPELINE_SYNC)
                        return failed;
                if (result && PQresultStatus(result) == PGRES_FATAL_ERROR && failed == 0) {
                        failed = db_conn_fail(conn, result);
                        if (failed == DB_E_OFFLINE)
                                return DB_E_OFFLINE;
                }
        }
}

static int store_set_limits(DbStore *store) {
        char people[STORE_ARG_SIZE];
        const char *args[] = { people };
        int r;

        snprintf(people, sizeof(people), "%d", store->max_people);
        r = db_conn_exec(store->conn,
                         &(DbQuery){ "SELECT set_config('tidegate.max_people', $1, false)",
                                     N_ELEMENTS(args),
                                     args },
                         NULL);
        return r < 0 ? err_up(r) : r;
}

static int store_prepare(DbConn *conn) {
        PGconn *pg = db_conn_pg(conn);
        int r;

        r = db_conn_exec(conn, &(DbQuery){ .sql = "DEALLOCATE ALL" }, NULL);
        if (r == 0)
                r = db_conn_exec(conn,
                                 &(DbQuery){ .sql = "SET plan_cache_mode = force_generic_plan" },
                                 NULL);
        if (r != 0)
                return r;
        if (!PQenterPipelineMode(pg) || !store_send_prepares(pg))
                return db_conn_fail(conn, NULL);
        r = store_finish_prepares(conn);
        if (r == DB_E_OFFLINE)
                return r;
        if (!PQexitPipelineMode(pg))
                return db_conn_fail(conn, NULL);
        return r;
}

uint64_t db_store_own_seq(const DbStore *store) {
        return store->own_seq;
}

int db_store_open(DbStore *store, const DbHolder *holder, uint64_t *ret_seq, uint64_t *ret_floor) {
        int r;

        store->under_way = false;
        db_rows_forget_sensors(store->rows);
        store->n_days = store->next_day = 0;

        r = store_prepare(store->conn);
        if (r == 0)
                r = store_set_limits(store);
        if (r == 0)
                r = store_end_stuck(store);
        if (r == 0 && holder)
                r = db_books_adopt(store->conn, store->epoch, holder->last_seq);
        if (r == 0)
                r = store_take_over(store, holder, ret_floor);
        /* Somebody's transaction is in the way: that passes. */
        if (r == DB_E_REJECTED && db_trouble(db_conn_sqlstate(store->conn)) == DB_TROUBLE_LOCKED)
                return store_offline(store);
        if (r != 0)
                return r;
        *ret_seq = store->seq;
        return 0;
}

static bool store_knows_day(const DbStore *store, int64_t day) {
        for (size_t i = 0; i < store->n_days; ++i)
                if (store->days[i] == day)
                        return true;
        return false;
}

static int64_t store_day(int64_t time_us) {
        int64_t day = time_us / CLOCK_DAY_US;

        return time_us % CLOCK_DAY_US < 0 ? day - 1 : day;
}

static void store_want_day(DbStore *store, int64_t time_us) {
        if (store_knows_day(store, store_day(time_us)))
                return;
        for (size_t i = 0; i < store->n_new_days; ++i)
                if (store_day(store->new_days[i]) == store_day(time_us))
                        return;
        if (store->n_new_days < STORE_DAYS) /* of more the rest is met missing, and tried again */
                store->new_days[store->n_new_days++] = time_us;
}

/* Records come in order of receipt, so nearly always this looks at one day. A letter that is one
 * again keeps its own. */
static void store_want_days(DbStore *store) {
        int64_t last = INT64_MIN;

        store->n_new_days = 0;
        for (size_t i = 0; i < store->batch.n_records; ++i) {
                const Record *record = store->batch.records[i];

                if (record->letter_id != 0)
                        store_want_day(store, record->first_us);
                if (store_day(record->received_us) == last)
                        continue;
                last = store_day(record->received_us);
                store_want_day(store, record->received_us);
        }
}

static void store_note_days(DbStore *store) {
        for (size_t i = 0; i < store->n_new_days; ++i) {
                store->days[store->next_day] = store_day(store->new_days[i]);
                if (store->n_days < STORE_DAYS)
                        ++store->n_days;
                store->next_day = (store->next_day + 1) % STORE_DAYS;
        }
        store->n_new_days = 0;
}

static bool store_send_days(DbStore *store) {
        PGconn *pg = db_conn_pg(store->conn);
        bool sent = PQenterPipelineMode(pg);

        for (size_t i = 0; i < store->n_new_days && sent; ++i)
                sent = db_partitions_send(store->conn, store->new_days[i]);
        return sent && PQpipelineSync(pg);
}

static bool store_send(DbStore *store, const char *name, const DbParams *params, int step) {
        store->steps[store->n_steps++] = step;
        return PQsendQueryPrepared(db_conn_pg(store->conn),
                                   name,
                                   params->n,
                                   params->values,
                                   params->lengths,
                                   params->formats,
                                   0) == 1;
}

static bool store_send_advance(DbStore *store) {
        uint64_t from = htobe64(store->seq);
        uint64_t to = htobe64(store->batch.seq);
        uint64_t without = htobe64((uint64_t)store->n_without);
        const DbParams params = {
                .n = 5,
                .values = { (const char *)&store->journal_id,
                            (const char *)&store->session,
                            (const char *)&from,
                            (const char *)&to,
                            (const char *)&without },
                .lengths = { sizeof(store->journal_id),
                             sizeof(store->session),
                             sizeof(from),
                             sizeof(to),
                             sizeof(without) },
                .formats = { 1, 1, 1, 1, 1 },
        };

        return store_send(store, "advance", &params, STORE_STEP_OTHER);
}

static void store_fill(DbStore *store) {
        db_rows_reset(store->rows);
        store->n_without = 0;
        for (size_t i = 0; i < store->batch.n_records; ++i) {
                db_rows_add(store->rows, store->batch.records[i], i);
                store->n_without += db_rows_without(store->batch.records[i]);
        }
        for (size_t i = 0; i < store->batch.n_states; ++i)
                db_rows_add_state(store->rows,
                                  store->batch.states[i].device_id,
                                  &store->batch.states[i].state);
}

static bool store_send_set(DbStore *store) {
        store->steps[store->n_steps++] = STORE_STEP_OTHER;
        return PQsendQueryParams(db_conn_pg(store->conn),
                                 "SET CONSTRAINTS ALL IMMEDIATE",
                                 0,
                                 NULL,
                                 NULL,
                                 NULL,
                                 NULL,
                                 0) == 1;
}

static bool store_send_probe(DbStore *store) {
        store->steps[store->n_steps++] = STORE_STEP_OTHER;
        return db_probe_send(store->conn, store->batch.records[0], ntohl(store->journal_id));
}

/* The position comes first: see tidegate_advance(). */
static bool store_send_head(DbStore *store) {
        const DbParams params = { 0 };
        bool sent = store_send(store, "begin", &params, STORE_STEP_OTHER);

        if (sent && (store->immediate || store->batch.is_trial))
                sent = store_send_set(store);
        if (!sent)
                return false;
        return store->batch.is_trial ? store_send_probe(store) : store_send_advance(store);
}

static int store_send_batch(DbStore *store, bool *ret_sent) {
        PGconn *pg = db_conn_pg(store->conn);
        const char *end = store->batch.is_trial ? "rollback" : "commit";
        DbParams params = { 0 };
        bool sent;
        int r;

        store->n_steps = 0;
        sent = PQenterPipelineMode(pg) && store_send_head(store);
        for (int i = 0; i < DB_SHEET_COUNT && sent; ++i) {
                if (!db_rows_has(store->rows, (DbSheet)i))
                        continue;
                r = db_rows_params(store->rows, (DbSheet)i, &store->journal_id, &params);
                if (r < 0)
                        return err_up(r);
                sent = store_send(store, db_rows_name((DbSheet)i), &params, i);
        }
        params.n = 0;
        *ret_sent =
                sent && store_send(store, end, &params, STORE_STEP_COMMIT) && PQpipelineSync(pg);
        return 0;
}

/* What was queued goes out. */
static int store_go(DbStore *store, bool sent) {
        if (!sent) {
                (void)!db_conn_fail(store->conn, NULL);
                return store_offline(store);
        }
        store->under_way = true;
        return db_conn_flush(store->conn) == DB_E_OFFLINE ? store_offline(store) : 0;
}

static int store_start_batch(DbStore *store) {
        bool sent = false;
        int r;

        PQclear(TAKE(&store->error));
        store->step = 0;
        store->notes.n = 0;
        store->committed = false;
        store->rolling_back = false;
        store_fill(store);
        r = store_send_batch(store, &sent);
        return r == 0 ? store_go(store, sent) : err_up(r);
}

/* Days that are not known to be there come first, in a transaction of their own: it may have to
 * wait for somebody's lock. */
static int store_start(DbStore *store) {
        int r;

        store_want_days(store);
        if (store->n_new_days == 0) {
                r = store_start_batch(store);
                return r < 0 ? err_up(r) : r;
        }
        PQclear(TAKE(&store->error));
        store->step = store->n_steps = 0;
        return store_go(store, store_send_days(store));
}

int db_store_begin(DbStore *store, const DbBatch *batch) {
        int r;

        assert(!store->under_way);
        if (!db_conn_is_open(store->conn))
                return store_offline(store);

        store->batch = *batch;
        store->n_retries = 0;
        store->immediate = false;
        r = store_start(store);
        return r < 0 ? err_up(r) : r;
}

/* 0, and the batch goes on. */
static int store_take_result(DbStore *store, PGresult **resultp) {
        bool is_commit = store->step + 1 == store->n_steps;
        int r;

        switch (PQresultStatus(*resultp)) {
        case PGRES_TUPLES_OK:
                if (store->step >= store->n_steps || store->steps[store->step] != DB_SHEET_ACKS)
                        return 0;
                r = db_notes_keep(&store->notes, *resultp);
                return err_up(r);
        case PGRES_COMMAND_OK:
                if (is_commit)
                        store->committed = strcmp(PQcmdStatus(*resultp), "COMMIT") == 0 ||
                                           (store->batch.is_trial && !store->error);
                return 0;
        case PGRES_PIPELINE_ABORTED:
                return 0;
        default:
                if (store->error)
                        return 0;
                store->error = TAKE(resultp);
                store->error_step =
                        store->step < store->n_steps ? store->steps[store->step] : STORE_STEP_OTHER;
                return 0;
        }
}

static void store_commit(DbStore *store) {
        store->seq = store->batch.seq;
        db_notes_apply(&store->notes, store->batch.records, store->batch.n_records);
}

int db_store_recall(DbStore *store, const DbBatch *batch) {
        int r;

        r = db_notes_recall(store->conn,
                            ntohl(store->journal_id),
                            batch->records,
                            batch->n_records);
        if (r ==
            DB_E_REJECTED) /* the same again at the next connection: nothing is let go before */
                return store_offline(store);
        return r < 0 ? err_up(r) : r;
}

/* Another transaction was in the way, a device was deleted, or a partition dropped, meanwhile. */
static bool store_may_pass(const DbStore *store, DbTrouble trouble) {
        if (trouble == DB_TROUBLE_CHECK)
                return !PQresultErrorField(store->error, PG_DIAG_CONSTRAINT_NAME);
        return trouble == DB_TROUBLE_REFERENCE || trouble == DB_TROUBLE_RACE;
}

/* The statement that was refused tells whose matter it is. A dead letter is not to be refused, and
 * neither are the books and the position: that is about the tables. A state is no reason to hold up
 * rows, also when nobody may write any (class 42). */
static int store_judge(const DbStore *store, DbTrouble trouble) {
        switch (store->error_step) {
        case DB_SHEET_STATES:
                return db_trouble_may_be_rows(trouble) || trouble == DB_TROUBLE_DENIED
                               ? DB_E_STATES
                               : DB_E_REFUSED;
        case DB_SHEET_DEAD_LETTERS:
        case DB_SHEET_LETTERS:
        case STORE_STEP_OTHER:
                return DB_E_REFUSED;
        default:
                return db_trouble_may_be_rows(trouble) ? DB_E_REJECTED : DB_E_REFUSED;
        }
}

/* An error of a statement, after which the session goes on: no disk, no memory, no locks. */
static bool store_is_short(const DbStore *store) {
        const char *sqlstate = PQresultErrorField(store->error, PG_DIAG_SQLSTATE);
        const char *severity = PQresultErrorField(store->error, PG_DIAG_SEVERITY_NONLOCALIZED);

        return sqlstate && severity && db_trouble(sqlstate) == DB_TROUBLE_SHORT &&
               strcmp(severity, "ERROR") == 0 && PQstatus(db_conn_pg(store->conn)) == CONNECTION_OK;
}

/* Once more from the beginning, on the same connection. */
static int store_again(DbStore *store) {
        int r;

        store->n_days = store->next_day = 0;
        r = store_start(store);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return DB_E_BUSY;
}

static int store_roll_back(DbStore *store) {
        DbTrouble trouble;

        db_rows_forget_sensors(store->rows);
        if (store->error && store_is_short(store)) {
                db_conn_note(store->conn, store->error);
                return DB_E_REFUSED;
        }
        if (db_conn_fail(store->conn, store->error) != DB_E_REJECTED)
                return store_offline(store);

        trouble = db_trouble(db_conn_sqlstate(store->conn));
        if (trouble == DB_TROUBLE_FENCED)
                return DB_E_FENCED;
        if (store_may_pass(store, trouble) && store->n_retries < STORE_RETRIES) {
                ++store->n_retries;
                return store_again(store);
        }
        if (store->error_step == STORE_STEP_COMMIT && db_trouble_may_be_rows(trouble) &&
            !store->immediate) {
                store->immediate = true; /* and so it is met where it belongs */
                return store_again(store);
        }
        return store_judge(store, trouble);
}

/* What failed skipped the COMMIT: the transaction is still open. */
static int store_send_rollback(DbStore *store) {
        const DbParams params = { 0 };

        store->rolling_back = true;
        store->n_steps = 0;
        store->step = 0;
        if (!store_send(store, "rollback", &params, STORE_STEP_OTHER) ||
            !PQpipelineSync(db_conn_pg(store->conn)))
                return store_offline(store);
        return db_conn_flush(store->conn) == DB_E_OFFLINE ? store_offline(store) : DB_E_BUSY;
}

/* The days are there, or are not: no right to make them, or a lock that is not ours. */
static int store_end_days(DbStore *store) {
        int r;

        store->under_way = false;
        if (!PQexitPipelineMode(db_conn_pg(store->conn)))
                return store_offline(store);
        if (store->error)
                return db_conn_fail(store->conn, store->error) == DB_E_REJECTED
                               ? DB_E_REFUSED
                               : store_offline(store);
        store_note_days(store);
        r = store_start_batch(store);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return DB_E_BUSY;
}

/* The pipeline is through. */
static int store_end(DbStore *store) {
        int r;

        if (store->n_new_days > 0) {
                r = store_end_days(store);
                return r < 0 ? err_up(r) : r;
        }
        if (!store->committed && !store->rolling_back)
                return store_send_rollback(store);

        store->under_way = false;
        if (!PQexitPipelineMode(db_conn_pg(store->conn)))
                return store_offline(store);
        if (store->committed && store->batch.is_trial) {
                db_rows_forget_sensors(store->rows);
                return DB_E_PASSED;
        }
        if (store->committed) {
                store_commit(store);
                return 0;
        }
        r = store_roll_back(store);
        return r < 0 ? err_up(r) : r;
}

int db_store_poll(DbStore *store) {
        PGconn *pg = db_conn_pg(store->conn);
        int r;

        if (!store->under_way || !db_conn_is_open(store->conn))
                return store_offline(store);
        if (db_conn_flush(store->conn) == DB_E_OFFLINE)
                return store_offline(store);
        if (!PQconsumeInput(pg)) {
                (void)!db_conn_fail(store->conn, NULL);
                return store_offline(store);
        }
        while (!PQisBusy(pg)) {
                CLEANUP(PQclear) PGresult *result = PQgetResult(pg);

                if (!result && PQstatus(pg) != CONNECTION_OK)
                        return store_offline(store);
                if (!result) {
                        ++store->step;
                        continue;
                }
                if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
                        r = store_end(store);
                        return r < 0 ? err_up(r) : r; /* BUSY: once more for the ROLLBACK */
                }
                r = store_take_result(store, &result);
                if (r < 0)
                        return err_up(r);
        }
        return DB_E_BUSY;
}
