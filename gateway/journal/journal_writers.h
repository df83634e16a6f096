#pragma once

/*
 * JournalWriters: the starts of a gateway that have stored what is in the folder of a journal, as
 * the folder knows it, in its file `writers`.
 *
 * Whoever copies the folder copies its epoch. The database notes which start stored the journal
 * last; one that the folder does not know was of a copy, and had the same only as far as the folder
 * went when the copy began. So each start is noted with the last number that was there, and in the
 * file before the database hears of it. The newest is first; a start that never got so far as to
 * store gives its place to the next one.
 *
 * Where the file cannot be written the database hears of nobody, and the one before still counts.
 * Belongs to the reader's thread.
 */

#include "base/base.h"

#define JOURNAL_WRITERS_MAX     64 /* starts that could not settle */
#define JOURNAL_WRITERS_ID_SIZE 64

typedef struct JournalWriter JournalWriter;
typedef struct JournalWriters JournalWriters;

struct JournalWriter {
        char id[JOURNAL_WRITERS_ID_SIZE];
        uint64_t begin_seq;
        bool is_claimed; /* the database may know of it */
};

struct JournalWriters {
        const char *file;
        int dir_fd; /* borrowed */
        size_t n;   /* 0: nothing is to be said */
        bool is_settled;
        JournalWriter items[JOURNAL_WRITERS_MAX];
        char ids[JOURNAL_WRITERS_MAX * (JOURNAL_WRITERS_ID_SIZE + 1)]; /* as arrays of SQL */
        char begins[JOURNAL_WRITERS_MAX * 24];
};

/*
 * An edge (gateway/uplink/) notes its starts in the same way, in the file `runs`: each that has
 * numbered anything keeps its place, as what it numbered is named by it.
 */

/* A start; @last_seq: of what is there. */
void journal_writers_begin(JournalWriters *writers, int dir_fd, const char *id, uint64_t last_seq);
void journal_writers_begin_run(JournalWriters *writers,
                               int dir_fd,
                               const char *id,
                               uint64_t last_seq);
void journal_writers_claim(JournalWriters *writers); /* before the database is told */
/* The folder goes on as the one that the database has: only ours counts. False: it is not noted. */
MUST_CHECK bool journal_writers_settle(JournalWriters *writers);
