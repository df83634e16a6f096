#pragma once

/*
 * Succession: what goes from one gateway of a slot to the next, on the lease's connection.
 *
 * Of the former one: what it stored of the session at the broker, for the journal of the next
 * (docs/decisions/092). For the next one: how far our journal reaches, should we not come back. Of
 * the lease's thread.
 */

#include "base/base.h"
#include "db/write/slots.h"

typedef struct Journal Journal;

/* @after_fence: what is known already, see db_slots_flights(). 0, DB_E_OFFLINE (also without memory
 * for it: ask again), DB_E_REJECTED. */
MUST_CHECK int succession_learn(DbConn *conn,
                                int slot,
                                const char *epoch,
                                uint64_t after_fence,
                                Journal *journal);
/* And how many journals of others are waited for (METRIC_JOURNALS_LEFT). 0, DB_E_OFFLINE,
 * DB_E_REJECTED. */
MUST_CHECK int succession_reach(DbConn *conn,
                                int slot,
                                const char *instance,
                                const Journal *journal);
