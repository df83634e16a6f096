#pragma once

/*
 * WsHead: the request line and the header fields of one HTTP/1 request, as slices of its bytes.
 *
 * Strict where two readers could disagree about what was asked (RFC 9112): no folded lines, no
 * control characters, no space before a colon, no field without one; lenient only about a line feed
 * without its carriage return. What it has read it never reads again. Pure.
 */

#include "base/base.h"

#define WS_HEAD_MAX    16384 /* bytes of it all */
#define WS_HEAD_FIELDS 100
#define WS_HEAD_TARGET 8192

typedef struct WsField WsField;
typedef struct WsHead WsHead;

struct WsField {
        Text name, value; /* the latter without the blanks around it */
};

struct WsHead {
        size_t n; /* bytes of the head, its empty line included */
        Text method, target;
        bool is_http_1_0;
        size_t n_fields;
        WsField fields[WS_HEAD_FIELDS];
};

enum {
        WS_HEAD_E_MORE = 1,  /* it does not end here yet */
        WS_HEAD_E_BAD,       /* 400 */
        WS_HEAD_E_TOO_LONG,  /* 414: the target */
        WS_HEAD_E_TOO_LARGE, /* 431: all of it, or too many fields */
        WS_HEAD_E_VERSION,   /* 505 */
};

MUST_CHECK int ws_head_parse(WsHead *ret_head, Text bytes); /* the method, too, if it can be read */
int ws_head_status(int r);                                  /* what says so */

bool ws_head_is(const WsField *field, const char *name); /* its name, in any case */
size_t ws_head_count(const WsHead *head, const char *name);
Text ws_head_find(const WsHead *head, const char *name); /* the first; absent if there is none */
/* All of that name as one list with commas, as RFC 9110 5.3 has it; false: longer than @size. */
bool ws_head_list(const WsHead *head, const char *name, char *ret_list, size_t size);
