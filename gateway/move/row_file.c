#include "gateway/move/row_file.h"

#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/name.h"
#include "base/secret.h"
#include "base/text.h"
#include "gateway/move/csv.h"
#include "gateway/move/json_rows.h"

struct RowFile {
        const char *name; /* borrowed: of the operand */
        RowKind kind;     /* ROW_KIND_COUNT: the file says which */
        bool is_json;
        Row row; /* in hand */
        size_t n;
        char text[]; /* and a NUL */
};

/* ---- opening ------------------------------------------------------------------------------ */

static int row_file_read(int fd, size_t n, RowFile **ret_file) {
        CLEANUP(row_file_free) RowFile *file = calloc(1, sizeof(*file) + n + 1);
        ssize_t r = 1;

        if (!file)
                return err_new(-ENOMEM);
        while (file->n < n && r > 0) {
                r = read(fd, file->text + file->n, n - file->n);
                if (r > 0)
                        file->n += (size_t)r;
        }
        if (r < 0)
                return ROW_FILE_E_UNREADABLE;
        *ret_file = TAKE(&file);
        return 0;
}

static int row_file_load(const char *path, RowFile **ret_file) {
        struct stat status;
        int fd, r = ROW_FILE_E_UNREADABLE;

        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0)
                return ROW_FILE_E_UNREADABLE;
        if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= ROW_FILE_MAX)
                r = row_file_read(fd, (size_t)status.st_size, ret_file);
        close(fd);
        switch (r) {
        case 0:
        case ROW_FILE_E_UNREADABLE:
                return r;
        default:
                return err_up(r);
        }
}

int row_file_open(RowFile **ret_file, const char *operand) {
        CLEANUP(row_file_free) RowFile *file = NULL;
        const char *equals = strchr(operand, '='), *path = operand, *stem, *dot;
        RowKind kind = ROW_KIND_COUNT;
        bool is_json;
        int r;

        if (equals)
                kind = row_kind_of((Text){ operand, (size_t)(equals - operand) });
        if (kind != ROW_KIND_COUNT)
                path = equals + 1;
        stem = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
        dot = strrchr(stem, '.') ? strrchr(stem, '.') : stem + strlen(stem);
        if (kind == ROW_KIND_COUNT)
                kind = row_kind_of((Text){ stem, (size_t)(dot - stem) });
        is_json = strcasecmp(dot, ".json") == 0;
        if (kind == ROW_KIND_COUNT && !is_json)
                return ROW_FILE_E_KIND;

        r = row_file_load(path, &file);
        switch (r) {
        case 0:
                break;
        case ROW_FILE_E_UNREADABLE:
                return r;
        default:
                return err_up(r);
        }
        file->name = path;
        file->kind = kind;
        file->is_json = is_json;
        *ret_file = TAKE(&file);
        return 0;
}

RowFile *row_file_free(RowFile *file) {
        if (!file)
                return NULL;
        secret_wipe(file->text, file->n);
        secret_wipe(&file->row, sizeof(file->row));
        free(file);
        return NULL;
}

const char *row_file_name(const RowFile *file) {
        return file->name;
}

/* ---- CSV ---------------------------------------------------------------------------------- */

typedef struct RowHeader RowHeader;

struct RowHeader {
        char names[CSV_FIELDS_MAX][ROW_COLUMN_MAX]; /* lower case, without spaces around them */
        size_t n;
};

static const char *row_csv_why(int r) {
        switch (r) {
        case CSV_E_QUOTE:
                return "a quote where none can be (RFC 4180)";
        case CSV_E_OPEN:
                return "a quote that does not end: nothing behind it was read";
        case CSV_E_FIELDS:
                return "more than 64 columns";
        default:
                return "longer than 1 MiB";
        }
}

/* Of ASCII; tolower() goes by the locale. */
static char row_csv_lower(char c) {
        if (c >= 'A' && c <= 'Z')
                return (char)(c - 'A' + 'a');
        return c;
}

/* Lower case, without spaces around it; false: no name of a column. */
static bool row_csv_name(Text field, char ret_name[ROW_COLUMN_MAX]) {
        field = text_trim(field);
        if (field.n >= ROW_COLUMN_MAX || !name_is_printable(field))
                return false;
        for (size_t i = 0; i < field.n; ++i)
                ret_name[i] = row_csv_lower(field.data[i]);
        ret_name[field.n] = '\0';
        return true;
}

