#include "ws/http/response.h"
#include "base/json_out.h"

#include <stdio.h>
#include <time.h>

typedef struct WsTitle WsTitle;

struct WsTitle {
        int status;
        const char *text;
};

static const WsTitle ws_response_titles[] = {
        { 200, "OK" },
        { 201, "Created" },
        { 202, "Accepted" },
        { 204, "No Content" },
        { 206, "Partial Content" },
        { 302, "Found" },
        { 304, "Not Modified" },
        { 400, "Bad Request" },
        { 401, "Unauthorized" },
        { 403, "Forbidden" },
        { 404, "Not Found" },
        { 405, "Method Not Allowed" },
        { 408, "Request Timeout" },
        { 409, "Conflict" },
        { 411, "Length Required" },
        { 413, "Content Too Large" },
        { 414, "URI Too Long" },
        { 415, "Unsupported Media Type" },
        { 416, "Range Not Satisfiable" },
        { 417, "Expectation Failed" },
        { 422, "Unprocessable Content" },
        { 426, "Upgrade Required" },
        { 429, "Too Many Requests" },
        { 431, "Request Header Fields Too Large" },
        { 500, "Internal Server Error" },
        { 501, "Not Implemented" },
        { 503, "Service Unavailable" },
        { 504, "Gateway Timeout" },
        { 505, "HTTP Version Not Supported" },
};

void ws_response_done(WsResponse *response) {
        buf_done(&response->body);
        buf_done(&response->headers);
}

const char *ws_response_title(int status) {
        for (size_t i = 0; i < N_ELEMENTS(ws_response_titles); ++i)
                if (ws_response_titles[i].status == status)
                        return ws_response_titles[i].text;
        return "Error";
}

/* Values are ours or were checked, but a line break would be a header of somebody else's. */
void ws_response_header(WsResponse *response, const char *name, const char *value) {
        if (strpbrk(value, "\r\n"))
                return;
        buf_printf(&response->headers, "%s: %s\r\n", name, value);
}

/* RFC 9110 7.8: who sends Upgrade names it in Connection, and may close all the same. */
void ws_response_upgrade(WsResponse *response) {
        ws_response_header(response, "Upgrade", "websocket");
        ws_response_header(response, "Connection", "Upgrade");
        ws_response_header(response, "Sec-WebSocket-Version", "13");
}

void ws_response_retry_after(WsResponse *response, int seconds) {
        if (seconds > 0)
                buf_printf(&response->headers, "Retry-After: %d\r\n", seconds);
}

void ws_response_problem(WsResponse *response, int status, const char *code, const char *detail) {
        JsonOut out = { .buf = &response->body };

        response->status = status;
        response->content_type = "application/problem+json";
        response->fixed = (Text){ 0 };
        buf_reset(out.buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "about:blank");
        json_out_string(&out, "title", ws_response_title(status));
        json_out_int(&out, "status", status);
        json_out_string(&out, "detail", detail);
        json_out_string(&out, "code", code);
        json_out_object_end(&out);
        if (status == 401)
                ws_response_header(response, "WWW-Authenticate", "Bearer realm=\"tidegate\"");
}

Buf *ws_response_json(WsResponse *response) {
        response->status = 200;
        response->content_type = "application/json";
        return &response->body;
}

void ws_response_hsts(Buf *buf, int hsts_s) {
        if (hsts_s > 0)
                buf_printf(buf, "Strict-Transport-Security: max-age=%d\r\n", hsts_s);
}

/* RFC 9110 5.6.7, and in English wherever we run. */
void ws_response_date(Buf *buf, int64_t now_us) {
        static const char *const days[] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
        static const char *const months[] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                              "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        time_t now = (time_t)(now_us / 1000000);
        struct tm tm;

        if (!gmtime_r(&now, &tm))
                return;
        buf_printf(buf,
                   "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                   days[tm.tm_wday],
                   tm.tm_mday,
                   months[tm.tm_mon],
                   tm.tm_year + 1900,
                   tm.tm_hour,
                   tm.tm_min,
                   tm.tm_sec);
}

void ws_response_render(const WsResponse *response, int64_t now_us, int hsts_s, Buf *buf) {
        Text body = response->fixed.data ? response->fixed : buf_text(&response->body);
        bool has_body = response->content_type != NULL;
        bool is_unsized =
                has_body && response->is_head && body.n == 0; /* as nothing was composed */

        buf_printf(buf,
                   "HTTP/1.1 %d %s\r\n",
                   response->status,
                   ws_response_title(response->status));
        ws_response_date(buf, now_us);
        if (has_body)
                buf_printf(buf, "Content-Type: %s\r\n", response->content_type);
        if (response->is_stream && !response->is_http_1_0)
                buf_append_string(buf, "Transfer-Encoding: chunked\r\n");
        else if (!response->is_stream && !is_unsized &&
                 (has_body || (response->status != 204 && response->status != 304)))
                buf_printf(buf, "Content-Length: %zu\r\n", has_body ? body.n : 0);
        buf_append_text(buf, buf_text(&response->headers));
        ws_response_hsts(buf, hsts_s);
        buf_append_string(buf, "X-Content-Type-Options: nosniff\r\n");
        if (response->close || (response->is_stream && response->is_http_1_0))
                buf_append_string(buf, "Connection: close\r\n");
        else if (response->keep)
                buf_append_string(buf, "Connection: keep-alive\r\n");
        buf_append_string(buf, "\r\n");
        if (has_body && !response->is_head && !response->is_stream)
                buf_append_text(buf, body);
}
