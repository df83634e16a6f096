#include "db/write/store.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/trouble.h"
#include "db/uplinks.h"
#include "db/write/books.h"
#include "db/write/days.h"
#include "db/write/notes.h"
#include "db/write/probe.h"
#include "db/write/rows.h"
#include "db/write/takeover.h"
#include "db/write/verdict.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        STORE_ARG_SIZE = 24,
        STORE_RETRIES = 3, /* of a batch that lost against somebody else's transaction */
        STORE_MAX_STEPS = DB_SHEET_COUNT + 4, /* BEGIN, SET, advance or probe, sheets, COMMIT */
        STORE_NOTES = 100,                    /* of a thing and day, unless it is said otherwise */
};

struct DbStore {
        DbConn *conn; /* borrowed */
        char *epoch;
        int max_people, max_notes;
        DbFlightsFn flights; /* NULL: none are kept */
        void *flights_arg;
        DbRows *rows;

        DbPosition position;
        Origin *origins; /* owned */
        size_t n_origins;

        DbDays days;

        DbBatch batch;              /* under way; records borrowed */
        int64_t n_without;          /* see db_rows_without() */
        int steps[STORE_MAX_STEPS]; /* the sheet that each statement of the pipeline writes */
        size_t n_steps, step;
        int n_retries;
        int probe;     /* of a trial: the candidate that goes first; DB_PROBES: none */
        bool is_taken; /* and one of those before was there already */
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
        store->max_notes = STORE_NOTES;
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
        free(store->origins);
        free(store);
        return NULL;
}

void db_store_limit_people(DbStore *store, int n_max) {
        store->max_people = n_max;
}

void db_store_limit_notes(DbStore *store, int n_max) {
        store->max_notes = n_max;
}

void db_store_keep_flights(DbStore *store, DbFlightsFn fn, void *arg) {
        store->flights = fn;
        store->flights_arg = arg;
}

static int store_offline(DbStore *store) {
        store->under_way = false;
        db_rows_forget(store->rows);
        db_conn_disconnect(store->conn);
        return DB_E_OFFLINE;
}

