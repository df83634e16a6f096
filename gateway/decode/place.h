#pragma once

/*
 * Place: where in a payload something is, for people: "line 3, column 14 (byte 52): {"a":<-- here
 * nan}". Lines and columns count from 1 and columns in characters; bytes count from 0. What is
 * around it is escaped (base/escape.h) and short, however long the payload is. Pure.
 */

#include "base/base.h"

#define PLACE_SIZE       288          /* of a place, with its NUL */
#define PLACE_VALUE      ((size_t)40) /* bytes that are shown of a value */
#define PLACE_VALUE_SIZE (PLACE_VALUE * 4 + sizeof("..."))

/* @at may be the length of @text: its end. */
void place_write(Text text, size_t at, char ret[PLACE_SIZE]);
/* The beginning of a value, escaped; what is cut ends in "...". */
void place_value(Text value, char ret[PLACE_VALUE_SIZE]);
