#pragma once

/*
 * Json: is this text RFC 8259, and safe to hand to json-c and to PostgreSQL?
 *
 * json-c is lenient (NaN, single quotes, control characters, trailing commas, integers that
 * saturate, keys cut at \u0000), so everything from outside passes here first. Pure, one pass, no
 * recursion, no allocation.
 */

#include "base/base.h"
#include "model/record.h"

#define JSON_MAX_DEPTH 32

/*
 * REASON_NONE, or why not: BAD_JSON, BAD_UTF8, NUL_CHARACTER (NUL byte or \u0000), TOO_DEEP,
 * OUT_OF_RANGE (a number that no finite double, or an integer that no int64/uint64 can hold; or
 * with more decimals than PostgreSQL's numeric has). Unpaired surrogates are BAD_UTF8. Of duplicate
 * keys in one object the last one wins, as in json-c and jsonb.
 */
Reason json_check(Text text);

/* The same for text that is not JSON: REASON_NONE, BAD_UTF8, or NUL_CHARACTER. */
Reason json_check_text(Text text);

/* And where, in bytes from the beginning: what cannot be, or what stands in place of what has to
 * be; the length of the text if that ends too early. Set only where there is a reason. */
Reason json_check_at(Text text, size_t *ret_at);
Reason json_check_text_at(Text text, size_t *ret_at);
