#include "ws/viewer/follow_state.h"

#include "base/log.h"

#define TO(state) (WS_FOLLOW_##state + 1) /* 0 is nowhere */

/* As the header has it. */
static const int ws_follow_table[WS_FOLLOW_STATES][WS_FOLLOW_EVENTS] = {
        [WS_FOLLOW_NEW] = { [WS_FOLLOW_ON_NEAR] = TO(REPLAYS),
                            [WS_FOLLOW_ON_FAR] = TO(ASKS),
                            [WS_FOLLOW_ON_PLAY] = TO(OPENS) },
        [WS_FOLLOW_ASKS] = { [WS_FOLLOW_ON_ANSWERED] = TO(REPLAYS) },
        [WS_FOLLOW_REPLAYS] = { [WS_FOLLOW_ON_SHOW] = TO(SNAPSHOT), [WS_FOLLOW_ON_END] = TO(LIVE) },
        [WS_FOLLOW_SNAPSHOT] = { [WS_FOLLOW_ON_SHOWN] = TO(REPLAYS) },
        [WS_FOLLOW_LIVE] = { [WS_FOLLOW_ON_SHOW] = TO(SNAPSHOT) },
        [WS_FOLLOW_OPENS] = { [WS_FOLLOW_ON_ANSWERED] = TO(PLAYS),
                              [WS_FOLLOW_ON_HOLD] = TO(HOLDS) },
        [WS_FOLLOW_PLAYS] = { [WS_FOLLOW_ON_PLAY] = TO(OPENS),
                              [WS_FOLLOW_ON_HOLD] = TO(HOLDS),
                              [WS_FOLLOW_ON_GO] = TO(PLAYS),
                              [WS_FOLLOW_ON_JOIN] = TO(NEW) },
        [WS_FOLLOW_HOLDS] = { [WS_FOLLOW_ON_PLAY] = TO(OPENS),
                              [WS_FOLLOW_ON_HOLD] = TO(HOLDS),
                              [WS_FOLLOW_ON_GO] = TO(PLAYS),
                              [WS_FOLLOW_ON_JOIN] = TO(NEW) },
};

bool ws_follow_step(WsFollowState *state, WsFollowEvent event) {
        int next = ws_follow_table[*state][event];

        if (next == 0) {
                log_error("ws_follow_out_of_step state=%d event=%d hint=\"a bug: please report "
                          "it\"",
                          (int)*state,
                          (int)event);
                return false;
        }
        *state = (WsFollowState)(next - 1);
        return true;
}
