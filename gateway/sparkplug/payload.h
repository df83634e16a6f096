#pragma once

/*
 * SparkplugPayload: the protobuf of Sparkplug B (version 3.0, section 6.4), opened: a list of
 * metrics. The bytes of a data set or a template are opened by themselves, so that whoever goes
 * down says how deep.
 *
 * The texts of what is opened live as long as that does, and their content is anybody's. Opening
 * takes at most SPARKPLUG_GROWTH times the memory of the bytes. One thread.
 */

#include "base/base.h"

#define SPARKPLUG_GROWTH 32

enum { SPARKPLUG_E_NONE = 1 }; /* it is no such message */

typedef struct SparkplugDataSet SparkplugDataSet;
typedef struct SparkplugMetric SparkplugMetric;
typedef struct SparkplugPayload SparkplugPayload;
typedef struct SparkplugValue SparkplugValue;

typedef enum SparkplugForm {
        SPARKPLUG_NOTHING, /* null, or none that we know */
        SPARKPLUG_WHOLE,
        SPARKPLUG_FLOAT,
        SPARKPLUG_DOUBLE,
        SPARKPLUG_BOOLEAN,
        SPARKPLUG_STRING,
        SPARKPLUG_BYTES,
        SPARKPLUG_DATASET,  /* bytes for sparkplug_dataset_open() */
        SPARKPLUG_TEMPLATE, /* bytes for sparkplug_template_open() */
} SparkplugForm;

/* As it is on the wire: what it means, its type says (value.h). */
struct SparkplugValue {
        SparkplugForm form;
        union {
                uint64_t whole;
                float single;
                double number;
                bool boolean;
                Text text;
        };
};

struct SparkplugMetric {
        Text name; /* absent if it has none */
        bool has_alias, is_historical;
        uint64_t alias;
        uint64_t time_ms; /* 0: it says none */
        uint32_t type;    /* 0: it says none */
        SparkplugValue value;
};

/* 0, SPARKPLUG_E_NONE, -ENOMEM. */
MUST_CHECK int sparkplug_payload_open(SparkplugPayload **ret_payload, Text bytes);
MUST_CHECK int sparkplug_template_open(SparkplugPayload **ret_payload, Text bytes);
SparkplugPayload *sparkplug_payload_free(SparkplugPayload *payload);
uint64_t sparkplug_payload_time_ms(const SparkplugPayload *payload); /* 0: it says none */
bool sparkplug_payload_seq(const SparkplugPayload *payload, uint64_t *ret_seq); /* false: none */
size_t sparkplug_payload_length(const SparkplugPayload *payload);
SparkplugMetric sparkplug_payload_metric(const SparkplugPayload *payload, size_t i);

MUST_CHECK int sparkplug_dataset_open(SparkplugDataSet **ret_set, Text bytes);
SparkplugDataSet *sparkplug_dataset_free(SparkplugDataSet *set);
size_t sparkplug_dataset_columns(const SparkplugDataSet *set); /* that have a name and a type */
Text sparkplug_dataset_column(const SparkplugDataSet *set, size_t i, uint32_t *ret_type);
size_t sparkplug_dataset_rows(const SparkplugDataSet *set);
/* NOTHING where the row is shorter. */
SparkplugValue sparkplug_dataset_value(const SparkplugDataSet *set, size_t row, size_t column);

DEFINE_CLEANUP(SparkplugPayload *, sparkplug_payload_free);
DEFINE_CLEANUP(SparkplugDataSet *, sparkplug_dataset_free);
