#pragma once

/*
 * DbLetters: dead letters that are taken in again.
 *
 * The command line asks (replays), one gateway claims and journals them, and the transaction that
 * stores the message deletes the letter and says what became of it (DB_SHEET_LETTERS). Whatever
 * ends in between is tried again: the letter is there until its message is a row, or a letter once
 * more. Blocks. 0, DB_E_OFFLINE, DB_E_REJECTED.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/query.h"

typedef struct DbDeadLetter DbDeadLetter;

struct DbDeadLetter {
        int64_t id;
        int64_t received_us;
        int64_t element; /* of a message: which, from 1, and the payload is as in Record; 0 = all */
        const char *topic, *reason; /* NUL-terminated */
        Text payload;
};

typedef void (*DbDeadLetterFn)(void *arg, const DbDeadLetter *letter);
typedef void (*DbOutcomeFn)(void *arg, int64_t letter_id, bool is_claimed, Text outcome);

/* For the command line. @ids: "{1,2,3}". */
MUST_CHECK int db_letters_request(DbConn *conn, const char *ids);
MUST_CHECK int db_letters_withdraw(DbConn *conn, const char *ids); /* what nobody has claimed */
MUST_CHECK int db_letters_outcomes(DbConn *conn, const char *ids, DbOutcomeFn fn, void *arg);
MUST_CHECK int db_letters_forget(DbConn *conn, const char *ids); /* what has an outcome */

/* For HTTP: fills in status and body of the answer, as QUERY_LETTER_ASK and _STATE have it; of
 * @ids, behind which there are more up to @cursor (0: none), as QUERY_LETTERS_ASK. With is_discard
 * they are deleted, and the status is 200. */
MUST_CHECK int db_letters_ask_these(DbConn *conn,
                                    const Query *query,
                                    const char *ids,
                                    int64_t cursor,
                                    Answer *answer);
MUST_CHECK int db_letters_states(DbConn *conn, Answer *answer);
MUST_CHECK int db_letters_ask(DbConn *conn, const Query *query, Answer *answer);
MUST_CHECK int db_letters_state(DbConn *conn, const Query *query, Answer *answer);

/* For the gateway: the next few that are to be journalled in this @session of it, behind @after,
 * which goes on to the last that was looked at; 0: there was none. */
MUST_CHECK int db_letters_claim(DbConn *conn,
                                const char *epoch,
                                const char *session,
                                int64_t *after,
                                DbDeadLetterFn fn,
                                void *arg);
/* It could not be journalled. */
MUST_CHECK int db_letters_refuse(DbConn *conn, int64_t letter_id, const char *outcome);
MUST_CHECK int db_letters_exists(DbConn *conn,
                                 int64_t letter_id,
                                 int64_t received_us,
                                 bool *ret_exists);
