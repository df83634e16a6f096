#pragma once

/*
 * WsSnapshot: the last known state of each thing that a subscription matches, in parts.
 *
 * Part of the feed (ws/viewer/feed.h), which says when. Loop thread.
 */

#include "base/base.h"

typedef struct WsFollow WsFollow;

/* The next part, in the state WS_FOLLOW_SNAPSHOT; the last one is the end of it. */
MUST_CHECK int ws_snapshot_part(WsFollow *follow);
