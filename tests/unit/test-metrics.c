/* Metrics: counts that add up over threads, and text that promtool accepts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "model/metrics.h"
#include "model/metrics_text.h"
#include "model/record.h"

static int reset(void **state) {
        (void)state;
        metrics_reset();
        return 0;
}

static void assert_has_line(const Buf *buf, const char *line) {
        CLEANUP_BUF Buf wanted = { 0 };

        buf_printf(&wanted, "\n%s\n", line);
        if (!strstr(buf->data, wanted.data))
                fail_msg("no line: %s", line);
}

static void test_every_metric_is_rendered_with_its_value(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        size_t n_lines = 0, n_in_seconds = 0;

        (void)state;
        for (int i = 0; i < METRIC_COUNT; ++i) {
                metric_set((Metric)i, 1000000 + i);
                n_in_seconds += metric_row((Metric)i)->type == METRIC_GAUGE_US;
        }
        metrics_text_write(&buf);
        assert_false(buf_failed(&buf));
        for (const char *at = buf.data; (at = strstr(at, " 1000")); ++at)
                ++n_lines;
        assert_int_equal(n_lines + n_in_seconds, METRIC_COUNT); /* these are 1.0… */
}

static void test_names_labels_and_units_are_the_promised_ones(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        metric_add(METRIC_RECEIVED_MQTT, 5);
        metric_add(METRIC_RECEIVED_MQTT, 2);
        metric_set(METRIC_DB_LAG_SECONDS, 1500000);
        metric_add_dead_letter(REASON_BAD_JSON, 3);
        metric_add_dead_letter(REASON_NO_ROUTE, 1);
        metrics_text_write(&buf);

        assert_has_line(&buf, "tidegate_received_total{door=\"mqtt\"} 7");
        assert_has_line(&buf, "tidegate_received_total{door=\"ws\"} 0");
        assert_has_line(&buf, "tidegate_db_lag_seconds 1.5");
        assert_has_line(&buf, "tidegate_dead_lettered_total{reason=\"bad_json\"} 3");
        assert_has_line(&buf, "tidegate_build_info{version=\"" TIDEGATE_VERSION "\"} 1");
        assert_has_line(&buf, "tidegate_in_journal 0");
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 7);
        assert_int_equal(metric_get_dead_letter(REASON_BAD_JSON), 3);
        assert_int_equal(metric_get_dead_letters(), 4);
}

static void test_histogram_buckets_are_cumulative(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        histogram_observe(HISTOGRAM_BATCH_SIZE, 1);
        histogram_observe(HISTOGRAM_BATCH_SIZE, 3);
        histogram_observe(HISTOGRAM_BATCH_SIZE, 4);
        histogram_observe(HISTOGRAM_BATCH_SIZE, 100000);
        histogram_observe(HISTOGRAM_COMMIT, -1); /* the clock was set back */
        metrics_text_write(&buf);

        assert_has_line(&buf, "tidegate_batch_messages_bucket{le=\"1\"} 1");
        assert_has_line(&buf, "tidegate_batch_messages_bucket{le=\"2\"} 1");
        assert_has_line(&buf, "tidegate_batch_messages_bucket{le=\"4\"} 3");
        assert_has_line(&buf, "tidegate_batch_messages_bucket{le=\"4096\"} 3");
        assert_has_line(&buf, "tidegate_batch_messages_bucket{le=\"+Inf\"} 4");
        assert_has_line(&buf, "tidegate_batch_messages_sum 100008");
        assert_has_line(&buf, "tidegate_batch_messages_count 4");
        assert_has_line(&buf, "tidegate_commit_seconds_bucket{le=\"0.0001\"} 1");
        assert_has_line(&buf, "tidegate_commit_seconds_sum 0");
}

static void test_each_family_has_one_head(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        char *save = NULL;
        size_t n_families = 0, n_unique = 0;

        (void)state;
        metrics_text_write(&buf);
        for (char *line = strtok_r(buf.data, "\n", &save); line;
             line = strtok_r(NULL, "\n", &save)) {
                static char names[200][128];
                char name[128];
                bool is_known = false;

                if (sscanf(line, "# TYPE %127s", name) != 1)
                        continue;
                for (size_t i = 0; i < n_unique; ++i)
                        is_known |= strcmp(names[i], name) == 0;
                if (!is_known)
                        memcpy(names[n_unique++], name, sizeof(name));
                ++n_families;
        }
        assert_true(n_families > 30);
        assert_int_equal(n_families, n_unique);
}

static void test_promtool_has_nothing_to_say(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        FILE *promtool;

        (void)state;
        if (access("/usr/bin/promtool", X_OK) != 0)
                skip();
        metrics_text_write(&buf);
        promtool = popen("/usr/bin/promtool check metrics 2>&1 | (! grep .)", "w");
        assert_non_null(promtool);
        assert_int_equal(fwrite(buf.data, 1, buf.n, promtool), buf.n);
        assert_int_equal(pclose(promtool), 0);
}

