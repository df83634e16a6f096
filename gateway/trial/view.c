#include "gateway/trial/view.h"

#include <math.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "gateway/decode/json_check.h"

void view_init(View *view, bool is_json) {
        *view = (View){ .is_json = is_json };
        view->out.buf = &view->buf;
        if (is_json)
                json_out_object(&view->out, NULL);
}

void view_done(View *view) {
        buf_done(&view->buf);
}

int view_finish(View *view, Text *ret_text) {
        assert(view->depth == 0);
        if (view->is_json)
                json_out_object_end(&view->out);
        if (buf_failed(&view->buf))
                return err_new(-ENOMEM);
        *ret_text = buf_text(&view->buf);
        return 0;
}

int view_print(View *view, FILE *out) {
        Text text;
        int r = view_finish(view, &text);

        if (r != 0)
                return err_up(r);
        if (view->is_json)
                buf_append_char(&view->buf, '\n');
        if (buf_failed(&view->buf))
                return err_new(-ENOMEM);
        (void)fwrite(view->buf.data, 1, view->buf.n, out);
        return 0;
}

/* ---- for people ---- */

/* What precedes a value: the indent, the dash of an element, the name. */
static void view_head(View *view, const char *name) {
        size_t n = view->depth - view->is_item;

        for (size_t i = 0; i < n; ++i)
                buf_append_string(&view->buf, "  ");
        if (view->is_item || !name)
                buf_append_string(&view->buf, "- ");
        view->is_item = false;
        if (name)
                buf_printf(&view->buf, "%s:", name);
}

static void view_line(View *view, const char *name, const char *text) {
        view_head(view, name);
        buf_printf(&view->buf, "%s%s\n", name ? " " : "", text);
}

/* A backslash stays, as in JSON it is one already; white space between values is a space. */
static void view_append(View *view, Text text, bool is_value) {
        while (text.n > 0) {
                char c = *text.data, piece[ESCAPE_MAX];
                bool is_space = is_value && (c == '\n' || c == '\r' || c == '\t');

                (void)escape_next(&text, piece);
                if (is_space)
                        buf_append_char(&view->buf, ' ');
                else if (c == '\\')
                        buf_append_char(&view->buf, c);
                else
                        buf_append_string(&view->buf, piece);
        }
}

static void view_line_of(View *view, const char *name, Text text, bool is_value) {
        view_head(view, name);
        if (name)
                buf_append_char(&view->buf, ' ');
        view_append(view, text, is_value);
        buf_append_char(&view->buf, '\n');
}

/* ---- what is in each other ---- */

static void view_begin(View *view, const char *name) {
        assert(view->depth < VIEW_MAX_DEPTH);
        view->begins[view->depth] = view->buf.n;
        view->were_items[view->depth] = view->is_item;
        if (name) {
                view_head(view, name);
                buf_append_char(&view->buf, '\n');
        } else {
                view->is_item = true;
        }
        view->heads[view->depth++] = view->buf.n;
}

/* What has nothing in it is not said. */
static void view_end(View *view) {
        --view->depth;
        if (!buf_failed(&view->buf) && view->buf.n == view->heads[view->depth]) {
                view->buf.n = view->begins[view->depth];
                view->buf.data[view->buf.n] = '\0';
                view->is_item = view->were_items[view->depth];
        }
}

void view_object(View *view, const char *name) {
        if (view->is_json) {
                ++view->depth;
                json_out_object(&view->out, name);
        } else {
                view_begin(view, name);
        }
}

void view_object_end(View *view) {
        if (view->is_json) {
                --view->depth;
                json_out_object_end(&view->out);
        } else {
                view_end(view);
        }
}

void view_array(View *view, const char *name) {
        if (view->is_json) {
                ++view->depth;
                json_out_array(&view->out, name);
        } else {
                view_begin(view, name);
        }
}

void view_array_end(View *view) {
        if (view->is_json) {
                --view->depth;
                json_out_array_end(&view->out);
        } else {
                view_end(view);
        }
}

/* ---- values ---- */

/* JSON has no other bytes than those of characters: what is none is escaped there, too. */
static void view_json_text(View *view, const char *name, Text text) {
        CLEANUP_BUF Buf escaped = { 0 };

        if (!text.data || json_check_text(text) != REASON_BAD_UTF8) {
                json_out_text(&view->out, name, text);
                return;
        }
        while (text.n > 0) {
                char piece[ESCAPE_MAX];

                (void)escape_next(&text, piece);
                buf_append_string(&escaped, piece);
        }
        json_out_text(&view->out, name, buf_text(&escaped));
}

void view_text(View *view, const char *name, Text text) {
        if (view->is_json)
                view_json_text(view, name, text);
        else if (text.data)
                view_line_of(view, name, text, false);
}

void view_string(View *view, const char *name, const char *text) {
        view_text(view, name, text ? text_of(text) : (Text){ 0 });
}

void view_number(View *view, const char *name, double value) {
        char text[40];

        if (view->is_json) {
                json_out_double(&view->out, name, value);
        } else if (isfinite(value)) {
                snprintf(text, sizeof(text), "%.15g", value);
                view_line(view, name, text);
        }
}

void view_int(View *view, const char *name, int64_t value) {
        char text[24];

        snprintf(text, sizeof(text), "%lld", (long long)value);
        if (view->is_json)
                json_out_int(&view->out, name, value);
        else
                view_line(view, name, text);
}

void view_bool(View *view, const char *name, bool value) {
        if (view->is_json)
                json_out_bool(&view->out, name, value);
        else
                view_line(view, name, value ? "yes" : "no");
}

void view_time(View *view, const char *name, int64_t time_us) {
        char text[CLOCK_TEXT_SIZE];

        clock_format(time_us, text);
        view_string(view, name, text);
}

void view_json(View *view, const char *name, Text json) {
        if (view->is_json && json.data)
                json_out_raw(&view->out, name, json);
        else if (view->is_json)
                json_out_null(&view->out, name);
        else if (json.data)
                view_line_of(view, name, json, true);
}
