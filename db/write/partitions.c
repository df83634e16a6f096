#include "db/write/partitions.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        PARTITIONS_ARG_SIZE = 24,
};

static const char *const partitions_tables[] = {
        "raw_logs",           "sensor_logs",   "vehicle_logs", "ble_detections",
        "telemetry",          "camera_events", "alerts",       "command_events",
        "device_status_logs", "dead_letters",  "row_notes",    "alert_acks",
};

const char *const *db_partitions_tables(size_t *ret_n) {
        *ret_n = N_ELEMENTS(partitions_tables);
        return partitions_tables;
}

/* Days since 1970, as a parameter. */
static void partitions_day(int64_t time_us, char ret_text[PARTITIONS_ARG_SIZE]) {
        int64_t day = time_us / CLOCK_DAY_US - (time_us % CLOCK_DAY_US < 0 ? 1 : 0);

        snprintf(ret_text, PARTITIONS_ARG_SIZE, "%lld", (long long)day);
}

static const char partitions_make[] = "SELECT tidegate_make_partitions(d.from_day, d.to_day),"
                                      " tidegate_note_written(d.from_day, d.to_day)"
                                      " FROM (SELECT date '1970-01-01' + $1::int AS from_day,"
                                      " date '1970-01-01' + $2::int AS to_day) d";

int db_partitions_make(DbConn *conn, int64_t from_us, int64_t to_us) {
        char from[PARTITIONS_ARG_SIZE], to[PARTITIONS_ARG_SIZE];
        const char *args[] = { from, to };
        int r;

        partitions_day(from_us, from);
        partitions_day(to_us, to);
        r = db_conn_exec(conn, &(DbQuery){ partitions_make, N_ELEMENTS(args), args }, NULL);
        return r < 0 ? err_up(r) : r;
}

int db_partitions_make_today(DbConn *conn) {
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ .sql = "SELECT tidegate_make_partitions(d.today, d.today)"
                                            " FROM (SELECT (now() AT TIME ZONE 'UTC')::date AS"
                                            " today) d" },
                         NULL);
        return r < 0 ? err_up(r) : r;
}

bool db_partitions_send(DbConn *conn, int64_t time_us) {
        char day[PARTITIONS_ARG_SIZE];
        const char *const args[] = { day, day };

        partitions_day(time_us, day);
        return PQsendQueryParams(db_conn_pg(conn),
                                 partitions_make,
                                 N_ELEMENTS(args),
                                 NULL,
                                 args,
                                 NULL,
                                 NULL,
                                 0) == 1;
}

/* A day that our times do not reach is none. */
static int64_t partitions_day_us(const PGresult *result, int column) {
        int64_t day = db_value_int(result, 0, column);

        if (PQgetisnull(result, 0, column) || llabs(day) > INT64_MAX / CLOCK_DAY_US / 2)
                return CLOCK_UNKNOWN;
        return day * CLOCK_DAY_US;
}

int db_partitions_judge(DbConn *conn, int64_t now_us, bool is_patient, DbRetentionDay *ret_day) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char now[PARTITIONS_ARG_SIZE];
        const char *args[] = { now, is_patient ? "t" : "f" };
        int r;

        snprintf(now, sizeof(now), "%lld", (long long)now_us);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)"
                                     "::bigint, r.day - date '1970-01-01', r.held"
                                     " FROM tidegate_retention_day(timestamptz 'epoch'"
                                     " + $1::bigint * interval '1 microsecond', $2::boolean) r",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_day = (DbRetentionDay){
                .now_us = db_value_int(result, 0, 0),
                .day_us = partitions_day_us(result, 1),
        };
        snprintf(ret_day->held, sizeof(ret_day->held), "%s", PQgetvalue(result, 0, 2));
        return 0;
}

/* DB_E_NOT_FOUND: none is left. */
static int partitions_drop_one(DbConn *conn, const char *table, int64_t before_us) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char before[PARTITIONS_ARG_SIZE];
        const char *args[] = { table, before };
        int r;

        partitions_day(before_us, before);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT tidegate_drop_partition($1,"
                                     " date '1970-01-01' + $2::int)",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return PQgetisnull(result, 0, 0) ? DB_E_NOT_FOUND : 0;
}

int db_partitions_drop(DbConn *conn,
                       const DbRetention retention[],
                       size_t n,
                       int64_t day_us,
                       int *ret_n_dropped) {
        int n_dropped = 0;
        int r = 0;

        for (size_t i = 0; i < n && r == 0; ++i) {
                int64_t before_us = day_us - retention[i].days * CLOCK_DAY_US;

                if (retention[i].days <= 0)
                        continue;
                do {
                        r = partitions_drop_one(conn, retention[i].table, before_us);
                        n_dropped += r == 0;
                } while (r == 0);
                if (r == DB_E_NOT_FOUND)
                        r = 0;
        }
        *ret_n_dropped = n_dropped;
        return r < 0 ? err_up(r) : r;
}
