#include "ws/files/file.h"

#include <stdio.h>
#include <strings.h>

#include "ws/http/request.h"
#include "ws/http/response.h"

#define WS_FILE_PART_MAX (1 << 20) /* of one answer: who wants more asks again */

/* Does Accept-Encoding name gzip, and not with a quality of 0? */
static bool ws_file_may_pack(const char *accept) {
        while (*accept) {
                size_t n;

                accept += strspn(accept, ", \t");
                n = strcspn(accept, ",");
                if (strncasecmp(accept, "gzip", 4) == 0 && strcspn(accept, ",; \t") == 4)
                        return !memmem(accept, n, "q=0", 3) || memmem(accept, n, "q=0.", 4);
                accept += n;
        }
        return false;
}

static bool ws_file_number(const char **at, size_t *ret_number) {
        char *end = NULL;

        if (**at < '0' || **at > '9')
                return false;
        errno = 0;
        *ret_number = strtoull(*at, &end, 10);
        *at = end;
        return errno == 0;
}

/* One range of bytes (RFC 9110 14.1.2). False: another form, or several: all of it is the answer.
 * An empty range: it lies behind the end. */
static bool ws_file_range(const char *range, size_t n, size_t *ret_from, size_t *ret_n) {
        const char *at = range;
        size_t from, to = SIZE_MAX;

        if (strncasecmp(at, "bytes=", 6) != 0)
                return false;
        at += 6;
        if (*at == '-') { /* the last ones */
                ++at;
                if (!ws_file_number(&at, &to) || *at)
                        return false;
                *ret_n = to < n ? to : n;
                *ret_from = n - *ret_n;
                return true;
        }
        if (!ws_file_number(&at, &from) || *at++ != '-')
                return false;
        if (*at && (!ws_file_number(&at, &to) || *at || to < from))
                return false;
        *ret_from = from;
        *ret_n = from >= n ? 0 : (to < n ? to + 1 : n) - from;
        return true;
}

static void ws_file_give_part(WsResponse *response, Text whole, size_t from, size_t n) {
        if (n == 0) {
                buf_printf(&response->headers, "Content-Range: bytes */%zu\r\n", whole.n);
                ws_response_problem(response, 416, "bad_range", "There are no such bytes.");
                return;
        }
        if (n > WS_FILE_PART_MAX) /* Content-Range says so (RFC 9110 15.3.7) */
                n = WS_FILE_PART_MAX;
        response->status = 206;
        buf_printf(&response->headers,
                   "Content-Range: bytes %zu-%zu/%zu\r\n",
                   from,
                   from + n - 1,
                   whole.n);
        response->fixed = (Text){ .data = whole.data + from, .n = n };
}

void ws_file_give(const WsRequest *request, const WsFile *file, WsResponse *response) {
        char tag[24];
        size_t from = 0, n = 0;

        snprintf(tag, sizeof(tag), "\"%016llx\"", (unsigned long long)file->tag);
        buf_printf(&response->headers, "ETag: W/%s\r\n", tag); /* the same, packed or not */
        ws_response_header(response, "Vary", "Accept, Accept-Encoding");
        ws_response_header(response, "Accept-Ranges", "bytes");
        if (strstr(request->if_none_match, tag)) {
                response->status = 304;
                return;
        }
        response->content_type = file->type;
        if (*request->range && !*request->if_range &&
            ws_file_range(request->range, file->plain.n, &from, &n)) {
                ws_file_give_part(response, file->plain, from, n);
                return;
        }
        response->status = 200;
        response->fixed = file->plain;
        if (file->packed.n == 0 || !ws_file_may_pack(request->accept))
                return;
        ws_response_header(response, "Content-Encoding", "gzip");
        response->fixed = file->packed;
}
