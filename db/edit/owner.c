#include "db/edit/owner.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"

#define OWNER_ID_SIZE 24
#define OWNER_GONE    "23503" /* a user who was deleted meanwhile: foreign_key_violation */

DEFINE_CLEANUP(PGresult *, PQclear);

/* $1 the admin, $2 the thing, $3 its owner from now on; null: nobody. In one statement, so that
 * nobody gives what he might not give any more. What was deleted while the update waited for its
 * row is still there in the statement's sight: 404 is what nothing else explains. */
/* clang-format off */
#define OWNER_SQL(table)                                                          \
        "WITH given AS ("                                                         \
        " UPDATE " table " SET user_id = $3::bigint WHERE id = $2::bigint"        \
        " AND EXISTS (SELECT FROM users WHERE id = $1::bigint AND role = 'admin'" \
        " AND is_active)"                                                         \
        " AND ($3::bigint IS NULL OR EXISTS (SELECT FROM users WHERE id = $3::bigint))"   \
        " RETURNING id)"                                                          \
        " SELECT CASE WHEN EXISTS (SELECT FROM given) THEN 200"                   \
        " WHEN NOT EXISTS (SELECT FROM users WHERE id = $1::bigint"               \
        " AND role = 'admin' AND is_active) THEN 403"                             \
        " WHEN $3::bigint IS NOT NULL AND NOT EXISTS (SELECT FROM users"          \
        " WHERE id = $3::bigint) AND EXISTS (SELECT FROM " table                  \
        " WHERE id = $2::bigint) THEN 422 ELSE 404 END"
/* clang-format on */

static const char *owner_id(int64_t id, char ret_text[OWNER_ID_SIZE]) {
        snprintf(ret_text, OWNER_ID_SIZE, "%lld", (long long)id);
        return id == 0 ? NULL : ret_text;
}

int db_owner_give(DbConn *conn, const Query *query, Answer *answer) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char admin[OWNER_ID_SIZE], thing[OWNER_ID_SIZE], owner[OWNER_ID_SIZE];
        const char *args[] = {
                owner_id(query->user_ids[0], admin),
                owner_id(query->vehicle_id ? query->vehicle_id : query->device_id, thing),
                owner_id(query->owner_id, owner),
        };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ query->vehicle_id ? OWNER_SQL("vehicles")
                                                       : OWNER_SQL("devices"),
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r == DB_E_REJECTED && strcmp(db_conn_sqlstate(conn), OWNER_GONE) == 0) {
                answer->status = 422;
                return 0;
        }
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0)
                return DB_E_REJECTED;
        answer->status = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
        return 0;
}
