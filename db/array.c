#include "db/array.h"

#include <endian.h>
#include <limits.h>
#include <math.h>

#include "base/clock.h"
#include "base/text.h"

enum {
        ARRAY_HEADER = 20,       /* dimensions, has-null, type, length, lower bound */
        ARRAY_KEEP = 4 << 20,    /* what one column may keep between batches */
        ARRAY_JSONB_VERSION = 1, /* the byte before the text */
};

/* Microseconds from 1970 to 2000, where PostgreSQL begins to count. */
#define ARRAY_EPOCH_US INT64_C(946684800000000)

uint32_t db_type_array(DbType type) {
        switch (type) {
        case DB_TYPE_BOOL:
                return 1000;
        case DB_TYPE_BYTEA:
                return 1001;
        case DB_TYPE_INT8:
                return 1016;
        case DB_TYPE_INT2:
                return 1005;
        case DB_TYPE_INT4:
                return 1007;
        case DB_TYPE_TEXT:
                return 1009;
        case DB_TYPE_JSON:
                return 199;
        case DB_TYPE_FLOAT8:
                return 1022;
        case DB_TYPE_TIMESTAMPTZ:
                return 1185;
        case DB_TYPE_JSONB:
                return 3807;
        }
        return 0;
}

void db_array_init(DbArray *array, DbType type) {
        *array = (DbArray){ .type = type };
        db_array_reset(array);
}

void db_array_done(DbArray *array) {
        free(TAKE(&array->data));
        array->n = array->capacity = 0;
}

void db_array_reset(DbArray *array) {
        if (array->capacity > ARRAY_KEEP)
                db_array_done(array);
        array->n = ARRAY_HEADER;
        array->n_items = 0;
        array->has_null = false;
        array->failed = false;
}

/* Room for @n more bytes, which the caller fills; NULL when memory is out. */
static char *array_extend(DbArray *array, size_t n) {
        size_t needed = array->n + n;
        size_t capacity = array->capacity ? array->capacity : 1024;
        char *data;

        if (array->failed)
                return NULL;
        if (needed > INT_MAX) { /* more than a message of the protocol can hold */
                array->failed = true;
                return NULL;
        }
        if (needed > array->capacity) {
                while (capacity < needed)
                        capacity *= 2;
                data = realloc(array->data, capacity);
                if (!data) {
                        array->failed = true;
                        return NULL;
                }
                array->data = data;
                array->capacity = capacity;
        }
        data = array->data + array->n;
        array->n = needed;
        return data;
}

static void array_put_int4(char *p, uint32_t value) {
        value = htobe32(value);
        memcpy(p, &value, sizeof(value));
}

/* The length, and then @n bytes for the caller to fill. */
static char *array_item(DbArray *array, size_t n) {
        char *p = array_extend(array, 4 + n);

        if (!p)
                return NULL;
        array_put_int4(p, (uint32_t)n);
        ++array->n_items;
        return p + 4;
}

void db_array_null(DbArray *array) {
        char *p = array_extend(array, 4);

        if (!p)
                return;
        array_put_int4(p, UINT32_MAX);
        ++array->n_items;
        array->has_null = true;
}

void db_array_bool(DbArray *array, int8_t value) {
        char *p;

        if (value < 0) {
                db_array_null(array);
                return;
        }
        p = array_item(array, 1);
        if (p)
                *p = value ? 1 : 0;
}

static void array_put_int8(DbArray *array, uint64_t value) {
        char *p = array_item(array, 8);

        value = htobe64(value);
        if (p)
                memcpy(p, &value, sizeof(value));
}

void db_array_int(DbArray *array, int64_t value) {
        uint16_t two = htobe16((uint16_t)value);
        char *p;

        if (array->type == DB_TYPE_INT8) {
                array_put_int8(array, (uint64_t)value);
                return;
        }
        p = array_item(array, array->type == DB_TYPE_INT2 ? 2 : 4);
        if (p && array->type == DB_TYPE_INT2)
                memcpy(p, &two, sizeof(two));
        else if (p)
                array_put_int4(p, (uint32_t)value);
}

void db_array_id(DbArray *array, int64_t value) {
        if (value == 0)
                db_array_null(array);
        else
                array_put_int8(array, (uint64_t)value);
}

void db_array_double(DbArray *array, double value) {
        uint64_t bits;

        if (isnan(value)) {
                db_array_null(array);
                return;
        }
        memcpy(&bits, &value, sizeof(bits));
        array_put_int8(array, bits);
}

void db_array_time(DbArray *array, int64_t time_us) {
        if (time_us == CLOCK_UNKNOWN)
                db_array_null(array);
        else
                array_put_int8(array, (uint64_t)(time_us - ARRAY_EPOCH_US));
}

void db_array_bytes(DbArray *array, Text bytes) {
        size_t n_version = array->type == DB_TYPE_JSONB ? 1 : 0;
        char *p;

        if (!bytes.data) {
                db_array_null(array);
                return;
        }
        p = array_item(array, n_version + bytes.n);
        if (!p)
                return;
        if (n_version > 0)
                *p++ = ARRAY_JSONB_VERSION;
        memcpy(p, bytes.data, bytes.n);
}

void db_array_lossy(DbArray *array, Text text) {
        char *p;
        size_t n;

        db_array_bytes(array, text);
        if (!text.data || array->failed)
                return;
        p = array->data + array->n - text.n;
        for (size_t i = 0; i < text.n; i += n) {
                n = text_char_length(p + i, p + text.n); /* else PostgreSQL refuses it */
                if (n == 0) {
                        p[i] = '?';
                        n = 1;
                }
        }
}

int db_array_finish(DbArray *array) {
        if (!array->data) /* nothing was appended: there is no header yet */
                array->n = 0;
        if (!array->data && !array_extend(array, ARRAY_HEADER))
                return -ENOMEM;
        if (array->failed)
                return -ENOMEM;

        array_put_int4(array->data, array->n_items > 0 ? 1 : 0);
        array_put_int4(array->data + 4, array->has_null ? 1 : 0);
        array_put_int4(array->data + 8, array->type);
        array_put_int4(array->data + 12, (uint32_t)array->n_items);
        array_put_int4(array->data + 16, 1);
        if (array->n_items == 0)
                array->n = 12;
        return 0;
}
