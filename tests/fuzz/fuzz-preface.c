/* Preface: read as it comes, it says what it is once, and it asks for no byte behind its end. */

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "ws/net/preface.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        WsPreface whole = { 0 }, part = { 0 };
        char *copy = malloc(n + 1); /* of the right size, so that a sanitizer sees who reads on */
        int r;

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        r = ws_preface_parse(&whole, (Text){ .data = copy, .n = n });
        FUZZ_CHECK(r == WS_PREFACE_E_BAD || whole.n >= WS_PREFACE_MIN);
        FUZZ_CHECK(r == WS_PREFACE_E_BAD || whole.n <= WS_PREFACE_MAX);
        if (r == WS_PREFACE_E_MORE)
                FUZZ_CHECK(whole.n > n);
        if (r == 0) {
                FUZZ_CHECK(whole.n <= n);
                FUZZ_CHECK(ws_preface_parse(&part, (Text){ .data = copy, .n = whole.n }) == 0);
                FUZZ_CHECK(part.has_source == whole.has_source);
                FUZZ_CHECK(ws_preface_parse(&part, (Text){ .data = copy, .n = whole.n - 1 }) ==
                           WS_PREFACE_E_MORE);
        }
        free(copy);
        return 0;
}
