#pragma once

/*
 * WsMembers: which things are in the set of a subscription, and a short text that stands for them.
 *
 * Eight bytes a thing, in order. The text is a sum over the ids: the same for the same things,
 * however they came to be there. Memory of the owner, zeroed. Loop thread.
 */

#include "base/base.h"

#define WS_MEMBERS_TEXT_SIZE 33 /* with NUL */

typedef struct WsMembers WsMembers;
typedef struct WsThing WsThing;

struct WsThing { /* one of the two is not 0; a vehicle where both are */
        int64_t vehicle_id, device_id;
};

struct WsMembers {
        int64_t *keys; /* ascending: devices, then vehicles */
        size_t n, capacity;
        uint64_t sum;
        size_t *n_all; /* borrowed: of all sets of its socket; NULL = not counted */
};

void ws_members_done(WsMembers *members);
void ws_members_clear(WsMembers *members);

MUST_CHECK int ws_members_add(WsMembers *members, WsThing thing); /* again: nothing */
void ws_members_remove(WsMembers *members, WsThing thing);
bool ws_members_have(const WsMembers *members, WsThing thing);
bool ws_members_include(const WsMembers *members, const WsMembers *others); /* all of these */
/* The one behind @after, {0} begins; {0}: there is none. */
WsThing ws_members_next(const WsMembers *members, WsThing after);

const char *ws_members_text(const WsMembers *members, char ret_text[WS_MEMBERS_TEXT_SIZE]);
