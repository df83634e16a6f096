#pragma once

/*
 * LiveKeys: proves that a frame is of a gateway of this cluster.
 *
 *     1 byte 2 (the form), 8 bytes the key's number, the frame (gateway/live/frame.h), 16 bytes of
 * an HMAC-SHA-256 of all before
 *
 * The keys are in the database (schema/0054), from where one thread brings them; until it has,
 * nothing is said, and nothing believed. While gateways are there that know nothing of it, frames
 * go out as they are, and are taken as they are. One thread sets, any others read: what was set
 * stays until the end, a few hundred bytes a day.
 */

#include "base/base.h"
#include "base/buf.h"
#include "db/live_keys.h"

#define LIVE_KEYS_MAC 16

typedef struct LiveKeys LiveKeys;

enum {
        LIVE_KEYS_E_NONE = 32, /* there is none yet */
        LIVE_KEYS_E_FORGED,    /* not signed where it is to be, or with no key of ours */
};

MUST_CHECK int live_keys_new(LiveKeys **ret_keys);
LiveKeys *live_keys_free(LiveKeys *keys);

MUST_CHECK int live_keys_set(LiveKeys *keys, const DbLiveKeys *known);

/* Of @keys NULL nothing is signed, nor asked for. *ret_bytes is what goes out: @frame, or what is
 * in @buf until it is used again. LIVE_KEYS_E_NONE. */
MUST_CHECK int live_keys_sign(const LiveKeys *keys, Text frame, Buf *buf, Text *ret_bytes);
/* The frame in it, whoever made it: to look at whose it says it is. */
Text live_keys_frame(Text bytes);
/* Is it to be believed? LIVE_KEYS_E_NONE, LIVE_KEYS_E_FORGED. */
MUST_CHECK int live_keys_check(const LiveKeys *keys, Text bytes);

DEFINE_CLEANUP(LiveKeys *, live_keys_free);
