#pragma once

/*
 * Name: what users, devices and vehicles may be called. Pure.
 *
 * In topics, paths and tokens a name stands where an id may stand as well. One that a person, or
 * any program, could take for a number is therefore no name: digits of whatever script, also with
 * a sign before them or spaces and what nobody sees between, and the form `id:5`.
 */

#include "base/base.h"

bool name_is_utf8(Text text); /* and has no NUL */
/* UTF-8 without control characters (also U+0080 to U+009F) and without what Unicode has set aside
 * for no character (U+FFFE and the like): brokers hang up on topics that have such. */
bool name_is_printable(Text text);

bool name_is_number(Text name);

#define NAME_LONGEST 128 /* bytes */

/* Why nothing new is called so, as in "it ..."; NULL: it may be. One rule for all doors: devices
 * that register themselves, and what people add, import or manage. What is called otherwise already
 * goes on. Static. */
const char *name_refusal(Text name);
const char *name_user_refusal(Text name); /* and of users, who are one level of a topic */

/* The id that `id:5` says, or, without the prefix, that bare digits spell: decimal, no sign, no
 * leading zeros; 0 if it says none. */
int64_t name_said_id(Text text);
int64_t name_spelt_id(Text text);
