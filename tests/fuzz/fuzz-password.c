/* Password: the text of a hash. What can be checked is within the bounds, and has no NUL. */

#include <string.h>

#include "base/password/password.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        const char *form = NULL;
        Text hash = { (const char *)data, n };

        if (password_look(hash, &form) == 0) {
                FUZZ_CHECK(n <= PASSWORD_TEXT_MAX);
                FUZZ_CHECK(*form);
                FUZZ_CHECK(!memchr(data, '\0', n));
        }
        return 0;
}
