/* SparkplugTopic: who speaks, wherever in a topic it is said. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "gateway/sparkplug/topic.h"

static void test_topics_say_who_it_is(void **state) {
        static const struct {
                const char *topic;
                SparkplugType type;
                const char *key, *written;
        } cases[] = {
                { "spBv1.0/g/NBIRTH/n", SPARKPLUG_NBIRTH, "g/n", "spBv1.0/g/ALIVE/n" },
                { "spBv1.0/g/DDATA/n/d", SPARKPLUG_DDATA, "g/n/d", "spBv1.0/g/ALIVE/n/d" },
                { "site/1/spBv1.0/g/DDEATH/n/d",
                  SPARKPLUG_DDEATH,
                  "g/n/d",
                  "site/1/spBv1.0/g/ALIVE/n/d" },
                { "spBv1.0/g/ALIVE/n/d", SPARKPLUG_ALIVE, "g/n/d", "spBv1.0/g/ALIVE/n/d" },
        };
        static const char *const none[] = {
                "spBv1.0/STATE/host",
                "spBv1.0/g/NCMD/n",
                "spBv1.0/g/DDATA/n",
                "spBv1.0/g/NDATA/n/d",
                "spBv1.0/g/DDATA/n/d/e",
                "spBv1.0/g/NDATA/",
                "spBv1.0//NDATA/n",
                "spBv1.0/g/DDATA/n/",
                "aspBv1.0/g/NDATA/n",
                "spBv1.0",
                "spBv1.0/",
                "",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf key = { 0 };
                CLEANUP_BUF Buf topic = { 0 };
                SparkplugTopic read;

                assert_true(sparkplug_topic_read(text_of(cases[i].topic), &read));
                assert_int_equal(read.type, cases[i].type);
                sparkplug_topic_key(&read, false, &key);
                assert_string_equal(key.data, cases[i].key);
                sparkplug_topic_write(&read, "ALIVE", read.device, &topic);
                assert_string_equal(topic.data, cases[i].written);
        }
        for (size_t i = 0; i < N_ELEMENTS(none); ++i) {
                SparkplugTopic read;

                if (sparkplug_topic_read(text_of(none[i]), &read))
                        fail_msg("%s", none[i]);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_topics_say_who_it_is),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
