#include "db/edit/listing.h"

#include <libpq-fe.h>

#define DB_LISTING_MAX_FIELDS 12

#define LISTING_TIME(column) \
        "to_char(" column " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"
/* Beyond its lease, and what may be on its way. */
#define LISTING_SILENT \
        "n.last_seen < clock_timestamp() - n.lease_ms * 4 / 3 * interval '1 millisecond'"

static const char *const listing_sql[] = {
        [DB_LISTING_USERS] = "SELECT id, username AS name, role,"
                             " CASE WHEN is_active THEN 'active' ELSE 'disabled' END AS state"
                             " FROM users ORDER BY id",
        [DB_LISTING_DEVICES] =
                "SELECT d.id, d.code, d.name, u.username AS owner, d.device_type AS type,"
                " CASE WHEN d.is_active THEN 'active' ELSE 'disabled' END AS state,"
                " CASE WHEN d.token_hash IS NULL THEN 'none' ELSE 'set' END AS token,"
                " to_char(s.last_seen, 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS last_seen,"
                " s.clock, s.clock_offset AS clock_offset_ms"
                " FROM devices d LEFT JOIN users u ON u.id = d.user_id"
                " LEFT JOIN device_states s ON s.device_id = d.id ORDER BY d.id",
        [DB_LISTING_VEHICLES] =
                "SELECT v.id, v.code, v.name, u.username AS owner,"
                " CASE WHEN v.is_active THEN 'active' ELSE 'disabled' END AS state,"
                " (SELECT string_agg(w.username, ',' ORDER BY w.username) FROM shares s"
                " JOIN users w ON w.id = s.user_id WHERE s.vehicle_id = v.id) AS shared_with,"
                " c.clock, c.clock_offset AS clock_offset_ms"
                " FROM vehicles v LEFT JOIN users u ON u.id = v.user_id"
                " LEFT JOIN vehicle_clocks c ON c.vehicle_id = v.id ORDER BY v.id",
        [DB_LISTING_NODES] = "SELECT n.cluster, n.node, CASE WHEN " LISTING_SILENT " THEN 'silent'"
                             " WHEN n.draining THEN 'draining'"
                             " WHEN EXISTS (SELECT FROM node_drains d WHERE d.cluster = n.cluster"
                             " AND d.node = n.node) THEN 'drained' ELSE 'live' END AS state,"
                             " n.slot, n.advertise, n.host, n.pid, n.version, n.schema, n.waiting,"
                             " " LISTING_TIME("n.last_seen") " AS last_seen"
                                                             " FROM nodes n ORDER BY 1, 2",
        [DB_LISTING_SLOTS] =
                "SELECT s.slot, CASE WHEN s.instance IS NULL THEN 'free'"
                " WHEN s.lease_until < clock_timestamp() - s.lease_ms / 3 * interval '1 "
                "millisecond'"
                " THEN 'silent' ELSE 'held' END AS state,"
                " n.node, s.host, s.pid, s.fence, s.client_id AS session, s.epoch AS journal,"
                " p.seq AS stored, n.waiting, " LISTING_TIME(
                        "s.lease_until") " AS lease_until"
                                         " FROM slots s LEFT JOIN nodes n USING (instance)"
                                         " LEFT JOIN journal_positions p USING (epoch) ORDER BY 1",
        /* What is not stored is behind the position, or in a range that the books do not find. */
        [DB_LISTING_MISSING] =
                "SELECT p.slot, p.epoch AS journal, 'in_journal' AS what, p.seq AS after,"
                " nullif(greatest(p.seq, p.reached), p.seq) AS last, NULL::bigint AS "
                "messages, " LISTING_TIME(
                        "p.left_at") " AS since"
                                     " FROM journal_positions p WHERE p.left_at IS NOT NULL"
                                     " UNION ALL SELECT p.slot, p.epoch, CASE d.kind WHEN 'gap' "
                                     "THEN 'gone' ELSE 'not_found'"
                                     " END, d.after_seq, d.last_seq, d.records, " LISTING_TIME(
                                             "d.found_at") " FROM journal_differences d JOIN "
                                                           "journal_positions p USING (journal_id)"
                                                           " WHERE d.settled_at IS NULL AND "
                                                           "d.records >= 0 ORDER BY 1, 2, 4",
};

DEFINE_CLEANUP(PGresult *, PQclear);

int db_listing(DbConn *conn, DbListing listing, DbListingFn fn, void *arg) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const DbQuery query = { .sql = listing_sql[listing] };
        const char *fields[DB_LISTING_MAX_FIELDS];
        size_t n_fields;
        int r;

        r = db_conn_exec(conn, &query, &result);
        if (r != 0)
                return r;

        n_fields = (size_t)PQnfields(result);
        assert(n_fields <= N_ELEMENTS(fields));
        for (size_t i = 0; i < n_fields; ++i)
                fields[i] = PQfname(result, (int)i);
        fn(arg, fields, n_fields);
        for (int row = 0; row < PQntuples(result); ++row) {
                for (size_t i = 0; i < n_fields; ++i)
                        fields[i] = PQgetvalue(result, row, (int)i);
                fn(arg, fields, n_fields);
        }
        return 0;
}

/* DB_E_NOT_FOUND: there was no such row. */
static int db_listing_change(DbConn *conn, const DbQuery *query) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn, query, &result);
        if (r != 0)
                return r;
        return strcmp(PQcmdTuples(result), "0") == 0 ? DB_E_NOT_FOUND : 0;
}

int db_listing_user_active(DbConn *conn, const char *name, bool is_active) {
        const char *const args[] = { name, is_active ? "true" : "false" };
        const DbQuery query = {
                .sql = "UPDATE users SET is_active = $2::boolean, updated_at = now()"
                       " WHERE username = $1",
                .n_args = N_ELEMENTS(args),
                .args = args,
        };

        return db_listing_change(conn, &query);
}

int db_listing_node_drained(DbConn *conn, const char *cluster, const char *node, bool is_drained) {
        const char *const args[] = { cluster, node };
        const DbQuery query = {
                .sql = is_drained ? "INSERT INTO node_drains (cluster, node) SELECT cluster, node"
                                    " FROM nodes WHERE cluster = $1 AND node = $2"
                                    " ON CONFLICT (cluster, node) DO UPDATE SET drained_at = now()"
                                  : "DELETE FROM node_drains WHERE cluster = $1 AND node = $2",
                .n_args = N_ELEMENTS(args),
                .args = args,
        };

        return db_listing_change(conn, &query);
}
