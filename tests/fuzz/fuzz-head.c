/* Head: a request; whatever it is read as lies within its bytes, and no part of it is a request. */

#include <string.h>

#include "gateway/base/base.h"
#include "tests/fuzz/fuzz.h"
#include "ws/head.h"
#include "ws/request.h"

static WsHead head;
static WsRequest request;

static void check_within(Text text, const char *data, size_t n) {
        FUZZ_CHECK(text.data >= data && text.data + text.n <= data + n);
}

static void check_read(const char *data) {
        check_within(head.method, data, head.n);
        check_within(head.target, data, head.n);
        for (size_t i = 0; i < head.n_fields; ++i) {
                check_within(head.fields[i].name, data, head.n);
                check_within(head.fields[i].value, data, head.n);
                FUZZ_CHECK(!memchr(head.fields[i].value.data, '\n', head.fields[i].value.n));
        }
        if (ws_request_read(&request, &head) == 0)
                FUZZ_CHECK(request.body_length >= -1 && request.path[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *copy = malloc(n + 1); /* of the right size, so that a sanitizer sees who reads on */
        size_t n_head;

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        if (ws_head_parse(&head, (Text){ .data = copy, .n = n }) == 0) {
                FUZZ_CHECK(head.n <= n);
                check_read(copy);
                n_head = head.n;
                FUZZ_CHECK(ws_head_parse(&head, (Text){ .data = copy, .n = n_head - 1 }) ==
                           WS_HEAD_E_MORE);
        }
        free(copy);
        return 0;
}
