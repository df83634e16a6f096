#pragma once

/*
 * DbTarget: where a database's URL leads: everything that libpq makes of it, the service file and
 * the environment included, and which of several servers did not answer.
 *
 * libpq goes on to the next host, or to the next address of a name, when one refuses; for one that
 * does not answer at all, as a machine that is off, it waits without end where a connection is made
 * without blocking. So who gives up names the silent one, and it is left out of what is tried next;
 * when what is left cannot be connected to either, all are tried again.
 *
 * Belongs to the thread of its connection. db_target_aim() blocks for as long as names are looked
 * up.
 */

#include "base/base.h"

typedef struct DbTarget DbTarget;
struct pg_conn;

enum {
        DB_TARGET_E_UNKNOWN = 1, /* no host has an address: db_target_say_unknown() */
};

bool db_target_is_valid(const char *url); /* can it be understood at all? */

MUST_CHECK int db_target_new(DbTarget **ret_target);
DbTarget *db_target_free(DbTarget *target);

MUST_CHECK int db_target_aim(DbTarget *target, const char *url);
void db_target_say_unknown(const DbTarget *target, char *ret_text, size_t size);

size_t db_target_count(const DbTarget *target); /* servers that can be tried, 1 at least */

/* As libpq wants them: lists with commas, or NULL if there is nothing to choose from. */
const char *db_target_hosts(const DbTarget *target);
const char *db_target_addresses(const DbTarget *target);
const char *db_target_ports(const DbTarget *target);
const char *db_target_options(const DbTarget *target); /* settings of the session; "" if none */

void db_target_shun(DbTarget *target, const struct pg_conn *pg); /* the server that it waits for */
void db_target_forgive(DbTarget *target);                        /* none is left out any more */

DEFINE_CLEANUP(DbTarget *, db_target_free);
