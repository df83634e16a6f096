#pragma once

/* MapRun: an operation of a map (map_op.h) on a value: what it cannot use becomes nothing, and says
 * why. Pure. */

#include "base/arena.h"
#include "base/base.h"
#include "gateway/decode/map_op.h"

typedef struct MapSetting MapSetting;
typedef struct Zone Zone;

/* What a time is read by. */
struct MapSetting {
        Arena *arena;
        const Zone *zone; /* of times without an offset; NULL = UTC */
        int64_t near_us;  /* the receipt, */
        int64_t ahead_us; /* and how far ahead of it a time is believed */
};

/* *ret_why: NULL, or why the value has become nothing: static. -ENOMEM. */
MUST_CHECK int map_op_run(const MapOp *op,
                          const MapSetting *setting,
                          MapValue *value,
                          const char **ret_why);
