#pragma once

/*
 * DbPulse: do notifications still arrive?
 *
 * Over a connection of its own it notifies the channels that a directory and a dispatcher listen
 * to; each beat has a number, and should be heard there at once. What lies between us and the
 * server (a pooler, a proxy) may lose notifications without losing the connection. Blocks, bounded
 * by the time-outs of the connection. One thread.
 */

#include "base/base.h"
#include "db/conn.h"

typedef struct DbPulse DbPulse;

MUST_CHECK int db_pulse_new(DbPulse **ret_pulse, const DbConnOptions *options);
DbPulse *db_pulse_free(DbPulse *pulse);
void db_pulse_set_stop(DbPulse *pulse, int fd); /* as db_conn_set_stop() */

/* Sends the next beat; connects if need be. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_pulse_beat(DbPulse *pulse);
/* True: @text is a beat, perhaps another gateway's, and no news of the registry. */
bool db_pulse_hear(DbPulse *pulse, const char *text); /* @pulse may be NULL */
/* A beat was sent, and has not been heard. */
bool db_pulse_is_awaited(const DbPulse *pulse);
void db_pulse_forget(DbPulse *pulse); /* whoever listens has just begun to */

DEFINE_CLEANUP(DbPulse *, db_pulse_free);
