#include "db/write/takeover.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/log.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define TAKEOVER_STUCK    "2 s" /* that a session has waited for its client within a transaction */
#define TAKEOVER_ARG_SIZE 24

/* A predecessor whose link is gone without a word: its server side waits in the middle of a batch
 * for what will never come, with the position locked. No time-out of the server counts there (a
 * pipeline's statements are done, and it is not idle either), and TCP notices after hours, if at
 * all. A session that works, or waits for somebody else's lock, is none of that. */
int db_takeover_end_stuck(DbConn *conn) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = {
                .sql = "WITH stuck AS MATERIALIZED (SELECT pid FROM pg_stat_activity a"
                       " WHERE application_name = current_setting('application_name')"
                       " AND datname = current_database() AND usename = current_user"
                       " AND pid <> pg_backend_pid() AND wait_event_type = 'Client'"
                       " AND xact_start IS NOT NULL"
                       " AND query_start < clock_timestamp() - interval '" TAKEOVER_STUCK "'"
                       " AND EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid"
                       " AND l.relation = 'journal_positions'::regclass"
                       " AND l.mode = 'RowExclusiveLock'))"
                       " SELECT pg_terminate_backend(pid) FROM stuck"
        };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        if (PQntuples(result) > 0)
                log_warning("database_session_ended sessions=%d hint=\"it held the position for a"
                            " connection that is gone\"",
                            PQntuples(result));
        return 0;
}

/* 0, DB_E_STANDBY: somebody else has it. */
static int takeover_read(const PGresult *result, DbPosition *ret_position) {
        if (PQntuples(result) == 0)
                return DB_E_STANDBY;
        ret_position->journal_id = htonl((uint32_t)strtoul(PQgetvalue(result, 0, 0), NULL, 10));
        ret_position->seq = strtoull(PQgetvalue(result, 0, 1), NULL, 10);
        ret_position->session = htobe64(strtoull(PQgetvalue(result, 0, 2), NULL, 10));
        return 0;
}

/* Its own numbers are stored, and nothing goes behind what others have. */
static int takeover_adopt(DbConn *conn,
                          const char *epoch,
                          DbPosition *ret_position,
                          uint64_t *ret_floor) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { epoch };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT journal_id, seq, session"
                                     " FROM tidegate_adopt_position($1)",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r;
        r = takeover_read(result, ret_position);
        if (r != 0)
                return r;
        ret_position->own_seq = *ret_floor = ret_position->seq;
        return 0;
}

/* The row is locked by a batch that is still under way on a connection lost: this waits for it,
 * and what that connection may still send is refused from now on. Whoever takes the slot meanwhile
 * waits for us, or we do for them. */
int db_takeover(DbConn *conn,
                const char *epoch,
                const DbHolder *holder,
                DbPosition *ret_position,
                uint64_t *ret_floor) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char slot[TAKEOVER_ARG_SIZE] = "", last[TAKEOVER_ARG_SIZE] = "";
        char fence[TAKEOVER_ARG_SIZE] = "0";
        const char *args[] = { epoch, slot, holder ? holder->instance : NULL, last, fence };
        int r;

        if (holder && holder->adopts)
                return takeover_adopt(conn, epoch, ret_position, ret_floor);
        if (holder) {
                snprintf(slot, sizeof(slot), "%d", holder->slot);
                snprintf(last, sizeof(last), "%llu", (unsigned long long)holder->last_seq);
                snprintf(fence, sizeof(fence), "%llu", (unsigned long long)holder->fence);
        }
        r = db_conn_exec(
                conn,
                &(DbQuery){ "WITH mine AS MATERIALIZED (SELECT FROM slots"
                            " WHERE slot = nullif($2, '')::int AND instance = $3"
                            " AND $5::bigint IN (0, fence)"
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
        r = takeover_read(result, ret_position);
        if (r != 0)
                return r;
        *ret_floor = strtoull(PQgetvalue(result, 0, 3), NULL, 10);
        ret_position->own_seq = strtoull(PQgetvalue(result, 0, 4), NULL, 10);
        return 0;
}

int db_takeover_note_taken(DbConn *conn,
                           const char *epoch,
                           uint64_t after_seq,
                           uint64_t until_seq) {
        char after[TAKEOVER_ARG_SIZE], until[TAKEOVER_ARG_SIZE];
        const char *args[] = { epoch, after, until };

        snprintf(after, sizeof(after), "%llu", (unsigned long long)after_seq);
        snprintf(until, sizeof(until), "%llu", (unsigned long long)until_seq);
        return db_conn_exec(conn,
                            &(DbQuery){ "UPDATE journal_positions p SET taken_after = n.low,"
                                        " taken_until = n.high FROM (SELECT epoch,"
                                        " CASE WHEN $2::bigint <= taken_until"
                                        " AND taken_after <= $3::bigint"
                                        " THEN least(taken_after, $2::bigint)"
                                        " ELSE $2::bigint END AS low,"
                                        " CASE WHEN $2::bigint <= taken_until"
                                        " AND taken_after <= $3::bigint"
                                        " THEN greatest(taken_until, $3::bigint)"
                                        " ELSE $3::bigint END AS high"
                                        " FROM journal_positions WHERE epoch = $1) n"
                                        " WHERE p.epoch = n.epoch",
                                        N_ELEMENTS(args),
                                        args },
                            NULL);
}

int db_takeover_name_writer(DbConn *conn,
                            const char *epoch,
                            const DbHolder *holder,
                            DbPosition *position) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char session[TAKEOVER_ARG_SIZE];
        const char *args[] = { epoch, session, holder->writers, holder->begins };
        int r;

        snprintf(session, sizeof(session), "%llu", (unsigned long long)be64toh(position->session));
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_write_journal($1, $2::bigint, $3::text[],"
                                     " $4::bigint[])",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r;
        if (PQgetisnull(result, 0, 0))
                return db_conn_give_up(conn, "another process has taken the journal over");
        position->forked_seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        return 0;
}
