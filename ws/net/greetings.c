#include "ws/net/greetings.h"

#include "base/err.h"
#include "base/index.h"
#include "ws/access/shares.h"

/* Until somebody says otherwise. */
#define WS_GREETINGS_BUDGET_US 5000
#define WS_GREETINGS_MOST      1024
#define WS_GREETINGS_PERCENT   50

TAILQ_HEAD(WsGreetingList, WsGreeting); /* the first to come first */
TAILQ_HEAD(WsGreeterList, WsGreeter);

/* A party of which somebody waits. */
struct WsGreeter {
        uint64_t party;
        struct WsGreetingList begun, fresh;
        size_t n_fresh;
        bool is_held; /* has only fresh ones, and no room for them */
        TAILQ_ENTRY(WsGreeter) entry;
};

struct WsGreetings {
        Index *greeters;                 /* by party */
        struct WsGreeterList line, held; /* in the order of their turns */
        WsShares *begun;
        WsGreetingsLimits limits;
        uint64_t turn;
        int64_t left_us; /* of this turn */
};

int ws_greetings_new(WsGreetings **ret_greetings) {
        CLEANUP(ws_greetings_free) WsGreetings *greetings = NULL;
        int r;

        greetings = calloc(1, sizeof(*greetings));
        if (!greetings)
                return err_new(-ENOMEM);
        TAILQ_INIT(&greetings->line);
        TAILQ_INIT(&greetings->held);
        greetings->limits.budget_us = greetings->left_us = WS_GREETINGS_BUDGET_US;
        greetings->limits.most = WS_GREETINGS_MOST;
        greetings->limits.percent = WS_GREETINGS_PERCENT;
        r = index_new(&greetings->greeters);
        if (r == 0)
                r = ws_shares_new(&greetings->begun);
        if (r < 0)
                return err_up(r);
        *ret_greetings = TAKE(&greetings);
        return 0;
}

WsGreetings *ws_greetings_free(WsGreetings *greetings) {
        if (!greetings)
                return NULL;

        assert(TAILQ_EMPTY(&greetings->line) && TAILQ_EMPTY(&greetings->held));
        ws_shares_free(greetings->begun);
        index_free(greetings->greeters);
        free(greetings);
        return NULL;
}

void ws_greetings_set_limits(WsGreetings *greetings, const WsGreetingsLimits *limits) {
        greetings->limits = *limits;
}

void ws_greetings_turn(WsGreetings *greetings, uint64_t turn) {
        if (greetings->turn == turn)
                return;
        greetings->turn = turn;
        greetings->left_us = greetings->limits.budget_us;
}

void ws_greetings_took(WsGreetings *greetings, int64_t time_us) {
        greetings->left_us -= time_us;
}

/* ---- room ---------------------------------------------------------------------------------- */

static size_t ws_greetings_room(const WsGreetings *greetings, uint64_t party) {
        const WsGreetingsLimits *limits = &greetings->limits;

        return ws_shares_room(greetings->begun,
                              party,
                              limits->most,
                              party == 0 ? 100 : limits->percent);
}

bool ws_greetings_begin(WsGreetings *greetings, WsGreeting *greeting) {
        greeting->is_begun = ws_shares_take(greetings->begun, greeting->party, 1);
        return greeting->is_begun;
}

static WsGreeter *ws_greetings_find(const WsGreetings *greetings, uint64_t party) {
        return index_get(greetings->greeters, &party, sizeof(party));
}

/* Into the line, or among those that are held until there is room. */
static void ws_greetings_place(WsGreetings *greetings, WsGreeter *greeter, bool was_held) {
        TAILQ_REMOVE(was_held ? &greetings->held : &greetings->line, greeter, entry);
        greeter->is_held =
                TAILQ_EMPTY(&greeter->begun) && ws_greetings_room(greetings, greeter->party) == 0;
        TAILQ_INSERT_TAIL(greeter->is_held ? &greetings->held : &greetings->line, greeter, entry);
}

/* One has come to its end, of which its party has room first, and then another: each time one,
 * since that one comes to its end as well. */
