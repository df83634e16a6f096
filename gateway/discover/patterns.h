#pragma once

/*
 * Patterns: few filters for many topics. A broker takes thousands of topics as single
 * subscriptions, but each costs it and us at every connection. So topics that differ in one level
 * alone are one filter with `+` in its place; what that brings beside is not wanted, and left at
 * the door.
 *
 * Pure.
 */

#include "base/base.h"

#define PATTERNS_MOST     256
#define PATTERNS_SIBLINGS 8 /* so many that differ in one level are one */

typedef struct Patterns Patterns;

struct Patterns {
        char **items; /* owned */
        size_t n;
};

/* Up to PATTERNS_SIBLINGS * 8 topics stay as they are. -ENOMEM. */
MUST_CHECK int patterns_make(Patterns *ret_patterns, const Text topics[], size_t n_topics);
void patterns_done(Patterns *patterns);
bool patterns_take(const Patterns *patterns, Text topic);
