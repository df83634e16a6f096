#pragma once

/*
 * WsFollowState: how far a subscription is on its way from its cursor to live.
 *
 *                on NEAR   on FAR   on ANSWERED   on SHOW    on END   on SHOWN
 *      NEW       REPLAYS   ASKS     -             -          -        -
 *      ASKS      -         -        REPLAYS       -          -        -
 *      REPLAYS   -         -        -             SNAPSHOT   LIVE     -
 *      SNAPSHOT  -         -        -             -          -        REPLAYS
 *      LIVE      -         -        -             SNAPSHOT   -        -
 *
 * Live is only behind a replay to the end of the ring, and behind a snapshot what happened since it
 * began is replayed: no hole and no duplicate. One that is live takes another one when something of
 * its set could not be told. -: cannot be, is logged, and changes nothing.
 */

#include "base/base.h"

typedef enum WsFollowState {
        WS_FOLLOW_NEW,
        WS_FOLLOW_ASKS,     /* the database, for its first page */
        WS_FOLLOW_REPLAYS,  /* from a page or the ring */
        WS_FOLLOW_SNAPSHOT, /* half told */
        WS_FOLLOW_LIVE,
        WS_FOLLOW_STATES
} WsFollowState;

typedef enum WsFollowEvent {
        WS_FOLLOW_ON_NEAR,     /* memory has what comes next */
        WS_FOLLOW_ON_FAR,      /* only the database may have it */
        WS_FOLLOW_ON_ANSWERED, /* the database has, or has refused to */
        WS_FOLLOW_ON_SHOW,     /* the end of the ring, or live, and a snapshot is wanted */
        WS_FOLLOW_ON_END,      /* the end of the ring */
        WS_FOLLOW_ON_SHOWN,    /* the last part of the snapshot */
        WS_FOLLOW_EVENTS
} WsFollowEvent;

/* False: it cannot be. */
bool ws_follow_step(WsFollowState *state, WsFollowEvent event);
