#pragma once

/*
 * Page: what the pages of the origin systems ask by HTTP, and how their answers go out.
 *
 * Each room of this folder has the endpoints of one system: they read their parameters with what is
 * here, and ask for one body (model/page_query.h). Of these systems a parameter that is no number,
 * or out of its bounds, is 422, and a time that is none 400, as their pages know it; the body is
 * problem+json as everywhere, whose `detail` is what they show, but of 422 as they have it. false:
 * the response says what is wrong. Loop thread.
 */

#include "base/base.h"
#include "model/page_query.h"
#include "ws/http/endpoint.h"

#define WS_PAGE_TEXT_SIZE      256
#define WS_PAGE_OFFSET         10000 /* what is passed over has to be found all the same */
#define WS_PAGE_COUNTER_MANUAL "docs/migrate/people-counter.md"

/* A question of this kind, with what the caller may see, the configured time zone, and as many
 * items as a list may have that knows no further page. */
PageQuery ws_page(const WsCall *call, PageKind kind);

/* Left alone where the parameter is absent. */
bool ws_page_number(WsCall *call, const char *name, int64_t low, int64_t high, int64_t *ret_value);
/* So many of a list are passed over: `offset`, or `skip`. Likewise left alone; 422. */
bool ws_page_offset(WsCall *call, int64_t high, int64_t *ret_offset);
/* `limit` of a list that is whole without, up to as many items as it may have, and its offset. */
bool ws_page_part(WsCall *call, PageQuery *page);
/* In the pages' time zone where it has no offset. *ret_us is left alone if absent or empty. */
bool ws_page_time(WsCall *call, const char *name, int64_t *ret_us);
/* YYYY-MM-DD: midnight of its zone, @n_days later. Likewise. */
bool ws_page_date(WsCall *call, const char *name, int n_days, int64_t *ret_us);
/* When a day begins there: @local_us as if it were UTC. */
int64_t ws_page_midnight(const WsCall *call, int64_t local_us);
/* A device by its code or id, that the caller may see. Likewise; 404. */
bool ws_page_device(WsCall *call, const char *name, int64_t *ret_id);
/* An absent or empty parameter is "". */
void ws_page_text(const WsCall *call, const char *name, char ret_text[WS_PAGE_TEXT_SIZE]);

/* true or false, as their server reads it. Likewise left alone; 422. */
bool ws_page_flag(WsCall *call, const char *name, int64_t *ret_flag);
/* One of @allowed, which has commas around each. Likewise left alone; 422. */
bool ws_page_word(WsCall *call,
                  const char *name,
                  const char *allowed,
                  char *ret_word,
                  size_t n_word);

/* 422 of what @where (query, body) has as @name: as FastAPI says it, `detail` a list of one. */
bool ws_page_invalid(WsCall *call,
                     const char *where,
                     const char *name,
                     const char *type,
                     const char *message);
bool ws_page_refuse(WsCall *call, int status, const char *detail);

/* What changes the system is not for pages: @status is 404, or 405 where the path may be read. */
int ws_page_administration(WsCall *call, int status, const char *manual);

MUST_CHECK int ws_page_ask(WsCall *call, const PageQuery *page);
/* Of the device that the path names, if the caller may see it; 404. */
MUST_CHECK int ws_page_ask_device(WsCall *call, PageKind kind);
