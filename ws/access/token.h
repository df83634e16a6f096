#pragma once

/*
 * WsToken: a JWT taken apart. Nothing of it is believed yet (ws/access/auth.h).
 *
 * Three parts of base64url without padding, and not a byte else; header and payload are objects
 * as json-c takes them (strict, UTF-8), without NUL. Memory of the caller, no state: any thread.
 */

#include "base/base.h"

struct json_object;

#define WS_TOKEN_MAX 8191 /* bytes of one */

typedef struct WsToken WsToken;

struct WsToken {
        char jwt[WS_TOKEN_MAX + 1];
        Text header, payload, signature; /* within it, as they were written */
};

bool ws_token_split(WsToken *token, Text jwt);
Text ws_token_signed(const WsToken *token); /* what the signature is of */
/* A part as bytes. */
bool ws_token_decode(Text part, char ret_data[WS_TOKEN_MAX], size_t *ret_n);
/* A part as an object, which is the caller's; NULL if it is none. */
struct json_object *ws_token_parse(Text part);
