#pragma once

/*
 * MetricsText: all metrics, and what the process takes, in Prometheus' text format 0.0.4.
 *
 * Reads them one after the other, without a lock: what belongs together may differ by what was
 * counted meanwhile. Samples of one name stand together, as the format wants it. Any thread.
 */

typedef struct Buf Buf;

void metrics_text_write(Buf *buf);
