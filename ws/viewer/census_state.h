#pragma once

/*
 * WsCensus: how far the set of a subscription is compared with what should be in it.
 *
 *            DUE     LOOKED   FOUND   VOID
 *   DONE     GOING   -        -       DONE
 *   GOING    -       COMING   -       DONE
 *   COMING   -       -        DONE    DONE
 *
 * What goes is told before what comes. VOID: its targets or its box are others, or the whole is
 * told once more; what was looked at so far says nothing then. That something has changed meanwhile
 * (is_stale) ends nothing: what is under way goes on to its end, and begins once more. -: cannot
 * be, is logged, and changes nothing.
 */

#include "base/base.h"

typedef enum WsCensus {
        WS_CENSUS_DONE,
        WS_CENSUS_GOING,  /* looks at members: do they belong here? */
        WS_CENSUS_COMING, /* looks for what is no member yet */
        WS_CENSUS_STATES
} WsCensus;

typedef enum WsCensusEvent {
        WS_CENSUS_ON_DUE,    /* something has changed, and there is room to tell of it */
        WS_CENSUS_ON_LOOKED, /* at the last member */
        WS_CENSUS_ON_FOUND,  /* the last that is new */
        WS_CENSUS_ON_VOID,
        WS_CENSUS_EVENTS
} WsCensusEvent;

/* False: it cannot be. */
bool ws_census_step(WsCensus *census, WsCensusEvent event);
