#pragma once

/*
 * WsMultipart: a form as a browser sends FormData (multipart/form-data, RFC 7578): fields with
 * lines between that are all the same, which the first line of the body says. Nothing of it is
 * copied but the field that is asked for. Pure.
 */

#include "base/base.h"

/* The value of the first field that is called so, as it stands. False: there is none, it has a NUL,
 * or does not fit, or what is before it, or it, does not end. */
bool ws_multipart_find(Text body, const char *name, char *ret_value, size_t n_value);
