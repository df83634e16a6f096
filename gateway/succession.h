#pragma once

/*
 * Succession: what goes from one gateway of a slot to the next, on the lease's connection.
 *
 * Of the former one: what it stored of the session at the broker, for the journal of the next
 * (docs/decisions/092), and which numbers it may have shown (094). For the next one: how far our
 * journal reaches, should we not come back. Of the lease's thread.
 */

#include "base/base.h"
#include "db/write/slots.h"

typedef struct Journal Journal;

/* @after_fence: what is known already, see db_slots_flights(); that of the journal counts as well.
 * 0, DB_E_OFFLINE (also without memory for it: ask again), DB_E_REJECTED. */
MUST_CHECK int succession_learn(DbConn *conn,
                                int slot,
                                const char *epoch,
                                uint64_t after_fence,
                                Journal *journal);
/* What comes from now on has numbers above those that others of the slot have stored (if @had_it,
 * they may have since), or may have shown (if @holder's slot is one of several: @shares; as many
 * are reserved as what is there will need). May be asked again, whatever came of it before. 0,
 * DB_E_OFFLINE (also if the disk does not take it: ask again), DB_E_REJECTED. */
MUST_CHECK int succession_go_behind(DbConn *conn,
                                    const DbHolder *holder,
                                    bool had_it,
                                    bool shares,
                                    Journal *journal);
/* With each sign of life, of each slot: how far our journal is (what is missing of it, should it be
 * lost, is known by that), how many journals of others are waited for (METRIC_JOURNALS_LEFT), and
 * where half of the numbers that we may show are given, more of them. 0, DB_E_OFFLINE,
 * DB_E_REJECTED. */
MUST_CHECK int succession_go_on(DbConn *conn, const DbHolder *holder, Journal *journal);
