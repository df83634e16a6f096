#pragma once

/*
 * Mover: takes what files of another system name into the database, in one transaction.
 *
 * Users first, then devices and vehicles, groups, shares: in whatever order the files name them.
 * Each row is taken, is there already, or is refused, which is told with its file, line and column.
 * A hash that can never be checked costs its user the password, not the place; that is told, too.
 * Secrets are in no report. Blocks; for the command line.
 */

#include "base/base.h"
#include "db/conn.h"
#include "gateway/move/row_file.h"

typedef struct Mover Mover;
typedef struct MoverCounts MoverCounts;
typedef struct MoverNews MoverNews;
typedef struct MoverOptions MoverOptions;

/* What is told of a row: refused, or only noted. */
struct MoverNews {
        const char *file;
        size_t line;
        const char *column; /* "" = of the row as a whole */
        const char *why;
        bool is_refused;
};

typedef void (*MoverNewsFn)(void *arg, const MoverNews *news);

struct MoverOptions {
        DbConn *conn;     /* borrowed, open */
        const char *from; /* whose columns the files have, see mover_knows(); NULL: ours */
        bool is_dry;      /* all of it, and back */
        bool is_partial;  /* what is refused costs nothing else */
        MoverNewsFn news;
        void *arg;
};

struct MoverCounts {
        uint64_t n_taken, n_there, n_refused;
};

/* people-counter, energy, device-hub, vehicles, cameras */
bool mover_knows(const char *from);

MUST_CHECK int mover_new(Mover **ret_mover, const MoverOptions *options);
Mover *mover_free(Mover *mover);

/* Once. @ret_kept: it is in the database now. DB_E_OFFLINE, DB_E_REJECTED: nothing is. */
MUST_CHECK int mover_run(Mover *mover, RowFile *const files[], size_t n, bool *ret_kept);
const MoverCounts *mover_counts(const Mover *mover, RowKind kind);
/* Where the database was when it gave up. */
void mover_at(const Mover *mover, const char **ret_file, size_t *ret_line);

DEFINE_CLEANUP(Mover *, mover_free);
