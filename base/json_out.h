#pragma once

/*
 * JsonOut: JSON into a Buf, with the commas where they belong.
 *
 * A member of an object has a name; NULL as the name is an element of an array, or the whole. It
 * knows no more than whether the next value needs a comma: what is opened has to be closed, and
 * buf_failed() says at the end whether memory ran out. In the caller's memory.
 *
 * Names of any kind are escaped. Of a literal the compiler knows the length, and whether there is
 * anything to escape: hence all is inline.
 */

#include <math.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/clock.h"

typedef struct JsonOut JsonOut;

struct JsonOut {
        Buf *buf; /* borrowed */
        bool needs_comma;
};

void json_out_name(JsonOut *out, const char *name); /* what stands before a value, of any name */

/* Known while compiling: the name, and that nothing in it has to be escaped. */
#define JSON_OUT_IS_PLAIN(name)                                                                    \
        ((name) && __builtin_constant_p(__builtin_strlen(name)) && !__builtin_strchr(name, '"') && \
         !__builtin_strchr(name, '\\'))

static inline Buf *json_out_begin(JsonOut *out, const char *name) {
        if (JSON_OUT_IS_PLAIN(name))
                buf_json_literal(out->buf, name, __builtin_strlen(name), out->needs_comma);
        else
                json_out_name(out, name);
        out->needs_comma = true;
        return out->buf;
}

static inline void json_out_object(JsonOut *out, const char *name) {
        buf_append_char(json_out_begin(out, name), '{');
        out->needs_comma = false;
}

static inline void json_out_object_end(JsonOut *out) {
        buf_append_char(out->buf, '}');
        out->needs_comma = true;
}

static inline void json_out_array(JsonOut *out, const char *name) {
        buf_append_char(json_out_begin(out, name), '[');
        out->needs_comma = false;
}

static inline void json_out_array_end(JsonOut *out) {
        buf_append_char(out->buf, ']');
        out->needs_comma = true;
}

static inline void json_out_null(JsonOut *out, const char *name) {
        buf_append(json_out_begin(out, name), "null", 4);
}

static inline void json_out_bool(JsonOut *out, const char *name, bool value) {
        buf_json_bool(json_out_begin(out, name), value);
}

static inline void json_out_int(JsonOut *out, const char *name, int64_t value) {
        buf_json_int(json_out_begin(out, name), value);
}

/* 0 becomes null. */
static inline void json_out_id(JsonOut *out, const char *name, int64_t id) {
        if (id == 0)
                json_out_null(out, name);
        else
                json_out_int(out, name, id);
}

static inline void json_out_double(JsonOut *out, const char *name, double value) {
        buf_json_double(json_out_begin(out, name), value);
}

static inline void json_out_fixed(JsonOut *out, const char *name, int n_decimals, double value) {
        if (isfinite(value))
                buf_printf(json_out_begin(out, name), "%.*f", n_decimals, value);
        else
                json_out_null(out, name);
}

/* Absent becomes null. */
static inline void json_out_text(JsonOut *out, const char *name, Text text) {
        buf_json_string(json_out_begin(out, name), text);
}

/* "" is a string. */
static inline void json_out_string(JsonOut *out, const char *name, const char *value) {
        json_out_text(out, name, text_of(value));
}

/* CLOCK_UNKNOWN: null. */
static inline void json_out_time(JsonOut *out, const char *name, int64_t time_us) {
        if (time_us == CLOCK_UNKNOWN)
                json_out_null(out, name);
        else
                buf_json_time(json_out_begin(out, name), time_us);
}

/* As it is; absent becomes null. */
static inline void json_out_raw(JsonOut *out, const char *name, Text json) {
        if (json.data)
                buf_append_text(json_out_begin(out, name), json);
        else
                json_out_null(out, name);
}
