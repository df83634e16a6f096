#include "ws/viewer/census_state.h"

#include "base/log.h"

#define NO WS_CENSUS_STATES

/* As the header has it. */
static const WsCensus ws_census_table[WS_CENSUS_STATES][WS_CENSUS_EVENTS] = {
        [WS_CENSUS_DONE] = { WS_CENSUS_GOING, NO, NO, WS_CENSUS_DONE },
        [WS_CENSUS_GOING] = { NO, WS_CENSUS_COMING, NO, WS_CENSUS_DONE },
        [WS_CENSUS_COMING] = { NO, NO, WS_CENSUS_DONE, WS_CENSUS_DONE },
};

bool ws_census_step(WsCensus *census, WsCensusEvent event) {
        WsCensus next = ws_census_table[*census][event];

        if (next == NO) {
                log_error("ws_census_out_of_step state=%d event=%d hint=\"a bug: please report "
                          "it\"",
                          (int)*census,
                          (int)event);
                return false;
        }
        *census = next;
        return true;
}
