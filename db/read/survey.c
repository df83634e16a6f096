#include "db/read/survey.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        SURVEY_ARG_SIZE = 16,
};

static int64_t survey_int(const PGresult *result, int column) {
        return PQntuples(result) > 0 ? db_value_int(result, 0, column) : 0;
}

static int survey_people(DbConn *conn, DbSurvey *survey) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ .sql = "SELECT sum(people), sum(people_refused),"
                                            " (array_agg(device_id ORDER BY people_refused DESC)"
                                            " FILTER (WHERE people_refused > 0))[1]"
                                            " FROM camera_states" },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        survey->n_people = survey_int(result, 0);
        survey->n_people_refused = survey_int(result, 1);
        survey->full_camera = survey_int(result, 2);
        return 0;
}

/* A server that crashed, or a standby that took over, has no statistics: then what the table was
 * last found to hold. */
static int survey_dead(DbConn *conn, DbSurvey *survey) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(
                conn,
                &(DbQuery){
                        .sql = "SELECT sum(CASE WHEN s.n_live_tup + s.n_tup_ins + s.n_tup_del > 0"
                               " THEN s.n_live_tup ELSE greatest(c.reltuples, 0) END)::bigint,"
                               " sum(pg_total_relation_size(c.oid))::bigint"
                               " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                               " LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid"
                               " WHERE i.inhparent = 'dead_letters'::regclass" },
                &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        survey->n_letters = survey_int(result, 0);
        survey->letter_bytes = survey_int(result, 1);
        return 0;
}

/* @sql: verdicts, null where nothing was said so far, and how many. */
static int survey_clocks(DbConn *conn, const char *sql, int64_t n_clocks[CLOCK_VERDICTS]) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, &(DbQuery){ .sql = sql }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; i < PQntuples(result); ++i)
                n_clocks[clock_verdict_of(PQgetvalue(result, i, 0))] += db_value_int(result, i, 1);
        return 0;
}

/* What a payload calls itself is looked for in its first bytes, whatever they are. */
int db_survey_letters(DbConn *conn, const char *reason, int limit, DbLetterGroupFn fn, void *arg) {
        static const char sql[] =
                "SELECT count(*), sum(octet_length(payload)),"
                " (extract(epoch FROM min(received_at)) * 1000000)::bigint,"
                " (extract(epoch FROM max(received_at)) * 1000000)::bigint,"
                " reason, topic, coalesce(substring(encode(substr(payload, 1, 512), 'escape') FROM"
                " '\"(?:device_id|device_code|camera_id|vehicle_code|vehicle_id)\"\\s*:\\s*\"?"
                "([^\",}]{1,64})'), '')"
                " FROM dead_letters WHERE $1::text IS NULL"
                " OR reason = ANY (regexp_split_to_array($1, '[, ]+'))"
                " GROUP BY 5, 6, 7 ORDER BY 1 DESC, 5, 6, 7 LIMIT $2::int";
        CLEANUP(PQclear) PGresult *result = NULL;
        char limit_text[SURVEY_ARG_SIZE];
        const char *args[] = { reason, limit_text };
        int r;

        snprintf(limit_text, sizeof(limit_text), "%d", limit);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; i < PQntuples(result); ++i)
                fn(arg,
                   &(DbLetterGroup){
                           .n = db_value_int(result, i, 0),
                           .n_bytes = db_value_int(result, i, 1),
                           .first_us = db_value_int(result, i, 2),
                           .last_us = db_value_int(result, i, 3),
                           .reason = PQgetvalue(result, i, 4),
                           .topic = PQgetvalue(result, i, 5),
                           .name = PQgetvalue(result, i, 6),
                   });
        return 0;
}

int db_survey(DbConn *conn, DbSurvey *ret_survey) {
        DbSurvey survey = { 0 };
        int r;

        r = survey_people(conn, &survey);
        if (r == 0)
                r = survey_dead(conn, &survey);
        if (r == 0)
                r = survey_clocks(conn,
                                  "SELECT s.clock, count(*) FROM devices d"
                                  " LEFT JOIN device_states s ON s.device_id = d.id"
                                  " GROUP BY s.clock",
                                  survey.n_clocks);
        if (r == 0)
                r = survey_clocks(conn,
                                  "SELECT c.clock, count(*) FROM vehicles v"
                                  " LEFT JOIN vehicle_clocks c ON c.vehicle_id = v.id"
                                  " GROUP BY c.clock",
                                  survey.n_vehicle_clocks);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_survey = survey;
        return 0;
}
