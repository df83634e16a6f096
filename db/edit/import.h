#pragma once

/*
 * DbImport: things of another system, one at a time, within one transaction. For the command line.
 *
 * What is there already stays as it is. DB_E_OFFLINE, DB_E_REJECTED: the transaction is over.
 */

#include "base/base.h"
#include "db/conn.h"

typedef enum DbImportKind {
        DB_IMPORT_USER,
        DB_IMPORT_DEVICE,
        DB_IMPORT_VEHICLE,
        DB_IMPORT_GROUP,
        DB_IMPORT_MEMBER, /* a device of a group */
        DB_IMPORT_SHARE,
        DB_IMPORT_KIND_COUNT
} DbImportKind;

/* What a statement is given; NULL: nothing. Ids are decimal. */
typedef enum DbImportValue {
        DB_IMPORT_ID,   /* of the thing itself */
        DB_IMPORT_NAME, /* username, code, or name of a group */
        DB_IMPORT_HASH,
        DB_IMPORT_ROLE,
        DB_IMPORT_ACTIVE,     /* "true", "false" */
        DB_IMPORT_IDENTIFIER, /* of a user in topics, beside his name */
        DB_IMPORT_USER_NAME,  /* or his identifier */
        DB_IMPORT_USER_ID,
        DB_IMPORT_LABEL, /* a name for people */
        DB_IMPORT_PRODUCT,
        DB_IMPORT_TYPE,
        DB_IMPORT_FIRMWARE,
        DB_IMPORT_LOCATION,
        DB_IMPORT_TOKEN, /* bytea */
        DB_IMPORT_TOKEN_FORM,
        DB_IMPORT_TOKEN_TEXT,
        DB_IMPORT_KEY,
        DB_IMPORT_DEVICE_CODE,
        DB_IMPORT_DEVICE_ID,
        DB_IMPORT_VEHICLE_CODE,
        DB_IMPORT_VEHICLE_ID,
        DB_IMPORT_GROUP_NAME,
        DB_IMPORT_GROUP_ID,
        DB_IMPORT_VALUE_COUNT
} DbImportValue;

typedef enum DbImported {
        DB_IMPORTED,       /* it is new */
        DB_IMPORTED_THERE, /* the same was there, and stays as it is */
        DB_IMPORTED_NAME,  /* the name is taken, by one with another id */
        DB_IMPORTED_CASE,  /* the name is taken but for upper and lower case */
        DB_IMPORTED_ID,    /* the id is taken, by one with another name */
        DB_IMPORTED_KEY,
        DB_IMPORTED_NO_USER, /* what it names is not there, or has not both this name and this id */
        DB_IMPORTED_NO_DEVICE,
        DB_IMPORTED_NO_VEHICLE,
        DB_IMPORTED_NO_GROUP,
        DB_IMPORTED_IDENTIFIER, /* the name is another user's in topics */
        DB_IMPORTED_TOPIC,      /* the identifier is taken */
} DbImported;

MUST_CHECK int db_import_begin(DbConn *conn); /* of a connection that has prepared nothing */
/* Ids up to this one are given to nobody else, from now on and whatever becomes of the
 * transaction. Before db_import_begin(). Kinds that have ids: user, device, vehicle, group. */
MUST_CHECK int db_import_reserve(DbConn *conn, DbImportKind kind, int64_t id);
MUST_CHECK int db_import_row(DbConn *conn,
                             DbImportKind kind,
                             const char *const values[DB_IMPORT_VALUE_COUNT],
                             DbImported *ret_outcome);
/* Of each device that keeps a token of another system: as DB_IMPORT_TOKEN, and its code. */
typedef int (*DbImportTokenFn)(void *arg, const char *token, const char *code);
MUST_CHECK int db_import_tokens(DbConn *conn, DbImportTokenFn fn, void *arg);
MUST_CHECK int db_import_end(DbConn *conn, bool keep);
