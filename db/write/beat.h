#pragma once

/*
 * DbBeat: that a gateway is there, as the database knows it (schema/0041).
 *
 * Each call is one statement, so that a pooler between is no matter. Any thread, with a connection
 * of its own.
 */

#include "base/base.h"
#include "db/conn.h"

#define DB_BEAT_ID_SIZE   64
#define DB_BEAT_HOST_SIZE 128

typedef struct DbBeat DbBeat;
typedef struct DbBeatOwner DbBeatOwner;

struct DbBeat {
        const char *cluster, *node, *instance, *place, *host, *advertise;
        int pid, slot, lease_ms;
        int64_t waiting; /* in the journal, and not stored */
        bool is_draining;
        bool is_fixed;       /* somebody chose its name: it is nobody else's */
        const char *figures; /* what it counts, as JSON (schema/0053); NULL: nothing is said */

        /* Of another one that has the name, and was watched for as long as its lease without a sign
         * of life; "": there is none. */
        const char *seen_instance;
        int64_t seen_beats;
};

/* Who has the name. */
struct DbBeatOwner {
        bool is_us;
        int64_t beats;
        int pid, lease_ms;
        char instance[DB_BEAT_ID_SIZE], host[DB_BEAT_HOST_SIZE];
};

/* 0, DB_E_SCHEMA (there are no nodes yet), DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_beat(DbConn *conn, const DbBeat *beat, DbBeatOwner *ret_owner);
/* It ends: nobody waits for it, and its name is free. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_beat_end(DbConn *conn, const char *cluster, const char *instance);
