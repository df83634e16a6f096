#pragma once

/*
 * Buf: a growable byte buffer, and the writing of JSON into it.
 *
 * Memory of the caller (`Buf buf = { 0 };`), released by buf_done(). Out of
 * memory sticks: every later append is ignored and buf_failed() says so, so a
 * writer checks once, at its end. Not thread-safe.
 */

#include "base/base.h"

typedef struct Buf Buf;

struct Buf {
        char *data; /* NUL-terminated whenever not NULL; the NUL is not in n */
        size_t n;
        size_t capacity;
        bool failed;
};

void buf_done(Buf *buf);  /* frees; buf is empty and usable again */
void buf_reset(Buf *buf); /* empties, keeps the memory */

static inline bool buf_failed(const Buf *buf) {
        return buf->failed;
}

static inline Text buf_text(const Buf *buf) {
        return (Text){ .data = buf->data ? buf->data : "", .n = buf->n };
}

void buf_append(Buf *buf, const void *data, size_t n);
void buf_append_text(Buf *buf, Text text);
void buf_append_string(Buf *buf, const char *string);
void buf_append_char(Buf *buf, char c);
void buf_printf(Buf *buf, const char *format, ...) PRINTF(2, 3);

/* How many bytes from @at on stand for themselves in a string of JSON, up to @end: ASCII, and no
 * quote, backslash or control character. */
size_t buf_json_plain(const char *at, const char *end);

/* JSON values (RFC 8259). A double that is not finite becomes null. */
void buf_json_string(Buf *buf, Text text); /* quoted and escaped; absent becomes null */
void buf_json_name(Buf *buf, const char *name, bool needs_comma); /* of a member: ,"name": */
/* The same of one that has nothing to escape. */
void buf_json_literal(Buf *buf, const char *name, size_t n, bool needs_comma);
void buf_json_double(Buf *buf, double value); /* shortest form that reads back the same */
void buf_json_float(Buf *buf, float value);   /* 21.3 and not 21.299999237060547 */
void buf_json_int(Buf *buf, int64_t value);
void buf_json_bool(Buf *buf, bool value);
void buf_json_time(Buf *buf, int64_t time_us); /* quoted RFC 3339, UTC, milliseconds */

#define CLEANUP_BUF __attribute__((cleanup(buf_done)))
