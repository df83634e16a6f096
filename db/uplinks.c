#include "db/uplinks.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define UPLINKS_ARG_SIZE 24

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
                        .device_id = strtoll(PQgetvalue(result, (int)i, 0), NULL, 10),
                        .epoch = (uint64_t)strtoll(PQgetvalue(result, (int)i, 1), NULL, 10),
                        .seq = strtoull(PQgetvalue(result, (int)i, 2), NULL, 10),
                };
        free(*positionsp);
        *positionsp = positions;
        *ret_n = n;
        return 0;
}

int db_uplinks_position(DbConn *conn, int64_t device_id, uint64_t epoch, uint64_t *ret_seq) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char device[UPLINKS_ARG_SIZE], journal[UPLINKS_ARG_SIZE];
        const char *args[] = { device, journal };
        int r;

        snprintf(device, sizeof(device), "%lld", (long long)device_id);
        snprintf(journal, sizeof(journal), "%lld", (long long)epoch);
        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT seq FROM uplink_positions"
                                     " WHERE device_id = $1::bigint AND epoch = $2::bigint",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_seq = PQntuples(result) > 0 ? strtoull(PQgetvalue(result, 0, 0), NULL, 10) : 0;
        return 0;
}
