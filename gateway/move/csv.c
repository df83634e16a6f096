#include "gateway/move/csv.h"

#include "base/err.h"

static bool csv_is(const Csv *csv, size_t at, char c) {
        return at < csv->rest.n && csv->rest.data[at] == c;
}

static void csv_take(Csv *csv, size_t n) {
        for (size_t i = 0; i < n; ++i)
                csv->n_lines += csv->rest.data[i] == '\n';
        csv->rest = (Text){ csv->rest.data + n, csv->rest.n - n };
}

/* Bytes of the end of a line that is here; 0: it is none. */
static size_t csv_end(const Csv *csv, size_t at) {
        if (csv_is(csv, at, '\n'))
                return 1;
        return csv_is(csv, at, '\r') && csv_is(csv, at + 1, '\n') ? 2 : 0;
}

static bool csv_is_over(const Csv *csv, size_t at) {
        return at >= csv->rest.n || csv_end(csv, at) > 0;
}

/* From the opening quote to behind the closing one. */
static int csv_quoted(const Csv *csv, size_t *at) {
        for (++*at; *at < csv->rest.n; ++*at) {
                if (csv->rest.data[*at] != '"')
                        buf_append_char(csv->bytes, csv->rest.data[*at]);
                else if (csv_is(csv, *at + 1, '"'))
                        buf_append_char(csv->bytes, csv->rest.data[(*at)++]);
                else
                        break;
                if (csv->bytes->n > CSV_ROW_MAX)
                        return CSV_E_LONG;
        }
        if (*at >= csv->rest.n)
                return CSV_E_OPEN;
        ++*at;
        return csv_is_over(csv, *at) || csv_is(csv, *at, ',') ? 0 : CSV_E_QUOTE;
}

static int csv_plain(const Csv *csv, size_t *at) {
        for (; !csv_is_over(csv, *at) && !csv_is(csv, *at, ','); ++*at) {
                if (csv->rest.data[*at] == '"')
                        return CSV_E_QUOTE;
                buf_append_char(csv->bytes, csv->rest.data[*at]);
                if (csv->bytes->n > CSV_ROW_MAX)
                        return CSV_E_LONG;
        }
        return 0;
}

/* What is left of a line that cannot be read. */
static void csv_skip_line(Csv *csv, size_t at) {
        const char *end =
                at < csv->rest.n ? memchr(csv->rest.data + at, '\n', csv->rest.n - at) : NULL;

        csv_take(csv, end ? (size_t)(end - csv->rest.data) + 1 : csv->rest.n);
}

static int csv_fields(Csv *csv, size_t *at) {
        size_t begins[CSV_FIELDS_MAX];
        int r;

        for (;;) {
                size_t begin = csv->bytes->n;

                if (csv->n_fields == CSV_FIELDS_MAX)
                        return CSV_E_FIELDS;
                begins[csv->n_fields] = begin;
                r = csv_is(csv, *at, '"') ? csv_quoted(csv, at) : csv_plain(csv, at);
                if (r != 0)
                        return r;
                csv->fields[csv->n_fields++].n = csv->bytes->n - begin;
                if (!csv_is(csv, *at, ','))
                        break;
                ++*at;
        }
        for (size_t i = 0; i < csv->n_fields; ++i) /* now that they do not move any more */
                csv->fields[i].data = csv->bytes->data + begins[i];
        return 0;
}

int csv_next(Csv *csv) {
        size_t at = 0;
        int r;

        if (csv->n_lines == 0 && csv->rest.n >= 3 && memcmp(csv->rest.data, "\xef\xbb\xbf", 3) == 0)
                csv_take(csv, 3);
        while (csv_end(csv, 0) > 0)
                csv_take(csv, csv_end(csv, 0));
        csv->line = csv->n_lines + 1;
        csv->n_fields = 0;
        buf_reset(csv->bytes);
        if (csv->rest.n == 0)
                return CSV_E_END;

        buf_append_char(csv->bytes, '\0'); /* so that there is memory, also for empty fields */
        r = csv_fields(csv, &at);
        if (buf_failed(csv->bytes))
                return err_new(-ENOMEM);
        if (r == 0)
                csv_take(csv, at + csv_end(csv, at));
        else if (r == CSV_E_OPEN)
                csv_take(csv, csv->rest.n);
        else
                csv_skip_line(csv, at);
        return r;
}
