/*
 * A follower without a thread, in place of gateway/store/follower.c: four devices, d1 to d4, and
 * those that the FakeServer has created. It answers while that is up, after some looks.
 */

#include "gateway/store/follower.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "tests/fake/server.h"

#define FOLLOWER_DEVICES 4
#define FOLLOWER_TURNS   4
#define FOLLOWER_CREATED 100 /* the id of x0 */

struct Follower {
        FollowerQuestion asked[FOLLOWER_QUESTIONS];
        size_t n_asked;
        bool is_started, is_loaded;
        unsigned n_turns;
};

int follower_new(Follower **ret_follower, const FollowerOptions *options) {
        (void)options;
        *ret_follower = calloc(1, sizeof(**ret_follower));
        return *ret_follower ? 0 : err_new(-ENOMEM);
}

Follower *follower_free(Follower *follower) {
        free(follower);
        return NULL;
}

void follower_start(Follower *follower) {
        follower->is_started = true;
}

/* The code is not kept: of it only the digits behind the x are wanted, as the question's seq says
 * which record asks. */
int follower_ask(Follower *follower, const FollowerQuestion *question) {
        FollowerQuestion *asked = &follower->asked[follower->n_asked];

        assert(follower->n_asked < FOLLOWER_QUESTIONS);
        *asked = *question;
        ++follower->n_asked;
        if (question->kind == FOLLOWER_REGISTER && question->code.n > 1 &&
            question->code.data[0] == 'x')
                asked->letter_id = 1 + (int64_t)strtoul(question->code.data + 1, NULL, 10);
        follower->n_turns = dice_below(&fake_server.dice, FOLLOWER_TURNS);
        return 0;
}

static int follower_add(RegistryDelta *delta, int64_t id, char letter, unsigned number) {
        RegistryRow row = { .table = REGISTRY_DEVICE, .device = { .id = id, .is_active = true } };
        char code[16];

        snprintf(code, sizeof(code), "%c%u", letter, number);
        row.device.code = row.device.key = code;
        return registry_delta_add(delta, &row);
}

static int follower_tell_created(RegistryDelta *delta) {
        int r = 0;

        for (unsigned i = 0; r == 0 && i < FAKE_SERVER_CODES; ++i)
                if (fake_server.n_created & (UINT32_C(1) << i))
                        r = follower_add(delta, FOLLOWER_CREATED + i, 'x', i);
        return r;
}

static RegistryDelta *follower_load(void) {
        RegistryDelta *delta;

        MUST(registry_delta_new(&delta, true));
        for (unsigned i = 1; i <= FOLLOWER_DEVICES; ++i)
                MUST(follower_add(delta, i, 'd', i));
        MUST(follower_tell_created(delta));
        return delta;
}

static RegistryDelta *follower_create(const FollowerQuestion *question) {
        RegistryDelta *delta;

        if (question->letter_id == 0 || question->letter_id > FAKE_SERVER_CODES)
                return NULL; /* it will not be */
        fake_server.n_created |= UINT32_C(1) << (question->letter_id - 1);
        MUST(registry_delta_new(&delta, false));
        MUST(follower_tell_created(delta));
        return delta;
}

bool follower_take(Follower *follower, FollowerNews *ret_news) {
        FollowerQuestion asked;

        if (!follower->is_started || fake_server.is_down)
                return false;
        if (!follower->is_loaded) {
                follower->is_loaded = true;
                *ret_news = (FollowerNews){ .kind = FOLLOWER_CHANGE,
                                            .delta = follower_load(),
                                            .known_us = clock_now_us() };
                return true;
        }
        if (follower->n_asked == 0 || follower->n_turns-- > 0)
                return false;
        asked = follower->asked[0];
        follower->n_turns = 0;
        --follower->n_asked;
        memmove(&follower->asked[0],
                &follower->asked[1],
                follower->n_asked * sizeof(follower->asked[0]));
        *ret_news = (FollowerNews){ .kind = asked.kind, .seq = asked.seq };
        if (asked.kind == FOLLOWER_LOAD)
                ret_news->delta = follower_load();
        else if (asked.kind == FOLLOWER_REGISTER)
                ret_news->delta = follower_create(&asked);
        return true;
}

int follower_result(const Follower *follower) {
        (void)follower;
        return 0;
}
