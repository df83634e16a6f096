#pragma once

/*
 * ValueTemplate: what a value_template of Home Assistant says, where it only says where.
 *
 *   {{ value }}                           the payload, as text
 *   {{ value_json.a.b }}, ['a'], [0]      a place in its JSON; value_json alone is the whole
 *   | float, | int, | float(0)            a number; with what stands in place of none
 *   | round(1), | is_defined              decimals; nothing where there is none, which is so anyway
 *
 * Everything else is a program (arithmetic, conditions, other filters), and is refused: never
 * guessed at. What is cut off a number for showing alone (`int`) is kept. Pure.
 */

#include "base/base.h"

#define VALUE_TEMPLATE_SOURCE 256 /* bytes of a place, with a NUL */
#define VALUE_TEMPLATE_NUMBER 32

typedef struct ValueTemplate ValueTemplate;

struct ValueTemplate {
        bool is_json;                       /* of the payload's JSON; else of its text */
        char source[VALUE_TEMPLATE_SOURCE]; /* a JSON pointer, as maps have it */
        bool is_number;
        int decimals;                         /* -1: all that there are */
        char in_place[VALUE_TEMPLATE_NUMBER]; /* of a number that is none; "": nothing */
};

enum {
        VALUE_TEMPLATE_E_REFUSED = 1, /* *ret_why: static */
};

MUST_CHECK int value_template_read(Text text, ValueTemplate *ret_template, const char **ret_why);
/* Appends a level to a place; false: a map cannot name it, or it is too long. */
bool value_template_add_level(char source[VALUE_TEMPLATE_SOURCE], Text name);
