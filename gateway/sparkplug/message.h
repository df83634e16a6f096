#pragma once

/*
 * SparkplugMessage: a payload of Sparkplug B as JSON, with the names that its birth gave to
 * aliases.
 *
 *   {"timestamp":1795853420123,"Motor/Temp":21.5,"Motor/On":true}
 *
 * An object with the time of the payload, in milliseconds, and a member for each metric. What is
 * historical, and what the same message says anew of the same metric, is in "historical", in its
 * order: an array of such objects, one for each time. Of a message that is all of one time of the
 * past, that is the object. Pure.
 */

#include "base/base.h"
#include "base/buf.h"
#include "gateway/sparkplug/value.h"

enum { SPARKPLUG_E_UNKNOWN = SPARKPLUG_E_LARGE + 1 }; /* of all metrics nobody knows the name */

typedef struct SparkplugNews SparkplugNews;
typedef struct SparkplugTable SparkplugTable;

/* What is to be known of it besides. */
struct SparkplugNews {
        bool is_history;        /* nothing of it is of now */
        int64_t seq, bd_seq;    /* its counter, and the session; -1: it says none */
        size_t n_unknown;       /* metrics that were left out: nobody knows their alias */
        uint64_t unknown_alias; /* the first of them */
        char metric[128];       /* that is wrong: of BROKEN, DEEP; "" = it is the payload */
};

/* @table: NULL where nothing is known. 0, SPARKPLUG_E_NONE, a SPARKPLUG_E_… of value.h or UNKNOWN,
 * -ENOMEM. */
MUST_CHECK int sparkplug_message_write(Buf *buf,
                                       Text bytes,
                                       const SparkplugTable *table,
                                       size_t n_max,
                                       SparkplugNews *ret_news);
