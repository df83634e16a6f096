#pragma once

/*
 * RouteNote: the tables of routes that were in force, in a file beside the journal, so that the
 * next process reads what this one has accepted as it was meant, also with another configuration.
 *
 * Plain text, written beside and moved over, at each change. One that cannot be written is logged,
 * and costs no more than what it is there for. One thread.
 */

#include "gateway/decode/former.h"

/* Do they say the same? */
bool route_note_is_same(const Routes *a, const Routes *b);
/* As former_add(), and a table that says the same is this one from here on. */
MUST_CHECK int route_note_add(Former *former, Routes *routes, uint64_t until_seq, int64_t until_us);
/* Notes @routes as what is in force after all tables of @former. */
void route_note_save(const char *path, const Former *former, const Routes *routes);

/*
 * What was in force before: @former gets the tables of which the journal, whose oldest record is
 * number @first_seq (0: none), may still hold something, and the last one if it is other than
 * @routes. They count until @until_us.
 */
MUST_CHECK int route_note_load(const char *path,
                               Former *former,
                               Routes *routes,
                               uint64_t first_seq,
                               uint64_t last_seq,
                               int64_t until_us);
