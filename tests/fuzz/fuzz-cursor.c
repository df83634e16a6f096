/* Cursor: any text is one or it is refused, and what is one says no more than it can, and reads
 * back as itself. */

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "tests/fuzz/fuzz.h"
#include "ws/wire/cursor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *message = malloc(n + 1);
        char again[CURSOR_TEXT_SIZE];
        Cursor cursor = { 0 };
        Text text;

        if (!message)
                return 0;
        if (n > 0)
                memcpy(message, data, n);
        text = (Text){ .data = message, .n = n };
        if (cursor_parse(text, &cursor) == 0) {
                FUZZ_CHECK(cursor.n >= 1 && cursor.n <= CURSOR_MAX);
                for (size_t i = 0; i < cursor.n; ++i)
                        FUZZ_CHECK(strlen(cursor.parts[i].epoch) == 16 &&
                                   cursor.parts[i].seq < UINT64_C(10000000000000000));
                (void)cursor_text(&cursor, again);
                FUZZ_CHECK(strlen(again) < CURSOR_TEXT_SIZE);
                FUZZ_CHECK(cursor.n == 1 || text_equal(text, text_of(again)));
        }
        free(message);
        return 0;
}
