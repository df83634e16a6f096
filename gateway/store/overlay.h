#pragma once

/*
 * Overlay: what has changed, laid over what was known: JSON over JSON. Pure.
 *
 * Objects are laid over member by member, at every level; all else replaces what was there, arrays
 * as well. Unlike RFC 7396 a null takes nothing away: a device that says null says that there is no
 * value. Members stay in the order in which they were first known, and their bytes are as they
 * came.
 */

#include "base/arena.h"
#include "base/base.h"
#include "base/buf.h"

/* Behind what @buf has. Both are JSON; what cannot be read as such is as if it were not there. The
 * arena is for what is needed meanwhile. -ENOMEM. */
MUST_CHECK int overlay(Buf *buf, Arena *arena, Text known, Text change);
