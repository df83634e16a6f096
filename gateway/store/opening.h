#pragma once

/*
 * Opening: from "there is a connection" to "it may be stored", and back at each loss.
 *
 * The database says its position; that waits for the registry, without which nothing can be
 * understood; then the clerk reads what has to be read, and the registry is read anew where it may
 * be another one. Live goes on meanwhile with what is known, except at the start, when nothing is.
 *
 *              on OPENED   on LOADED   on READ   on READY   on LOST
 *      NOT     WAITS       -           -         -          NOT
 *      WAITS   WAITS       READS       -         -          NOT
 *      READS   WAITS       -           KNOWS     -          NOT
 *      KNOWS   WAITS       -           -         NOT        NOT
 *
 * -: cannot be, is logged, and changes nothing. In caller's memory, zeroed to begin with. Belongs
 * to the processor's thread.
 */

#include "base/base.h"
#include "gateway/store/processor_options.h"

typedef struct Desk Desk;
typedef struct Opening Opening;

typedef enum OpeningState {
        OPENING_NOT,   /* away, or ready */
        OPENING_WAITS, /* for the registry */
        OPENING_READS, /* the clerk */
        OPENING_KNOWS, /* all has been read, but perhaps the registry anew */
        OPENING_STATES
} OpeningState;

typedef enum OpeningEvent {
        OPENING_ON_OPENED, /* the database has said its position */
        OPENING_ON_LOADED, /* the registry is there */
        OPENING_ON_READ,   /* the clerk is back */
        OPENING_ON_READY,  /* the position is agreed on */
        OPENING_ON_LOST,   /* the connection, or our turn */
        OPENING_EVENTS
} OpeningEvent;

struct Opening {
        OpeningState state;
        uint64_t position; /* of the database, as it said when it was opened */
        uint64_t floor;    /* of all that store in turn with us, likewise */
};

/* False: it cannot be. */
bool opening_step(OpeningState *state, OpeningEvent event);

/* The connection, and what follows once there is one. */
MUST_CHECK int opening_turn(Opening *opening, Desk *desk, ProcessorStanding standing);
/* What the clerk has come back with, if he has. */
MUST_CHECK int opening_take_errand(Opening *opening, Desk *desk);
/* What db/ answered: 0 goes on, an outage is noted (and is 0, too), all else is a fault. */
MUST_CHECK int opening_settle(Opening *opening, Desk *desk, int answer);
