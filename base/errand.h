#pragma once

/*
 * Errand: a thread for what blocks, so that its owner does not.
 *
 * One thing at a time: errand_begin() sends it off, errand_fd() becomes readable when it is done,
 * and errand_take() has its result. Between the two, all that the function touches is the errand's
 * and nobody else's. The owner is one thread; nothing but the end waits.
 */

#include "base/base.h"

typedef struct Errand Errand;
typedef int (*ErrandFn)(void *arg);

MUST_CHECK int errand_new(Errand **ret_errand, const char *name);
/* Waits for what is under way, which should give up when errand_stop_fd() becomes readable. */
Errand *errand_free(Errand *errand);
int errand_stop_fd(const Errand *errand);

void errand_begin(Errand *errand, ErrandFn fn, void *arg); /* none is out */
bool errand_is_out(const Errand *errand);                  /* begun, and not taken yet */
int errand_fd(const Errand *errand);
/* True: it is done, and out no more. */
bool errand_take(Errand *errand, int *ret_result);

DEFINE_CLEANUP(Errand *, errand_free);
