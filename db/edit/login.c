#include "db/edit/login.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/text.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

void db_login_done(DbLogin *login) {
        free(login->hash);
        *login = (DbLogin){ 0 };
}

int db_login_find(DbConn *conn, const char *username, DbLogin *ret_login) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { username };
        DbLogin login = { 0 };
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "SELECT CASE WHEN u.is_active THEN u.id ELSE 0 END,"
                                     " u.generation, coalesce(u.password_hash, s.hash)"
                                     " FROM (SELECT tidegate_stand_in($1) AS hash) s"
                                     " LEFT JOIN users u ON u.username = $1",
                                     N_ELEMENTS(args),
                                     args },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (PQntuples(result) == 0) /* whoever answers so is no server of ours */
                return DB_E_REJECTED;
        login.user_id = db_value_int(result, 0, 0); /* null is "": 0 */
        login.generation = db_value_int(result, 0, 1);
        if (!PQgetisnull(result, 0, 2)) {
                login.hash = strdup(PQgetvalue(result, 0, 2));
                if (!login.hash)
                        return err_new(-ENOMEM);
        }
        *ret_login = login;
        return 0;
}

/* In place of the hash that was checked, unless that is another one by now: DB_E_NOT_FOUND. */
static int login_rehash(DbConn *conn,
                        const char *sql,
                        int64_t of_id,
                        const char *checked,
                        const char *anew) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char id[24];
        const char *args[] = { id, checked, anew };
        int r;

        snprintf(id, sizeof(id), "%lld", (long long)of_id);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return PQntuples(result) > 0 && db_value_bool(result, 0, 0) ? 0 : DB_E_NOT_FOUND;
}

int db_login_rehash(DbConn *conn, int64_t user_id, const char *checked, const char *anew) {
        int r = login_rehash(conn,
                             "SELECT tidegate_rehash($1::bigint, $2, $3)",
                             user_id,
                             checked,
                             anew);

        return r < 0 ? err_up(r) : r;
}

static void login_bytea(const uint8_t hash[32], char ret_text[2 + 64 + 1]) {
        ret_text[0] = '\\';
        ret_text[1] = 'x';
        text_put_hex(ret_text + 2, hash, 32);
}

int db_login_rehash_token(DbConn *conn,
                          int64_t device_id,
                          const uint8_t checked[32],
                          const uint8_t anew[32]) {
        char before[2 + 64 + 1], after[2 + 64 + 1];
        int r;

        login_bytea(checked, before);
        login_bytea(anew, after);
        r = login_rehash(conn,
                         "SELECT tidegate_rehash_token($1::bigint, $2::bytea, $3::bytea)",
                         device_id,
                         before,
                         after);
        return r < 0 ? err_up(r) : r;
}

int db_login_token(DbConn *conn,
                   int64_t device_id,
                   const uint8_t anew[32],
                   char **ret_text,
                   bool *ret_is_ours) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char id[24], after[2 + 64 + 1];
        const char *args[] = { id, after };
        int r;

        snprintf(id, sizeof(id), "%lld", (long long)device_id);
        login_bytea(anew, after);
        r = db_conn_row(conn,
                        &(DbQuery){
                                "SELECT token_text, token_form = 'keyed' FROM devices"
                                " WHERE id = $1::bigint AND is_active AND (token_form = 'bcrypt'"
                                " OR (token_form = 'keyed' AND token_hash = $2::bytea))",
                                N_ELEMENTS(args),
                                args },
                        &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_is_ours = db_value_bool(result, 0, 1);
        if (*ret_is_ours)
                return 0;
        *ret_text = strdup(PQgetvalue(result, 0, 0));
        return *ret_text ? 0 : err_new(-ENOMEM);
}
