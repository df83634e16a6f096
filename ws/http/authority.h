#pragma once

/*
 * WsAuthority: whom a request is for, a host and perhaps a port, as Host, a target in absolute form
 * and an Origin have it. Pure.
 */

#include "base/base.h"

/* Is it one (RFC 3986 3.2, without a user)? An empty one is. Two readers who take another host for
 * the same are made to serve different sites. */
bool ws_authority_is_one(Text text);
/* The same host, and the same port where none means @default_port? */
bool ws_authority_equal(Text a, Text b, Text default_port);
