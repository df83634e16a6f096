/* An errand that is run by whoever looks whether it is done, in place of base/errand.c. */

#include "base/errand.h"

#include "tests/fake/server.h"

#define ERRAND_TURNS 4 /* that it is out, at most */

struct Errand {
        ErrandFn fn;
        void *arg;
        unsigned n_turns;
};

int errand_new(Errand **ret_errand, const char *name) {
        (void)name;
        *ret_errand = calloc(1, sizeof(**ret_errand));
        return *ret_errand ? 0 : -ENOMEM;
}

Errand *errand_free(Errand *errand) {
        free(errand);
        return NULL;
}

int errand_stop_fd(const Errand *errand) {
        (void)errand;
        return -1;
}

int errand_fd(const Errand *errand) {
        (void)errand;
        return -1;
}

void errand_begin(Errand *errand, ErrandFn fn, void *arg) {
        assert(!errand->fn);
        errand->fn = fn;
        errand->arg = arg;
        errand->n_turns = dice_below(&fake_server.dice, ERRAND_TURNS);
}

bool errand_is_out(const Errand *errand) {
        return errand->fn != NULL;
}

bool errand_take(Errand *errand, int *ret_result) {
        if (!errand->fn || errand->n_turns-- > 0)
                return false;
        *ret_result = errand->fn(errand->arg);
        errand->fn = NULL;
        return true;
}
