#include "base/json_out.h"

void json_out_name(JsonOut *out, const char *name) {
        if (name)
                buf_json_name(out->buf, name, out->needs_comma);
        else if (out->needs_comma)
                buf_append_char(out->buf, ',');
}
