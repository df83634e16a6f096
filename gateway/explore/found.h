#pragma once

/*
 * Found: a sketch as it is told, in JSON: the heaviest shapes, each with a route that would take
 * it, where one can be named.
 *
 * Shapes that differ in one level alone are one with `+` in its place once there are FOUND_SIBLINGS
 * of them: their counts are summed. What the payload is is told by the sample, and of JSON its
 * members with their types, if the sample is the whole. Any thread; takes as much memory as
 * the sketch for the while.
 */

#include "base/buf.h"
#include "gateway/explore/sketch.h"

#define FOUND_SIBLINGS 8
#define FOUND_MEMBERS  32 /* that are named */

/* An object, of @limit shapes at most. -ENOMEM. */
MUST_CHECK int found_write(Sketch *sketch, int64_t now_us, size_t limit, Buf *buf);
