#include "db/live_keys.h"

#include <libpq-fe.h>

#include "base/err.h"
#include "base/text.h"
#include "db/value.h"

DEFINE_CLEANUP(PGresult *, PQclear);

static bool live_keys_take(const char *hex, uint8_t ret_key[SECRET_HASH_SIZE]) {
        if (strlen(hex) != (size_t)2 * SECRET_HASH_SIZE)
                return false;
        for (size_t i = 0; i < SECRET_HASH_SIZE; ++i) {
                int high = text_hex_digit(hex[2 * i]), low = text_hex_digit(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return false;
                ret_key[i] = (uint8_t)(high << 4 | low);
        }
        return true;
}

/* Asked for first, so that the server has no error to log. */
static int live_keys_find(DbConn *conn, bool *ret_is) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ .sql = "SELECT to_regclass('live_keys') IS NOT NULL" },
                         &result);
        if (r == 0)
                *ret_is = db_value_bool(result, 0, 0);
        return r;
}

int db_live_keys_read(DbConn *conn, const char *cluster, DbLiveKeys *ret_keys) {
        CLEANUP(PQclear) PGresult *result = NULL;
        const char *args[] = { cluster };
        DbLiveKeys keys = { 0 };
        bool is_there = false;
        int r;

        r = live_keys_find(conn, &is_there);
        if (r == 0 && is_there)
                r = db_conn_exec(conn,
                                 &(DbQuery){ "SELECT number, key, must_sign"
                                             " FROM tidegate_live_keys($1)",
                                             N_ELEMENTS(args),
                                             args },
                                 &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (int i = 0; is_there && i < PQntuples(result) && keys.n < DB_LIVE_KEYS_MAX; ++i) {
                DbLiveKey *key = &keys.keys[keys.n];

                key->number = strtoull(PQgetvalue(result, i, 0), NULL, 10);
                keys.must_sign = db_value_bool(result, i, 2);
                if (!live_keys_take(PQgetvalue(result, i, 1), key->key))
                        return DB_E_REJECTED;
                ++keys.n;
        }
        *ret_keys = keys;
        return 0;
}
