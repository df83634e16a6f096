#include "gateway/sparkplug/value.h"

#include "base/base64.h"
#include "base/err.h"

enum { /* Sparkplug 3.0, section 6.4.16 */
       TYPE_INT8 = 1,
       TYPE_INT16,
       TYPE_INT32,
       TYPE_INT64,
       TYPE_UINT8,
       TYPE_UINT16,
       TYPE_UINT32,
       TYPE_UINT64,
       TYPE_BOOLEAN = 11,
       TYPE_INT8_ARRAY = 22,
       TYPE_INT16_ARRAY,
       TYPE_INT32_ARRAY,
       TYPE_INT64_ARRAY,
       TYPE_UINT8_ARRAY,
       TYPE_UINT16_ARRAY,
       TYPE_UINT32_ARRAY,
       TYPE_UINT64_ARRAY,
       TYPE_FLOAT_ARRAY,
       TYPE_DOUBLE_ARRAY,
       TYPE_BOOLEAN_ARRAY,
       TYPE_STRING_ARRAY,
       TYPE_DATE_TIME_ARRAY,
};

typedef struct Writer Writer;

struct Writer {
        Buf *buf;
        size_t n_max;
        size_t depth;
};

static int write_value(Writer *writer, const SparkplugValue *value, uint32_t type);

static void write_unsigned(Buf *buf, uint64_t whole) {
        buf_printf(buf, "%llu", (unsigned long long)whole);
}

static void write_whole(Buf *buf, uint64_t whole, uint32_t type) {
        switch (type) {
        case TYPE_INT8:
                buf_json_int(buf, (int8_t)(uint8_t)whole);
                return;
        case TYPE_INT16:
                buf_json_int(buf, (int16_t)(uint16_t)whole);
                return;
        case TYPE_INT32:
                buf_json_int(buf, (int32_t)(uint32_t)whole);
                return;
        case TYPE_INT64:
                buf_json_int(buf, (int64_t)whole);
                return;
        case TYPE_UINT8:
                write_unsigned(buf, (uint8_t)whole);
                return;
        case TYPE_UINT16:
                write_unsigned(buf, (uint16_t)whole);
                return;
        case TYPE_UINT32:
                write_unsigned(buf, (uint32_t)whole);
                return;
        case TYPE_BOOLEAN:
                buf_json_bool(buf, whole != 0);
                return;
        default:
                write_unsigned(buf, whole);
        }
}

static int write_bytes(Buf *buf, Text bytes) {
        char *text = malloc(BASE64_SIZE(bytes.n));
        static const char *const padding[] = { "", "", "==", "=" }; /* by what is over of four */
        size_t n;

        if (!text)
                return err_new(-ENOMEM);
        base64_write(BASE64_PLAIN, bytes.data, bytes.n, text);
        n = strlen(text);
        buf_append_char(buf, '"');
        buf_append(buf, text, n);
        buf_append_string(buf, padding[n % 4]);
        buf_append_char(buf, '"');
        free(text);
        return 0;
}

/* ---- arrays: little-endian, one behind the other ---- */

static size_t size_of_element(uint32_t type) {
        switch (type) {
        case TYPE_INT8_ARRAY:
        case TYPE_UINT8_ARRAY:
                return 1;
        case TYPE_INT16_ARRAY:
        case TYPE_UINT16_ARRAY:
                return 2;
        case TYPE_INT32_ARRAY:
        case TYPE_UINT32_ARRAY:
        case TYPE_FLOAT_ARRAY:
                return 4;
        case TYPE_INT64_ARRAY:
        case TYPE_UINT64_ARRAY:
        case TYPE_DOUBLE_ARRAY:
        case TYPE_DATE_TIME_ARRAY:
                return 8;
        default:
                return 0; /* BOOLEAN_ARRAY, STRING_ARRAY */
        }
}

static uint64_t read_little(const char *at, size_t n) {
        uint64_t whole = 0;

        while (n-- > 0)
                whole = whole << 8 | (unsigned char)at[n];
        return whole;
}

static void write_element(Buf *buf, uint64_t bits, uint32_t type) {
        uint32_t half = (uint32_t)bits;
        double number;
        float single;

        switch (type) {
        case TYPE_FLOAT_ARRAY:
                memcpy(&single, &half, sizeof(single));
                buf_json_float(buf, single);
                return;
        case TYPE_DOUBLE_ARRAY:
                memcpy(&number, &bits, sizeof(number));
                buf_json_double(buf, number);
                return;
        case TYPE_DATE_TIME_ARRAY:
                write_unsigned(buf, bits);
                return;
        default:
                write_whole(buf, bits, type - TYPE_INT8_ARRAY + TYPE_INT8);
        }
}

static int write_packed(Writer *writer, Text bytes, uint32_t type) {
        size_t size = size_of_element(type);

        if (bytes.n % size != 0)
                return SPARKPLUG_E_BROKEN;
        for (size_t i = 0; i < bytes.n; i += size) {
                if (i > 0)
                        buf_append_char(writer->buf, ',');
                write_element(writer->buf, read_little(bytes.data + i, size), type);
        }
        return 0;
}

