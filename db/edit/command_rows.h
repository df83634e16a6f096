#pragma once

/*
 * DbCommandRows: the table of commands, as those who make, publish and follow them need it.
 *
 * Blocks, bounded by the statement time-out. States are moved by DbStore alone, with the journal;
 * what is written here is the command itself, who is busy with it, and that it is cancelled. For
 * the readers (_add, _get, _cancel, _pending) and the dispatcher (the rest).
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

typedef struct DbCommand DbCommand;
typedef void (*DbCommandFn)(void *arg, const DbCommand *command);
typedef int (*DbAlertFn)(void *arg, const char *said); /* 0, or a fault */

/* Texts are borrowed, for the call. */
struct DbCommand {
        const char *command_id, *action;
        const char *payload; /* JSON; NULL = none */
        int64_t device_id;
        const char *device_code, *user_name; /* of the device, and of its owner; NULL = nobody */
        int64_t left_ms;                     /* until it expires */
        const char *cancel_message;          /* NULL = it is not cancelled */
};

/* Fill in the answer of a QUERY_COMMAND, QUERY_COMMAND_GET, QUERY_COMMAND_CANCEL,
 * QUERY_PENDING_COMMANDS. */
MUST_CHECK int db_command_rows_add(DbConn *conn, const Query *query, Answer *answer);
MUST_CHECK int db_command_rows_get(DbConn *conn, const Query *query, Answer *answer);
MUST_CHECK int db_command_rows_cancel(DbConn *conn, const Query *query, Answer *answer);
MUST_CHECK int db_command_rows_pending(DbConn *conn, const Query *query, Answer *answer);

/* {"command_id":…,"action":…,"payload":…}: as a device gets it. */
void db_command_rows_format(const DbCommand *command, Buf *buf);

MUST_CHECK int db_command_rows_listen(DbConn *conn);
/* Hears what came, without waiting: appends to @ids, which is the text of an array. *ret_more: so
 * many, or such, that looking at all is better. *ret_beat: of a pulse, so that notifications do
 * arrive. What is said of alerts (event_new_acknowledged()) goes to @fn. */
MUST_CHECK int db_command_rows_hear(DbConn *conn,
                                    Buf *ids,
                                    bool *ret_more,
                                    bool *ret_beat,
                                    DbAlertFn fn,
                                    void *arg);

/* What may wait for a device's socket: of @ids, or, after *cursor in the order of ids (NULL = the
 * first), of all. At most @n_max of the latter. */
MUST_CHECK int db_command_rows_named(DbConn *conn, const char *ids, DbCommandFn fn, void *arg);
MUST_CHECK int db_command_rows_waiting(DbConn *conn,
                                       const char *cursor,
                                       int n_max,
                                       DbCommandFn fn,
                                       void *arg);

/* What is to be published and is not somebody else's to publish: claims it, oldest first. What was
 * tried before goes apart (@again), what was tried last at the end, lest what the broker refuses
 * keeps all others waiting. */
MUST_CHECK int db_command_rows_claim(DbConn *conn,
                                     const char *epoch,
                                     bool again,
                                     int n_max,
                                     DbCommandFn fn,
                                     void *arg);
/* At a start: what the process before claimed is free again. A thousand by one statement, and one
 * by one where a trigger or constraint refuses that; what is refused is free as its claim ends. */
MUST_CHECK int db_command_rows_release(DbConn *conn, const char *epoch);
MUST_CHECK int db_command_rows_published(DbConn *conn,
                                         const char *ids); /* never claim them again */

/* Cancels what was commanded by who may not any more: at most a thousand, so ask again. What a
 * trigger or constraint refuses costs no other. */
MUST_CHECK int db_command_rows_revoke(DbConn *conn);
/* What is cancelled or over its time and has not just been found so by others. */
MUST_CHECK int db_command_rows_overdue(DbConn *conn, int n_max, DbCommandFn fn, void *arg);

/* For the text of an array: false, and nothing appended, if @id is none that we make. */
bool db_command_rows_list(Buf *ids, const char *id);
