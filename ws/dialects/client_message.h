#pragma once

/*
 * WsClientMessage: a JSON message of a client of dialects D and E, and what it asks for.
 *
 * Memory of the caller, released by ws_client_message_done(). json-c is lenient (FACTS): nothing of
 * the message is ever sent back but strings, finite numbers and booleans. Pure.
 */

#include "base/base.h"
#include "base/json_out.h"

typedef struct WsClientMessage WsClientMessage;
typedef struct WsClientMessageList WsClientMessageList;
struct json_object;

struct WsClientMessage {
        struct json_object *root; /* owned */
        Text type;                /* "" if it has none, or is not an object */
};

struct WsClientMessageList {
        struct json_object *list; /* borrowed; NULL = absent or null */
        size_t n;
};

enum {
        WS_CLIENT_MESSAGE_E_INVALID = 1, /* not JSON, or (lists) not a list */
};

MUST_CHECK int ws_client_message_parse(WsClientMessage *command, Text message);
void ws_client_message_done(WsClientMessage *command);

bool ws_client_message_is_object(const WsClientMessage *command);
bool ws_client_message_has(const WsClientMessage *command,
                           const char *name); /* null is there, too */
bool ws_client_message_is_text(const WsClientMessage *command, const char *name);

/* The member @name as JSON, if it is a scalar, and no whole number beyond 64 bits; else null. */
void ws_client_message_echo(JsonOut *out,
                            const char *name,
                            const WsClientMessage *command,
                            const char *member_name);

/* The member @name: a string or a whole number of 64 bits as text, in @ret_text, or null. False: it
 * is absent or something else. */
bool ws_client_message_member(const WsClientMessage *command,
                              const char *name,
                              char ret_text[256],
                              bool *ret_is_null);

MUST_CHECK int ws_client_message_list(const WsClientMessage *command,
                                      const char *name,
                                      WsClientMessageList *ret_list);
Text ws_client_message_text(const WsClientMessageList *list, size_t i); /* absent if not a string */
/* A string or a whole number of 64 bits as text, in @ret_text; false if it is neither. */
bool ws_client_message_name(const WsClientMessageList *list, size_t i, char ret_text[256]);
