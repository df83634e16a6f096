#include "db/read/heads.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        HEADS_ARG_SIZE = 16,
};

/* As db/read/missed.c has it: one that has not stored anything goes on behind the furthest. */
int db_heads_read(DbConn *conn, int first, size_t n_max, DbHead ret_heads[], size_t *ret_n) {
        char from[HEADS_ARG_SIZE], end[HEADS_ARG_SIZE];
        const char *args[] = { from, end };
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        snprintf(from, sizeof(from), "%d", first);
        snprintf(end, sizeof(end), "%d", first + (int)n_max);
        r = db_conn_exec(conn,
                         &(DbQuery){
                                 "SELECT DISTINCT ON (p.slot) p.slot, p.epoch,"
                                 " CASE WHEN p.seq > 0 THEN p.seq"
                                 " ELSE max(p.seq) OVER (PARTITION BY p.slot) END,"
                                 " (SELECT max(o.seq) FROM journal_positions o"
                                 " WHERE o.slot = p.slot AND o.epoch <> p.epoch)"
                                 " FROM journal_positions p LEFT JOIN slots s ON s.slot = p.slot"
                                 " AND s.epoch = p.epoch AND s.instance IS NOT NULL"
                                 " WHERE p.slot >= $1::int AND p.slot < $2::int"
                                 " ORDER BY p.slot, s.slot IS NULL, p.seq DESC",
                                 N_ELEMENTS(args),
                                 args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_n = (size_t)PQntuples(result);
        for (int i = 0; i < PQntuples(result); ++i)
                ret_heads[i] = (DbHead){
                        .slot = (int)strtol(PQgetvalue(result, i, 0), NULL, 10),
                        .epoch = strtoull(PQgetvalue(result, i, 1), NULL, 16),
                        .seq = strtoull(PQgetvalue(result, i, 2), NULL, 10),
                        .before_seq = strtoull(PQgetvalue(result, i, 3), NULL, 10), /* null: 0 */
                };
        return 0;
}
