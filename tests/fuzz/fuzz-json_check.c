/* JsonCheck: whatever json_check() lets through, a strict json-c takes whole. */

#include <json-c/json.h>

#include "gateway/decode/json_check.h"
#include "tests/fuzz/fuzz.h"

/* json-c ends a number only at a byte behind it. */
static void check_json_c_accepts(Text text) {
        struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);
        char *copy = malloc(text.n + 1);
        struct json_object *object;

        FUZZ_CHECK(tokener && copy);
        memcpy(copy, text.data, text.n);
        copy[text.n] = '\0';
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, copy, (int)text.n + 1);
        FUZZ_CHECK(json_tokener_get_error(tokener) == json_tokener_success);
        json_object_put(object);
        json_tokener_free(tokener);
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        Text text = { .data = (const char *)data, .n = n };
        size_t at = 0, plain_at = 0;
        Reason reason = json_check_at(text, &at);
        Reason plain = json_check_text_at(text, &plain_at);

        FUZZ_CHECK(at <= n && plain_at <= n);
        FUZZ_CHECK(plain == REASON_NONE || at == plain_at);
        FUZZ_CHECK(plain == REASON_NONE || reason == plain);
        if (reason == REASON_NONE)
                check_json_c_accepts(text);
        return 0;
}
