#pragma once

/*
 * Shape: what topics of one sort have in common. `home/0x00158d0001abcdef/state` has the shape
 * `home/+/state`: a level that looks like a number, an address or an id stands as `+`. Pure.
 *
 * A shape that has more levels or bytes than it may ends with `#`.
 */

#include "base/base.h"

#define SHAPE_SIZE   128 /* with a NUL */
#define SHAPE_LEVELS 16

/* A number, six or more hexadecimal digits with one of 0 to 9 among them (with :, - and _ between
 * or not), or anything with four digits. */
bool shape_is_id(Text level);
/* Its length. */
size_t shape_of(Text topic, char ret_shape[SHAPE_SIZE]);