static void ws_greetings_give_room(WsGreetings *greetings, uint64_t party) {
        WsGreeter *greeter = ws_greetings_find(greetings, party);

        if (!greeter || !greeter->is_held)
                greeter = TAILQ_FIRST(&greetings->held);
        if (greeter)
                ws_greetings_place(greetings, greeter, true);
}

bool ws_greetings_miss(const WsGreetings *greetings, const WsGreeting *greeting) {
        const WsGreeter *own = ws_greetings_find(greetings, greeting->party);
        const WsGreeter *other = TAILQ_FIRST(&greetings->held);

        if (own && own->n_fresh > ws_greetings_room(greetings, own->party))
                return true;
        return other && ws_shares_of(greetings->begun, other->party) == 0;
}

/* ---- the line ------------------------------------------------------------------------------ */

bool ws_greetings_may_go_on(const WsGreetings *greetings, const WsGreeting *greeting) {
        return TAILQ_EMPTY(&greetings->line) && greetings->left_us > 0 &&
               (greeting->is_begun || ws_greetings_room(greetings, greeting->party) > 0);
}

static WsGreeter *ws_greetings_add(WsGreetings *greetings, uint64_t party) {
        WsGreeter *greeter = calloc(1, sizeof(*greeter));

        if (!greeter || index_put(greetings->greeters, &party, sizeof(party), greeter) < 0) {
                free(greeter);
                return NULL;
        }
        greeter->party = party;
        TAILQ_INIT(&greeter->begun);
        TAILQ_INIT(&greeter->fresh);
        TAILQ_INSERT_TAIL(&greetings->line, greeter, entry);
        return greeter;
}

bool ws_greetings_wait(WsGreetings *greetings, WsGreeting *greeting) {
        WsGreeter *greeter;
        bool was_held, is_new;

        if (greeting->greeter)
                return true;
        greeter = ws_greetings_find(greetings, greeting->party);
        is_new = !greeter;
        if (is_new)
                greeter = ws_greetings_add(greetings, greeting->party);
        if (!greeter)
                return false;
        TAILQ_INSERT_TAIL(greeting->is_begun ? &greeter->begun : &greeter->fresh, greeting, entry);
        greeter->n_fresh += !greeting->is_begun;
        greeting->greeter = greeter;
        was_held = greeter->is_held;
        if (is_new || was_held)
                ws_greetings_place(greetings, greeter, was_held);
        return true;
}

static void ws_greetings_leave(WsGreetings *greetings, WsGreeting *greeting) {
        WsGreeter *greeter = greeting->greeter;

        TAILQ_REMOVE(greeting->is_begun ? &greeter->begun : &greeter->fresh, greeting, entry);
        greeter->n_fresh -= !greeting->is_begun;
        greeting->greeter = NULL;
        if (greeter->n_fresh > 0 || !TAILQ_EMPTY(&greeter->begun))
                return;
        TAILQ_REMOVE(greeter->is_held ? &greetings->held : &greetings->line, greeter, entry);
        index_remove(greetings->greeters, &greeter->party, sizeof(greeter->party));
        free(greeter);
}

void ws_greetings_end(WsGreetings *greetings, WsGreeting *greeting) {
        if (greeting->greeter)
                ws_greetings_leave(greetings, greeting);
        if (!greeting->is_begun)
                return;
        greeting->is_begun = false;
        ws_shares_give_back(greetings->begun, greeting->party, 1);
        ws_greetings_give_room(greetings, greeting->party);
}

WsGreeting *ws_greetings_next(WsGreetings *greetings) {
        WsGreeter *greeter;
        WsGreeting *greeting;

        while (greetings->left_us > 0 && (greeter = TAILQ_FIRST(&greetings->line))) {
                ws_greetings_place(greetings, greeter, false); /* the others have theirs first */
                if (greeter->is_held)
                        continue;
                greeting = TAILQ_FIRST(&greeter->begun);
                if (!greeting)
                        greeting = TAILQ_FIRST(&greeter->fresh);
                ws_greetings_leave(greetings, greeting);
                return greeting;
        }
        return NULL;
}

bool ws_greetings_are_idle(const WsGreetings *greetings) {
        return TAILQ_EMPTY(&greetings->line);
}
