/* Decoder: a byte of options and frames; they mean the same whole and byte by byte. */

#include <string.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "ws/wire/decoder.h"

static void run(const uint8_t *data, size_t n, size_t step, bool takes_packed, Buf *out) {
        WsDecoder decoder = { .takes_packed = takes_packed };

        for (size_t at = 0; at < n;) {
                size_t n_part = n - at < step ? n - at : step;
                char *part = malloc(n_part);
                WsDecoded decoded;
                size_t used;

                FUZZ_CHECK(part);
                memcpy(part, data + at, n_part);
                used = ws_decoder_feed(&decoder, part, n_part, &decoded);
                FUZZ_CHECK(used > 0 && used <= n_part);
                at += used;
                if (decoded.kind == WS_DECODED_BROKEN)
                        at = n;
                else if (decoded.kind != WS_DECODED_NOTHING)
                        buf_append_text(out, decoded.payload);
                if (decoded.kind > WS_DECODED_PIECE || decoded.is_last)
                        buf_printf(out, "[%d,%d]", (int)decoded.kind, decoded.code);
                free(part);
        }
}

/* Text is cut off where it is found to be no UTF-8: later if it came in larger pieces. */
static bool is_begin(Text a, Text b) {
        size_t n = a.n < b.n ? a.n : b.n;

        return n == 0 || memcmp(a.data, b.data, n) == 0 || memchr(a.data, '[', n) ||
               memchr(b.data, '[', n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        CLEANUP_BUF Buf whole = { 0 }, bytes = { 0 };
        bool takes_packed = n > 0 && (data[0] & 1) != 0;

        if (n == 0)
                return 0;
        run(data + 1, n - 1, n, takes_packed, &whole);
        run(data + 1, n - 1, 1, takes_packed, &bytes);
        FUZZ_CHECK(is_begin(buf_text(&whole), buf_text(&bytes)));
        return 0;
}
