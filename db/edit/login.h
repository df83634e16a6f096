#pragma once

/*
 * DbLogin: the hash that a password is checked against, and the better one that takes its place.
 *
 * Blocks, on the threads of a lane. DB_E_OFFLINE, DB_E_REJECTED.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbLogin DbLogin;

/* Of one moment. */
struct DbLogin {
        int64_t user_id; /* 0: nobody may log in by this name */
        int64_t generation;
        char *hash; /* of a user who is nobody or shut out: to check just as long; NULL: none */
};

void db_login_done(DbLogin *login);

MUST_CHECK int db_login_find(DbConn *conn, const char *username, DbLogin *ret_login);

/* The same password in our form, if @checked is still what the user has; ends no token.
 * DB_E_NOT_FOUND: it is not, or somebody else is about to change it. */
MUST_CHECK int db_login_rehash(DbConn *conn,
                               int64_t user_id,
                               const char *checked,
                               const char *anew);

/* The bcrypt of a device's token, as heap memory; or @ret_is_ours: it has become @anew meanwhile.
 * DB_E_NOT_FOUND: neither. */
MUST_CHECK int db_login_token(DbConn *conn,
                              int64_t device_id,
                              const uint8_t anew[32],
                              char **ret_text,
                              bool *ret_is_ours);
/* The same for the token of a device. */
MUST_CHECK int db_login_rehash_token(DbConn *conn,
                                     int64_t device_id,
                                     const uint8_t checked[32],
                                     const uint8_t anew[32]);

#define CLEANUP_LOGIN __attribute__((cleanup(db_login_done)))
