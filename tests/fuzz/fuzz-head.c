/* Head: a request; whatever it is read as lies within its bytes, and no part of it is a request. */

#include <string.h>

#include "base/base.h"
#include "base/name.h"
#include "tests/fuzz/fuzz.h"
#include "ws/http/request.h"
#include "ws/wire/head.h"

static WsHead head;
static WsRequest request;

static void check_within(Text text, const char *data, size_t n) {
        FUZZ_CHECK(text.data >= data && text.data + text.n <= data + n);
}

static void check_request(void) {
        bool is_cut = false;
        char value[8];

        FUZZ_CHECK(request.body_length >= -1 && request.path[0]);
        request.is_cut = &is_cut;
        if (ws_request_param(&request, "a", value, sizeof(value)))
                FUZZ_CHECK(strlen(value) < sizeof(value));
        if (ws_request_form_is_text(text_of(request.query), false))
                FUZZ_CHECK(name_is_utf8(text_of(request.query)));
        (void)ws_request_form_param(text_of(request.query), false, "b", value, sizeof(value));
        request.is_secure = request.query[0] == 's';
        if (ws_request_origin_ok(&request, "https://app.example") && request.origin[0])
                FUZZ_CHECK(ws_request_origin_ok(&request, "*"));
}

static void check_read(const char *data) {
        int r;

        check_within(head.method, data, head.n);
        check_within(head.target, data, head.n);
        for (size_t i = 0; i < head.n_fields; ++i) {
                check_within(head.fields[i].name, data, head.n);
                check_within(head.fields[i].value, data, head.n);
                FUZZ_CHECK(!memchr(head.fields[i].value.data, '\n', head.fields[i].value.n));
        }
        r = ws_request_read(&request, &head);
        if (r != 0)
                FUZZ_CHECK(ws_request_status(r) >= 400);
        else
                check_request();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *copy = malloc(n + 1); /* of the right size, so that a sanitizer sees who reads on */
        size_t n_head;
        int r;

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        r = ws_head_parse(&head, (Text){ .data = copy, .n = n });
        FUZZ_CHECK(r == 0 || r == WS_HEAD_E_MORE || ws_head_status(r) >= 400);
        if (r == 0) {
                FUZZ_CHECK(head.n <= n);
                check_read(copy);
                n_head = head.n;
                FUZZ_CHECK(ws_head_parse(&head, (Text){ .data = copy, .n = n_head - 1 }) ==
                           WS_HEAD_E_MORE);
        }
        free(copy);
        return 0;
}
