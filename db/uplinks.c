#include "db/uplinks.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define UPLINKS_ARG_SIZE   24
#define UPLINKS_ARRAY_SIZE ((size_t)(RUNS_MAX + 2) * UPLINKS_ARG_SIZE)

int db_uplinks_positions(DbConn *conn, Origin **positionsp, size_t *ret_n) {
        CLEANUP(PQclear) PGresult *result = NULL;
        Origin *positions;
        size_t n;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){
                                 "SELECT device_id, epoch, seq FROM uplink_positions", 0, NULL },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        n = (size_t)PQntuples(result);
        positions = calloc(n + 1, sizeof(*positions));
        if (!positions)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < n; ++i)
                positions[i] = (Origin){
                        .device_id = db_value_int(result, (int)i, 0),
                        .epoch = (uint64_t)db_value_int(result, (int)i, 1),
                        .seq = strtoull(PQgetvalue(result, (int)i, 2), NULL, 10),
                };
        free(*positionsp);
        *positionsp = positions;
        *ret_n = n;
        return 0;
}

/* As arrays of SQL: the runs, and behind which number each of them begins. */
static void uplinks_print(const Runs *runs,
                          char ret_ids[static UPLINKS_ARRAY_SIZE],
                          char ret_begins[static UPLINKS_ARRAY_SIZE]) {
        size_t n_ids = 0, n_begins = 0;

        for (size_t i = 0; i < runs->n; ++i) {
                char separator = i == 0 ? '{' : ',';

                n_ids += (size_t)snprintf(ret_ids + n_ids,
                                          UPLINKS_ARRAY_SIZE - n_ids,
                                          "%c%lld",
                                          separator,
                                          (long long)runs->items[i].id);
                n_begins += (size_t)snprintf(ret_begins + n_begins,
                                             UPLINKS_ARRAY_SIZE - n_begins,
                                             "%c%llu",
                                             separator,
                                             (unsigned long long)runs->items[i].after_seq);
        }
        snprintf(ret_ids + n_ids, UPLINKS_ARRAY_SIZE - n_ids, "}");
        snprintf(ret_begins + n_begins, UPLINKS_ARRAY_SIZE - n_begins, "}");
}

/* Up to the newest of its runs that is stored, all is: they come one after the other. A copy of the
 * folder may be further in the same run. The last one is the journal: an edge, or a gateway, that
 * knows of no runs has stored up to there. Its folder is, or was, not alone if another run, of the
 * same times, has stored anything, or an older one went on behind what the folder has of it. */
int db_uplinks_position(DbConn *conn,
                        int64_t device_id,
                        const Runs *runs,
                        uint64_t *ret_seq,
                        bool *ret_is_copied) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char device[UPLINKS_ARG_SIZE], known[UPLINKS_ARG_SIZE];
        char ids[UPLINKS_ARRAY_SIZE], begins[UPLINKS_ARRAY_SIZE];
        const char *args[] = { device, ids, begins, runs_are_said(runs) ? known : NULL };
        int r;

        snprintf(device, sizeof(device), "%lld", (long long)device_id);
        snprintf(known, sizeof(known), "%llu", (unsigned long long)runs_known_after(runs));
        uplinks_print(runs, ids, begins);
        r = db_conn_exec(conn,
                         &(DbQuery){
                                 "WITH run AS (SELECT u.id AS epoch, u.nth,"
                                 " lag(u.begin) OVER (ORDER BY u.nth) AS upto"
                                 " FROM unnest($2::bigint[], $3::bigint[]) WITH ORDINALITY"
                                 " AS u (id, begin, nth)),"
                                 " stored AS MATERIALIZED (SELECT p.*, run.nth, run.upto"
                                 " FROM uplink_positions p LEFT JOIN run USING (epoch)"
                                 " WHERE p.device_id = $1::bigint)"
                                 " SELECT greatest(0,"
                                 " (SELECT seq FROM stored"
                                 " WHERE nth = cardinality($2::bigint[])),"
                                 " (SELECT least(seq, upto) FROM stored WHERE nth IS NOT NULL"
                                 " ORDER BY nth LIMIT 1)),"
                                 " EXISTS (SELECT FROM stored WHERE $4::bigint IS NOT NULL"
                                 " AND stored_at > now() - interval '1 day'"
                                 " AND (nth IS NULL AND seq > $4::bigint"
                                 " OR nth < cardinality($2::bigint[]) AND seq > upto"
                                 " AND stored_at > (SELECT begun_at FROM stored WHERE nth = 1)))",
                                 N_ELEMENTS(args),
                                 args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_seq = strtoull(PQgetvalue(result, 0, 0), NULL, 10);
        *ret_is_copied = db_value_bool(result, 0, 1);
        return 0;
}
