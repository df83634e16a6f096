/* WsFile: whole, packed, in parts, or not at all. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "ws/files/file.h"
#include "ws/http/request.h"
#include "ws/http/response.h"

#define LARGE (3U << 20)

typedef struct Asked Asked;

struct Asked {
        const char *accept, *range, *if_range, *if_none_match;
};

static const WsFile small = { .type = "text/plain",
                              .plain = { "0123456789", 10 },
                              .packed = { "packed", 6 },
                              .tag = 0xabc };

static void give(WsResponse *response, const WsFile *file, Asked asked) {
        WsRequest *request = calloc(1, sizeof(*request));

        assert_non_null(request);
        snprintf(request->accept, sizeof(request->accept), "%s", asked.accept ? asked.accept : "");
        snprintf(request->range, sizeof(request->range), "%s", asked.range ? asked.range : "");
        snprintf(request->if_range,
                 sizeof(request->if_range),
                 "%s",
                 asked.if_range ? asked.if_range : "");
        snprintf(request->if_none_match,
                 sizeof(request->if_none_match),
                 "%s",
                 asked.if_none_match ? asked.if_none_match : "");
        ws_file_give(request, file, response);
        free(request);
}

static void expect(Asked asked, int status, const char *bytes, const char *header) {
        CLEANUP_RESPONSE WsResponse response = { 0 };

        give(&response, &small, asked);
        assert_int_equal(response.status, status);
        assert_true(text_equal(response.fixed, text_of(bytes)));
        assert_non_null(strstr(response.headers.data, header));
}

static void test_it_comes_packed_to_who_takes_that(void **state) {
        (void)state;
        expect((Asked){ 0 }, 200, "0123456789", "ETag: W/\"0000000000000abc\"");
        expect((Asked){ .accept = "br, gzip" }, 200, "packed", "Content-Encoding: gzip");
        expect((Asked){ .accept = "gzip;q=0.5" }, 200, "packed", "Vary: Accept, Accept-Encoding");
        expect((Asked){ .accept = "gzip;q=0" }, 200, "0123456789", "ETag");
        expect((Asked){ .accept = "x-gzip" }, 200, "0123456789", "ETag");
}

static void test_who_has_it_is_told_so(void **state) {
        (void)state;
        expect((Asked){ .if_none_match = "W/\"0000000000000abc\"" }, 304, NULL, "ETag");
        expect((Asked){ .if_none_match = "\"x\", \"0000000000000abc\"" }, 304, NULL, "ETag");
        expect((Asked){ .if_none_match = "\"x\"" }, 200, "0123456789", "ETag");
}

static void test_parts_are_of_what_is_not_packed(void **state) {
        (void)state;
        expect((Asked){ .accept = "gzip", .range = "bytes=2-4" },
               206,
               "234",
               "Content-Range: bytes 2-4/10");
        expect((Asked){ .range = "bytes=-3" }, 206, "789", "Content-Range: bytes 7-9/10");
        expect((Asked){ .range = "bytes=8-99" }, 206, "89", "Content-Range: bytes 8-9/10");
        expect((Asked){ .range = "bytes=10-" }, 416, NULL, "Content-Range: bytes */10");
        expect((Asked){ .range = "bytes=2-4", .if_range = "\"x\"" }, 200, "0123456789", "ETag");
        expect((Asked){ .range = "bytes=1-2,4-5" }, 200, "0123456789", "ETag");
}

static void test_no_part_is_longer_than_a_mebibyte(void **state) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        char *bytes = calloc(1, LARGE);
        const WsFile large = { .type = "text/plain", .plain = { bytes, LARGE } };

        (void)state;
        assert_non_null(bytes);
        give(&response, &large, (Asked){ .range = "bytes=5-" });
        assert_int_equal(response.status, 206);
        assert_int_equal(response.fixed.n, 1 << 20);
        assert_non_null(strstr(response.headers.data, "Content-Range: bytes 5-1048580/3145728"));
        free(bytes);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_comes_packed_to_who_takes_that),
                cmocka_unit_test(test_who_has_it_is_told_so),
                cmocka_unit_test(test_parts_are_of_what_is_not_packed),
                cmocka_unit_test(test_no_part_is_longer_than_a_mebibyte),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
