#pragma once

/*
 * Format: what the bytes of a payload are, before they are JSON: the key `decode` of a route.
 *
 *   json     as it is
 *   text     all of it is one string
 *   number   a bare number: 21.5, also with spaces around it, a plus or zeros in front
 *   number_or_text  such a number, or else text
 *   bool     a bare switch: true, 1, on, yes, false, 0, off, no, in any case of the letters
 *   csv      fields with commas between them, one line: an array; what is a number is one, what
 *            stands in double quotes is text, nothing is null
 *   cbor     CBOR, as cbor.h has it
 *   sparkplug_b  the protobuf of Sparkplug B. It says more than JSON can, and less than what was
 *            known before: it is left as it is, for decode.c and gateway/sparkplug/
 *   base64+… base64 of one of these
 *
 * Pure.
 */

#include "base/arena.h"
#include "base/base.h"
#include "model/record.h"

#define FORMAT_NAME_SIZE 32

typedef enum FormatKind {
        FORMAT_AS_IT_IS, /* JSON, or text where the kind takes it */
        FORMAT_TEXT,
        FORMAT_NUMBER,
        FORMAT_NUMBER_OR_TEXT,
        FORMAT_BOOL,
        FORMAT_CSV,
        FORMAT_CBOR,
        FORMAT_SPARKPLUG_B,
        FORMAT_COUNT
} FormatKind;

typedef struct Format Format;

struct Format {
        FormatKind kind;
        bool is_base64; /* of what is of @kind */
};

/* "base64+csv"; false: there is no such. */
bool format_from_name(Text name, Format *ret_format);
const char *format_name(Format format, char ret[FORMAT_NAME_SIZE]); /* @ret */
/* Is every byte of it meant, also zeros at the end? */
static inline bool format_is_binary(Format format) {
        return (format.kind == FORMAT_CBOR || format.kind == FORMAT_SPARKPLUG_B) &&
               !format.is_base64;
}
/* Does it give one value, which has nothing in it? */
static inline bool format_is_bare(Format format) {
        return format.kind == FORMAT_TEXT || format.kind == FORMAT_NUMBER ||
               format.kind == FORMAT_NUMBER_OR_TEXT || format.kind == FORMAT_BOOL;
}
/* All formats, with commas: for people. */
#define FORMAT_NAMES                                                                            \
        "json, text, number, number_or_text, bool, csv, cbor, sparkplug_b, and base64+ before " \
        "one "                                                                                  \
        "of these"

/* Without what an editor, or a C string, has left around it: a mark in front, NULs at the end. */
Text format_strip(Text payload);

/* The payload as JSON, in itself or in the arena; a Reason, with *ret_why static; -ENOMEM. */
MUST_CHECK int format_read(Format format,
                           Arena *arena,
                           Text payload,
                           Text *ret_json,
                           const char **ret_why);
