#pragma once

/*
 * Database: the processor's connection to PostgreSQL, its loss and its return.
 *
 * Never blocks: connects with a doubling back-off, brings the schema up to date (once) or checks
 * it, and asks for the journal position. What of that has to wait for the server, be it for
 * somebody's lock, is an errand (errand.h), and so is what the owner sends off with the connection
 * (database_lend()): until it is taken back nobody else uses the connection.
 *
 * It is ready only when its owner says so, since more has to be read first; and it is sound, for
 * the world and for the back-off, only when what was waiting has been stored: a server that takes
 * every connection and no batch is away as well.
 *
 * A refusal keeps the connection and pauses. An outage is logged once, and again when its cause
 * becomes another.
 */

#include "base/base.h"
#include "base/errand.h"
#include "db/conn.h"
#include "db/write/store.h"

typedef struct Database Database;
struct pollfd;

enum {
        DATABASE_E_OPENED = 16, /* connected, *ret_position and *ret_floor are set; read what you
                                   need, then call database_set_ready() */
        DATABASE_E_AGAIN,       /* the pause after a refusal is over: send again what was refused */
};

MUST_CHECK int database_new(Database **ret_database,
                            const char *url,
                            const char *epoch,
                            const DbHolder *holder, /* borrowed; as whom we store */
                            bool migrate);
Database *database_free(Database *database);

DbConn *database_conn(Database *database);
DbStore *database_store(Database *database);

/* 0: nothing new; DATABASE_E_OPENED, DATABASE_E_AGAIN; DB_E_OFFLINE, DB_E_REJECTED, DB_E_SCHEMA,
 * DB_E_STANDBY as db/ answers. Not @may_open: connects, and goes no further. */
MUST_CHECK int database_connect(Database *database,
                                bool may_open,
                                uint64_t *ret_position,
                                uint64_t *ret_floor);
/* Connected, and not lent. */
void database_lend(Database *database, ErrandFn fn, void *arg);
bool database_is_lent(const Database *database); /* also while it opens by itself */
bool database_take_back(Database *database, int *ret_result);
void database_wants(Database *database, struct pollfd *ret_fd); /* what to wait for */

void database_set_ready(Database *database);
void database_prove(Database *database); /* a batch was stored, or there is none to be stored */
void database_lose(Database *database);  /* disconnects; the next attempt is after a pause */
/* Disconnects, once it is not lent: it is not for us to store. */
void database_rest(Database *database, int pause_ms);
void database_refuse(Database *database); /* what was sent; the connection stays for a while */
/* Another connection is refused what has to be there before anything more can be stored. */
void database_doubt(Database *database, const char *sqlstate, const char *error);

bool database_is_ready(const Database *database);
bool database_is_sound(const Database *database);     /* ready, and proven since the last failure */
bool database_is_connected(const Database *database); /* and nothing more: it is to be opened */
int64_t database_pause_us(const Database *database);  /* until the next attempt; -1: no pause */

DEFINE_CLEANUP(Database *, database_free);
