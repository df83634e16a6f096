#pragma once

/*
 * Escape: bytes of others as text that people may read and a terminal may get.
 *
 * Printable UTF-8 stands as it is. Control characters, what is not UTF-8, what cannot be seen or
 * looks like a space and is another, and what turns the direction of writing become \n, \x1b, \xff,
 * \u202e; a backslash is doubled, so that each of these means one thing. Pure, any thread.
 */

#include "base/base.h"

#define ESCAPE_MAX 8 /* bytes that one character of the input becomes, with a NUL */

/* The next character of @rest, taken off it, which must not be empty; its length. */
size_t escape_next(Text *rest, char ret[ESCAPE_MAX]);
/* As much of @text as fits into @size bytes with a NUL, no character in part; its length. */
size_t escape_text(Text text, char *ret, size_t size);
