#pragma once

/*
 * SparkplugTable: what the metrics of a node or a device are called, and of which type they are, as
 * its birth said it: what comes later may say an alias and no more.
 *
 * Immutable and reference-counted; at most as many metrics as whoever makes it lets it have. One
 * thread.
 */

#include "base/base.h"

typedef struct SparkplugPayload SparkplugPayload;
typedef struct SparkplugTable SparkplugTable;
typedef struct SparkplugTerm SparkplugTerm;

struct SparkplugTerm {
        Text name;
        bool has_alias;
        uint64_t alias;
        uint32_t type; /* 0: it was not said */
};

/* Of the first @n_max metrics that have a name. */
MUST_CHECK int sparkplug_table_new(SparkplugTable **ret_table,
                                   const SparkplugPayload *birth,
                                   size_t n_max);
SparkplugTable *sparkplug_table_ref(SparkplugTable *table);
SparkplugTable *sparkplug_table_unref(SparkplugTable *table);

bool sparkplug_table_equal(const SparkplugTable *a,
                           const SparkplugTable *b); /* in the same order */
size_t sparkplug_table_length(const SparkplugTable *table);
/* NULL: there is none; of several the last one. */
const SparkplugTerm *sparkplug_table_alias(const SparkplugTable *table, uint64_t alias);
const SparkplugTerm *sparkplug_table_name(const SparkplugTable *table, Text name);

DEFINE_CLEANUP(SparkplugTable *, sparkplug_table_unref);
