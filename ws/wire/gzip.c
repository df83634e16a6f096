#include "ws/wire/gzip.h"

#include <zlib.h>

#include "base/buf.h"

#define WS_GZIP_WINDOW (15 + 16) /* the largest, in the form of gzip */
#define WS_GZIP_MEMORY 8
#define WS_GZIP_PIECE  16384
#define WS_GZIP_HEAD   10
#define WS_GZIP_TAIL   8 /* CRC-32 and length, the least byte first */

/* zlib's headers predate const. */
static Bytef *ws_gzip_bytes(const char *data) {
        union {
                const char *in;
                Bytef *out;
        } bytes = { .in = data };

        return bytes.out;
}

void ws_gzip(Text plain, Buf *ret_packed) {
        z_stream stream = { .next_in = ws_gzip_bytes(plain.data), .avail_in = (uInt)plain.n };
        uint8_t piece[WS_GZIP_PIECE];
        int r;

        if (deflateInit2(&stream,
                         Z_DEFAULT_COMPRESSION,
                         Z_DEFLATED,
                         WS_GZIP_WINDOW,
                         WS_GZIP_MEMORY,
                         Z_DEFAULT_STRATEGY) != Z_OK) {
                ret_packed->failed = true;
                return;
        }
        do {
                stream.next_out = piece;
                stream.avail_out = sizeof(piece);
                r = deflate(&stream, Z_FINISH);
                buf_append(ret_packed, piece, sizeof(piece) - stream.avail_out);
        } while (r == Z_OK);
        ret_packed->failed |= r != Z_STREAM_END;
        (void)deflateEnd(&stream);
}

static uint32_t ws_gzip_number(const uint8_t *at) {
        return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 |
               (uint32_t)at[3] << 24;
}

bool ws_gzip_is_of(Text packed, Text plain) {
        const uint8_t *begin = (const uint8_t *)packed.data, *tail;

        if (packed.n < WS_GZIP_HEAD + WS_GZIP_TAIL || begin[0] != 0x1f || begin[1] != 0x8b)
                return false;
        tail = begin + packed.n - WS_GZIP_TAIL;
        return ws_gzip_number(tail + 4) == (uint32_t)plain.n &&
               ws_gzip_number(tail) == (uint32_t)crc32_z(0, (const Bytef *)plain.data, plain.n);
}
