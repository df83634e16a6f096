#pragma once

/*
 * WsIndex: lists of clients by (dialect, scope, id), so that a message finds its receivers without
 * looking at anybody else.
 *
 * A list is a dense array; joining and leaving cost O(1). Lists come and go with their members.
 * Loop thread. No list may change while it is walked.
 */

#include "base/base.h"

typedef struct WsClient WsClient;
typedef struct WsIndex WsIndex;
typedef struct WsList WsList;
typedef struct WsSpot WsSpot;

typedef enum WsScope {
        WS_SCOPE_EVERYONE, /* every open client, whatever its dialect (dialect and id are 0) */
        WS_SCOPE_PERSON,   /* every client of a user, whatever it sees */
        WS_SCOPE_ALL,      /* admins and anonymous paths: whatever the dialect has */
        WS_SCOPE_USER,     /* what the user may see */
        WS_SCOPE_VEHICLE,  /* one vehicle, named by the path */
        WS_SCOPE_DEVICE,   /* one device, named by the path */
        WS_SCOPE_EDGE,     /* the device's own socket (dialect is 0) */
} WsScope;

/* One membership; memory of the client. */
struct WsSpot {
        WsList *list; /* NULL = not in one */
        size_t at;
        WsClient *client;
};

MUST_CHECK int ws_index_new(WsIndex **ret_index);
WsIndex *ws_index_free(WsIndex *index);

MUST_CHECK int ws_index_join(WsIndex *index,
                             WsSpot *spot,
                             int dialect,
                             WsScope scope,
                             int64_t id); /* -ENOMEM */
void ws_index_leave(WsIndex *index, WsSpot *spot);

const WsList *ws_index_find(const WsIndex *index, int dialect, WsScope scope, int64_t id);
const WsList *ws_index_next(const WsIndex *index, const WsList *list); /* NULL begins and ends */

int ws_list_dialect(const WsList *list);
WsScope ws_list_scope(const WsList *list);
int64_t ws_list_id(const WsList *list);
size_t ws_list_length(const WsList *list); /* of NULL: 0 */
WsClient *ws_list_at(const WsList *list, size_t i);

DEFINE_CLEANUP(WsIndex *, ws_index_free);
