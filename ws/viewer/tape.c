#include "ws/viewer/tape.h"

void ws_tape_move(WsTape *tape, int64_t at_us, int64_t now_us) {
        tape->at_us = at_us;
        tape->since_us = now_us;
}

void ws_tape_hold(WsTape *tape, int64_t now_us) {
        ws_tape_move(tape, ws_tape_at(tape, now_us), now_us);
        tape->is_held = true;
}

void ws_tape_go(WsTape *tape, double rate, int64_t now_us) {
        ws_tape_move(tape, ws_tape_at(tape, now_us), now_us);
        tape->rate = rate;
        tape->is_held = false;
}

int64_t ws_tape_at(const WsTape *tape, int64_t now_us) {
        if (tape->is_held)
                return tape->at_us;
        return tape->at_us + (int64_t)((double)(now_us - tape->since_us) * tape->rate);
}

void ws_tape_show(WsTape *tape, int64_t time_us, int64_t now_us) {
        double late_us = (double)(ws_tape_at(tape, now_us) - time_us);

        if (late_us > WS_TAPE_SLACK_US * tape->rate)
                ws_tape_move(tape, time_us, now_us);
}
