#pragma once

/*
 * SparkplugValue as JSON: what is on the wire, by its type (Sparkplug 3.0, section 6.4.16).
 *
 *   Int8 … Int64        a number, of two's complement
 *   UInt8 … UInt64      a number, with all its digits
 *   Float, Double       a number; NaN and what is infinite are null
 *   Boolean             true, false
 *   String, Text, UUID  text; what is not UTF-8 in it is replaced
 *   DateTime            milliseconds since 1970
 *   Bytes, File         base64, with "=" as it is usual
 *   DataSet             an array: an object for each row, by the names of its columns
 *   Template            an object of its metrics
 *   …Array              an array
 *
 * Without a type, what the wire says. Pure.
 */

#include "base/base.h"
#include "base/buf.h"
#include "gateway/sparkplug/payload.h"

#define SPARKPLUG_LEVELS 8 /* templates within templates */

enum {
        SPARKPLUG_E_BROKEN = 2, /* a data set, template or array that is none */
        SPARKPLUG_E_DEEP,
        SPARKPLUG_E_LARGE, /* more than the buffer may have */
};

/* 0, one of these, or -ENOMEM; the buffer is then anything. It has up to @n_max bytes, and those of
 * the last value. Whether it ran out of memory is its own to say. */
MUST_CHECK int sparkplug_value_write(Buf *buf,
                                     const SparkplugValue *value,
                                     uint32_t type,
                                     size_t n_max);
