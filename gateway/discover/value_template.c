#include "gateway/discover/value_template.h"

#include "base/name.h"
#include "base/text.h"
#include "gateway/decode/json_path.h"

typedef struct Cursor Cursor;

struct Cursor {
        Text rest;
        const char *why; /* NULL: nothing is wrong yet */
};

static bool refuse(Cursor *cursor, const char *why) {
        if (!cursor->why)
                cursor->why = why;
        return false;
}

static void skip(Cursor *cursor, size_t n) {
        cursor->rest = (Text){ .data = cursor->rest.data + n, .n = cursor->rest.n - n };
}

static void skip_space(Cursor *cursor) {
        while (cursor->rest.n > 0 && strchr(" \t\r\n", *cursor->rest.data))
                skip(cursor, 1);
}

/* Also behind spaces. */
static bool take(Cursor *cursor, Text what) {
        skip_space(cursor);
        if (cursor->rest.n < what.n || memcmp(cursor->rest.data, what.data, what.n) != 0)
                return false;
        skip(cursor, what.n);
        return true;
}

static bool is_letter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

static Text take_name(Cursor *cursor) {
        Text name = { .data = cursor->rest.data };

        while (name.n < cursor->rest.n &&
               (is_letter(name.data[name.n]) || (name.n > 0 && is_digit(name.data[name.n]))))
                ++name.n;
        skip(cursor, name.n);
        return name;
}

/* ---- places ------------------------------------------------------------------------------- */

/* What a line of a map is cut at cannot be said in it. */
static bool is_cut(Text name) {
        static const Text cuts[] = { TEXT(" or "), TEXT(" + ") };

        for (size_t i = 0; i < N_ELEMENTS(cuts); ++i) {
                size_t n = cuts[i].n - 1; /* at the end of a name, and of the source, alone */

                if (memmem(name.data, name.n, cuts[i].data, cuts[i].n) ||
                    (name.n >= n && memcmp(name.data + name.n - n, cuts[i].data, n) == 0))
                        return true;
        }
        return false;
}

bool value_template_add_level(char source[VALUE_TEMPLATE_SOURCE], Text name) {
        size_t n = strcmp(source, "/") == 0 ? 0 : strlen(source);
        char *out = source + n;
        const char *end = source + VALUE_TEMPLATE_SOURCE - 3;
        size_t n_levels = 1;

        if (name.n == 0 || !name_is_printable(name) || text_equal(name, TEXT("*")) ||
            text_trim(name).n != name.n || is_cut(name))
                return false;
        for (const char *at = source; at < out; ++at)
                n_levels += *at == '/';
        if (n_levels > JSON_PATH_MAX)
                return false;
        *out++ = '/';
        for (size_t i = 0; i < name.n && out < end; ++i) {
                if (strchr("|'\"", name.data[i]))
                        return false;
                if (name.data[i] == '~' || name.data[i] == '/') {
                        *out++ = '~';
                        *out++ = name.data[i] == '~' ? '0' : '1';
                } else {
                        *out++ = name.data[i];
                }
        }
        *out = '\0';
        return out < end;
}

/* ['name'], ["name"] or [0], behind its bracket. */
static bool read_index(Cursor *cursor, Text *ret_name) {
        char quote = '\0';
        const char *end;

        skip_space(cursor);
        if (cursor->rest.n > 0)
                quote = *cursor->rest.data;
        *ret_name = (Text){ .data = cursor->rest.data };
        if (quote == '\'' || quote == '"') {
                end = memchr(cursor->rest.data + 1, quote, cursor->rest.n - 1);
                if (!end)
                        return refuse(cursor, "a quote without an end");
                *ret_name = (Text){ .data = ret_name->data + 1,
                                    .n = (size_t)(end - ret_name->data) - 1 };
                skip(cursor, ret_name->n + 2);
                if (memchr(ret_name->data, '\\', ret_name->n))
                        return refuse(cursor, "a name with a backslash");
        } else {
                while (ret_name->n < cursor->rest.n && is_digit(ret_name->data[ret_name->n]))
                        ++ret_name->n;
                skip(cursor, ret_name->n);
        }
        if (ret_name->n == 0 || !take(cursor, TEXT("]")))
                return refuse(cursor, "an index that is not a name or a number");
        return true;
}

static bool read_path(Cursor *cursor, ValueTemplate *template) {
        for (;;) {
                Text name;

                skip_space(cursor);
                if (take(cursor, TEXT("."))) {
                        name = take_name(cursor);
                        if (name.n == 0)
                                return refuse(cursor, "not a path");
                } else if (take(cursor, TEXT("["))) {
                        if (!read_index(cursor, &name))
                                return false;
                } else {
                        return true;
                }
                if (!template->is_json)
                        return refuse(cursor, "a part of value, which is text");
                if (!value_template_add_level(template->source, name))
                        return refuse(cursor, "a name that a map cannot say");
        }
}

