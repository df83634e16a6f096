/* Sketch and Shape: what no route takes, in little memory. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/explore/shape.h"
#include "gateway/explore/sketch.h"

#define SECOND_US INT64_C(1000000)
#define MINUTE_US (60 * SECOND_US)
#define SHAPES    1024

static void test_levels_that_look_like_ids_stand_as_one(void **state) {
        static const struct {
                const char *topic, *shape;
        } cases[] = {
                { "home/kitchen/temp", "home/kitchen/temp" },
                { "zigbee2mqtt/0x00158d0001abcdef", "zigbee2mqtt/+" },
                { "a/24:0a:c4:12:34:56/b", "a/+/b" },
                { "a/deadbeef1/b", "a/+/b" },
                { "a/decade/b", "a/decade/b" }, /* hexadecimal, and a word */
                { "a/7/b", "a/+/b" },
                { "a/-4.5", "a/+" },
                { "tasmota_12ABCD/x", "tasmota_12ABCD/x" },
                { "shellyplus1-a8032ab12345/x", "+/x" },
                { "esp32/x", "esp32/x" },
                { "", "" },
                { "/", "/" },
                { "a//b/", "a//b/" },
                { "1", "+" },
                { "0/1/2/3/4/5/6/7/8/9/a/b/c/d/e/f/g", "+/+/+/+/+/+/+/+/+/+/a/b/c/d/e/#" },
        };
        char shape[SHAPE_SIZE], topic[1000];

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(shape_of(text_of(cases[i].topic), shape), strlen(cases[i].shape));
                assert_string_equal(shape, cases[i].shape);
        }
        memset(topic, 'x', sizeof(topic));
        topic[1] = '/';
        assert_int_equal(shape_of((Text){ topic, sizeof(topic) }, shape), 3);
        assert_string_equal(shape, "x/#");
        for (size_t n = SHAPE_SIZE - 8; n < SHAPE_SIZE + 8; ++n)
                assert_in_range(shape_of((Text){ topic, n }, shape), 3, SHAPE_SIZE - 1);
}

/* Of that shape; with n_messages 0 if there is none. */
static SketchEntry find(Sketch *sketch, const char *shape) {
        SketchEntry entry;

        for (size_t i = 0; i < SHAPES; ++i)
                if (sketch_get(sketch, i, &entry) && strcmp(entry.shape, shape) == 0)
                        return entry;
        return (SketchEntry){ 0 };
}

static void test_what_comes_is_counted_and_shown(void **state) {
        CLEANUP(sketch_free) Sketch *sketch = NULL;
        char large[2000];
        SketchEntry entry;

        (void)state;
        assert_int_equal(sketch_new(&sketch, SHAPES), 0);
        for (int i = 0; i < 10; ++i)
                assert_int_equal(sketch_take(sketch,
                                             TEXT("room/1/temp"),
                                             TEXT("21.5"),
                                             MINUTE_US + i),
                                 i == 0 ? SKETCH_NEW : SKETCH_KNOWN);
        sketch_take(sketch, TEXT("room/2/temp"), TEXT("22"), MINUTE_US + 20);
        entry = find(sketch, "room/+/temp");
        assert_int_equal(entry.n_messages, 11);
        assert_int_equal(entry.error, 0);
        assert_int_equal(entry.first_us, MINUTE_US);
        assert_int_equal(entry.last_us, MINUTE_US + 20);
        assert_int_equal(sketch_per_minute(&entry, MINUTE_US + 30), 11); /* of the first one */
        assert_int_equal(sketch_per_minute(&entry, 2 * MINUTE_US), 11);
        assert_int_equal(sketch_per_minute(&entry, 3 * MINUTE_US), 0);
        assert_memory_equal(entry.topic, "room/1/temp", entry.n_topic);
        assert_int_equal(entry.n_sample, 4);

        memset(large, 'x', sizeof(large));
        sketch_take(sketch, TEXT("room/3/temp"), (Text){ large, sizeof(large) }, 2 * MINUTE_US);
        entry = find(sketch, "room/+/temp");
        assert_int_equal(sketch_per_minute(&entry, 2 * MINUTE_US), 11); /* the whole one */
        assert_int_equal(entry.n_sample, SKETCH_SAMPLE);
        assert_int_equal(entry.n_bytes, sizeof(large));
        assert_memory_equal(entry.topic, "room/3/temp", entry.n_topic);
        sketch_take(sketch, (Text){ large, sizeof(large) }, TEXT(""), 2 * MINUTE_US);
        assert_int_equal(find(sketch, "#").n_topic, SKETCH_TOPIC);

        sketch_forget(sketch);
        assert_int_equal(find(sketch, "room/+/temp").n_messages, 0);
        assert_int_equal(sketch_sums(sketch).n_entries, 0);
}

