#pragma once

/*
 * Database: the processor's connection to PostgreSQL, its loss and its return.
 *
 * Connects without blocking, with a doubling back-off, brings the schema up to date (once) or
 * checks it, and asks for the journal position. It is ready only when its owner says so, since more
 * has to be read first.
 */

#include "db/conn.h"
#include "db/store.h"
#include "gateway/base/base.h"

typedef struct Database Database;

enum {
        DATABASE_E_OPENED = 16, /* connected: *ret_position is set; read what you need, then call
                                   database_set_ready() */
};

MUST_CHECK int database_new(Database **ret_database,
                            const char *url,
                            const char *epoch,
                            bool migrate);
Database *database_free(Database *database);

DbConn *database_conn(Database *database);
DbStore *database_store(Database *database);

/* 0: nothing new; DATABASE_E_OPENED; DB_E_OFFLINE, DB_E_REJECTED, DB_E_SCHEMA as db/ answers. */
MUST_CHECK int database_connect(Database *database, uint64_t *ret_position);
void database_set_ready(Database *database);
void database_lose(Database *database); /* disconnects; the next attempt is after a pause */

bool database_is_ready(const Database *database);
int64_t database_pause_us(
        const Database *database); /* until the next attempt; -1 while connecting or ready */

DEFINE_CLEANUP(Database *, database_free);
