#pragma once

/*
 * WsLine: who is heard next, of those whose words waited for another turn of the loop.
 *
 * Each party has one in turn, however many wait of it, and a party whose words take long has no
 * more turns than one whose words are short: whoever fills the line with a thousand connections
 * waits for himself. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"

typedef struct WsLine WsLine;
typedef struct WsLineParty WsLineParty;
typedef struct WsLinePlace WsLinePlace;

struct WsLinePlace { /* memory of who waits, zeroed */
        void *owner;
        WsLineParty *party; /* of which it waits; NULL = it does not */
        TAILQ_ENTRY(WsLinePlace) entry;
};

MUST_CHECK int ws_line_new(WsLine **ret_line);
WsLine *ws_line_free(WsLine *line); /* nobody waits any more */

/* Behind those of @party; nothing, if it waits already. False: out of memory. */
bool ws_line_join(WsLine *line, WsLinePlace *place, uint64_t party);
void ws_line_leave(WsLine *line, WsLinePlace *place); /* may be said again */
/* The next one, which waits no more; NULL: nobody. */
WsLinePlace *ws_line_next(WsLine *line);
size_t ws_line_length(const WsLine *line);

DEFINE_CLEANUP(WsLine *, ws_line_free);
