#pragma once

/*
 * WsCommand: a JSON message of a client of dialects D and E, and what it asks for.
 *
 * Memory of the caller, released by ws_command_done(). json-c is lenient (FACTS): nothing of the
 * message is ever sent back but strings, finite numbers and booleans. Pure.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct WsCommand WsCommand;
typedef struct WsCommandList WsCommandList;
struct json_object;

struct WsCommand {
        struct json_object *root; /* owned */
        Text type;                /* "" if it has none, or is not an object */
};

struct WsCommandList {
        struct json_object *list; /* borrowed; NULL = absent or null */
        size_t n;
};

enum {
        WS_COMMAND_E_INVALID = 1, /* not JSON, or (lists) not a list */
};

MUST_CHECK int ws_command_parse(WsCommand *command, Text message);
void ws_command_done(WsCommand *command);

/* The member @name as JSON, if it is a scalar; else null. */
void ws_command_echo(const WsCommand *command, const char *name, Buf *buf);

MUST_CHECK int ws_command_list(const WsCommand *command, const char *name, WsCommandList *ret_list);
Text ws_command_text(const WsCommandList *list, size_t i); /* absent if not a string */
/* A string or a whole number as text, in @ret_text; false if it is neither. */
bool ws_command_name(const WsCommandList *list, size_t i, char ret_text[256]);
