#pragma once

/*
 * DbAdmin: what the command line changes: users, devices, vehicles, groups, shares, dead letters.
 *
 * Blocks; for the command line only. 0, DB_E_NOT_FOUND, DB_E_EXISTS, DB_E_OFFLINE, DB_E_REJECTED.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/conn.h"
#include "model/account.h"

typedef struct DbDeviceNew DbDeviceNew;
typedef struct DbUser DbUser;

typedef enum DbTaken {
        DB_TAKEN_NOT,
        DB_TAKEN_CODE,
        DB_TAKEN_ID,
        DB_TAKEN_HISTORY, /* of one that is no more: it would be the new one's, and its owner's */
} DbTaken;

/* What may be shared with a user. */
typedef enum DbShared {
        DB_SHARED_VEHICLE,
        DB_SHARED_DEVICE,
        DB_SHARED_GROUP,
        DB_SHARED_COUNT,
} DbShared;

struct DbUser {
        int64_t id, generation;
        Role role;
        bool is_active;
};

struct DbDeviceNew {
        const char *code;
        const char *user;          /* NULL = nobody's: only admins see it */
        const char *name, *type;   /* NULL = none */
        const uint8_t *token_hash; /* 32 bytes; NULL = may not connect */
};

/* For as long as the connection lasts, and for nobody else. DB_E_BUSY: somebody else has it. */
MUST_CHECK int db_admin_lock(DbConn *conn, const char *name);

MUST_CHECK int db_admin_user_add(DbConn *conn,
                                 const char *name,
                                 Role role,
                                 const char *password_hash,
                                 int64_t *ret_id);
MUST_CHECK int db_admin_user_get(DbConn *conn, const char *name, DbUser *ret_user);
/* What else he is called in topics; NULL = nothing. DB_E_EXISTS: another is called so. */
MUST_CHECK int db_admin_user_identifier(DbConn *conn, const char *name, const char *identifier);
/* These end every token of his. */
MUST_CHECK int db_admin_user_revoke(DbConn *conn, const char *name);
MUST_CHECK int db_admin_user_password(DbConn *conn, const char *name, const char *password_hash);
MUST_CHECK int db_admin_user_delete(DbConn *conn, const char *name);
MUST_CHECK int db_admin_device_add(DbConn *conn, const DbDeviceNew *device, int64_t *ret_id);
MUST_CHECK int db_admin_device_token(DbConn *conn,
                                     const char *code,
                                     const uint8_t token_hash[32]); /* NULL = revoke */
/* May it bring what is its owner's, as a gateway? */
MUST_CHECK int db_admin_device_uplink(DbConn *conn, const char *code, bool may);
/* To its new owner, who must be there; what was shared stays shared. */
MUST_CHECK int db_admin_device_assign(DbConn *conn, const char *code, const char *user);
MUST_CHECK int db_admin_vehicle_assign(DbConn *conn, const char *code, const char *user);
MUST_CHECK int db_admin_vehicle_add(DbConn *conn,
                                    const char *code,
                                    const char *user,
                                    const char *name,
                                    int64_t *ret_id);
/* With an id that clients have in their code; those that come later are above it. DB_E_EXISTS: see
 * @ret_taken. */
MUST_CHECK int db_admin_vehicle_add_as(DbConn *conn,
                                       const char *code,
                                       const char *user,
                                       const char *name,
                                       int64_t id,
                                       DbTaken *ret_taken);
/* What it has sent stays. */
MUST_CHECK int db_admin_device_delete(DbConn *conn, const char *code);
MUST_CHECK int db_admin_vehicle_delete(DbConn *conn, const char *code);
/* DB_E_EXISTS: it is so already. */
MUST_CHECK int db_admin_share(DbConn *conn, DbShared kind, const char *name, const char *user);
MUST_CHECK int db_admin_unshare(DbConn *conn, DbShared kind, const char *name, const char *user);
/* Makes the group if there is none of that name and adds the devices, all or none of them.
 * DB_E_EXISTS: there was nothing to do. */
MUST_CHECK int db_admin_group_add(DbConn *conn,
                                  const char *name,
                                  const char *const device_codes[],
                                  size_t n,
                                  int64_t *ret_id);
/* Takes the devices out of it, all or, where the group or one of them is not there, none: *ret_n of
 * them were in it. */
MUST_CHECK int db_admin_group_remove(DbConn *conn,
                                     const char *name,
                                     const char *const device_codes[],
                                     size_t n,
                                     size_t *ret_n);

/* Its devices stay; its shares go with it. */
MUST_CHECK int db_admin_group_delete(DbConn *conn, const char *name);

MUST_CHECK int db_admin_dead_letter_delete(DbConn *conn, int64_t id);
