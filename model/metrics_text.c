#include "model/metrics_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/process.h"
#include "model/asides.h"
#include "model/metrics.h"
#include "model/record.h"

static void metrics_text_head(Buf *buf, const char *name, const char *type, const char *help) {
        buf_printf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void metrics_text_sample(Buf *buf, const char *name, const char *label, double value) {
        if (label)
                buf_printf(buf, "%s{%s} ", name, label);
        else
                buf_printf(buf, "%s ", name);
        buf_json_double(buf, value);
        buf_append_char(buf, '\n');
}

static void metrics_text_single(Buf *buf,
                                MetricType type,
                                const char *name,
                                const char *help,
                                double value) {
        metrics_text_head(buf, name, type == METRIC_COUNTER ? "counter" : "gauge", help);
        metrics_text_sample(buf, name, NULL, value);
}

static void metrics_text_process(Buf *buf) {
        metrics_text_head(buf,
                          "tidegate_build_info",
                          "gauge",
                          "Always 1; the labels say what is built.");
        metrics_text_sample(buf, "tidegate_build_info", "version=\"" TIDEGATE_VERSION "\"", 1);

        metrics_text_single(buf,
                            METRIC_COUNTER,
                            "tidegate_process_cpu_seconds_total",
                            "User and system time of the process.",
                            process_cpu_seconds());
        metrics_text_single(buf,
                            METRIC_GAUGE,
                            "tidegate_process_start_time_seconds",
                            "Start of the process, in seconds since 1970.",
                            process_start_seconds());
        metrics_text_single(buf,
                            METRIC_GAUGE,
                            "tidegate_process_resident_memory_bytes",
                            "Memory of the process that is in RAM.",
                            (double)process_resident_bytes());
        metrics_text_single(buf,
                            METRIC_GAUGE,
                            "tidegate_process_open_fds",
                            "Open file descriptors of the process.",
                            (double)process_n_fds());
        metrics_text_single(buf,
                            METRIC_GAUGE,
                            "tidegate_process_max_fds",
                            "File descriptors that the process may open.",
                            (double)process_max_fds());
        metrics_text_single(buf,
                            METRIC_COUNTER,
                            "tidegate_log_lost_total",
                            "Lines of the log that standard error did not take.",
                            (double)log_n_lost_lines());
}

/* Of each slot; none of these has a label besides. */
static void metrics_text_slots(Buf *buf, Metric metric) {
        const MetricRow *row = metric_row(metric);
        char label[32];

        for (unsigned place = 1; place <= metrics_n_places(); ++place) {
                double value = (double)metric_get_of(metric, place);

                snprintf(label, sizeof(label), "slot=\"%d\"", metrics_slot(place));
                metrics_text_sample(buf,
                                    row->name,
                                    label,
                                    row->type == METRIC_GAUGE_US ? value / 1e6 : value);
        }
}

/* All samples of the family that row @first begins: the format wants them together. */
static void metrics_text_family(Buf *buf, size_t first) {
        const MetricRow *family = metric_row((Metric)first);

        metrics_text_head(buf,
                          family->name,
                          family->type == METRIC_COUNTER ? "counter" : "gauge",
                          family->help);
        for (size_t i = first; i < METRIC_COUNT; ++i) {
                double value = (double)metric_get((Metric)i);

                if (!metric_row_is_family(metric_row((Metric)i), family))
                        continue;
                if (metric_is_of_slots((Metric)i)) {
                        metrics_text_slots(buf, (Metric)i);
                        continue;
                }
                if (metric_row((Metric)i)->type == METRIC_GAUGE_US)
                        value /= 1e6;
                metrics_text_sample(buf, family->name, metric_row((Metric)i)->label, value);
        }
}

static void metrics_text_table(Buf *buf) {
        for (size_t i = 0; i < METRIC_COUNT; ++i) {
                size_t first = 0;

                while (first < i &&
                       !metric_row_is_family(metric_row((Metric)first), metric_row((Metric)i)))
                        ++first;
                if (first == i && metric_row((Metric)i)->name)
                        metrics_text_family(buf, i);
        }
}

static void metrics_text_dead_letters(Buf *buf) {
        static const char name[] = "tidegate_dead_lettered_total";
        char label[64];

        metrics_text_head(buf, name, "counter", "Messages set aside as dead letters, by reason.");
        for (unsigned reason = REASON_NONE + 1; reason < REASON_COUNT; ++reason) {
                snprintf(label, sizeof(label), "reason=\"%s\"", reason_name((Reason)reason));
                metrics_text_sample(buf, name, label, (double)metric_get_dead_letter(reason));
        }
}

static void metrics_text_asides(Buf *buf) {
        static const char name[] = "tidegate_members_set_aside_total";
        char label[ASIDES_NAME_SIZE + 64];

        metrics_text_head(buf,
                          name,
                          "counter",
                          "Members set aside of messages that are stored, by member and reason.");
        for (size_t i = 0; i < asides_length(); ++i)
                for (unsigned reason = REASON_NONE + 1; reason < REASON_COUNT; ++reason) {
                        int64_t n = asides_get(i, reason);

                        snprintf(label,
                                 sizeof(label),
                                 "member=\"%s\",reason=\"%s\"",
                                 asides_member(i),
                                 reason_name((Reason)reason));
                        if (n > 0)
                                metrics_text_sample(buf, name, label, (double)n);
                }
}

static void metrics_text_histogram(Buf *buf, Histogram histogram) {
        const HistogramRow *row = histogram_row(histogram);
        uint64_t n = 0;

        metrics_text_head(buf, row->name, "histogram", row->help);
        for (size_t i = 0; i <= row->n_bounds; ++i) {
                n += histogram_bucket(histogram, i);
                buf_printf(buf, "%s_bucket{le=\"", row->name);
                if (i < row->n_bounds)
                        buf_json_double(buf, row->bounds[i]);
                else
                        buf_append_string(buf, "+Inf");
                buf_printf(buf, "\"} %" PRIu64 "\n", n);
        }
        buf_printf(buf, "%s_sum ", row->name);
        buf_json_double(buf, histogram_sum(histogram));
        buf_printf(buf, "\n%s_count %" PRIu64 "\n", row->name, n);
}

void metrics_text_write(Buf *buf) {
        metrics_text_process(buf);
        metrics_text_table(buf);
        metrics_text_dead_letters(buf);
        metrics_text_asides(buf);
        for (size_t i = 0; i < HISTOGRAM_COUNT; ++i)
                metrics_text_histogram(buf, (Histogram)i);
}
