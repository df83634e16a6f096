#pragma once

/*
 * WsForm: names and values with = and & and escapes, as a query has them, or the body of a form
 * (application/x-www-form-urlencoded). Pure.
 */

#include "base/base.h"

enum {
        WS_FORM_E_BAD = 1, /* a bad escape, or a NUL */
        WS_FORM_E_TOO_LONG,
};

/* @plus: what a '+' stands for. */
MUST_CHECK int ws_form_decode(Text text, char plus, char *ret_value, size_t n_value);
bool ws_form_unescape(Text text, char plus, char *ret_value, size_t n_value);

/* The value of the first that is called so. *@ret_found: it is there, whether or not it fits. */
bool ws_form_find(Text form, const char *name, char *ret_value, size_t n_value, bool *ret_found);
