#include "ws/viewer/follow_state.h"

#include "base/log.h"

#define NOWHERE WS_FOLLOW_STATES

/* As the header has it. */
static const WsFollowState ws_follow_table[WS_FOLLOW_STATES][WS_FOLLOW_EVENTS] = {
        [WS_FOLLOW_NEW] = { WS_FOLLOW_REPLAYS, WS_FOLLOW_ASKS, NOWHERE, NOWHERE, NOWHERE, NOWHERE },
        [WS_FOLLOW_ASKS] = { NOWHERE, NOWHERE, WS_FOLLOW_REPLAYS, NOWHERE, NOWHERE, NOWHERE },
        [WS_FOLLOW_REPLAYS] = { NOWHERE,
                                NOWHERE,
                                NOWHERE,
                                WS_FOLLOW_SNAPSHOT,
                                WS_FOLLOW_LIVE,
                                NOWHERE },
        [WS_FOLLOW_SNAPSHOT] = { NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE, WS_FOLLOW_REPLAYS },
        [WS_FOLLOW_LIVE] = { NOWHERE, NOWHERE, NOWHERE, WS_FOLLOW_SNAPSHOT, NOWHERE, NOWHERE },
};

bool ws_follow_step(WsFollowState *state, WsFollowEvent event) {
        WsFollowState next = ws_follow_table[*state][event];

        if (next == NOWHERE) {
                log_error("ws_follow_out_of_step state=%d event=%d hint=\"a bug: please report "
                          "it\"",
                          (int)*state,
                          (int)event);
                return false;
        }
        *state = next;
        return true;
}
