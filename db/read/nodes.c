#include "db/read/nodes.h"

#include <libpq-fe.h>

#include "base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

#define NODES_TIME(column) \
        "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* One that has said nothing for as long as its lease and a third does not answer. Of what is no sum
 * the worst counts: most of a lag, least of what is 1 while all is well. Slots and what is missing
 * are as `tidegate cluster status` has them. */
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
        " FROM known, jsonb_each_text(figures) WHERE answered GROUP BY key),"
        " places AS ("
        " SELECT s.slot, CASE WHEN s.instance IS NULL THEN 'free'"
        " WHEN s.lease_until < clock_timestamp() - s.lease_ms / 3 * interval '1 millisecond'"
        " THEN 'silent' ELSE 'held' END AS state, n.node, s.fence, p.seq AS stored"
        " FROM slots s LEFT JOIN nodes n USING (instance) LEFT JOIN journal_positions p USING (epoch)),"
        " missing AS ("
        " SELECT p.slot, p.epoch AS journal, p.written_by, 'in_journal' AS what, p.seq AS after,"
        " nullif(greatest(p.seq, p.reached), p.seq) AS last, NULL::bigint AS messages, p.left_at AS since"
        " FROM journal_positions p WHERE p.left_at IS NOT NULL"
        " UNION ALL SELECT p.slot, p.epoch, p.written_by,"
        " CASE d.kind WHEN 'gap' THEN 'gone' ELSE 'not_found' END,"
        " d.after_seq, d.last_seq, d.records, d.found_at"
        " FROM journal_differences d JOIN journal_positions p USING (journal_id)"
        " WHERE d.settled_at IS NULL AND d.records >= 0)"
        " SELECT json_build_object('scope', 'cluster', 'cluster', $1::text,"
        " 'timestamp', " NODES_TIME("clock_timestamp()") ","
        " 'answered', count(*) FILTER (WHERE answered),"
        " 'silent', count(*) FILTER (WHERE NOT answered),"
        " 'totals', (SELECT coalesce(json_object_agg(key, total ORDER BY key), '{}') FROM totals),"
        " 'nodes', coalesce(json_agg(json_build_object('node', node, 'answered', answered,"
        " 'age_seconds', round(age, 3), 'host', host, 'advertise', nullif(advertise, ''),"
        " 'version', version, 'draining', draining, 'slots', slots, 'waiting', waiting,"
        " 'last_seen', " NODES_TIME("last_seen") ","
        " 'figures', CASE WHEN answered THEN figures END) ORDER BY node), '[]'),"
        " 'drained', (SELECT coalesce(json_agg(d.node ORDER BY d.node), '[]')"
        " FROM node_drains d WHERE d.cluster = $1),"
        " 'slots', (SELECT coalesce(json_agg(json_build_object('slot', slot, 'state', state,"
        " 'node', node, 'fence', fence, 'stored', stored) ORDER BY slot), '[]') FROM places),"
        " 'missing', (SELECT coalesce(json_agg(json_build_object('slot', m.slot, 'journal', m.journal,"
        " 'node', (SELECT min(n.node) FROM nodes n WHERE n.instance = m.written_by), 'what', m.what,"
        " 'after', m.after, 'last', m.last, 'messages', m.messages, 'since', " NODES_TIME("m.since") ")"
        " ORDER BY m.slot, m.journal, m.after), '[]') FROM missing m))"
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
