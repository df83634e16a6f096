#pragma once

/* Notice: one announcement, as it came. Texts are borrowed. */

#include "base/base.h"
#include "gateway/discover/rule.h"

typedef struct Notice Notice;

struct Notice {
        const DiscoverRule *rule;
        Text topic, rest; /* rest: what stands behind the prefix */
        Text user;        /* of the prefix; absent: it names none */
        Text payload;
        bool is_missing; /* not heard again when the broker was last asked for all */
};
