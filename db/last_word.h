#pragma once

/*
 * DbLastWord: what was heard last of a server that went wrong: one line for people, and its
 * SQLSTATE ("" where there is none). In the connection's memory. Pure.
 */

#include "base/base.h"

#define DB_LAST_WORD_SIZE 512

typedef struct DbLastWord DbLastWord;

struct DbLastWord {
        char text[DB_LAST_WORD_SIZE];
        char sqlstate[6];
        bool is_servers; /* it said why it ends the session: what libpq says then is no news */
};

/* @sqlstate NULL: as @message says. Without its line ends, and without where in PostgreSQL's source
 * it comes from. */
void db_last_word_keep(DbLastWord *word, const char *message, const char *sqlstate);
