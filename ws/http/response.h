#pragma once

/*
 * WsResponse: one HTTP answer, composed whole in memory.
 *
 * Fields and a body are filled in, then ws_response_render() gives the bytes for the wire
 * (HTTP/1.1; the server offers nothing newer). Pure. Errors are problem+json (RFC 9457) with a
 * `code`.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct WsResponse WsResponse;

struct WsResponse {
        int status;               /* 0 = not answered yet */
        const char *content_type; /* NULL = no body */
        Buf body;
        Text fixed;  /* static bytes in place of @body */
        Buf headers; /* further header lines, each with its CRLF */
        bool is_head;
        bool is_stream;   /* the body comes after this in pieces, see session.h */
        bool is_http_1_0; /* which knows no chunks: the connection ends with the body */
        bool close;       /* the connection ends with this answer */
        bool keep;        /* say that it does not: HTTP/1.0 */
};

void ws_response_done(WsResponse *response);

void ws_response_header(WsResponse *response, const char *name, const char *value);
void ws_response_upgrade(WsResponse *response);                  /* says to what, as 426 has to */
void ws_response_retry_after(WsResponse *response, int seconds); /* 0 = none */
void ws_response_problem(WsResponse *response, int status, const char *code, const char *detail);
Buf *ws_response_json(WsResponse *response); /* 200; the caller writes the body into the answer */

const char *ws_response_title(int status); /* "Not Found", ... */
/* @hsts_s: for so long the peer is to come by TLS alone; 0 = no word of it. */
void ws_response_render(const WsResponse *response, int64_t now_us, int hsts_s, Buf *buf);
void ws_response_hsts(Buf *buf, int hsts_s);     /* that line by itself */
void ws_response_date(Buf *buf, int64_t now_us); /* likewise: every answer has it */

#define CLEANUP_RESPONSE __attribute__((cleanup(ws_response_done)))
