#pragma once

/*
 * Former: the tables of routes that were in force when what is still in the journal was accepted.
 *
 * A reload changes the table at once, the subscriptions a little later, and what lies in the
 * journal not at all. A message that the new table has no route for is read by the newest table
 * that it may have been accepted under. One thread.
 */

#include "gateway/decode/route.h"

#define FORMER_MAX_ROUTES 65536

typedef struct Former Former;

MUST_CHECK int former_new(Former **ret_former);
Former *former_free(Former *former);

/* @routes was in force up to number @until_seq, and what comes until @until_us may still be meant
 * for it. Of more than FORMER_MAX_ROUTES in all tables the oldest table goes. */
MUST_CHECK int former_add(Former *former, Routes *routes, uint64_t until_seq, int64_t until_us);
/* The tables, the newest first, that a message of this number and time may have been accepted
 * under; NULL: no more. */
const Routes *former_routes(const Former *former, uint64_t seq, int64_t received_us, size_t nth);
/* How many of all tables, with the one in force, came after this number had been accepted. */
size_t former_count_later(const Former *former, uint64_t seq);
/* The route of such a message; NULL if none of the tables has one. */
const Route *former_match(const Former *former,
                          uint64_t seq,
                          int64_t received_us,
                          Text topic,
                          TopicMatch *ret_match);
/* Nothing up to @gone_seq will be read again. */
void former_forget(Former *former, uint64_t gone_seq, int64_t now_us);

size_t former_length(const Former *former); /* tables; the oldest first: */
const Routes *former_table(const Former *former, size_t i, uint64_t *ret_until_seq);
void former_drop(Former *former, size_t i);

DEFINE_CLEANUP(Former *, former_free);
