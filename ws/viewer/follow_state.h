#pragma once

/*
 * WsFollowState: how far a subscription is on its way from its cursor to live.
 *
 *              NEAR     FAR   ANSWERED  SHOW      END   SHOWN    PLAY   HOLD   GO     JOIN
 *   NEW        REPLAYS  ASKS  -         -         -     -        OPENS  -      -      -
 *   ASKS       -        -     REPLAYS   -         -     -        -      -      -      -
 *   REPLAYS    -        -     -         SNAPSHOT  LIVE  -        -      -      -      -
 *   SNAPSHOT   -        -     -         -         -     REPLAYS  -      -      -      -
 *   LIVE       -        -     -         SNAPSHOT  -     -        -      -      -      -
 *   OPENS      -        -     PLAYS     -         -     -        -      HOLDS  -      -
 *   PLAYS      -        -     -         -         -     -        OPENS  HOLDS  PLAYS  NEW
 *   HOLDS      -        -     -         -         -     -        OPENS  HOLDS  PLAYS  NEW
 *
 * Live is only behind a replay to the end of the ring, and behind a snapshot what happened since it
 * began is replayed: no hole and no duplicate. One that is live takes another one when something of
 * its set could not be told. What plays a time that is over hears nothing that is live: it comes
 * there as one that is new, and resumes. -: cannot be, is logged, and changes nothing.
 */

#include "base/base.h"

typedef enum WsFollowState {
        WS_FOLLOW_NEW,
        WS_FOLLOW_ASKS,     /* the database, for its first page */
        WS_FOLLOW_REPLAYS,  /* from a page or the ring */
        WS_FOLLOW_SNAPSHOT, /* half told */
        WS_FOLLOW_LIVE,
        WS_FOLLOW_OPENS, /* a playback: looks for where it is to begin */
        WS_FOLLOW_PLAYS,
        WS_FOLLOW_HOLDS,
        WS_FOLLOW_STATES
} WsFollowState;

typedef enum WsFollowEvent {
        WS_FOLLOW_ON_NEAR,     /* memory has what comes next */
        WS_FOLLOW_ON_FAR,      /* only the database may have it */
        WS_FOLLOW_ON_ANSWERED, /* the database has, or has refused to */
        WS_FOLLOW_ON_SHOW,     /* the end of the ring, or live, and a snapshot is wanted */
        WS_FOLLOW_ON_END,      /* the end of the ring */
        WS_FOLLOW_ON_SHOWN,    /* the last part of the snapshot */
        WS_FOLLOW_ON_PLAY,     /* a time to play from, which the database has to look for */
        WS_FOLLOW_ON_HOLD,     /* asked for, or what was looked for is not there */
        WS_FOLLOW_ON_GO,
        WS_FOLLOW_ON_JOIN, /* what is live, from where it is */
        WS_FOLLOW_EVENTS
} WsFollowEvent;

/* False: it cannot be. */
bool ws_follow_step(WsFollowState *state, WsFollowEvent event);

/* On its way to what is live, and not there yet? */
static inline bool ws_follow_lags(WsFollowState state) {
        return state < WS_FOLLOW_LIVE;
}

static inline bool ws_follow_is_playback(WsFollowState state) {
        return state == WS_FOLLOW_OPENS || state == WS_FOLLOW_PLAYS || state == WS_FOLLOW_HOLDS;
}
