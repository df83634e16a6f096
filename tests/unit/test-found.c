/* Found and Suggest: a sketch as it is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/explore/found.h"
#include "gateway/explore/suggest.h"

#define SHAPES 1024

static void take(Sketch *sketch, const char *topic, const char *payload) {
        sketch_take(sketch, text_of(topic), text_of(payload), 1000000);
}

static void expect(Sketch *sketch, size_t limit, const char *part, bool is_there) {
        CLEANUP_BUF Buf buf = { 0 };

        assert_int_equal(found_write(sketch, 1000000, limit, &buf), 0);
        if ((strstr(buf.data, part) != NULL) != is_there)
                fail_msg("%s: %s", part, buf.data);
}

static void test_siblings_become_one(void **state) {
        CLEANUP(sketch_free) Sketch *sketch = NULL;
        char topic[64];

        (void)state;
        assert_int_equal(sketch_new(&sketch, SHAPES), 0);
        for (char c = 'a'; c < 'a' + FOUND_SIBLINGS - 1; ++c) {
                snprintf(topic, sizeof(topic), "room/r%c/temp", c);
                take(sketch, topic, "21.5");
        }
        take(sketch, "room/ra/temp", "22");
        expect(sketch, 100, "\"topic\":\"room/ra/temp\",\"messages\":2", true); /* too few */
        expect(sketch, 100, "room/+/temp", false);
        take(sketch, "room/last/temp", "1");
        expect(sketch,
               100,
               "\"topic\":\"room/+/temp\",\"messages\":9,\"too_many_by_at_most\":0,"
               "\"per_minute\":9,\"shapes\":8,",
               true);
        expect(sketch, 100, "\"example\":\"room/ra/temp\"", true); /* the most frequent */
        take(sketch, "other/x", "{}");
        expect(sketch, 100, "other/x", true);
        expect(sketch, 1, "other/x", false);
        expect(sketch, 1, "\"messages\":10,\"shapes\":9,\"displaced\":0,", true); /* of all */
}

static void test_a_payload_is_told_by_its_sample(void **state) {
        static const struct {
                const char *payload, *part;
        } cases[] = {
                { "21.5", "\"form\":\"number\"," },
                { "true", "\"form\":\"bool\"," },
                { "{\"a\":1,\"b\":{\"c\":[]},\"d\":\"x\",\"e\":null}",
                  "\"form\":\"object\",\"members\":{\"a\":\"number\",\"b\":\"object\",\"d\":"
                  "\"string\",\"e\":\"null\"}," },
                { "[1]", "\"form\":\"json\",\"route\":null" },
                { "Online", "\"form\":\"text\"," },
                { "{\"a\":", "\"form\":\"text\"," },
                { "", "\"form\":\"empty\",\"route\":null" },
                { "\xff\x1b", "\"sample\":\"\\\\xff\\\\x1b\",\"form\":\"binary\",\"route\":null" },
        };
        char large[600] = "{\"a\":\"";

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(sketch_free) Sketch *sketch = NULL;

                assert_int_equal(sketch_new(&sketch, SHAPES), 0);
                take(sketch, "a/b", cases[i].payload);
                expect(sketch, 10, cases[i].part, true);
                memset(large + 6, 'x', sizeof(large) - 7);
                sketch_forget(sketch);
                take(sketch, "a/b", large);
                expect(sketch, 10, "\"bytes\":599,", true);
                expect(sketch, 10, "\"form\":\"object\",\"route\":\"[route a]", true);
        }
}

static void test_a_route_is_suggested(void **state) {
        static const struct {
                const char *shape, *form, *route; /* NULL: none */
        } cases[] = {
                { "room/+/+",
                  "number",
                  "[route room]\ntopic = room/{device}/{field}\ndecode = number\nkind = telemetry\n"
                  "\n[map room]\n{field} = /\n" },
                { "room/+/temp",
                  "number",
                  "[route room]\ntopic = room/{device}/temp\ndecode = number\nkind = telemetry\n"
                  "\n[map room]\ntemp = /\n" },
                { "room/+/Temp",
                  "text",
                  "[route room]\ntopic = room/{device}/Temp\ndecode = text\nkind = telemetry\n"
                  "\n[map room]\nvalue = /\n" },
                { "zigbee2mqtt/+",
                  "object",
                  "[route zigbee2mqtt]\ntopic = zigbee2mqtt/{device}\nkind = telemetry\n" },
                { "+/x/+/+",
                  "object",
                  "[route x]\ntopic = {device}/x/{part2}/{part3}\nkind = telemetry\n" },
                { "meter/#",
                  "object",
                  "[route meter]\ntopic = meter/#\nkind = telemetry\n\n[map meter]\n"
                  "device = 'meter'\n" },
                { "a b/c", "object", NULL },
                { "a/{b}", "object", NULL },
                { "a;b", "object", NULL },
                { "a", "binary", NULL },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf buf = { 0 };

                assert_int_equal(suggest_route(cases[i].shape, cases[i].form, &buf),
                                 cases[i].route != NULL);
                if (cases[i].route)
                        assert_string_equal(buf.data, cases[i].route);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_siblings_become_one),
                cmocka_unit_test(test_a_payload_is_told_by_its_sample),
                cmocka_unit_test(test_a_route_is_suggested),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
