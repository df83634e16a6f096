#pragma once

/*
 * Verify: compares the journal's records with the tables, number by number, and stores what is
 * missing.
 *
 * Reads a copy of the journal, so it works beside the gateway that writes it or without one. Each
 * record up to the database's position has to be a row, a letter, or one of those that leave none
 * (an empty list, news of a command that was further already, a letter that was taken away, what
 * retention has dropped). What is missing is decoded with the routes and the registry of now.
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Config Config;
typedef struct DbConn DbConn;
typedef struct Verify Verify;
typedef struct VerifyCounts VerifyCounts;
/* @why: it could not be stored, for that; NULL: it was found to be missing. */
typedef void (*VerifyFn)(void *arg, const Record *missing, const char *why);

struct VerifyCounts {
        uint64_t first_seq, last_seq; /* of what was compared */
        uint64_t n_compared, n_missing, n_stored;
        uint64_t n_refused; /* of the missing: PostgreSQL takes them neither as rows nor as letters
                             */
        uint64_t n_waiting; /* behind the position: the gateway will store them */
        uint64_t n_settled; /* differences that are none any more */
};

enum {
        VERIFY_E_JOURNAL = 64, /* there is none; logged. All other answers are those of db/ */
};

MUST_CHECK int verify_new(Verify **ret_verify,
                          const Config *config,
                          DbConn *conn,
                          VerifyFn fn,
                          void *arg);
Verify *verify_free(Verify *verify);

/* @store: and stores what is missing; then the books are settled for what could be compared, if
 * nothing was refused. */
MUST_CHECK int verify_run(Verify *verify, bool store, VerifyCounts *ret_counts);
const char *verify_epoch(const Verify *verify);
/* A range of numbers that the journal has not got; false: there is none behind @after_seq. */
bool verify_hole(const Verify *verify,
                 uint64_t after_seq,
                 uint64_t *ret_after_seq,
                 uint64_t *ret_last_seq);

DEFINE_CLEANUP(Verify *, verify_free);