static bool row_csv_has(const RowHeader *header, const char *name) {
        for (size_t i = 0; i < header->n; ++i)
                if (*name && strcmp(name, header->names[i]) == 0)
                        return true;
        return false;
}

/* Other forms that spreadsheets save as CSV; NULL: it is none of them. */
static const char *row_csv_other(const Csv *csv) {
        Text line = csv->fields[0];

        if (csv->n_fields == 1 && memchr(line.data, ';', line.n))
                return "has ; between its columns: a comma is wanted";
        if (csv->n_fields == 1 && memchr(line.data, '\t', line.n))
                return "has tabs between its columns: a comma is wanted";
        for (size_t i = 0; i < csv->n_fields; ++i)
                if (memchr(csv->fields[i].data, '\r', csv->fields[i].n))
                        return "ends its lines with CR alone: LF or CR LF is wanted";
        return NULL;
}

/* False: it cannot be one, and was told so. */
static bool row_csv_header(const Csv *csv, RowHeader *header, const RowHandler *handler) {
        const char *other = row_csv_other(csv);

        if (other) {
                handler->fault(handler->arg, csv->line, "", other);
                return false;
        }
        for (; header->n < csv->n_fields; ++header->n) {
                char *name = header->names[header->n];

                if (!row_csv_name(csv->fields[header->n], name)) {
                        handler->fault(handler->arg, csv->line, "", "the header cannot be read");
                        return false;
                }
                if (row_csv_has(header, name)) {
                        handler->fault(handler->arg, csv->line, name, "is there twice");
                        return false;
                }
        }
        return true;
}

static bool row_csv_fill(Row *row, const Csv *csv, const RowHeader *header, const RowHandler *on) {
        bool is_good = true;

        row->line = csv->line;
        row->n_cells = 0;
        if (csv->n_fields != header->n) {
                on->fault(on->arg, csv->line, "", "has not as many columns as the header");
                return false;
        }
        for (size_t i = 0; i < csv->n_fields; ++i)
                if (*header->names[i])
                        is_good &=
                                row_put(row, text_of(header->names[i]), csv->fields[i], false, on);
        return is_good;
}

static int row_csv_each(RowFile *file, const RowHandler *handler) {
        CLEANUP_BUF Buf bytes = { 0 };
        Csv csv = { .rest = { file->text, file->n }, .bytes = &bytes };
        RowHeader header = { 0 };
        int r, r_row = 0;

        r = csv_next(&csv);
        if (r == 0 && !row_csv_header(&csv, &header, handler))
                return 0;
        if (r == CSV_E_END)
                handler->fault(handler->arg, 1, "", "is empty: the header is missing");
        if (r < 0)
                return err_up(r);
        if (r == CSV_E_END)
                return 0;
        if (r > 0) {
                handler->fault(handler->arg, csv.line, "", row_csv_why(r));
                return 0;
        }
        while (r_row == 0 && (r = csv_next(&csv)) != CSV_E_END) {
                if (r < 0)
                        return err_up(r);
                if (r > 0)
                        handler->fault(handler->arg, csv.line, "", row_csv_why(r));
                else if (row_csv_fill(&file->row, &csv, &header, handler))
                        r_row = handler->row(handler->arg, &file->row);
        }
        if (bytes.data)
                secret_wipe(bytes.data, bytes.capacity);
        return r_row;
}

/* With its mark, or ASCII in it without one. */
static bool row_file_is_utf16(const RowFile *file) {
        const char *text = file->text;

        if (file->n < 2)
                return false;
        return memcmp(text, "\xff\xfe", 2) == 0 || memcmp(text, "\xfe\xff", 2) == 0 ||
               (text[0] == '\0') != (text[1] == '\0');
}

int row_file_each(RowFile *file, RowKind kind, const RowHandler *handler) {
        if (file->kind != ROW_KIND_COUNT && file->kind != kind)
                return 0;
        if (row_file_is_utf16(file)) {
                handler->fault(handler->arg, 1, "", "is UTF-16: UTF-8 is wanted");
                return 0;
        }
        file->row.kind = kind;
        return file->is_json
                       ? json_rows_each((Text){ file->text, file->n },
                                        file->kind == ROW_KIND_COUNT ? row_kind_name(kind) : NULL,
                                        &file->row,
                                        handler)
                       : row_csv_each(file, handler);
}
