#include "db/read/nodes.h"

#include <libpq-fe.h>

#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

/* One that has said nothing for as long as its lease and a third does not answer. Of what is no sum
 * the worst counts: most of a lag, least of what is 1 while all is well. */
/* clang-format off */
static const char nodes_sql[] =
        "WITH known AS ("
        " SELECT n.*, f.figures, extract(epoch FROM clock_timestamp() - f.said_at) AS age,"
        " coalesce(f.said_at > clock_timestamp() - n.lease_ms * 4 / 3 * interval '1 millisecond',"
        " false) AS answered,"
        " (SELECT count(*) FROM slots s WHERE s.instance = n.instance) AS slots"
        " FROM nodes n LEFT JOIN node_figures f ON f.cluster = n.cluster AND f.node = n.node"
        " AND f.instance = n.instance WHERE n.cluster = $1),"
        " totals AS ("
        " SELECT key, CASE WHEN key LIKE '%\\_lag\\_us' THEN max(value::numeric)"
        " WHEN key LIKE '%\\_connected' THEN min(value::numeric)"
        " ELSE sum(value::numeric) END AS total"
        " FROM known, jsonb_each_text(figures) WHERE answered GROUP BY key)"
        " SELECT json_build_object('scope', 'cluster', 'cluster', $1::text,"
        " 'timestamp', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'),"
        " 'answered', count(*) FILTER (WHERE answered),"
        " 'silent', count(*) FILTER (WHERE NOT answered),"
        " 'totals', (SELECT coalesce(json_object_agg(key, total ORDER BY key), '{}') FROM totals),"
        " 'nodes', coalesce(json_agg(json_build_object('node', node, 'answered', answered,"
        " 'age_seconds', round(age, 3), 'host', host, 'advertise', nullif(advertise, ''),"
        " 'version', version, 'draining', draining, 'slots', slots,"
        " 'figures', CASE WHEN answered THEN figures END) ORDER BY node), '[]'))"
        " FROM known";
/* clang-format on */

int db_nodes_read(DbConn *conn, const char *cluster, Buf *ret_body) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { cluster };
        int r;

        r = db_conn_exec(conn, &(DbQuery){ nodes_sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        buf_reset(ret_body);
        buf_append_string(ret_body, PQgetvalue(result, 0, 0));
        return buf_failed(ret_body) ? err_new(-ENOMEM) : 0;
}
