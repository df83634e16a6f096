#pragma once

/* Readers that only keep what they are asked: the argument is a Queue of Query. */

#include "base/base.h"
#include "base/queue.h"
#include "model/query.h"

static inline int asks_keep(void *queue, Query **queryp) {
        int r = queue_push(queue, *queryp, 0);

        if (r == 0)
                *queryp = NULL;
        return r;
}

static inline void asks_free(void *query) {
        query_free(query);
}
