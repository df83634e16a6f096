#pragma once

/*
 * Vec: room for one more in an array that grows, and is somebody's own: items, how many, and for
 * how many there is room. Twice as many each time, so that adding costs the same however many there
 * are. The first time @first.
 */

#include "base/base.h"

/* For VEC_HAS_ROOM(): NULL, and nothing has changed, where there is no memory. */
static inline void *vec_more(void *items, size_t *capacity, size_t first, size_t size) {
        size_t wanted = *capacity > 0 ? *capacity * 2 : first;
        void *more;

        if (wanted > SIZE_MAX / size)
                return NULL;
        more = realloc(items, wanted * size); /* gcc's analyser takes reallocarray() for a free() */
        if (more)
                *capacity = wanted;
        return more;
}

/* Is there room for one more than @n, now? False: out of memory, and all is as it was. */
#define VEC_HAS_ROOM(items, n, capacity, first)                                     \
        (((items) && (n) < (capacity)) || __extension__({                           \
                 __typeof__(items) more_ =                                          \
                         vec_more((items), &(capacity), (first), sizeof(*(items))); \
                 if (more_)                                                         \
                         (items) = more_;                                           \
                 more_ != NULL;                                                     \
         }))
