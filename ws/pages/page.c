#include "ws/pages/page.h"

#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/text.h"

#define WS_PAGE_ITEMS 10000 /* unless it is said otherwise */
#define WS_PAGE_PART  1000000
#define WS_PAGE_DATE  10 /* characters: YYYY-MM-DD */

PageQuery ws_page(const WsCall *call, PageKind kind) {
        const User *user = call->identity.user;
        PageQuery page = {
                .kind = kind,
                .user_id = user && user->role != ROLE_ADMIN ? user->id : 0,
                .from_us = CLOCK_UNKNOWN,
                .to_us = CLOCK_UNKNOWN,
                .limit = call->options->page_items > 0 ? call->options->page_items : WS_PAGE_ITEMS,
                .style = call->options->counter,
        };

        if (call->options->timezone)
                snprintf(page.zone, sizeof(page.zone), "%s", call->options->timezone);
        return page;
}

bool ws_page_refuse(WsCall *call, int status, const char *detail) {
        ws_response_problem(call->response,
                            status,
                            status == 404 ? "not_found" : "bad_parameter",
                            detail);
        return false;
}

int ws_page_administration(WsCall *call, int status, const char *manual) {
        char detail[256];

        snprintf(detail,
                 sizeof(detail),
                 "This is administration, which Tidegate has on its command line: see %s.",
                 manual);
        if (status == 405)
                ws_response_header(call->response, "Allow", "GET, HEAD, OPTIONS");
        ws_response_problem(call->response, status, "administration", detail);
        return 0;
}

/* What their pages show of it is `detail`; the rest is as in every error of ours. */
bool ws_page_invalid(WsCall *call,
                     const char *where,
                     const char *name,
                     const char *type,
                     const char *message) {
        JsonOut out = { .buf = ws_response_json(call->response) };

        call->response->status = 422;
        json_out_object(&out, NULL);
        json_out_array(&out, "detail");
        json_out_object(&out, NULL);
        json_out_string(&out, "type", type);
        json_out_array(&out, "loc");
        json_out_string(&out, NULL, where);
        json_out_string(&out, NULL, name);
        json_out_array_end(&out);
        json_out_string(&out, "msg", message);
        json_out_object_end(&out);
        json_out_array_end(&out);
        json_out_string(&out, "title", ws_response_title(422));
        json_out_int(&out, "status", 422);
        json_out_string(&out, "code", "bad_parameter");
        json_out_object_end(&out);
        return false;
}

/* Which bound it is beyond, or that it is no whole number at all. */
static const char *ws_page_fault(const char *text, int64_t low) {
        bool is_below = text[0] == '-' && text[1] != '\0';
        size_t n = strspn(text + is_below, "0123456789");
        uint64_t value;

        if (n == 0 || text[is_below + n] != '\0')
                return "int_parsing";
        if (is_below || (text_to_number(text_of(text), INT64_MAX, &value) && (int64_t)value < low))
                return "greater_than_equal";
        return "less_than_equal";
}

bool ws_page_number(WsCall *call, const char *name, int64_t low, int64_t high, int64_t *ret_value) {
        char text[32], detail[128];
        uint64_t value;

        if (!ws_request_param(call->request, name, text, sizeof(text)))
                return true;
        if (text_to_number(text_of(text), (uint64_t)high, &value) && (int64_t)value >= low) {
                *ret_value = (int64_t)value;
                return true;
        }
        snprintf(detail,
                 sizeof(detail),
                 "%s must be a whole number from %lld to %lld.",
                 name,
                 (long long)low,
                 (long long)high);
        return ws_page_invalid(call, "query", name, ws_page_fault(text, low), detail);
}

bool ws_page_offset(WsCall *call, int64_t high, int64_t *ret_offset) {
        return ws_page_number(call, "skip", 0, high, ret_offset) &&
               ws_page_number(call, "offset", 0, high, ret_offset);
}

bool ws_page_part(WsCall *call, PageQuery *page) {
        int64_t limit = page->limit;

        if (!ws_page_number(call, "limit", 0, WS_PAGE_PART, &limit) ||
            !ws_page_offset(call, WS_PAGE_PART, &page->offset))
                return false;
        if (limit < page->limit)
                page->limit = limit;
        return true;
}

