#pragma once

/*
 * Csv: rows of a CSV text (RFC 4180), one at a time. Pure.
 *
 * Lines end with CRLF or LF, the last one need not; empty ones are skipped, and a byte order mark
 * before the first. A field in quotes may have commas, ends of lines, and quotes twice. What
 * cannot be read costs its line, and a quote that never ends the rest of the text. Bytes are bytes
 * here: who takes them looks whether they are UTF-8.
 */

#include "base/base.h"
#include "base/buf.h"

#define CSV_FIELDS_MAX 64
#define CSV_ROW_MAX    (1 << 20) /* bytes of a row */

typedef struct Csv Csv;

struct Csv {        /* the caller's; zeroed but for these two: */
        Text rest;  /* borrowed */
        Buf *bytes; /* borrowed: of the row in hand */

        size_t line; /* of the row in hand, from 1 */
        Text fields[CSV_FIELDS_MAX];
        size_t n_fields;
        size_t n_lines; /* that were read */
};

enum {
        CSV_E_END = 1,
        CSV_E_QUOTE,  /* something between a closing quote and the comma, or a quote amid a field */
        CSV_E_OPEN,   /* no quote ends the field that one began */
        CSV_E_FIELDS, /* more than CSV_FIELDS_MAX */
        CSV_E_LONG,   /* more than CSV_ROW_MAX */
};

/* The fields point into @bytes until the next call. */
MUST_CHECK int csv_next(Csv *csv);
