#include "gateway/sparkplug/payload.h"

#include <sparkplug_b.pb-c.h>

#include "base/err.h"

#define PAYLOAD_BASE ((size_t)4096) /* of memory, however short it is */

typedef struct Budget Budget;

/* A few bytes on the wire are a structure in memory: no message is to take more than its share. */
struct Budget {
        size_t n_left;
        bool is_spent, is_out; /* it asked for more than there is; the machine has none */
};

struct SparkplugPayload {
        Sparkplug__Payload *payload; /* one of the two */
        Sparkplug__Template *template;
        Sparkplug__Metric **metrics; /* of it */
        size_t n;
};

struct SparkplugDataSet {
        Sparkplug__DataSet *set;
};

static void *budget_alloc(void *arg, size_t n) {
        Budget *budget = arg;
        void *memory;

        if (n > budget->n_left) {
                budget->is_spent = true;
                return NULL;
        }
        budget->n_left -= n;
        memory = malloc(n > 0 ? n : 1);
        budget->is_out = budget->is_out || !memory;
        return memory;
}

static void budget_free(void *arg, void *memory) {
        (void)arg;
        free(memory);
}

static ProtobufCMessage *unpack(const ProtobufCMessageDescriptor *type,
                                Text bytes,
                                bool *ret_is_out) {
        Budget budget = { .n_left = PAYLOAD_BASE + bytes.n * SPARKPLUG_GROWTH };
        ProtobufCAllocator allocator = {
                .alloc = budget_alloc,
                .free = budget_free,
                .allocator_data = &budget,
        };
        ProtobufCMessage *message =
                protobuf_c_message_unpack(type, &allocator, bytes.n, (const uint8_t *)bytes.data);

        *ret_is_out = budget.is_out;
        return message;
}

static int opened(SparkplugPayload **ret_payload, SparkplugPayload *payload, bool is_out) {
        if (!payload->payload && !payload->template) {
                sparkplug_payload_free(payload);
                return is_out ? err_new(-ENOMEM) : SPARKPLUG_E_NONE;
        }
        *ret_payload = payload;
        return 0;
}

int sparkplug_payload_open(SparkplugPayload **ret_payload, Text bytes) {
        SparkplugPayload *payload = calloc(1, sizeof(*payload));
        bool is_out = false;

        if (!payload)
                return err_new(-ENOMEM);
        payload->payload =
                (Sparkplug__Payload *)unpack(&sparkplug__payload__descriptor, bytes, &is_out);
        if (payload->payload) {
                payload->metrics = payload->payload->metrics;
                payload->n = payload->payload->n_metrics;
        }
        return opened(ret_payload, payload, is_out);
}

int sparkplug_template_open(SparkplugPayload **ret_payload, Text bytes) {
        SparkplugPayload *payload = calloc(1, sizeof(*payload));
        bool is_out = false;

        if (!payload)
                return err_new(-ENOMEM);
        payload->template =
                (Sparkplug__Template *)unpack(&sparkplug__template__descriptor, bytes, &is_out);
        if (payload->template) {
                payload->metrics = payload->template->metrics;
                payload->n = payload->template->n_metrics;
        }
        return opened(ret_payload, payload, is_out);
}

SparkplugPayload *sparkplug_payload_free(SparkplugPayload *payload) {
        if (!payload)
                return NULL;
        sparkplug__payload__free_unpacked(payload->payload, NULL);
        sparkplug__template__free_unpacked(payload->template, NULL);
        free(payload);
        return NULL;
}

uint64_t sparkplug_payload_time_ms(const SparkplugPayload *payload) {
        return payload->payload ? payload->payload->timestamp : 0;
}

bool sparkplug_payload_seq(const SparkplugPayload *payload, uint64_t *ret_seq) {
        *ret_seq = payload->payload ? payload->payload->seq : 0;
        return payload->payload && payload->payload->has_seq;
}

size_t sparkplug_payload_length(const SparkplugPayload *payload) {
        return payload->n;
}

static Text text_of_bytes(ProtobufCBinaryData bytes) {
        return (Text){ .data = bytes.len > 0 ? (const char *)bytes.data : "", .n = bytes.len };
}

static SparkplugValue piece(SparkplugForm form, ProtobufCBinaryData bytes) {
        return (SparkplugValue){ .form = form, .text = text_of_bytes(bytes) };
}

