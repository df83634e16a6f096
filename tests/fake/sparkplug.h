#pragma once

/*
 * The bytes of Sparkplug B, written by hand: no encoder of the program's own stands behind them.
 * What is put into a Buf is behind what it has.
 */

#include "base/base.h"
#include "base/buf.h"

static inline void put_varint(Buf *buf, uint64_t number) {
        for (; number >= 0x80; number >>= 7)
                buf_append_char(buf, (char)(number | 0x80));
        buf_append_char(buf, (char)number);
}

static inline void put_whole(Buf *buf, unsigned field, uint64_t number) {
        put_varint(buf, field << 3);
        put_varint(buf, number);
}

static inline void put_fixed(Buf *buf, unsigned field, const void *bytes, size_t n) {
        put_varint(buf, field << 3 | (n == 4 ? 5 : 1));
        buf_append(buf, bytes, n);
}

static inline void put_text(Buf *buf, unsigned field, Text text) {
        put_varint(buf, field << 3 | 2);
        put_varint(buf, text.n);
        buf_append_text(buf, text);
}

enum { /* of a payload, and of a metric */
       PAYLOAD_TIME = 1,
       PAYLOAD_METRICS,
       PAYLOAD_SEQ,
       METRIC_NAME = 1,
       METRIC_ALIAS,
       METRIC_TIME,
       METRIC_TYPE,
       METRIC_HISTORICAL,
       METRIC_NULL = 7,
       METRIC_INT = 10,
       METRIC_LONG,
       METRIC_FLOAT,
       METRIC_DOUBLE,
       METRIC_BOOLEAN,
       METRIC_STRING,
       METRIC_BYTES,
       METRIC_DATASET,
       METRIC_TEMPLATE,
};

/* A metric with what is in @value behind its name and type (0: none); the value is emptied. */
static inline void put_metric(Buf *payload, const char *name, uint32_t type, Buf *value) {
        CLEANUP_BUF Buf metric = { 0 };

        if (name)
                put_text(&metric, METRIC_NAME, text_of(name));
        if (type != 0)
                put_whole(&metric, METRIC_TYPE, type);
        buf_append_text(&metric, buf_text(value));
        put_text(payload, PAYLOAD_METRICS, buf_text(&metric));
        buf_reset(value);
}
