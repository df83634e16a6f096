#pragma once

/*
 * Cbor: CBOR (RFC 8949) as JSON, as its section 6.1 advises: byte strings as base64url without
 * padding, undefined and other simple values as null, tags left out. Names of a map are text or
 * whole numbers. Integers keep all their digits; NaN and Infinity are written as such, for
 * json_tree.h to set aside. One item, and nothing behind it. Pure.
 */

#include "base/base.h"
#include "base/buf.h"
#include "model/record.h"

/* 0, or a Reason: BAD_JSON (cut, no CBOR, more than one item, a name that is neither), TOO_DEEP,
 * BAD_UTF8; *ret_why is static. Out of memory is the buffer's to say. */
int cbor_to_json(Buf *buf, Text bytes, const char **ret_why);
