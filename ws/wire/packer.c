#include "ws/wire/packer.h"

#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "ws/wire/extension.h"

#define WS_PACKER_LEVEL  1     /* nearly all of the gain for less than half of 6 */
#define WS_PACKER_MEMORY 5     /* zlib's memLevel: 8 KiB of hash to clear for each message */
#define WS_PACKER_WINDOW 15    /* of the peers */
#define WS_PACKER_PIECE  8192  /* of what comes out, in one go */
#define WS_PACKER_KEEP   65536 /* a larger buffer is given back */

#define WS_PACKER_BETWEEN 128 /* of z_stream.data_type: behind a block, and before the next */

/* What ends each message and is not sent. */
static const uint8_t ws_packer_tail[] = { 0x00, 0x00, 0xff, 0xff };

struct WsPacker {
        z_stream out, in;
        bool has_out, has_in, failed;
        bool is_over; /* what was decompressed last said that it was all */
        Buf packed, plain;
};

static void *ws_packer_alloc(void *arg, uInt n, uInt size) {
        (void)arg;
        return calloc(n, size);
}

static void ws_packer_release(void *arg, void *memory) {
        (void)arg;
        free(memory);
}

static z_stream ws_packer_stream(void) {
        return (z_stream){ .zalloc = ws_packer_alloc, .zfree = ws_packer_release };
}

/* zlib's headers predate const. */
static Bytef *ws_packer_bytes(const void *data) {
        union {
                const void *in;
                Bytef *out;
        } bytes = { .in = data };

        return bytes.out;
}

int ws_packer_new(WsPacker **ret_packer) {
        CLEANUP(ws_packer_free) WsPacker *packer = NULL;

        packer = calloc(1, sizeof(*packer));
        if (!packer)
                return err_new(-ENOMEM);

        packer->out = ws_packer_stream();
        packer->in = ws_packer_stream();
        packer->has_out = deflateInit2(&packer->out,
                                       WS_PACKER_LEVEL,
                                       Z_DEFLATED,
                                       -WS_EXTENSION_WINDOW_BITS,
                                       WS_PACKER_MEMORY,
                                       Z_DEFAULT_STRATEGY) == Z_OK;
        packer->has_in = inflateInit2(&packer->in, -WS_PACKER_WINDOW) == Z_OK;
        if (!packer->has_out || !packer->has_in)
                return err_new(-ENOMEM);

        *ret_packer = TAKE(&packer);
        return 0;
}

WsPacker *ws_packer_free(WsPacker *packer) {
        if (!packer)
                return NULL;

        if (packer->has_out)
                (void)deflateEnd(&packer->out);
        if (packer->has_in)
                (void)inflateEnd(&packer->in);
        buf_done(&packer->packed);
        buf_done(&packer->plain);
        free(packer);
        return NULL;
}

static void ws_packer_empty(Buf *buf) {
        if (buf->capacity > WS_PACKER_KEEP)
                buf_done(buf);
        buf_reset(buf);
}

void ws_packer_begin(WsPacker *packer) {
        ws_packer_empty(&packer->packed);
        packer->failed = deflateReset(&packer->out) != Z_OK;
}

static void ws_packer_run(WsPacker *packer, int flush) {
        uint8_t piece[WS_PACKER_PIECE];

        do {
                int r;

                packer->out.next_out = piece;
                packer->out.avail_out = sizeof(piece);
                r = deflate(&packer->out, flush);
                packer->failed |= r != Z_OK && r != Z_BUF_ERROR;
                buf_append(&packer->packed, piece, sizeof(piece) - packer->out.avail_out);
        } while (packer->out.avail_out == 0 && !packer->failed);
}

void ws_packer_feed(WsPacker *packer, Text piece) {
        if (packer->failed || piece.n == 0)
                return;

        packer->out.next_in = ws_packer_bytes(piece.data);
        packer->out.avail_in = (uInt)piece.n;
        ws_packer_run(packer, Z_NO_FLUSH);
}

Text ws_packer_end(WsPacker *packer) {
        const size_t n_tail = sizeof(ws_packer_tail);
        Buf *packed = &packer->packed;

        if (!packer->failed)
                ws_packer_run(packer, Z_SYNC_FLUSH);
        if (packer->failed || buf_failed(packed) || packed->n < n_tail ||
            memcmp(packed->data + packed->n - n_tail, ws_packer_tail, n_tail) != 0)
                return (Text){ 0 };
        return (Text){ .data = packed->data, .n = packed->n - n_tail };
}

/* Decompresses what @in points to and appends it to plain, of which @limit bytes are allowed. */
static int ws_packer_inflate(WsPacker *packer, size_t limit) {
        uint8_t piece[WS_PACKER_PIECE];

        for (;;) {
                size_t n;
                int r;

                packer->in.next_out = piece;
                packer->in.avail_out = sizeof(piece);
                r = inflate(&packer->in, Z_SYNC_FLUSH);
                n = sizeof(piece) - packer->in.avail_out;
                if (r == Z_MEM_ERROR)
                        return err_new(-ENOMEM);
                if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
                        return WS_PACKER_E_BAD;
                if (n > limit - packer->plain.n)
                        return WS_PACKER_E_TOO_BIG;
                buf_append(&packer->plain, piece, n);
                if (buf_failed(&packer->plain))
                        return err_new(-ENOMEM);
                /* A block may say that it is the last, and another follow (RFC 7692 7.2.3.4). */
                packer->is_over = r == Z_STREAM_END;
                if (r == Z_STREAM_END)
                        (void)inflateReset(&packer->in);
                if (packer->in.avail_in == 0 && packer->in.avail_out > 0)
                        return 0;
                if (r == Z_BUF_ERROR)
                        return WS_PACKER_E_BAD;
        }
}

/* Does it end between two blocks? Else some of it is missing. (data_type: see zlib.h on inflate().)
 */
static bool ws_packer_is_whole(const WsPacker *packer) {
        return packer->is_over || (packer->in.data_type & WS_PACKER_BETWEEN) != 0;
}

int ws_packer_unpack(WsPacker *packer, Text packed, size_t limit, Text *ret_plain) {
        const Text parts[] = {
                packed, { .data = (const char *)ws_packer_tail, .n = sizeof(ws_packer_tail) }
        };
        int r = 0;

        if (packed.n > UINT32_MAX)
                return WS_PACKER_E_TOO_BIG;

        ws_packer_empty(&packer->plain);
        (void)inflateReset(&packer->in);
        packer->is_over = false;
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(parts); ++i) {
                packer->in.next_in = ws_packer_bytes(parts[i].data);
                packer->in.avail_in = (uInt)parts[i].n;
                if (parts[i].n > 0 && !packer->is_over)
                        r = ws_packer_inflate(packer, limit);
        }
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return r;
        if (!ws_packer_is_whole(packer))
                return WS_PACKER_E_BAD;

        *ret_plain = buf_text(&packer->plain);
        return 0;
}