/* Letters alone, so that each is a shape of its own. */
static void put_word(uint32_t number, char ret_word[9]) {
        for (size_t i = 0; i < 8; ++i)
                ret_word[i] = (char)('g' + (number >> (4 * i) & 15));
        ret_word[8] = '\0';
}

static void test_a_million_topics_push_out_nobody_who_sends_much(void **state) {
        CLEANUP(sketch_free) Sketch *sketch = NULL;
        uint32_t number = 1;
        uint64_t n_messages = 0;
        size_t n_entries = 0;
        SketchEntry entry;
        char word[9];

        (void)state;
        assert_int_equal(sketch_new(&sketch, SHAPES), 0);
        for (int64_t i = 0; i < 1000000; ++i) {
                number = number * 1664525U + 1013904223U;
                put_word(number, word);
                sketch_take(sketch, text_of(word), TEXT("1"), i);
                if (i % 100 == 0) /* one in a hundred: of its set, far more than one in 16 */
                        sketch_take(sketch, TEXT("heavy/one"), TEXT("2"), i);
        }
        for (size_t i = 0; i < SHAPES; ++i)
                if (sketch_get(sketch, i, &entry)) {
                        ++n_entries;
                        n_messages += entry.n_messages;
                        assert_true(entry.error < entry.n_messages);
                }
        assert_int_equal(n_entries, SHAPES);
        assert_int_equal(n_messages, 1010000); /* every message is in one of the counts */
        assert_int_equal(sketch_sums(sketch).n_messages, 1010000);
        assert_int_equal(sketch_sums(sketch).n_entries, SHAPES);
        assert_true(sketch_sums(sketch).n_displaced > 900000);
        entry = find(sketch, "heavy/one");
        assert_true(entry.n_messages >= 10000);
        assert_true(entry.n_messages - entry.error <= 10000);
        assert_true(entry.error < 1000);
}

static void test_it_has_room_for_as_many_as_it_was_told(void **state) {
        (void)state;
        for (size_t n = 1; n <= 100; ++n) {
                CLEANUP(sketch_free) Sketch *sketch = NULL;
                char word[9];

                assert_int_equal(sketch_new(&sketch, n), 0);
                assert_in_range(sketch_size(sketch), n, n + SKETCH_WAYS - 1);
                for (uint32_t i = 0; i < 10000; ++i) {
                        put_word(i * 2654435761U, word);
                        sketch_take(sketch, text_of(word), TEXT("1"), i);
                }
                assert_int_equal(sketch_sums(sketch).n_entries, sketch_size(sketch));
                sketch_forget(sketch);
                assert_int_equal(sketch_sums(sketch).n_entries, 0);
        }
        assert_true(sizeof(SketchEntry) < 1200); /* a shape, whatever comes */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_levels_that_look_like_ids_stand_as_one),
                cmocka_unit_test(test_what_comes_is_counted_and_shown),
                cmocka_unit_test(test_a_million_topics_push_out_nobody_who_sends_much),
                cmocka_unit_test(test_it_has_room_for_as_many_as_it_was_told),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
