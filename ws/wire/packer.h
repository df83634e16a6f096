#pragma once

/*
 * WsPacker: the one compressor and the one decompressor of a loop (permessage-deflate, RFC 7692).
 *
 * No context is taken over in either direction (ws/wire/extension.h), so all sockets share both and
 * a socket costs nothing. What comes out is borrowed until the next call of the same kind.
 * Decompressing stops at a limit: a bomb costs no more memory than the largest message. Loop
 * thread.
 */

#include "base/base.h"

typedef struct WsPacker WsPacker;

enum {
        WS_PACKER_E_BAD = 1, /* not DEFLATE */
        WS_PACKER_E_TOO_BIG, /* longer than the limit */
};

MUST_CHECK int ws_packer_new(WsPacker **ret_packer);
WsPacker *ws_packer_free(WsPacker *packer);

/* A message in pieces; ws_packer_end() gives it compressed, or absent if that did not work. */
void ws_packer_begin(WsPacker *packer);
void ws_packer_feed(WsPacker *packer, Text piece);
Text ws_packer_end(WsPacker *packer);

MUST_CHECK int ws_packer_unpack(WsPacker *packer, Text packed, size_t limit, Text *ret_plain);

DEFINE_CLEANUP(WsPacker *, ws_packer_free);
