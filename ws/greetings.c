#include "ws/greetings.h"

#include "gateway/base/err.h"
#include "gateway/base/index.h"

#define WS_GREETINGS_BUDGET_US 5000 /* until somebody says otherwise */

/* A party of which somebody waits. */
struct WsGreeter {
        uint64_t party;
        TAILQ_HEAD(, WsGreeting) waiting; /* the first to come first */
        TAILQ_ENTRY(WsGreeter) entry;
};

struct WsGreetings {
        Index *greeters;              /* by party */
        TAILQ_HEAD(, WsGreeter) line; /* in the order of their turns */
        uint64_t turn;
        int64_t budget_us, left_us; /* of one turn, and of this one */
};

int ws_greetings_new(WsGreetings **ret_greetings) {
        CLEANUP(ws_greetings_free) WsGreetings *greetings = NULL;
        int r;

        greetings = calloc(1, sizeof(*greetings));
        if (!greetings)
                return err_new(-ENOMEM);
        TAILQ_INIT(&greetings->line);
        greetings->budget_us = greetings->left_us = WS_GREETINGS_BUDGET_US;
        r = index_new(&greetings->greeters);
        if (r < 0)
                return err_up(r);
        *ret_greetings = TAKE(&greetings);
        return 0;
}

WsGreetings *ws_greetings_free(WsGreetings *greetings) {
        if (!greetings)
                return NULL;

        assert(TAILQ_EMPTY(&greetings->line));
        index_free(greetings->greeters);
        free(greetings);
        return NULL;
}

void ws_greetings_set_budget(WsGreetings *greetings, int64_t budget_us) {
        greetings->budget_us = budget_us;
}

void ws_greetings_turn(WsGreetings *greetings, uint64_t turn) {
        if (greetings->turn == turn)
                return;
        greetings->turn = turn;
        greetings->left_us = greetings->budget_us;
}

bool ws_greetings_may_go_on(const WsGreetings *greetings) {
        return TAILQ_EMPTY(&greetings->line) && greetings->left_us > 0;
}

void ws_greetings_took(WsGreetings *greetings, int64_t time_us) {
        greetings->left_us -= time_us;
}

static WsGreeter *ws_greetings_add(WsGreetings *greetings, uint64_t party) {
        WsGreeter *greeter = calloc(1, sizeof(*greeter));

        if (!greeter || index_put(greetings->greeters, &party, sizeof(party), greeter) < 0) {
                free(greeter);
                return NULL;
        }
        greeter->party = party;
        TAILQ_INIT(&greeter->waiting);
        TAILQ_INSERT_TAIL(&greetings->line, greeter, entry);
        return greeter;
}

bool ws_greetings_wait(WsGreetings *greetings, WsGreeting *greeting, uint64_t party) {
        WsGreeter *greeter = index_get(greetings->greeters, &party, sizeof(party));

        if (greeting->greeter)
                return true;
        if (!greeter)
                greeter = ws_greetings_add(greetings, party);
        if (!greeter)
                return false;
        TAILQ_INSERT_TAIL(&greeter->waiting, greeting, entry);
        greeting->greeter = greeter;
        return true;
}

void ws_greetings_leave(WsGreetings *greetings, WsGreeting *greeting) {
        WsGreeter *greeter = greeting->greeter;

        if (!greeter)
                return;
        TAILQ_REMOVE(&greeter->waiting, greeting, entry);
        greeting->greeter = NULL;
        if (!TAILQ_EMPTY(&greeter->waiting))
                return;
        TAILQ_REMOVE(&greetings->line, greeter, entry);
        index_remove(greetings->greeters, &greeter->party, sizeof(greeter->party));
        free(greeter);
}

WsGreeting *ws_greetings_next(WsGreetings *greetings) {
        WsGreeter *greeter = TAILQ_FIRST(&greetings->line);
        WsGreeting *greeting;

        if (!greeter || greetings->left_us <= 0)
                return NULL;
        TAILQ_REMOVE(&greetings->line, greeter, entry); /* to the end: the others have theirs */
        TAILQ_INSERT_TAIL(&greetings->line, greeter, entry);
        greeting = TAILQ_FIRST(&greeter->waiting);
        ws_greetings_leave(greetings, greeting);
        return greeting;
}

bool ws_greetings_is_empty(const WsGreetings *greetings) {
        return TAILQ_EMPTY(&greetings->line);
}
