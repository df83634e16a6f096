#pragma once

/*
 * BatchState, BatchFate: what a batch is good for, and what has become of each of its records.
 *
 * A batch, by what was done with it (-: cannot be; a bug, and asserted):
 *
 *               on SHOW   on LOAD   on SETTLE   on RESET
 *      EMPTY    SHOWN     FINAL     -           EMPTY
 *      SHOWN    SHOWN     -         FINAL       EMPTY
 *      FINAL    -         -         -           EMPTY
 *
 * Only what is FINAL is committed. A record, by what was found:
 *
 *               on LEFT   on TAKEN   on REFUSED   on IGNORED
 *      READ     OPEN      ROW        LETTER       NOTHING
 *      OPEN     -         ROW        LETTER       NOTHING
 *      ROW      -         ROW        LETTER       NOTHING
 *      LETTER   -         -          -            -
 *      NOTHING  -         -          -            -
 *
 * A ROW is judged again where its names say something else by the time that it is stored, or the
 * database refuses it.
 */

#include "base/base.h"

typedef enum BatchState {
        BATCH_EMPTY,
        BATCH_SHOWN, /* decoded to be shown: what only the store can decide is open */
        BATCH_FINAL,
        BATCH_STATES
} BatchState;

typedef enum BatchEvent {
        BATCH_ON_SHOW, /* records are decoded behind what is in it: to be shown, */
        BATCH_ON_LOAD, /* or to be stored */
        BATCH_ON_SETTLE,
        BATCH_ON_RESET,
        BATCH_EVENTS
} BatchEvent;

typedef enum BatchFate {
        BATCH_READ, /* nothing is decided */
        BATCH_OPEN, /* left to the store: nobody goes on from a later one until then */
        BATCH_ROW,
        BATCH_LETTER,
        BATCH_NOTHING, /* it has its number, and leaves nothing else */
        BATCH_FATES
} BatchFate;

typedef enum BatchVerdict {
        BATCH_ON_LEFT,
        BATCH_ON_TAKEN,
        BATCH_ON_REFUSED,
        BATCH_ON_IGNORED,
        BATCH_VERDICTS
} BatchVerdict;

/* False: it cannot be. */
bool batch_step(BatchState *state, BatchEvent event);
bool batch_fate_step(BatchFate *fate, BatchVerdict verdict);
