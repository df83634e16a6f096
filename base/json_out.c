#include "base/json_out.h"

#include <math.h>

#include "base/clock.h"

/* What stands before a value. */
static Buf *json_out_begin(JsonOut *out, const char *name) {
        if (name)
                buf_json_name(out->buf, name, out->needs_comma);
        else if (out->needs_comma)
                buf_append_char(out->buf, ',');
        out->needs_comma = true;
        return out->buf;
}

static void json_out_open(JsonOut *out, const char *name, char bracket) {
        buf_append_char(json_out_begin(out, name), bracket);
        out->needs_comma = false;
}

static void json_out_close(JsonOut *out, char bracket) {
        buf_append_char(out->buf, bracket);
        out->needs_comma = true;
}

void json_out_object(JsonOut *out, const char *name) {
        json_out_open(out, name, '{');
}

void json_out_object_end(JsonOut *out) {
        json_out_close(out, '}');
}

void json_out_array(JsonOut *out, const char *name) {
        json_out_open(out, name, '[');
}

void json_out_array_end(JsonOut *out) {
        json_out_close(out, ']');
}

void json_out_null(JsonOut *out, const char *name) {
        buf_append_string(json_out_begin(out, name), "null");
}

void json_out_bool(JsonOut *out, const char *name, bool value) {
        buf_json_bool(json_out_begin(out, name), value);
}

void json_out_int(JsonOut *out, const char *name, int64_t value) {
        buf_json_int(json_out_begin(out, name), value);
}

void json_out_id(JsonOut *out, const char *name, int64_t id) {
        if (id == 0)
                json_out_null(out, name);
        else
                json_out_int(out, name, id);
}

void json_out_double(JsonOut *out, const char *name, double value) {
        buf_json_double(json_out_begin(out, name), value);
}

void json_out_fixed(JsonOut *out, const char *name, int n_decimals, double value) {
        if (isfinite(value))
                buf_printf(json_out_begin(out, name), "%.*f", n_decimals, value);
        else
                json_out_null(out, name);
}

void json_out_text(JsonOut *out, const char *name, Text text) {
        buf_json_string(json_out_begin(out, name), text);
}

void json_out_string(JsonOut *out, const char *name, const char *value) {
        json_out_text(out, name, text_of(value));
}

void json_out_time(JsonOut *out, const char *name, int64_t time_us) {
        if (time_us == CLOCK_UNKNOWN)
                json_out_null(out, name);
        else
                buf_json_time(json_out_begin(out, name), time_us);
}

void json_out_raw(JsonOut *out, const char *name, Text json) {
        if (json.data)
                buf_append_text(json_out_begin(out, name), json);
        else
                json_out_null(out, name);
}