static SparkplugValue value_of(const Sparkplug__Metric *metric) {
        if (metric->is_null)
                return (SparkplugValue){ .form = SPARKPLUG_NOTHING };
        switch (metric->value_case) {
        case SPARKPLUG__METRIC__VALUE_INT_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_WHOLE, .whole = metric->int_value };
        case SPARKPLUG__METRIC__VALUE_LONG_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_WHOLE, .whole = metric->long_value };
        case SPARKPLUG__METRIC__VALUE_FLOAT_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_FLOAT, .single = metric->float_value };
        case SPARKPLUG__METRIC__VALUE_DOUBLE_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_DOUBLE, .number = metric->double_value };
        case SPARKPLUG__METRIC__VALUE_BOOLEAN_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_BOOLEAN,
                                         .boolean = metric->boolean_value };
        case SPARKPLUG__METRIC__VALUE_STRING_VALUE:
                return piece(SPARKPLUG_STRING, metric->string_value);
        case SPARKPLUG__METRIC__VALUE_BYTES_VALUE:
                return piece(SPARKPLUG_BYTES, metric->bytes_value);
        case SPARKPLUG__METRIC__VALUE_DATASET_VALUE:
                return piece(SPARKPLUG_DATASET, metric->dataset_value);
        case SPARKPLUG__METRIC__VALUE_TEMPLATE_VALUE:
                return piece(SPARKPLUG_TEMPLATE, metric->template_value);
        default:
                return (SparkplugValue){ .form = SPARKPLUG_NOTHING };
        }
}

SparkplugMetric sparkplug_payload_metric(const SparkplugPayload *payload, size_t i) {
        const Sparkplug__Metric *metric = payload->metrics[i];

        return (SparkplugMetric){
                .name = text_of(metric->name),
                .has_alias = metric->has_alias,
                .is_historical = metric->is_historical,
                .alias = metric->alias,
                .time_ms = metric->timestamp,
                .type = metric->datatype,
                .value = value_of(metric),
        };
}

/* ---- data sets ---- */

int sparkplug_dataset_open(SparkplugDataSet **ret_set, Text bytes) {
        SparkplugDataSet *set = calloc(1, sizeof(*set));
        bool is_out = false;

        if (!set)
                return err_new(-ENOMEM);
        set->set = (Sparkplug__DataSet *)unpack(&sparkplug__data_set__descriptor, bytes, &is_out);
        if (!set->set) {
                free(set);
                return is_out ? err_new(-ENOMEM) : SPARKPLUG_E_NONE;
        }
        *ret_set = set;
        return 0;
}

SparkplugDataSet *sparkplug_dataset_free(SparkplugDataSet *set) {
        if (!set)
                return NULL;
        sparkplug__data_set__free_unpacked(set->set, NULL);
        free(set);
        return NULL;
}

size_t sparkplug_dataset_columns(const SparkplugDataSet *set) {
        return set->set->n_columns < set->set->n_types ? set->set->n_columns : set->set->n_types;
}

Text sparkplug_dataset_column(const SparkplugDataSet *set, size_t i, uint32_t *ret_type) {
        *ret_type = set->set->types[i];
        return text_of(set->set->columns[i]);
}

size_t sparkplug_dataset_rows(const SparkplugDataSet *set) {
        return set->set->n_rows;
}

SparkplugValue sparkplug_dataset_value(const SparkplugDataSet *set, size_t row, size_t column) {
        const Sparkplug__DataSetRow *cells = set->set->rows[row];
        const Sparkplug__DataSetValue *cell;

        if (column >= cells->n_elements)
                return (SparkplugValue){ .form = SPARKPLUG_NOTHING };
        cell = cells->elements[column];
        switch (cell->value_case) {
        case SPARKPLUG__DATA_SET_VALUE__VALUE_INT_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_WHOLE, .whole = cell->int_value };
        case SPARKPLUG__DATA_SET_VALUE__VALUE_LONG_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_WHOLE, .whole = cell->long_value };
        case SPARKPLUG__DATA_SET_VALUE__VALUE_FLOAT_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_FLOAT, .single = cell->float_value };
        case SPARKPLUG__DATA_SET_VALUE__VALUE_DOUBLE_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_DOUBLE, .number = cell->double_value };
        case SPARKPLUG__DATA_SET_VALUE__VALUE_BOOLEAN_VALUE:
                return (SparkplugValue){ .form = SPARKPLUG_BOOLEAN,
                                         .boolean = cell->boolean_value };
        case SPARKPLUG__DATA_SET_VALUE__VALUE_STRING_VALUE:
                return piece(SPARKPLUG_STRING, cell->string_value);
        default:
                return (SparkplugValue){ .form = SPARKPLUG_NOTHING };
        }
}
