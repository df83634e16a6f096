/* Multipart: a form; a field that is found fits, and stands in it as it is. */

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "ws/wire/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *copy = malloc(n + 1); /* of the right size, so that a sanitizer sees who reads on */
        char value[16];
        Text body;

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        body = (Text){ .data = copy, .n = n };
        if (ws_multipart_find(body, "a", value, sizeof(value))) {
                FUZZ_CHECK(strlen(value) < sizeof(value));
                FUZZ_CHECK(memmem(copy, n, value, strlen(value)));
        }
        free(copy);
        return 0;
}
