#pragma once

/*
 * Letters: the dead letters that a command is about. For cli_letters.c and cli_replay.c.
 */

#include "db/conn.h"
#include "gateway/cli/cli_command.h"
#include "model/letter_query.h"

#define LETTERS_MAX 10000 /* in one go */

typedef struct Letters Letters;

struct Letters {
        const Cli *cli;
        Config *config;
        DbConn *conn;
        LetterQuery query; /* where no ids are named */
        int64_t *ids;
        size_t n_ids, n_allocated;
        bool no_memory;
};

void letters_done(Letters *letters);

/* Each: CLI_OK, or the exit code, and what is wrong was said. What the operands or the options say,
 * and a connection; then the ids. They are settled before anything is done: a letter that is
 * replayed and comes back gets a new id and is not taken again. */
int letters_which(Letters *letters);
int letters_collect(Letters *letters);

#define CLEANUP_LETTERS __attribute__((cleanup(letters_done)))
