#pragma once

/*
 * JsonOut: JSON into a Buf, with the commas where they belong.
 *
 * A member of an object has a name; NULL as the name is an element of an array, or the whole. It
 * knows no more than whether the next value needs a comma: what is opened has to be closed, and
 * buf_failed() says at the end whether memory ran out. In the caller's memory.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct JsonOut JsonOut;

struct JsonOut {
        Buf *buf; /* borrowed */
        bool needs_comma;
};

void json_out_object(JsonOut *out, const char *name);
void json_out_object_end(JsonOut *out);
void json_out_array(JsonOut *out, const char *name);
void json_out_array_end(JsonOut *out);

void json_out_null(JsonOut *out, const char *name);
void json_out_bool(JsonOut *out, const char *name, bool value);
void json_out_int(JsonOut *out, const char *name, int64_t value);
void json_out_id(JsonOut *out, const char *name, int64_t id); /* 0 becomes null */
void json_out_double(JsonOut *out, const char *name, double value);
void json_out_fixed(JsonOut *out, const char *name, int n_decimals, double value);
void json_out_text(JsonOut *out, const char *name, Text text);           /* absent becomes null */
void json_out_string(JsonOut *out, const char *name, const char *value); /* "" is a string */
void json_out_time(JsonOut *out, const char *name, int64_t time_us);     /* CLOCK_UNKNOWN: null */
void json_out_raw(JsonOut *out, const char *name, Text json); /* as it is; absent becomes null */
