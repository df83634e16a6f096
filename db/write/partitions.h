#pragma once

/*
 * Partitions: the log tables by day of receipt (UTC), made ahead and dropped by retention.
 *
 * Each partitioned table `raw_logs` has children `raw_logs_20251018`. Belongs to the caller's
 * thread and connection.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbRetention DbRetention;
typedef struct DbRetentionDay DbRetentionDay;

struct DbRetention {
        const char *table; /* one of db_partitions_tables() */
        int days;          /* 0 = keep for ever */
};

/* What the clocks and the tables say together: see tidegate_retention_day() in the schema. */
struct DbRetentionDay {
        int64_t now_us; /* by the database's clock */
        int64_t day_us; /* the day by which retention may go; CLOCK_UNKNOWN: it may not */
        char held[24];  /* why it may not go by the database's clock; empty if it may */
};

const char *const *db_partitions_tables(size_t *ret_n);

/* The partitions of all tables for the days from @from_us to @to_us, both included. Exists already:
 * fine. That days which are over will be written into is noted: retention counts them from now. */
MUST_CHECK int db_partitions_make(DbConn *conn, int64_t from_us, int64_t to_us);
/* Those of the database's today, so that the first batch does not have to. */
MUST_CHECK int db_partitions_make_today(DbConn *conn);
/* The same for one day, queued in the pipeline of the caller; false: the connection is lost. */
bool db_partitions_send(DbConn *conn, int64_t time_us);
/* @now_us: by our clock. @is_patient: what was in the way has lasted, give way by one day. */
MUST_CHECK int db_partitions_judge(DbConn *conn,
                                   int64_t now_us,
                                   bool is_patient,
                                   DbRetentionDay *ret_day);
/* Waits a second at most for each table's lock: DB_E_REJECTED, and what is left is for the next
 * time. */
MUST_CHECK int db_partitions_drop(DbConn *conn,
                                  const DbRetention retention[],
                                  size_t n,
                                  int64_t day_us,
                                  int *ret_n_dropped);
