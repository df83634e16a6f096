#pragma once

/*
 * Condition: is a payload one that a route is for?
 *
 *   /_type = location               that value, or one of several: /type = a, b
 *   /_type != waypoint and /lat     another, or none; it is there, and not null
 *   ! /test                         it is not there, or null
 *   / is object                     of that type, or one of several: text, number
 *   ! /v is number                  of another, or it is not there
 *
 * All of the parts between `and` have to hold. A value is compared with the content of a string,
 * with the digits of a number, or with true, false and null; it may be in quotes. Types are object,
 * array, text, number and bool. Compiled once; then any thread.
 */

#include "base/base.h"
#include "gateway/decode/json_tree.h"
#include "model/record.h"

#define CONDITION_MAX_PARTS  8
#define CONDITION_MAX_VALUES 32 /* of a part */

typedef struct Condition Condition;
typedef struct Parsed Parsed;
typedef struct Route Route;

enum {
        CONDITION_E_INVALID = 1,
};

/* CONDITION_E_INVALID with what is wrong, for people: static. */
MUST_CHECK int condition_new(Condition **ret_condition, const char *text, const char **ret_why);
Condition *condition_free(Condition *condition);

const char *condition_text(const Condition *condition);
bool condition_holds(const Condition *condition, const JsonTree *tree);

/* A payload that was read to find the route for it: whoever decodes it goes on from there. Begins
 * as { 0 }; of one envelope, and of the arena. What it is: decode.h. */
struct Parsed {
        const Route *route; /* borrowed: by its format and bounds; NULL = it has not been read */
        Reason reason;      /* why it cannot be */
        Record record;      /* what the format has said beside it */
        Text body;
        JsonTree tree; /* owned; of the body, until it is taken over */
};

void parsed_done(Parsed *parsed);

DEFINE_CLEANUP(Condition *, condition_free);
