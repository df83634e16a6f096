#pragma once

/*
 * Words: two payloads that a device has for two states, as the operation `word` of a map. Pure.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct Words Words;

struct Words {
        const char *yes, *no; /* what they are to be */
        Text for_yes, for_no; /* as they come */
};

/* Appends " | word yes=… no=…". NULL, or why there can be none: static. */
const char *words_put(Buf *line, const Words *words);
