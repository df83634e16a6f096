#pragma once

/*
 * DbSlots: which gateway stores, as the database knows it.
 *
 * A slot has one owner. db_slots_hold() says that the owner is alive, or takes the slot if it is
 * free, and fences who had it in the same transaction; what is free is said in schema/0012. Each
 * call is one statement, so that a pooler between is no matter. Any thread, with a connection of
 * its own.
 */

#include "base/base.h"
#include "db/conn.h"

#define DB_SLOTS_TEXT_SIZE 128

typedef struct DbHolder DbHolder;
typedef struct DbSlot DbSlot;
typedef struct DbSlotClaim DbSlotClaim;
typedef struct DbSlotLayout DbSlotLayout;

/* Who stores under which slot: as whom db_store_open() may take a position over. */
struct DbHolder {
        int slot;
        const char *instance;
        uint64_t fence;    /* with which it has it, if that counts; 0: any */
        uint64_t last_seq; /* of the journal: where that is stored, it is as far as any of the slot
                            */
        /* Arrays of SQL: the starts that its folder knows of, ours first, and the last number that
         * it had as each began. NULL: not to be told. */
        const char *writers, *begins;
        bool adopts; /* the slot is another one's, and the journal a dead node's (schema/0047) */
};

/* How the work is split, and who of those that share it asks. */
struct DbSlotLayout {
        int first, n_slots; /* slots are @first to @first + @n_slots - 1; 0 or 1: it is alone, and
                             * nobody looks at the rest */
        const char *templates; /* a hash of them */
        const char *cluster, *node;
};

struct DbSlotClaim {
        DbSlotLayout layout;
        DbHolder holder;
        const char *epoch, *place, *host, *client_id;
        int pid, lease_ms;
        bool adopts;         /* goes on with the session at the broker that the slot has */
        uint64_t held_fence; /* the last one that was ours; 0: none */

        /* Watched for as long as its lease, without a sign of life. */
        bool is_lapsed;
        uint64_t seen_fence, seen_beats;
};

struct DbSlot {
        bool is_ours;
        bool is_free;   /* nobody's: let go, and not for us now */
        bool is_agreed; /* the layout is ours; if not, another one is in force, and nothing is ours
                         */
        uint64_t fence, beats;
        int pid, lease_ms;
        char host[DB_SLOTS_TEXT_SIZE], epoch[DB_SLOTS_TEXT_SIZE], client_id[DB_SLOTS_TEXT_SIZE];
};

/* 0, DB_E_SCHEMA (there are no slots yet, or several cannot be told from each other), DB_E_OFFLINE,
 * DB_E_REJECTED. */
MUST_CHECK int db_slots_hold(DbConn *conn, const DbSlotClaim *claim, DbSlot *ret_slot);
/* While another one has the slot: that the journal of @holder has more to store, if it has. 0,
 * DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_slots_leave(DbConn *conn, const char *epoch, const DbHolder *holder);
/* How far any journal of the slot is stored: of whoever has it, who alone can change that. 0,
 * DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_slots_stored(DbConn *conn, int slot, uint64_t *ret_seq);
/* Of the owner, several slots: what it is to show alone has numbers above @holder->last_seq and
 * *ret_used_seq, up to which others may have used them before its own, however often it asks, and
 * up to *ret_until_seq: 0, if
 * @holder->fence is not its turn any more. Without a schema for it 0 and UINT64_MAX. Likewise. */
MUST_CHECK int db_slots_reserve(DbConn *conn,
                                const DbHolder *holder,
                                uint64_t *ret_used_seq,
                                uint64_t *ret_until_seq);
/*
 * What others have stored of the slot's session since the last turn of the journal @epoch, and
 * behind @after_fence, up to which it knows that (0: it does not; nor where the slot is behind it,
 * as of a database that was put back), as journal_flights() made it (schema/0044), oldest first;
 * without a schema for it, nothing.
 * @has_hole: of what came between the one before and this there is nothing any more. 0,
 * DB_E_OFFLINE, DB_E_REJECTED.
 */
typedef void (*DbFlightsRowFn)(void *arg, Text flights, bool has_hole, bool is_first_pass);
MUST_CHECK int db_slots_flights(DbConn *conn,
                                int slot,
                                const char *epoch,
                                uint64_t after_fence,
                                DbFlightsRowFn fn,
                                void *arg);
/* Of the owner: how far its journal reaches (@holder->last_seq). *ret_n_left: journals of the slot
 * that have more to store than the database knows; 0 without a schema for it. 0, DB_E_OFFLINE,
 * DB_E_REJECTED. */
MUST_CHECK int db_slots_reach(DbConn *conn, const DbHolder *holder, int64_t *ret_n_left);
/* The disk with the journal @epoch is gone for good, as @who says. False: no such one has more to
 * store, or a gateway has it. Likewise. */
MUST_CHECK int db_slots_forget(DbConn *conn, const char *epoch, const char *who, bool *ret_was);
/* The next one need not wait. Not @is_drained: there is more to store, which is noted. Nothing if
 * it is not ours. 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_slots_release(DbConn *conn, const DbHolder *holder, bool is_drained);
/* How many of its slots the instance is to let go of now, and how many instances have any. 0,
 * DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_slots_surplus(DbConn *conn,
                                const DbSlotLayout *layout,
                                const char *instance,
                                int *ret_n,
                                int *ret_n_serving);
