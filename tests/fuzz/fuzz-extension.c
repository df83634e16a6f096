/* Extension: offers of extensions up to a newline; behind it a compressed message. */

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "tests/fuzz/fuzz.h"
#include "ws/wire/extension.h"
#include "ws/wire/packer.h"

#define LIMIT 65536

static void check_offers(const char *offers) {
        WsExtension extension;

        ws_extension_read(&extension, offers);
        if (!extension.is_accepted)
                return;
        FUZZ_CHECK(strstr(offers, WS_EXTENSION_NAME));
        FUZZ_CHECK(strncmp(extension.answer, "; server_no_context_takeover", 28) == 0);
        FUZZ_CHECK(strlen(extension.answer) < sizeof(extension.answer) - 1);
}

/* What can be unpacked can be packed and unpacked again. */
static void check_message(Text packed) {
        static WsPacker *packer; /* one for all, as in a loop: nothing may be left behind */
        CLEANUP_BUF Buf copy = { 0 };
        Text plain = { 0 };

        FUZZ_CHECK(packer || ws_packer_new(&packer) == 0);
        if (ws_packer_unpack(packer, packed, LIMIT, &plain) != 0)
                return;
        FUZZ_CHECK(plain.n <= LIMIT);
        buf_append_text(&copy, plain);
        ws_packer_begin(packer);
        ws_packer_feed(packer, buf_text(&copy));
        packed = ws_packer_end(packer);
        FUZZ_CHECK(packed.data);
        FUZZ_CHECK(ws_packer_unpack(packer, packed, LIMIT, &plain) == 0);
        FUZZ_CHECK(text_equal(plain, buf_text(&copy)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *line = n > 0 ? memchr(data, '\n', n) : NULL;
        size_t n_text = line ? (size_t)(line - (const char *)data) : n;
        char *text = strndup((const char *)data, n_text);

        FUZZ_CHECK(text);
        check_offers(text);
        if (line)
                check_message((Text){ .data = line + 1, .n = n - n_text - 1 });
        free(text);
        return 0;
}
