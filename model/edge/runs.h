#pragma once

/*
 * Runs: which start of a gateway at the edge has numbered a message of its journal.
 *
 * Whoever copies the folder of a journal copies its name and its next number. What each copy takes
 * in after that is numbered by a start of its own, which has a random name: the run. So a message
 * is named by its run and its number, whatever else has that number. Pure.
 */

#include "base/base.h"

#define RUNS_MAX 64 /* that a folder knows of */

typedef struct Run Run;
typedef struct Runs Runs;

struct Run {
        uint64_t id;
        uint64_t after_seq; /* it gave out the numbers behind that, up to the next one's */
};

/* The newest first. The last one stands for all that was there before any run was noted, and has
 * the name of the journal. */
struct Runs {
        size_t n;
        Run items[RUNS_MAX + 1];
};

/* As a hello says it, "0123456789abcdef:1796003149232488". False: it is none. */
bool run_read(Text text, Run *ret_run);

/* False: no more than RUNS_MAX are taken, each before the one that was added last. */
bool runs_add(Runs *runs, const Run *run);
void runs_close(Runs *runs, uint64_t epoch); /* the last one */
bool runs_are_said(const Runs *runs);        /* is there any but that? */
bool runs_have(const Runs *runs, uint64_t id);
/* Which one numbered it. */
uint64_t runs_of(const Runs *runs, uint64_t seq);
/* All that has larger numbers was numbered by one of these. */
uint64_t runs_known_after(const Runs *runs);
