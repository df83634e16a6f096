#pragma once

/*
 * DbSimplify: a track with fewer points, none of the dropped ones farther than a tolerance from the
 * line that is left.
 *
 * Douglas-Peucker on windows of DB_SIMPLIFY_WINDOW points, so that a track of any length needs the
 * memory of one window: the first and the last point of each are always kept. Distances are metres
 * on a plane that touches the sphere at the middle of the segment, to the segment and not to its
 * line. Longitudes go on beyond ±180 where the track does (unwrapped), so that crossing the
 * antimeridian is a small step. The same points give the same result. Pure.
 */

#include "base/base.h"

#define DB_SIMPLIFY_WINDOW 1024

typedef struct DbPoint DbPoint;
typedef struct DbSimplify DbSimplify;
typedef void (*DbPointFn)(void *arg, const DbPoint *point);

struct DbPoint {
        double longitude, latitude; /* degrees; the longitude unwrapped when it comes out */
        int64_t time_us;
};

/* @keep is called with each point that is kept, in order. @tolerance_m 0 keeps all. */
MUST_CHECK int db_simplify_new(DbSimplify **ret_simplify,
                               double tolerance_m,
                               DbPointFn keep,
                               void *arg);
DbSimplify *db_simplify_free(DbSimplify *simplify);

void db_simplify_add(DbSimplify *simplify, const DbPoint *point);
void db_simplify_end(DbSimplify *simplify); /* keeps the last one; a new track may begin */

DEFINE_CLEANUP(DbSimplify *, db_simplify_free);
