#pragma once

/*
 * Cursor: what somebody has seen of each journal, as a text that he gives back to go on behind it.
 *
 * Of one journal it is `epoch:seq`: 16 hex digits and up to 16 decimal ones. Of several it is the
 * unpadded base64url of
 *
 *     1 byte 1 (the form), 1 byte n (2 to CURSOR_MAX), n times 8 bytes: the epochs,
 *     8 bytes: the least of the numbers, n varints (LEB128): how far each is beyond that
 *
 * with all integers big-endian, the epochs in the order of the slots and no two the same. There is
 * one text for one cursor: what could be said shorter, or has anything behind it, is no cursor.
 * Pure.
 */

#include "base/base.h"

#define CURSOR_MAX        64   /* journals */
#define CURSOR_EPOCH_SIZE 17   /* hex digits and NUL */
#define CURSOR_TEXT_SIZE  1504 /* of the longest text, with NUL */

typedef struct Cursor Cursor;
typedef struct CursorPart CursorPart;

struct CursorPart {
        char epoch[CURSOR_EPOCH_SIZE];
        uint64_t seq; /* below 10^16 of one that was read */
};

struct Cursor {
        size_t n; /* 1: a journal's own */
        CursorPart parts[CURSOR_MAX];
};

enum {
        CURSOR_E_UNREADABLE = 1,
};

MUST_CHECK int cursor_parse(Text text, Cursor *ret_cursor);
/* @cursor has 1 to CURSOR_MAX parts; returns @ret_text. */
const char *cursor_text(const Cursor *cursor, char ret_text[CURSOR_TEXT_SIZE]);
