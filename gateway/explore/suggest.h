#pragma once

/* Suggest: a route that would take a shape of topics (shape.h), as lines of the configuration.
 * Pure. */

#include "base/buf.h"

/*
 * @form: number, bool, text, or object, which is what the payload is. The first level that is free
 * is the device, the last one of a bare value its name. False: none can be named.
 */
bool suggest_route(const char *shape, const char *form, Buf *buf);