enum { N_THREADS = 4, N_EACH = 50000 };

static void *count(void *arg) {
        (void)arg;
        for (int i = 0; i < N_EACH; ++i) {
                metric_add(METRIC_COMMITTED, 1);
                metric_add_dead_letter(REASON_OUT_OF_RANGE, 1);
                histogram_observe(HISTOGRAM_BATCH_SIZE, 2);
        }
        return NULL;
}

static void test_no_count_is_lost_between_threads(void **state) {
        CLEANUP_BUF Buf buf = { 0 };
        pthread_t threads[N_THREADS];

        (void)state;
        for (int i = 0; i < N_THREADS; ++i)
                assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
        metrics_text_write(&buf);
        for (int i = 0; i < N_THREADS; ++i)
                assert_int_equal(pthread_join(threads[i], NULL), 0);
        buf_reset(&buf);
        metrics_text_write(&buf);
        assert_has_line(&buf, "tidegate_committed_total 200000");
        assert_has_line(&buf, "tidegate_dead_lettered_total{reason=\"out_of_range\"} 200000");
        assert_has_line(&buf, "tidegate_batch_messages_sum 400000");
        assert_has_line(&buf, "tidegate_batch_messages_count 200000");
}

/* The label alone tells members of a family apart: it is their name where they are listed. */
/* What is counted for a slot is the slot's; who asks for the whole has the sum, or the worst. */
static void test_slots_are_counted_apart(void **state) {
        CLEANUP_BUF Buf buf = { 0 };

        (void)state;
        metrics_have_slots(2, 5);
        for (unsigned place = 1; place <= 2; ++place) {
                assert_int_equal(metrics_enter(place), 0);
                metric_add(METRIC_IN_JOURNAL, place);
                metric_set(METRIC_DB_LAG_SECONDS, place * INT64_C(1000000));
                metric_set(METRIC_MQTT_CONNECTED, place == 1);
                metric_add(METRIC_WS_ACCEPTED, 1); /* of no slot */
                assert_int_equal(metrics_enter(0), place);
        }
        assert_int_equal(metric_get(METRIC_IN_JOURNAL), 3);
        assert_int_equal(metric_get(METRIC_DB_LAG_SECONDS), 2000000);
        assert_int_equal(metric_get(METRIC_MQTT_CONNECTED), 0); /* none is held */
        assert_int_equal(metric_get(METRIC_WS_ACCEPTED), 2);
        (void)metrics_enter(1);
        metric_set(METRIC_LEASE_HELD, 1);
        (void)metrics_enter(2);
        metric_set(METRIC_LEASE_WAITING, 1);
        (void)metrics_enter(0);
        assert_int_equal(metric_get(METRIC_MQTT_CONNECTED), 1);
        assert_false(metrics_stand_by());

        metrics_text_write(&buf);
        assert_non_null(strstr(buf.data, "tidegate_in_journal{slot=\"5\"} 1\n"));
        assert_non_null(strstr(buf.data, "tidegate_in_journal{slot=\"6\"} 2\n"));
        assert_non_null(strstr(buf.data, "tidegate_db_lag_seconds{slot=\"6\"} 2\n"));
        assert_null(strstr(buf.data, "\ntidegate_in_journal "));
}

static void test_members_of_a_family_have_labels_of_their_own(void **state) {
        (void)state;
        assert_true(text_equal(metric_row_label(metric_row(METRIC_WS_CLOSED_SLOW)), TEXT("slow")));
        assert_null(metric_row_label(metric_row(METRIC_COMMITTED)).data);
        for (int i = 0; i < METRIC_COUNT; ++i) {
                for (int k = 0; k < i; ++k) {
                        const MetricRow *a = metric_row((Metric)i), *b = metric_row((Metric)k);

                        assert_false(metric_row_is_family(a, b) &&
                                     text_equal(metric_row_label(a), metric_row_label(b)));
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_members_of_a_family_have_labels_of_their_own),
                cmocka_unit_test_setup(test_every_metric_is_rendered_with_its_value, reset),
                cmocka_unit_test_setup(test_names_labels_and_units_are_the_promised_ones, reset),
                cmocka_unit_test_setup(test_histogram_buckets_are_cumulative, reset),
                cmocka_unit_test_setup(test_slots_are_counted_apart, reset),
                cmocka_unit_test_setup(test_each_family_has_one_head, reset),
                cmocka_unit_test_setup(test_promtool_has_nothing_to_say, reset),
                cmocka_unit_test_setup(test_no_count_is_lost_between_threads, reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