static bool store_send_prepares(PGconn *pg) {
        bool ok = PQsendPrepare(pg, "begin", "BEGIN", 0, NULL) &&
                  PQsendPrepare(pg, "commit", "COMMIT", 0, NULL) &&
                  PQsendPrepare(pg, "rollback", "ROLLBACK", 0, NULL) &&
                  PQsendPrepare(pg,
                                "advance",
                                "SELECT tidegate_advance($1, $2, $3, $4, $5, $6)",
                                0,
                                NULL);

        for (int i = 0; i < DB_SHEET_COUNT && ok; ++i) {
                Oid types[DB_SHEET_MAX_PARAMS];
                int n = db_sheet_types((DbSheet)i, types);

                ok = PQsendPrepare(pg,
                                   db_sheet((DbSheet)i)->name,
                                   db_sheet((DbSheet)i)->sql,
                                   n,
                                   types);
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
        char people[STORE_ARG_SIZE], notes[STORE_ARG_SIZE];
        const char *args[] = { people, notes };
        int r;

        snprintf(people, sizeof(people), "%d", store->max_people);
        snprintf(notes, sizeof(notes), "%d", store->max_notes);
        r = db_conn_exec(store->conn,
                         &(DbQuery){ "SELECT set_config('tidegate.max_people', $1, false),"
                                     " set_config('tidegate.max_notes', $2, false)",
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

uint64_t db_store_forked_seq(const DbStore *store) {
        return store->position.forked_seq;
}

uint64_t db_store_own_seq(const DbStore *store) {
        return store->position.own_seq;
}

size_t db_store_origins(const DbStore *store, const Origin **ret_positions) {
        *ret_positions = store->origins;
        return store->n_origins;
}

int db_store_open(DbStore *store, const DbHolder *holder, uint64_t *ret_seq, uint64_t *ret_floor) {
        int r;

        store->under_way = false;
        db_rows_forget(store->rows);
        db_days_forget(&store->days);

        r = store_prepare(store->conn);
        if (r == 0)
                r = store_set_limits(store);
        if (r == 0)
                r = db_takeover_end_stuck(store->conn);
        if (r == 0 && holder)
                r = db_books_adopt(store->conn, store->epoch, holder->last_seq);
        if (r == 0)
                r = db_takeover(store->conn, store->epoch, holder, &store->position, ret_floor);
        store->position.forked_seq = 0;
        if (r == 0 && holder && holder->writers)
                r = db_takeover_name_writer(store->conn, store->epoch, holder, &store->position);
        if (r == 0)
                r = db_uplinks_positions(store->conn, &store->origins, &store->n_origins);
        /* Somebody's transaction is in the way: that passes. */
        if (r == DB_E_REJECTED && db_trouble(db_conn_sqlstate(store->conn)) == DB_TROUBLE_LOCKED)
                return store_offline(store);
        if (r != 0)
                return r;
        *ret_seq = store->position.seq;
        return 0;
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

static bool store_send_advance(DbStore *store, Text flights) {
        uint64_t from = htobe64(store->position.seq);
        uint64_t to = htobe64(store->batch.seq);
        uint64_t without = htobe64((uint64_t)store->n_without);
        const DbParams params = {
                .n = 6,
                .values = { (const char *)&store->position.journal_id,
                            (const char *)&store->position.session,
                            (const char *)&from,
                            (const char *)&to,
                            (const char *)&without,
                            flights.data },
                .lengths = { sizeof(store->position.journal_id),
                             sizeof(store->position.session),
                             sizeof(from),
                             sizeof(to),
                             sizeof(without),
                             (int)flights.n },
                .formats = { 1, 1, 1, 1, 1, 1 },
        };

        return store_send(store, "advance", &params, DB_STEP_OTHER);
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
        store->steps[store->n_steps++] = DB_STEP_OTHER;
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
        if (store->probe >= DB_PROBES)
                return true;
        store->steps[store->n_steps++] = DB_STEP_PROBE;
        return db_probe_send(store->conn,
                             store->batch.records[0],
                             ntohl(store->position.journal_id),
                             store->probe,
                             store->batch.side);
}

/* The position comes first: see tidegate_advance(). */
static bool store_send_head(DbStore *store) {
        const DbParams params = { 0 };
        const Text none = { 0 }, *flights = &none;
        bool sent = store_send(store, "begin", &params, DB_STEP_OTHER);

        if (sent && (store->immediate || store->batch.is_trial))
                sent = store_send_set(store);
        if (sent && store->batch.is_trial)
                return store_send_probe(store);
        if (store->flights)
                flights = store->flights(store->flights_arg, store->position.seq, store->batch.seq);
        return sent && flights && store_send_advance(store, *flights);
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
                r = db_rows_params(store->rows, (DbSheet)i, &store->position.journal_id, &params);
                if (r < 0)
                        return err_up(r);
                sent = store_send(store, db_sheet((DbSheet)i)->name, &params, i);
        }
        params.n = 0;
        *ret_sent = sent && store_send(store, end, &params, DB_STEP_COMMIT) && PQpipelineSync(pg);
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

        db_days_want(&store->days, store->batch.records, store->batch.n_records);
        if (store->days.n_new == 0) {
                r = store_start_batch(store);
                return r < 0 ? err_up(r) : r;
        }
        PQclear(TAKE(&store->error));
        store->step = store->n_steps = 0;
        return store_go(store, db_days_send(&store->days, store->conn));
}

int db_store_begin(DbStore *store, const DbBatch *batch) {
        int r;

        assert(!store->under_way);
        if (!db_conn_is_open(store->conn))
                return store_offline(store);

        store->batch = *batch;
        store->n_retries = 0;
        store->immediate = false;
        store->probe = 0;
        store->is_taken = false;
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
                        store->step < store->n_steps ? store->steps[store->step] : DB_STEP_OTHER;
                return 0;
        }
}

static void store_commit(DbStore *store) {
        store->position.seq = store->batch.seq;
        db_notes_apply(&store->notes, store->batch.records, store->batch.n_records);
}

int db_store_recall(DbStore *store, const DbBatch *batch) {
        int r;

        r = db_notes_recall(store->conn,
                            ntohl(store->position.journal_id),
                            batch->records,
                            batch->n_records);
        if (r ==
            DB_E_REJECTED) /* the same again at the next connection: nothing is let go before */
                return store_offline(store);
        return r < 0 ? err_up(r) : r;
}

/* Once more from the beginning, on the same connection. */
static int store_again(DbStore *store) {
        int r;

        db_days_forget(&store->days);
        r = store_start(store);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return DB_E_BUSY;
}

/* One candidate is refused: another one may be taken. If each that there is was there already, or
 * nearly, the row is tried alone: what says so does take rows. */
static bool store_next_probe(DbStore *store, DbTrouble trouble) {
        if (store->error_step != DB_STEP_PROBE || !db_trouble_may_be_rows(trouble))
                return false;
        store->is_taken |= db_verdict_is_taken(store->error, trouble);
        ++store->probe;
        return store->probe < DB_PROBES || store->is_taken;
}

static int store_roll_back(DbStore *store) {
        DbTrouble trouble;

        db_rows_forget(store->rows);
        if (store->error && db_verdict_is_short(store->error) &&
            PQstatus(db_conn_pg(store->conn)) == CONNECTION_OK) {
                db_conn_note(store->conn, store->error);
                return DB_E_REFUSED;
        }
        if (db_conn_fail(store->conn, store->error) != DB_E_REJECTED)
                return store_offline(store);

        trouble = db_trouble(db_conn_sqlstate(store->conn));
        if (trouble == DB_TROUBLE_FENCED)
                return DB_E_FENCED;
        if (db_verdict_may_pass(store->error, trouble) && store->n_retries < STORE_RETRIES) {
                ++store->n_retries;
                return store_again(store);
        }
        if (store->error_step == DB_STEP_COMMIT && db_trouble_may_be_rows(trouble) &&
            !store->immediate) {
                store->immediate = true; /* and so it is met where it belongs */
                return store_again(store);
        }
        if (store_next_probe(store, trouble))
                return store_again(store);
        return store->probe < DB_PROBES ? db_verdict(store->error_step, trouble)
                                        : db_verdict_unproved(store->error_step, trouble);
}

/* What failed skipped the COMMIT: the transaction is still open. */
static int store_send_rollback(DbStore *store) {
        const DbParams params = { 0 };

        store->rolling_back = true;
        store->n_steps = 0;
        store->step = 0;
        if (!store_send(store, "rollback", &params, DB_STEP_OTHER) ||
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
        db_days_note(&store->days);
        r = store_start_batch(store);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return DB_E_BUSY;
}

/* The pipeline is through. */
static int store_end(DbStore *store) {
        int r;

        if (store->days.n_new > 0) {
                r = store_end_days(store);
                return r < 0 ? err_up(r) : r;
        }
        if (!store->committed && !store->rolling_back)
                return store_send_rollback(store);

        store->under_way = false;
        if (!PQexitPipelineMode(db_conn_pg(store->conn)))
                return store_offline(store);
        if (store->committed && store->batch.is_trial) {
                db_rows_forget(store->rows);
                return DB_E_PASSED;
        }
        if (store->committed) {
                store_commit(store);
                return 0;
        }
        r = store_roll_back(store);
        return r < 0 ? err_up(r) : r;
}

RecordSide db_store_side(const DbStore *store) {
        return db_verdict_side(store->error_step);
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