/* ---- filters ------------------------------------------------------------------------------ */

/* (…), where something is: *ret_argument without spaces around it; absent: there are none. */
static bool read_argument(Cursor *cursor, Text *ret_argument) {
        const char *end;

        *ret_argument = (Text){ 0 };
        if (!take(cursor, TEXT("(")))
                return true;
        end = memchr(cursor->rest.data, ')', cursor->rest.n);
        if (!end)
                return refuse(cursor, "a bracket without an end");
        *ret_argument = text_trim(
                (Text){ .data = cursor->rest.data, .n = (size_t)(end - cursor->rest.data) });
        skip(cursor, (size_t)(end - cursor->rest.data) + 1);
        return true;
}

static bool is_plain_number(Text text) {
        size_t n_digits = 0, n_points = 0;

        if (!text.data)
                return false;
        if (text.n > 0 && *text.data == '-')
                text = (Text){ .data = text.data + 1, .n = text.n - 1 };
        for (size_t i = 0; i < text.n; ++i) {
                n_digits += is_digit(text.data[i]);
                n_points += text.data[i] == '.' && i > 0 && i + 1 < text.n;
        }
        return n_digits > 0 && n_points < 2 && n_digits + n_points == text.n;
}

static bool read_number(Cursor *cursor, Text argument, ValueTemplate *template) {
        Cursor inside = { .rest = argument };

        template->is_number = true;
        if (!argument.data)
                return true;
        if (take(&inside, TEXT("default")) && !take(&inside, TEXT("=")))
                return refuse(cursor, "an argument that is no number");
        argument = text_trim(inside.rest);
        if (text_equal(argument, TEXT("none")) || text_equal(argument, TEXT("None")))
                return true;
        if (!is_plain_number(argument) || argument.n >= VALUE_TEMPLATE_NUMBER)
                return refuse(cursor, "an argument that is no number");
        memcpy(template->in_place, argument.data, argument.n);
        template->in_place[argument.n] = '\0';
        return true;
}

static bool read_round(Cursor *cursor, Text argument, ValueTemplate *template) {
        template->decimals = 0;
        if (!argument.data)
                return true;
        if (argument.n != 1 || !is_digit(*argument.data))
                return refuse(cursor, "round with anything but a digit");
        template->decimals = *argument.data - '0';
        return true;
}

static bool read_filter(Cursor *cursor, ValueTemplate *template) {
        Text name, argument;

        skip_space(cursor);
        name = take_name(cursor);
        if (!read_argument(cursor, &argument))
                return false;
        if (template->decimals >= 0)
                return refuse(cursor, "a filter behind round");
        if (text_equal(name, TEXT("float")) || text_equal(name, TEXT("int")))
                return read_number(cursor, argument, template);
        if (text_equal(name, TEXT("round")))
                return read_round(cursor, argument, template);
        if (text_equal(name, TEXT("is_defined")) && !argument.data)
                return true;
        return refuse(cursor, "a filter that is not float, int, round or is_defined");
}

/* ---- the whole ---------------------------------------------------------------------------- */

static bool read_expression(Cursor *cursor, ValueTemplate *template) {
        Text name;

        skip_space(cursor);
        name = take_name(cursor);
        template->is_json = text_equal(name, TEXT("value_json"));
        if (!template->is_json && !text_equal(name, TEXT("value")))
                return refuse(cursor, "not a path from value or value_json");
        if (!read_path(cursor, template))
                return false;
        while (take(cursor, TEXT("|")))
                if (!read_filter(cursor, template))
                        return false;
        return true;
}

int value_template_read(Text text, ValueTemplate *ret_template, const char **ret_why) {
        Cursor cursor = { .rest = text };

        *ret_template = (ValueTemplate){ .source = "/", .decimals = -1 };
        if (!take(&cursor, TEXT("{{")))
                refuse(&cursor, "not one expression in {{ }}");
        else if (take(&cursor, TEXT("-")), read_expression(&cursor, ret_template)) {
                (void)take(&cursor, TEXT("-"));
                if (!take(&cursor, TEXT("}}")))
                        refuse(&cursor, "more than a path");
                skip_space(&cursor);
                if (cursor.rest.n > 0)
                        refuse(&cursor, "more than a path");
        }
        *ret_why = cursor.why;
        return cursor.why ? VALUE_TEMPLATE_E_REFUSED : 0;
}
