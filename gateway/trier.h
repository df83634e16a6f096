#pragma once

/*
 * Trier: answers what routes would make of a message that nobody sent (QUERY_TRY).
 *
 * On a thread of its own, at a low priority, one question at a time; a party has @n_share that
 * wait. Nothing is stored and no configuration changes; the database is not asked. Any thread.
 */

#include "base/base.h"
#include "base/queue.h"
#include "gateway/decode/route.h"
#include "model/query.h"

typedef struct Trier Trier;
typedef struct TrierOptions TrierOptions;

struct TrierOptions {
        const char *database_url; /* of a connection that it never makes */
        size_t capacity;          /* questions that wait, of all parties */
        size_t n_share;           /* of one party */
        uint32_t n_elements;      /* of one message, that are told */
};

enum {
        TRIER_E_FULL = 1,
};

MUST_CHECK int trier_new(Trier **ret_trier, const TrierOptions *options, Queue *outbox);
void trier_stop(Trier *trier); /* what waits is answered no more */
Trier *trier_free(Trier *trier);

void trier_set_routes(Trier *trier,
                      Routes *routes); /* those in force, with a reference of its own */
MUST_CHECK int trier_ask(Trier *trier, Query **queryp); /* takes it on success */

DEFINE_CLEANUP(Trier *, trier_free);
