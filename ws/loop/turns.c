#include "ws/loop/turns.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/index.h"

/* One who has something to ask, or an answer to come. */
struct WsTurnUser {
        int64_t id; /* 0: all that are anonymous */
        TAILQ_HEAD(, WsTurn) asking;
        int n_under_way;
        TAILQ_ENTRY(WsTurnUser) entry;
};

int ws_turns_init(WsTurns *turns) {
        int r;

        *turns = (WsTurns){ 0 };
        TAILQ_INIT(&turns->users);
        r = index_new(&turns->by_id);
        return err_up(r);
}

void ws_turns_done(WsTurns *turns) {
        WsTurnUser *user;

        while ((user = TAILQ_FIRST(&turns->users))) {
                TAILQ_REMOVE(&turns->users, user, entry);
                free(user);
        }
        turns->by_id = index_free(turns->by_id);
}

static WsTurnUser *ws_turns_user(WsTurns *turns, int64_t id) {
        WsTurnUser *user = index_get_id(turns->by_id, id);

        if (user)
                return user;
        user = calloc(1, sizeof(*user));
        if (!user)
                return NULL;
        user->id = id;
        TAILQ_INIT(&user->asking);
        if (index_put_id(turns->by_id, id, user) < 0) {
                free(user);
                return NULL;
        }

        TAILQ_INSERT_TAIL(&turns->users, user, entry);
        return user;
}

static void ws_turns_settle(WsTurns *turns, WsTurnUser *user) {
        if (user->n_under_way > 0 || !TAILQ_EMPTY(&user->asking))
                return;

        index_remove_id(turns->by_id, user->id);
        TAILQ_REMOVE(&turns->users, user, entry);
        free(user);
}

void ws_turns_join(WsTurns *turns, WsTurn *turn, int64_t user_id, int delay_ms) {
        WsTurnUser *user = ws_turns_user(turns, user_id);

        if (!user) /* out of memory: it is hungry, and comes again */
                return;
        turn->is_waiting = true;
        turn->user = user;
        turn->not_before_ms = clock_mono_us() / 1000 + delay_ms;
        TAILQ_INSERT_TAIL(&user->asking, turn, entry);
}

void ws_turns_leave(WsTurns *turns, WsTurn *turn) {
        if (!turn->is_waiting)
                return;

        turn->is_waiting = false;
        for (size_t i = 0; i < WS_TURNS_AT_ONCE; ++i) {
                if (turns->under_way[i].turn != turn)
                        continue;
                turns->under_way[i].turn = NULL;
                return;
        }
        TAILQ_REMOVE(&turn->user->asking, turn, entry);
        ws_turns_settle(turns, turn->user);
}

/* Who is due among those of the user whose turn it is. */
WsTurn *ws_turns_due(const WsTurns *turns, int64_t now_ms) {
        WsTurnUser *user;
        WsTurn *turn;

        TAILQ_FOREACH(user, &turns->users, entry) {
                if (user->n_under_way >= WS_TURNS_OF_USER)
                        continue;
                TAILQ_FOREACH(turn, &user->asking, entry)
                        if (turn->not_before_ms <= now_ms)
                                return turn;
        }
        return NULL;
}

bool ws_turns_is_empty(const WsTurns *turns) {
        return TAILQ_EMPTY(&turns->users); /* those with an answer to come are in it, too */
}

void ws_turns_begin(WsTurns *turns, size_t at, WsTurn *turn) {
        WsTurnUser *user = turn->user;

        TAILQ_REMOVE(&user->asking, turn, entry);
        TAILQ_REMOVE(&turns->users, user, entry);
        TAILQ_INSERT_TAIL(&turns->users, user, entry);
        ++user->n_under_way;
        turns->under_way[at].user = user;
        turns->under_way[at].turn = turn;
}

WsTurn *ws_turns_end(WsTurns *turns, size_t at) {
        WsTurnUser *user = turns->under_way[at].user;
        WsTurn *turn = turns->under_way[at].turn;

        turns->under_way[at].user = NULL;
        turns->under_way[at].turn = NULL;
        --user->n_under_way;
        ws_turns_settle(turns, user);
        if (turn)
                turn->is_waiting = false;
        return turn;
}

bool ws_turns_is_free(const WsTurns *turns, size_t at) {
        return !turns->under_way[at].user;
}