/* How many, in four bytes, then a bit each, the highest first. */
static int write_bits(Writer *writer, Text bytes) {
        uint64_t n = bytes.n >= 4 ? read_little(bytes.data, 4) : 0;

        if (bytes.n < 4 || n > (uint64_t)(bytes.n - 4) * 8)
                return SPARKPLUG_E_BROKEN;
        for (uint64_t i = 0; i < n; ++i) {
                unsigned char byte = (unsigned char)bytes.data[4 + i / 8];

                if (i > 0)
                        buf_append_char(writer->buf, ',');
                buf_json_bool(writer->buf, byte >> (7 - i % 8) & 1);
        }
        return 0;
}

/* Each with a NUL behind it. */
static int write_strings(Writer *writer, Text bytes) {
        const char *at = bytes.data, *end = bytes.data + bytes.n;

        while (at < end) {
                const char *stop = memchr(at, '\0', (size_t)(end - at));

                if (!stop)
                        return SPARKPLUG_E_BROKEN;
                if (at > bytes.data)
                        buf_append_char(writer->buf, ',');
                buf_json_string(writer->buf, (Text){ at, (size_t)(stop - at) });
                at = stop + 1;
        }
        return 0;
}

static int write_array(Writer *writer, Text bytes, uint32_t type) {
        int r;

        buf_append_char(writer->buf, '[');
        if (type == TYPE_BOOLEAN_ARRAY)
                r = write_bits(writer, bytes);
        else if (type == TYPE_STRING_ARRAY)
                r = write_strings(writer, bytes);
        else
                r = write_packed(writer, bytes, type);
        buf_append_char(writer->buf, ']');
        return r;
}

/* ---- what has others in it ---- */

static int write_member(Writer *writer, Text name, const SparkplugValue *value, uint32_t type) {
        if (buf_failed(writer->buf))
                return 0;
        if (writer->buf->n > writer->n_max)
                return SPARKPLUG_E_LARGE;
        if (writer->buf->data[writer->buf->n - 1] != '{')
                buf_append_char(writer->buf, ',');
        buf_json_string(writer->buf, name);
        buf_append_char(writer->buf, ':');
        return write_value(writer, value, type);
}

static int write_row(Writer *writer, const SparkplugDataSet *set, size_t row) {
        size_t n = sparkplug_dataset_columns(set);
        int r = 0;

        buf_append_string(writer->buf, row > 0 ? ",{" : "{");
        for (size_t i = 0; r == 0 && i < n; ++i) {
                SparkplugValue value = sparkplug_dataset_value(set, row, i);
                uint32_t type;
                Text name = sparkplug_dataset_column(set, i, &type);

                r = write_member(writer, name, &value, type);
        }
        buf_append_char(writer->buf, '}');
        return r;
}

static int write_dataset(Writer *writer, Text bytes) {
        CLEANUP(sparkplug_dataset_free) SparkplugDataSet *set = NULL;
        int r = sparkplug_dataset_open(&set, bytes);

        if (r != 0)
                return r < 0 ? err_up(r) : SPARKPLUG_E_BROKEN;
        buf_append_char(writer->buf, '[');
        for (size_t i = 0; r == 0 && i < sparkplug_dataset_rows(set); ++i)
                r = writer->buf->n > writer->n_max ? SPARKPLUG_E_LARGE : write_row(writer, set, i);
        buf_append_char(writer->buf, ']');
        return r;
}

static int write_template(Writer *writer, Text bytes) {
        CLEANUP(sparkplug_payload_free) SparkplugPayload *inside = NULL;
        int r;

        if (writer->depth == SPARKPLUG_LEVELS)
                return SPARKPLUG_E_DEEP;
        r = sparkplug_template_open(&inside, bytes);
        if (r != 0)
                return r < 0 ? err_up(r) : SPARKPLUG_E_BROKEN;
        ++writer->depth;
        buf_append_char(writer->buf, '{');
        for (size_t i = 0; r == 0 && i < sparkplug_payload_length(inside); ++i) {
                SparkplugMetric metric = sparkplug_payload_metric(inside, i);

                if (metric.name.n > 0)
                        r = write_member(writer, metric.name, &metric.value, metric.type);
        }
        buf_append_char(writer->buf, '}');
        --writer->depth;
        return r;
}

static int write_value(Writer *writer, const SparkplugValue *value, uint32_t type) {
        Buf *buf = writer->buf;

        switch (value->form) {
        case SPARKPLUG_WHOLE:
                write_whole(buf, value->whole, type);
                return 0;
        case SPARKPLUG_FLOAT:
                buf_json_float(buf, value->single);
                return 0;
        case SPARKPLUG_DOUBLE:
                buf_json_double(buf, value->number);
                return 0;
        case SPARKPLUG_BOOLEAN:
                buf_json_bool(buf, value->boolean);
                return 0;
        case SPARKPLUG_STRING:
                buf_json_string(buf, value->text);
                return 0;
        case SPARKPLUG_BYTES:
                return type >= TYPE_INT8_ARRAY && type <= TYPE_DATE_TIME_ARRAY
                               ? write_array(writer, value->text, type)
                               : write_bytes(buf, value->text);
        case SPARKPLUG_DATASET:
                return write_dataset(writer, value->text);
        case SPARKPLUG_TEMPLATE:
                return write_template(writer, value->text);
        case SPARKPLUG_NOTHING:
        default:
                buf_append_string(buf, "null");
                return 0;
        }
}

int sparkplug_value_write(Buf *buf, const SparkplugValue *value, uint32_t type, size_t n_max) {
        Writer writer = { .buf = buf, .n_max = n_max };

        return write_value(&writer, value, type);
}
