#include "gateway/store/fate.h"

#define NO_STATE BATCH_STATES
#define NO_FATE  BATCH_FATES

/* As the header has it. */
bool batch_step(BatchState *state, BatchEvent event) {
        static const BatchState table[BATCH_STATES][BATCH_EVENTS] = {
                [BATCH_EMPTY] = { BATCH_SHOWN, BATCH_FINAL, NO_STATE, BATCH_EMPTY },
                [BATCH_SHOWN] = { BATCH_SHOWN, NO_STATE, BATCH_FINAL, BATCH_EMPTY },
                [BATCH_FINAL] = { NO_STATE, NO_STATE, NO_STATE, BATCH_EMPTY },
        };

        if (table[*state][event] == NO_STATE)
                return false;
        *state = table[*state][event];
        return true;
}

bool batch_fate_step(BatchFate *fate, BatchVerdict verdict) {
        static const BatchFate table[BATCH_FATES][BATCH_VERDICTS] = {
                [BATCH_READ] = { BATCH_OPEN, BATCH_ROW, BATCH_LETTER, BATCH_NOTHING },
                [BATCH_OPEN] = { NO_FATE, BATCH_ROW, BATCH_LETTER, BATCH_NOTHING },
                [BATCH_ROW] = { NO_FATE, BATCH_ROW, BATCH_LETTER, BATCH_NOTHING },
                [BATCH_LETTER] = { NO_FATE, NO_FATE, NO_FATE, NO_FATE },
                [BATCH_NOTHING] = { NO_FATE, NO_FATE, NO_FATE, NO_FATE },
        };

        if (table[*fate][verdict] == NO_FATE)
                return false;
        *fate = table[*fate][verdict];
        return true;
}
