#pragma once

/*
 * Partitions: the log tables by day of receipt (UTC), made ahead and dropped by retention.
 *
 * Each partitioned table `raw_logs` has children `raw_logs_20251018`. Belongs to the caller's
 * thread and connection.
 */

#include "db/conn.h"
#include "gateway/base/base.h"

typedef struct DbRetention DbRetention;

struct DbRetention {
        const char *table; /* one of db_partitions_tables() */
        int days;          /* 0 = keep for ever */
};

const char *const *db_partitions_tables(size_t *ret_n);

/* The partitions of all tables for the days from @from_us to @to_us, both included. Exists already:
 * fine. */
MUST_CHECK int db_partitions_make(DbConn *conn, int64_t from_us, int64_t to_us);
/* Waits a second at most for each table's lock: DB_E_REJECTED, and what is left is for the next
 * time. */
MUST_CHECK int db_partitions_drop(DbConn *conn,
                                  const DbRetention retention[],
                                  size_t n,
                                  int64_t now_us,
                                  int *ret_n_dropped);
