#pragma once

/*
 * WsProven: which names have been good from which addresses before, in the last day, and at which
 * somebody has guessed.
 *
 * So that who comes back is not kept waiting by those who try. Both tables are of one size; who is
 * proven may displace somebody else, who is then as good as new: that is counted. Names are kept as
 * keyed hashes.
 * Loop thread.
 */

#include "base/base.h"

typedef struct WsProven WsProven;

MUST_CHECK int ws_proven_new(WsProven **ret_proven, size_t capacity);
WsProven *ws_proven_free(WsProven *proven);

/* Also its place, and its network. */
void ws_proven_add(WsProven *proven, Text name, uint64_t party, int64_t now_us);
bool ws_proven_has(const WsProven *proven, Text name, uint64_t party, int64_t now_us);

void ws_proven_add_guess(WsProven *proven, Text name, int64_t now_us);
bool ws_proven_is_guessed(const WsProven *proven, Text name, int64_t now_us);

/* Has anybody been good from there? */
bool ws_proven_has_place(const WsProven *proven, uint64_t party, int64_t now_us);

/* May one who has not go before the others who have not? While few do, or few from a network where
 * somebody has been good. */
bool ws_proven_take_early(WsProven *proven, uint64_t party, int64_t now_us);

DEFINE_CLEANUP(WsProven *, ws_proven_free);
