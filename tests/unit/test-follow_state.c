/* WsFollowState: live is only behind a replay to the end, and behind a snapshot comes another;
 * what plays comes there as one that is new. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ws/viewer/follow_state.h"

enum { NOWHERE = WS_FOLLOW_STATES };

/* As the header has it. */
static const int table[WS_FOLLOW_STATES][WS_FOLLOW_EVENTS] = {
        /* on NEAR, FAR, ANSWERED, SHOW, END, SHOWN, PLAY, HOLD, GO, JOIN */
        [WS_FOLLOW_NEW] = { WS_FOLLOW_REPLAYS,
                            WS_FOLLOW_ASKS,
                            NOWHERE,
                            NOWHERE,
                            NOWHERE,
                            NOWHERE,
                            WS_FOLLOW_OPENS,
                            NOWHERE,
                            NOWHERE,
                            NOWHERE },
        [WS_FOLLOW_ASKS] = { NOWHERE,
                             NOWHERE,
                             WS_FOLLOW_REPLAYS,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE },
        [WS_FOLLOW_REPLAYS] = { NOWHERE,
                                NOWHERE,
                                NOWHERE,
                                WS_FOLLOW_SNAPSHOT,
                                WS_FOLLOW_LIVE,
                                NOWHERE,
                                NOWHERE,
                                NOWHERE,
                                NOWHERE,
                                NOWHERE },
        [WS_FOLLOW_SNAPSHOT] = { NOWHERE,
                                 NOWHERE,
                                 NOWHERE,
                                 NOWHERE,
                                 NOWHERE,
                                 WS_FOLLOW_REPLAYS,
                                 NOWHERE,
                                 NOWHERE,
                                 NOWHERE,
                                 NOWHERE },
        [WS_FOLLOW_LIVE] = { NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             WS_FOLLOW_SNAPSHOT,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE,
                             NOWHERE },
        [WS_FOLLOW_OPENS] = { NOWHERE,
                              NOWHERE,
                              WS_FOLLOW_PLAYS,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              WS_FOLLOW_HOLDS,
                              NOWHERE,
                              NOWHERE },
        [WS_FOLLOW_PLAYS] = { NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              WS_FOLLOW_OPENS,
                              WS_FOLLOW_HOLDS,
                              WS_FOLLOW_PLAYS,
                              WS_FOLLOW_NEW },
        [WS_FOLLOW_HOLDS] = { NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              NOWHERE,
                              WS_FOLLOW_OPENS,
                              WS_FOLLOW_HOLDS,
                              WS_FOLLOW_PLAYS,
                              WS_FOLLOW_NEW },
};

static void test_each_state_goes_where_the_table_says(void **state) {
        (void)state;
        for (int from = 0; from < WS_FOLLOW_STATES; ++from) {
                for (int event = 0; event < WS_FOLLOW_EVENTS; ++event) {
                        bool is_there = table[from][event] != NOWHERE;
                        WsFollowState at = (WsFollowState)from;

                        assert_int_equal(ws_follow_step(&at, (WsFollowEvent)event), is_there);
                        assert_int_equal(at, is_there ? table[from][event] : from);
                }
        }
}

/* However the events come. */
static void test_nothing_is_live_that_has_not_replayed_to_the_end(void **state) {
        (void)state;
        for (unsigned n = 0; n < 100000; ++n) { /* all ways of five events */
                WsFollowState at = WS_FOLLOW_NEW;
                unsigned rest = n;

                for (int i = 0; i < 5; ++i, rest /= WS_FOLLOW_EVENTS) {
                        WsFollowState before = at;

                        (void)ws_follow_step(&at, (WsFollowEvent)(rest % WS_FOLLOW_EVENTS));
                        if (at == WS_FOLLOW_LIVE && before != at)
                                assert_int_equal(before, WS_FOLLOW_REPLAYS);
                        if (ws_follow_is_playback(before) && !ws_follow_is_playback(at))
                                assert_int_equal(at, WS_FOLLOW_NEW);
                        if (before == WS_FOLLOW_SNAPSHOT && before != at)
                                assert_int_equal(at, WS_FOLLOW_REPLAYS);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_state_goes_where_the_table_says),
                cmocka_unit_test(test_nothing_is_live_that_has_not_replayed_to_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
