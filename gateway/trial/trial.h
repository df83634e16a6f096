#pragma once

/*
 * Trial: what routes would make of one message, told in a View: those that match, which of them
 * takes it, and the rows, or the reason why there is none.
 *
 * Nothing is asked and nothing stored: names stand as the message has them. In memory of the
 * caller, zeroed but for what it sets: @routes and @max_elements. One thread.
 */

#include "base/arena.h"
#include "base/base.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/route.h"
#include "gateway/trial/view.h"
#include "model/record.h"

typedef struct Trial Trial;

struct Trial {
        const Routes *routes;  /* borrowed */
        uint32_t max_elements; /* of one message, that are told; 0 = all of them */

        View view;
        Arena *arena;
        Record envelope;
        bool has_payload;
        Parsed parsed;       /* the payload, for the conditions */
        const Route *winner; /* NULL: none yet, */
        bool is_sure;        /* and no condition leaves that open */
        bool is_ignored;
        size_t n_asked;
};

#define TRIAL_TOPIC_RULE "1 to 65535 bytes of UTF-8 without + and #"

bool trial_is_topic(Text topic); /* one that a device may publish to */
/* @topic is borrowed. -ENOMEM, as all of these. */
MUST_CHECK int trial_begin(Trial *trial, Text topic, bool is_json);
MUST_CHECK int trial_explain(Trial *trial, bool *ret_is_taken); /* the topic alone */
MUST_CHECK int trial_run(Trial *trial, Text payload, bool *ret_is_taken);
void trial_done(Trial *trial);

/* The beginning of what is told of a route, and where it stands. */
void trial_show_head(View *view, const Route *route);
void trial_show_origin(View *view, const Route *route);

#define CLEANUP_TRIAL __attribute__((cleanup(trial_done)))
