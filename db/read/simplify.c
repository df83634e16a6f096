#include "db/read/simplify.h"

#include <math.h>

#include "base/err.h"

#define SIMPLIFY_METRES 111319.49079327358 /* of one degree on the equator */

typedef struct Range Range;

struct Range {
        size_t from, to;
};

struct DbSimplify {
        double tolerance_m;
        DbPointFn keep;
        void *arg;
        size_t n;
        bool is_going; /* the first point of the window is kept already */
        DbPoint points[DB_SIMPLIFY_WINDOW];
        bool kept[DB_SIMPLIFY_WINDOW];
        Range stack[DB_SIMPLIFY_WINDOW];
};

int db_simplify_new(DbSimplify **ret_simplify, double tolerance_m, DbPointFn keep, void *arg) {
        DbSimplify *simplify = calloc(1, sizeof(*simplify));

        if (!simplify)
                return err_new(-ENOMEM);
        simplify->tolerance_m = tolerance_m;
        simplify->keep = keep;
        simplify->arg = arg;
        *ret_simplify = simplify;
        return 0;
}

DbSimplify *db_simplify_free(DbSimplify *simplify) {
        free(simplify);
        return NULL;
}

/* Of @p from the segment a b, in metres. */
static double simplify_distance(const DbPoint *p, const DbPoint *a, const DbPoint *b) {
        double middle = (a->latitude + b->latitude) / 2;
        double east = SIMPLIFY_METRES * cos(middle * M_PI / 180);
        double bx = (b->longitude - a->longitude) * east;
        double by = (b->latitude - a->latitude) * SIMPLIFY_METRES;
        double px = (p->longitude - a->longitude) * east;
        double py = (p->latitude - a->latitude) * SIMPLIFY_METRES;
        double length = bx * bx + by * by;
        double t = length > 0 ? (px * bx + py * by) / length : 0;

        t = t < 0 ? 0 : t > 1 ? 1 : t;
        return hypot(px - t * bx, py - t * by);
}

/* Which point between the two is farthest from the line; 0: none is too far. */
static size_t simplify_farthest(const DbSimplify *simplify, Range range) {
        const DbPoint *points = simplify->points;
        double farthest = simplify->tolerance_m;
        size_t at = 0;

        for (size_t i = range.from + 1; i < range.to; ++i) {
                double d = simplify_distance(&points[i], &points[range.from], &points[range.to]);

                if (d > farthest) {
                        farthest = d;
                        at = i;
                }
        }
        return at;
}

/* Marks what is kept of the window. The stack holds ranges that do not overlap, so it is as long as
 * the window at most. */
static void simplify_mark(DbSimplify *simplify) {
        size_t n_stack = 0;

        memset(simplify->kept, 0, sizeof(simplify->kept));
        simplify->kept[0] = simplify->kept[simplify->n - 1] = true;
        simplify->stack[n_stack++] = (Range){ 0, simplify->n - 1 };
        while (n_stack > 0) {
                Range range = simplify->stack[--n_stack];
                size_t at = simplify_farthest(simplify, range);

                if (at == 0)
                        continue;
                simplify->kept[at] = true;
                simplify->stack[n_stack++] = (Range){ range.from, at };
                simplify->stack[n_stack++] = (Range){ at, range.to };
        }
}

/* The last point of the window stays as the first of the next. */
static void simplify_flush(DbSimplify *simplify) {
        DbPoint last = simplify->points[simplify->n - 1];

        simplify_mark(simplify);
        for (size_t i = simplify->is_going; i < simplify->n; ++i)
                if (simplify->kept[i])
                        simplify->keep(simplify->arg, &simplify->points[i]);
        simplify->points[0] = last;
        simplify->n = 1;
        simplify->is_going = true;
}

void db_simplify_add(DbSimplify *simplify, const DbPoint *point) {
        DbPoint *added = &simplify->points[simplify->n];

        *added = *point;
        if (simplify->n > 0)
                added->longitude = added[-1].longitude +
                                   remainder(point->longitude - added[-1].longitude, 360);
        ++simplify->n;
        if (simplify->tolerance_m <= 0) {
                simplify->keep(simplify->arg, added);
                simplify->points[0] = *added;
                simplify->n = 1;
        } else if (simplify->n == DB_SIMPLIFY_WINDOW) {
                simplify_flush(simplify);
        }
}

void db_simplify_end(DbSimplify *simplify) {
        if (simplify->tolerance_m > 0 && simplify->n > 1)
                simplify_flush(simplify);
        else if (simplify->tolerance_m > 0 && simplify->n == 1 && !simplify->is_going)
                simplify->keep(simplify->arg, &simplify->points[0]);
        simplify->n = 0;
        simplify->is_going = false;
}
