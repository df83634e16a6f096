#pragma once

/*
 * WsFile: a file in memory as the answer to a GET: whole, packed where that may be, in parts, or
 * 304 to who has it. What else there is to say of it (policy, how long it holds) its owner says.
 * Pure.
 */

#include "base/base.h"

typedef struct WsFile WsFile;
typedef struct WsRequest WsRequest;
typedef struct WsResponse WsResponse;

struct WsFile {
        const char *type;
        Text plain, packed; /* the latter by gzip; absent: not worth it */
        uint64_t tag;       /* of the bytes */
};

/* The bytes are borrowed until the response is rendered. */
void ws_file_give(const WsRequest *request, const WsFile *file, WsResponse *response);
