#pragma once

/*
 * Elements: one message of a route with `each`, taken apart: an array (or the members of an
 * object) whose elements are messages of their own.
 *
 * The inlet takes it apart to count them, as each gets a number of the journal, and whoever decodes
 * takes it apart again: once for all of them, not for each. What cannot be taken apart is one
 * message, a letter that says why; an empty array is one, too, and leaves nothing, as does an
 * element that is null.
 *
 * Begins as { 0 }. What it is made from is borrowed until elements_done(). One thread.
 */

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"
#include "gateway/decode/json_tree.h"
#include "gateway/decode/route.h"
#include "model/record.h"
#include "model/topic.h"

#define ELEMENTS_POINTER_SIZE 160

typedef struct Elements Elements;

struct Elements {
        const Route *route;                  /* borrowed; NULL = nothing is open */
        uint64_t first_seq;                  /* for who keeps it from one to the next */
        TopicMatch match;                    /* of the topic */
        Record whole;                        /* the message as one */
        JsonTree tree;                       /* owned */
        const JsonNode *list;                /* in it, */
        char pointer[ELEMENTS_POINTER_SIZE]; /* there */
        size_t n;                            /* in the list, */
        const JsonNode *at;                  /* of which this is the one at */
        size_t i_at;
        Buf frame;   /* owned: the message without its elements, of which one stands */
        size_t hole; /* here */
};

/* 0 or -ENOMEM. @route has an `each`; @match: the names in the topic; @parsed: as for
 * decode_parsed(), NULL where nobody has read it. */
MUST_CHECK int elements_open(Elements *elements,
                             Arena *arena,
                             const Route *route,
                             const TopicMatch *match,
                             const Record *envelope,
                             Parsed *parsed);
void elements_done(Elements *elements);

/* How many messages it is; at least 1. */
uint32_t elements_count(const Elements *elements);

/* The i-th of them, as decode() would have it. Its payload is the message as JSON with this
 * element alone, which is all that has to be kept of it. */
MUST_CHECK int elements_decode(Elements *elements,
                               Arena *arena,
                               size_t i,
                               const Record *envelope,
                               Record *ret_record);
