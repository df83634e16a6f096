#pragma once

/*
 * View: what a command found, for people or for machines, said once.
 *
 * For people it is a line for each value, indented as things are in each other, with what is in
 * texts of others escaped (escape.h), and nothing of what is absent; for machines it is one JSON
 * object. In the caller's memory, released by view_done().
 */

#include <stdio.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/json_out.h"

#define VIEW_MAX_DEPTH 8 /* of objects and arrays */

typedef struct View View;

struct View {
        bool is_json;
        Buf buf;
        JsonOut out;
        size_t depth;
        size_t begins[VIEW_MAX_DEPTH + 1]; /* where each that is open began, */
        size_t heads[VIEW_MAX_DEPTH + 1];  /* and how long its own line is */
        bool were_items[VIEW_MAX_DEPTH + 1];
        bool is_item; /* the next line is the first of an element */
};

void view_init(View *view, bool is_json); /* and opens the object that is all of it */
void view_done(View *view);
/* Closes it: all of it, until view_done(); -ENOMEM. */
MUST_CHECK int view_finish(View *view, Text *ret_text);
/* The same, and writes it. */
MUST_CHECK int view_print(View *view, FILE *out);

/* @name NULL: an element of an array. */
void view_object(View *view, const char *name);
void view_object_end(View *view);
void view_array(View *view, const char *name);
void view_array_end(View *view);

/* Absent (no data, NULL, NAN): nothing, or null. */
void view_text(View *view, const char *name, Text text);
void view_string(View *view, const char *name, const char *text);
void view_number(View *view, const char *name, double value);
void view_int(View *view, const char *name, int64_t value);
void view_bool(View *view, const char *name, bool value);
void view_time(View *view, const char *name, int64_t time_us);
void view_json(View *view, const char *name, Text json); /* a value that is JSON already */

#define CLEANUP_VIEW __attribute__((cleanup(view_done)))