void ws_page_text(const WsCall *call, const char *name, char ret_text[WS_PAGE_TEXT_SIZE]) {
        if (!ws_request_param(call->request, name, ret_text, WS_PAGE_TEXT_SIZE))
                *ret_text = '\0';
}

bool ws_page_flag(WsCall *call, const char *name, int64_t *ret_flag) {
        char detail[WS_REQUEST_DETAIL_SIZE];
        bool flag = *ret_flag != 0;

        if (!ws_request_switch(call->request, name, &flag, detail))
                return ws_page_invalid(call, "query", name, "bool_parsing", detail);
        *ret_flag = flag;
        return true;
}

bool ws_page_word(WsCall *call,
                  const char *name,
                  const char *allowed,
                  char *ret_word,
                  size_t n_word) {
        char detail[WS_REQUEST_DETAIL_SIZE];

        if (ws_request_word(call->request, name, allowed, ret_word, n_word, detail))
                return true;
        return ws_page_invalid(call, "query", name, "literal_error", detail);
}

int64_t ws_page_midnight(const WsCall *call, int64_t local_us) {
        if (!call->options->zone)
                return local_us;
        return zone_to_utc(call->options->zone, local_us, CLOCK_UNKNOWN, 0);
}

bool ws_page_date(WsCall *call, const char *name, int n_days, int64_t *ret_us) {
        char text[WS_PAGE_TEXT_SIZE], midnight[24], detail[128];
        int64_t local_us;

        ws_page_text(call, name, text);
        if (!*text)
                return true;
        if (strlen(text) == WS_PAGE_DATE) {
                snprintf(midnight, sizeof(midnight), "%.10sT00:00:00", text);
                if (timestamp_parse(text_of(midnight), NULL, &local_us) == 0) {
                        *ret_us = ws_page_midnight(call, local_us + n_days * CLOCK_DAY_US);
                        return true;
                }
        }
        snprintf(detail, sizeof(detail), "%s must be a date, as 2025-10-18.", name);
        return ws_page_refuse(call, 400, detail);
}

bool ws_page_time(WsCall *call, const char *name, int64_t *ret_us) {
        char text[WS_PAGE_TEXT_SIZE], detail[128];

        ws_page_text(call, name, text);
        if (strlen(text) == WS_PAGE_DATE) /* alone it is its midnight */
                return ws_page_date(call, name, 0, ret_us);
        if (!*text || ws_request_time(text, call->options->zone, ret_us))
                return true;
        snprintf(detail, sizeof(detail), "%s must be a time, as 2025-10-18T16:30:00.", name);
        return ws_page_refuse(call, 400, detail);
}

bool ws_page_device(WsCall *call, const char *name, int64_t *ret_id) {
        char code[WS_PAGE_TEXT_SIZE];
        const Device *device;

        ws_page_text(call, name, code);
        if (!*code)
                return true;
        if (!ws_endpoint_see_device(call, code, &device))
                return false;
        *ret_id = device->id;
        return true;
}

int ws_page_ask(WsCall *call, const PageQuery *page) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        r = query_new(&query, QUERY_PAGE);
        if (r < 0)
                return err_up(r);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->page = malloc(sizeof(*query->page));
        if (!query->user_ids || !query->page)
                return err_new(-ENOMEM);
        query->user_ids[0] = page->user_id;
        query->n_user_ids = 1;
        *query->page = *page;

        call->query = TAKE(&query);
        return 0;
}

int ws_page_ask_device(WsCall *call, PageKind kind) {
        PageQuery page = ws_page(call, kind);
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device))
                return 0;
        page.device_id = device->id;
        return ws_page_ask(call, &page);
}

int ws_page_answer(WsCall *call, const Answer *answer) {
        switch (answer->n_bodies == 1 ? answer->status : 503) {
        case 200:
                ws_response_header(call->response, "Cache-Control", "no-store");
                buf_append_text(ws_response_json(call->response), buf_text(&answer->bodies[0]));
                return 0;
        case 404:
                (void)ws_page_refuse(call, 404, "There is no such thing.");
                return 0;
        default:
                ws_response_retry_after(call->response, 2);
                ws_response_problem(call->response,
                                    503,
                                    "unavailable",
                                    "The database is not there, or too much is asked of it.");
                return 0;
        }
}
