#include "db/write/beat.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/migrate.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        BEAT_ARG_SIZE = 24,
};

static void beat_arg(char ret_text[BEAT_ARG_SIZE], int64_t value) {
        snprintf(ret_text, BEAT_ARG_SIZE, "%" PRId64, value);
}

/* Asked for first, so that the server has no error to log. */
static int beat_find(DbConn *conn, bool *ret_has_figures) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = { .sql = "SELECT to_regclass('nodes') IS NOT NULL,"
                                       " to_regclass('node_figures') IS NOT NULL" };
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        *ret_has_figures = db_value_bool(result, 0, 1);
        return db_value_bool(result, 0, 0) ? 0 : DB_E_SCHEMA;
}

static void beat_take(DbBeatOwner *owner, const PGresult *result) {
        snprintf(owner->instance, sizeof(owner->instance), "%s", PQgetvalue(result, 0, 0));
        owner->beats = db_value_int(result, 0, 1);
        snprintf(owner->host, sizeof(owner->host), "%s", PQgetvalue(result, 0, 2));
        owner->pid = (int)strtol(PQgetvalue(result, 0, 3), NULL, 10);
        owner->lease_ms = (int)strtol(PQgetvalue(result, 0, 4), NULL, 10);
        owner->is_us = db_value_bool(result, 0, 5);
}

static int beat_say(DbConn *conn, const DbBeat *beat) {
        const char *args[] = { beat->cluster, beat->node, beat->instance, beat->figures };

        return db_conn_exec(conn,
                            &(DbQuery){ "SELECT tidegate_say_figures($1, $2, $3, $4::jsonb)",
                                        N_ELEMENTS(args),
                                        args },
                            NULL);
}

int db_beat(DbConn *conn, const DbBeat *beat, DbBeatOwner *ret_owner) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char pid[BEAT_ARG_SIZE], schema[BEAT_ARG_SIZE], slot[BEAT_ARG_SIZE];
        char waiting[BEAT_ARG_SIZE], lease[BEAT_ARG_SIZE], seen[BEAT_ARG_SIZE];
        const char *args[] = {
                beat->cluster,
                beat->node,
                beat->instance,
                beat->place,
                beat->host,
                pid,
                beat->advertise,
                TIDEGATE_VERSION,
                schema,
                slot,
                waiting,
                beat->is_draining ? "t" : "f",
                lease,
                beat->is_fixed ? "t" : "f",
                *beat->seen_instance ? beat->seen_instance : NULL,
                seen,
        };
        const DbQuery query = {
                "SELECT instance, beats, host, pid, lease_ms, instance = $3 FROM "
                "tidegate_beat_node("
                "ROW($1, $2, $3, 0, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, NULL, NULL)::nodes,"
                " $14::bool, $15, $16::bigint)",
                N_ELEMENTS(args),
                args,
        };
        bool has_figures = false;
        int r;

        beat_arg(pid, beat->pid);
        beat_arg(schema, db_migrate_latest());
        beat_arg(slot, beat->slot);
        beat_arg(waiting, beat->waiting);
        beat_arg(lease, beat->lease_ms);
        beat_arg(seen, beat->seen_beats);
        r = beat_find(conn, &has_figures);
        if (r == 0)
                r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;
        beat_take(ret_owner, result);
        return ret_owner->is_us && has_figures && beat->figures ? beat_say(conn, beat) : 0;
}

int db_beat_end(DbConn *conn, const char *cluster, const char *instance) {
        const char *args[] = { cluster, instance };

        return db_conn_exec(conn,
                            &(DbQuery){ "DELETE FROM nodes WHERE cluster = $1 AND instance = $2",
                                        N_ELEMENTS(args),
                                        args },
                            NULL);
}
