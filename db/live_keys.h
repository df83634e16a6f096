#pragma once

/*
 * DbLiveKeys: what gateways of a cluster sign with what they show each other (schema/0054).
 *
 * Makes the next key when it is time. Blocks.
 */

#include "base/base.h"
#include "base/secret.h"
#include "db/conn.h"

#define DB_LIVE_KEYS_MAX 4

typedef struct DbLiveKey DbLiveKey;
typedef struct DbLiveKeys DbLiveKeys;

struct DbLiveKey {
        uint64_t number;
        uint8_t key[SECRET_HASH_SIZE];
};

struct DbLiveKeys {
        DbLiveKey keys[DB_LIVE_KEYS_MAX]; /* the one to sign with first; all of them are good */
        size_t n;                         /* 0: there is no schema for it */
        bool must_sign;                   /* no gateway is there that knows nothing of it */
};

/* 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_live_keys_read(DbConn *conn, const char *cluster, DbLiveKeys *ret_keys);
