#pragma once

/*
 * WsPrecheck: what is checked of a request before its endpoint is called: framing, path, method,
 * credential, type of the body, and what other origins may know of it. Pure.
 */

#include "base/base.h"
#include "ws/http/endpoint.h"

/* The row that serves call->request, with call->identity filled in; NULL: the response says why
 * not. */
const WsEndpoint *ws_precheck(WsCall *call);

/* A credential that is not there, or that is refused, as of ws_request_identify(): 401, or 429
 * where there were too many. Also for who finds it in a body. */
void ws_precheck_refuse(WsCall *call, int r, const char *why);

/* The headers that let a page of @origin read the answer, if it is allowed to. */
void ws_precheck_origin(const WsOptions *options, const char *origin, WsResponse *response);
/* What cannot be read, by its status. */
void ws_precheck_misread(WsResponse *response, int status);
void ws_precheck_fault(WsResponse *response); /* 500: said in the log, not to the client */
/* What cannot be served now and may be in @wait_s: @status, or to who wants a stream of events one
 * that ends at once, since a browser's EventSource comes back after that alone. */
void ws_precheck_put_off(const WsCall *call,
                         int status,
                         const char *code,
                         const char *detail,
                         int wait_s);

/* A WebSocket is wanted, or an upgrade that is wrong. */
bool ws_precheck_is_handshake(const WsRequest *request);
