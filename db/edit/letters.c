#include "db/edit/letters.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/log.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);
DEFINE_CLEANUP(void *, PQfreemem);

enum {
        LETTERS_ID_SIZE = 24,
};

int db_letters_request(DbConn *conn, const char *ids) {
        static const char sql[] =
                "INSERT INTO replays AS r (letter_id) SELECT unnest($1::bigint[])"
                " ON CONFLICT (letter_id) DO UPDATE SET requested_at = now(), outcome = NULL,"
                " claimed_by = CASE WHEN r.outcome IS NULL THEN r.claimed_by END";

        return db_conn_exec(conn, &(DbQuery){ sql, 1, &ids }, NULL);
}

int db_letters_withdraw(DbConn *conn, const char *ids) {
        static const char sql[] = "DELETE FROM replays WHERE letter_id = ANY ($1::bigint[])"
                                  " AND claimed_by IS NULL AND outcome IS NULL";

        return db_conn_exec(conn, &(DbQuery){ sql, 1, &ids }, NULL);
}

int db_letters_outcomes(DbConn *conn, const char *ids, DbOutcomeFn fn, void *arg) {
        static const char sql[] = "SELECT letter_id, claimed_by IS NOT NULL, outcome FROM replays"
                                  " WHERE letter_id = ANY ($1::bigint[]) ORDER BY letter_id";
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, &(DbQuery){ sql, 1, &ids }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; i < PQntuples(result); ++i) {
                const char *outcome = db_value_string(result, i, 2);

                fn(arg, db_value_int(result, i, 0), db_value_bool(result, i, 1), text_of(outcome));
        }
        return 0;
}

int db_letters_forget(DbConn *conn, const char *ids) {
        static const char sql[] = "DELETE FROM replays WHERE outcome IS NOT NULL AND (letter_id ="
                                  " ANY ($1::bigint[]) OR requested_at < now() - interval '1 day')";

        return db_conn_exec(conn, &(DbQuery){ sql, 1, &ids }, NULL);
}

static void letters_json_state(Buf *body, int64_t letter_id, const char *state) {
        JsonOut out = { .buf = body };

        buf_reset(body); /* of a try that was cut off */
        json_out_object(&out, NULL);
        json_out_int(&out, "id", letter_id);
        json_out_string(&out, "state", state);
        json_out_object_end(&out);
}

#define LETTERS_ADMIN \
        "WITH who AS (SELECT FROM users WHERE id = $2::bigint AND role = 'admin' AND is_active),"

