#pragma once

/*
 * Fuzz: what a target is: one function of bytes, which crashes if a promise is broken.
 *
 * With -Dfuzz=true libFuzzer calls it; otherwise replay.c does, with each file of the corpus.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define FUZZ_CHECK(condition)     \
        do {                      \
                if (!(condition)) \
                        abort();  \
        } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
