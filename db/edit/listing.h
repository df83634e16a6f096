#pragma once

/*
 * DbListing: users, devices, vehicles and gateways as lines of text, and what one may switch in
 * them.
 *
 * Blocks; for the command line only. 0, DB_E_NOT_FOUND, DB_E_OFFLINE, DB_E_REJECTED.
 */

#include "base/base.h"
#include "db/conn.h"

typedef enum DbListing {
        DB_LISTING_USERS,
        DB_LISTING_DEVICES,
        DB_LISTING_VEHICLES,
        DB_LISTING_NODES,   /* gateways that are there, or were until a day ago */
        DB_LISTING_SLOTS,   /* who stores */
        DB_LISTING_MISSING, /* what is acknowledged and not stored, as far as the database knows */
} DbListing;

/* The first call has the names of the fields. Null is "". */
typedef void (*DbListingFn)(void *arg, const char *const fields[], size_t n_fields);

MUST_CHECK int db_listing(DbConn *conn, DbListing listing, DbListingFn fn, void *arg);
MUST_CHECK int db_listing_user_active(DbConn *conn, const char *name, bool is_active);
/* It is to have no slot of several; or may have some again. */
MUST_CHECK int db_listing_node_drained(DbConn *conn,
                                       const char *cluster,
                                       const char *node,
                                       bool is_drained);