/* $1 the letter, $2 the admin. In one statement, so that nobody asks who may not any more. */
int db_letters_ask(DbConn *conn, const Query *query, Answer *answer) {
        static const char forget[] =
                LETTERS_ADMIN " gone AS (DELETE FROM dead_letters WHERE id = $1::bigint"
                              " AND EXISTS (SELECT FROM who) RETURNING id)"
                              " SELECT CASE WHEN EXISTS (SELECT FROM gone) THEN 200"
                              " WHEN NOT EXISTS (SELECT FROM who) THEN 403 ELSE 404 END";
        static const char sql[] = LETTERS_ADMIN
                " asked AS (INSERT INTO replays AS r (letter_id) SELECT d.id FROM dead_letters d"
                " WHERE d.id = $1::bigint AND EXISTS (SELECT FROM who)"
                " ON CONFLICT (letter_id) DO UPDATE SET requested_at = now(), outcome = NULL,"
                " claimed_by = CASE WHEN r.outcome IS NULL THEN r.claimed_by END"
                " RETURNING letter_id)"
                " SELECT CASE WHEN EXISTS (SELECT FROM asked) THEN 202"
                " WHEN NOT EXISTS (SELECT FROM who) THEN 403 ELSE 404 END";
        CLEANUP(PQclear) PGresult *result = NULL;
        char id[LETTERS_ID_SIZE], admin[LETTERS_ID_SIZE];
        const char *args[] = { id, admin };
        int r;

        snprintf(id, sizeof(id), "%lld", (long long)query->letter_id);
        snprintf(admin, sizeof(admin), "%lld", (long long)query->user_ids[0]);
        r = db_conn_exec(conn,
                         &(DbQuery){ query->is_discard ? forget : sql, N_ELEMENTS(args), args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_REJECTED;
        answer->status = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        letters_json_state(&answer->bodies[0],
                           query->letter_id,
                           query->is_discard ? "discarded" : "waiting");
        return 0;
}

/* $1 the letters, $2 the admin. */
int db_letters_ask_these(DbConn *conn,
                         const Query *query,
                         const char *ids,
                         int64_t cursor,
                         Answer *answer) {
        static const char forget[] =
                LETTERS_ADMIN " gone AS (DELETE FROM dead_letters WHERE id = ANY ($1::bigint[])"
                              " AND EXISTS (SELECT FROM who) RETURNING id)"
                              " SELECT CASE WHEN EXISTS (SELECT FROM who) THEN 200 ELSE 403 END,"
                              " (SELECT count(*) FROM gone)";
        static const char sql[] = LETTERS_ADMIN
                " asked AS (INSERT INTO replays AS r (letter_id) SELECT d.id FROM dead_letters d"
                " WHERE d.id = ANY ($1::bigint[]) AND EXISTS (SELECT FROM who)"
                " ON CONFLICT (letter_id) DO UPDATE SET requested_at = now(), outcome = NULL,"
                " claimed_by = CASE WHEN r.outcome IS NULL THEN r.claimed_by END"
                " RETURNING letter_id)"
                " SELECT CASE WHEN EXISTS (SELECT FROM who) THEN 202 ELSE 403 END,"
                " (SELECT count(*) FROM asked)";
        CLEANUP(PQclear) PGresult *result = NULL;
        char admin[LETTERS_ID_SIZE];
        const char *args[] = { ids, admin };
        JsonOut out = { .buf = &answer->bodies[0] };
        char next[LETTERS_ID_SIZE];
        int r;

        snprintf(admin, sizeof(admin), "%lld", (long long)query->user_ids[0]);
        r = db_conn_exec(conn,
                         &(DbQuery){ query->is_discard ? forget : sql, N_ELEMENTS(args), args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_REJECTED;
        answer->status = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        snprintf(next, sizeof(next), "%lld", (long long)cursor);
        buf_reset(out.buf); /* of a try that was cut off */
        json_out_object(&out, NULL);
        json_out_raw(&out,
                     query->is_discard ? "discarded" : "asked",
                     text_of(PQgetvalue(result, 0, 1)));
        json_out_string(&out, "cursor", cursor > 0 ? next : NULL);
        json_out_object_end(&out);
        return 0;
}

int db_letters_states(DbConn *conn, Answer *answer) {
        static const char sql[] = "SELECT coalesce(outcome, CASE WHEN claimed_by IS NULL"
                                  " THEN 'waiting' ELSE 'taken' END), count(*)"
                                  " FROM replays GROUP BY 1 ORDER BY 1";
        CLEANUP(PQclear) PGresult *result = NULL;
        JsonOut out = { .buf = &answer->bodies[0] };
        int r;

        r = db_conn_exec(conn, &(DbQuery){ sql, 0, NULL }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        answer->status = 200;
        buf_reset(out.buf);
        json_out_object(&out, NULL);
        json_out_object(&out, "states");
        for (int i = 0; i < PQntuples(result); ++i)
                json_out_raw(&out, PQgetvalue(result, i, 0), text_of(PQgetvalue(result, i, 1)));
        json_out_object_end(&out);
        json_out_object_end(&out);
        return 0;
}

int db_letters_state(DbConn *conn, const Query *query, Answer *answer) {
        static const char sql[] = "SELECT coalesce(outcome, CASE WHEN claimed_by IS NULL"
                                  " THEN 'waiting' ELSE 'taken' END)"
                                  " FROM replays WHERE letter_id = $1::bigint";
        CLEANUP(PQclear) PGresult *result = NULL;
        char id[LETTERS_ID_SIZE];
        const char *args[] = { id };
        int r;

        snprintf(id, sizeof(id), "%lld", (long long)query->letter_id);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        answer->status = PQntuples(result) > 0 ? 200 : 404;
        if (answer->status == 200)
                letters_json_state(&answer->bodies[0], query->letter_id, PQgetvalue(result, 0, 0));
        return 0;
}

/* One of the letters that were claimed. A letter that is gone was discarded, or stored already. */
static int letters_tell(const PGresult *result, int row, DbDeadLetterFn fn, void *arg) {
        size_t n = 0;
        CLEANUP(PQfreemem)
        void *payload = PQunescapeBytea((const unsigned char *)PQgetvalue(result, row, 3), &n);

        if (!payload)
                return err_new(-ENOMEM);
        fn(arg,
           &(DbDeadLetter){
                   .id = db_value_int(result, row, 0),
                   .received_us = db_value_int(result, row, 1),
                   .topic = PQgetvalue(result, row, 2),
                   .reason = PQgetvalue(result, row, 4),
                   .payload = { .data = payload, .n = n },
                   .element = db_value_int(result, row, 5),
           });
        return 0;
}

static void letters_say_refused(const PGresult *result, int row) {
        static LogPace said;
        unsigned long long n_more;

        if (log_may(&said, &n_more))
                log_warning("replay_refused letter=%s error=\"%s\" more=%llu"
                            " hint=\"the table replays does not take it; the letter stays\"",
                            PQgetvalue(result, row, 0),
                            PQgetvalue(result, row, 6),
                            n_more);
}

/* Few at a time, as their payloads are in memory. */
int db_letters_claim(DbConn *conn,
                     const char *epoch,
                     const char *session,
                     int64_t *after,
                     DbDeadLetterFn fn,
                     void *arg) {
        static const char sql[] =
                "SELECT c.letter, (extract(epoch FROM d.received_at) * 1000000)::bigint, d.topic,"
                " d.payload, d.reason, coalesce(d.element, 0), c.refused"
                " FROM tidegate_claim_replays($1, $2, $3::bigint, 16) c LEFT JOIN dead_letters d"
                " ON d.id = c.letter ORDER BY 1";
        CLEANUP(PQclear) PGresult *result = NULL;
        char behind[LETTERS_ID_SIZE];
        const char *args[] = { epoch, session, behind };
        int r;

        snprintf(behind, sizeof(behind), "%lld", (long long)*after);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r == 0)
                *after = 0;
        for (int i = 0; r == 0 && i < PQntuples(result); ++i) {
                *after = db_value_int(result, i, 0);
                if (!PQgetisnull(result, i, 6))
                        letters_say_refused(result, i);
                else if (!PQgetisnull(result, i, 1))
                        r = letters_tell(result, i, fn, arg);
        }
        return r < 0 ? err_up(r) : r;
}

int db_letters_refuse(DbConn *conn, int64_t letter_id, const char *outcome) {
        char id[LETTERS_ID_SIZE];
        const char *args[] = { id, outcome };

        snprintf(id, sizeof(id), "%lld", (long long)letter_id);
        return db_conn_exec(conn,
                            &(DbQuery){ "UPDATE replays SET outcome = $2"
                                        " WHERE letter_id = $1::bigint",
                                        N_ELEMENTS(args),
                                        args },
                            NULL);
}

int db_letters_exists(DbConn *conn, int64_t letter_id, int64_t received_us, bool *ret_exists) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char id[LETTERS_ID_SIZE], received[LETTERS_ID_SIZE];
        const char *args[] = { id, received };
        int r;

        snprintf(id, sizeof(id), "%lld", (long long)letter_id);
        snprintf(received, sizeof(received), "%lld", (long long)received_us);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT FROM dead_letters WHERE id = $1::bigint"
                                     " AND received_at = timestamptz 'epoch'"
                                     " + $2::bigint * interval '1 microsecond'",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_exists = PQntuples(result) > 0;
        return 0;
}
