#pragma once

/*
 * LeaseWords: what the log, and whoever asks, is told of whose a slot is.
 */

#include "base/base.h"
#include "db/write/slots.h"

/* @is_doubted: we had it; @is_of_several: that is nothing to wonder at. */
void lease_words_holder(int which, const DbSlot *slot, bool is_doubted, bool is_of_several);
void lease_words_differs(int which, const DbSlotLayout *layout); /* the work is split otherwise */
void lease_words_held(int which, const DbSlot *slot, int lease_ms);
void lease_words_lapsed(int which, const DbSlot *slot);
void lease_words_lost(int which, uint64_t fence);
void lease_words_unasked(int which); /* perhaps another one's, and there is nobody to ask */
