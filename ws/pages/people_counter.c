#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"
#include "ws/pages/page.h"

#define WS_COUNTER_HOURS     24
#define WS_COUNTER_HOURS_MAX 87600 /* ten years */
#define WS_COUNTER_MINUTES   60
#define WS_COUNTER_HOUR      60 /* minutes */
#define WS_COUNTER_YEAR      525600
#define WS_COUNTER_RECENT    100
#define WS_COUNTER_MANY      1000
#define WS_COUNTER_DAYS      7
#define WS_COUNTER_DAYS_MAX  3660

/* The people counter: docs/protocol.md, 3 A. */

/* As ws_page_device(), but that everybody may be shown scanners alone: whether there is another one
 * is nobody's to know. */
static bool ws_page_counter_sees(WsCall *call, const char *name) {
        const CounterStyle *style = &call->options->counter;
        const Device *device =
                registry_find_device_for(call->access->registry, NULL, text_of(name));

        if (call->identity.user || !style->scanners_alone || !device || device_is_scanner(device))
                return true;
        return ws_page_refuse(call, 404, "There is no such device.");
}

static bool ws_page_counter_of(WsCall *call, int64_t *ret_device_id) {
        char name[WS_PAGE_TEXT_SIZE];

        ws_page_text(call, "device_id", name);
        if (*name && !ws_page_counter_sees(call, name))
                return false;
        return ws_page_device(call, "device_id", ret_device_id);
}

/* Of up to an hour from its rows, as `stats_update`; of more from sums. */
int ws_page_counter_live(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_LIVE);
        char text[32];
        uint64_t minutes;

        if (!ws_request_param(call->request, "minutes", text, sizeof(text)) ||
            !text_to_number(text_of(text), WS_COUNTER_YEAR, &minutes) || minutes <= WS_COUNTER_HOUR)
                return ws_page_counter_of(call, &page.device_id) ? ws_endpoint_detections(call) : 0;
        if (page.style.by_time)
                page.kind = PAGE_COUNTER_LIVE_BY_TIME;
        page.number = (int64_t)minutes;
        if (!ws_page_counter_of(call, &page.device_id))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_range(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_RANGE);

        if (!ws_page_time(call, "start_time", &page.from_us) ||
            !ws_page_time(call, "end_time", &page.to_us) ||
            !ws_page_counter_of(call, &page.device_id))
                return 0;
        if (page.from_us == CLOCK_UNKNOWN || page.to_us == CLOCK_UNKNOWN) {
                (void)ws_page_invalid(call,
                                      "query",
                                      page.from_us == CLOCK_UNKNOWN ? "start_time" : "end_time",
                                      "missing",
                                      "start_time and end_time are needed.");
                return 0;
        }
        if (page.from_us >= page.to_us) {
                (void)ws_page_refuse(call, 400, "start_time must be before end_time.");
                return 0;
        }
        ++page.to_us; /* what is at the end counts, too */
        return ws_page_ask(call, &page);
}

int ws_page_counter_histogram(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_HISTOGRAM);

        snprintf(page.text, sizeof(page.text), "hour");
        if (!ws_page_word(call, "range", ",hour,today,week,", page.text, sizeof(page.text)) ||
            !ws_page_counter_of(call, &page.device_id))
                return 0;
        if (strcmp(page.text, "hour") == 0)
                page.kind = PAGE_COUNTER_HISTOGRAM_HOUR;
        return ws_page_ask(call, &page);
}

int ws_page_counter_hourly(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_HOURLY);

        if (!ws_page_date(call, "date", 0, &page.from_us))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_daily(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_DAILY);

        page.number = WS_COUNTER_DAYS;
        if (!ws_page_date(call, "start_date", 0, &page.from_us) ||
            !ws_page_date(call, "end_date", 0, &page.to_us) ||
            !ws_page_number(call, "days", 0, WS_COUNTER_DAYS_MAX, &page.number))
                return 0;
        if (page.from_us != CLOCK_UNKNOWN && page.to_us != CLOCK_UNKNOWN &&
            page.from_us > page.to_us) {
                (void)ws_page_refuse(call, 400, "start_date must not be after end_date.");
                return 0;
        }
        return ws_page_ask(call, &page);
}

int ws_page_counter_distribution(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_DISTRIBUTION);

        page.number = WS_COUNTER_HOURS;
        if (!ws_page_number(call, "hours", 1, WS_COUNTER_HOURS_MAX, &page.number))
                return 0;
        return ws_page_ask(call, &page);
}

/* A zone that is none is 400, as there. */
static bool ws_page_counter_zone(WsCall *call, PageQuery *page) {
        char zone[WS_PAGE_TEXT_SIZE];

        ws_page_text(call, "zone", zone);
        if (!*zone)
                return true;
        if (strcmp(zone, "near") != 0 && strcmp(zone, "medium") != 0 && strcmp(zone, "far") != 0)
                return ws_page_refuse(call, 400, "zone must be near, medium or far.");
        snprintf(page->text, sizeof(page->text), "%s", zone);
        return true;
}

int ws_page_counter_recent(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_RECENT);

        page.limit = WS_COUNTER_RECENT;
        if (!ws_page_number(call, "limit", 1, WS_COUNTER_MANY, &page.limit) ||
            !ws_page_offset(call, WS_PAGE_OFFSET, &page.offset) ||
            !ws_page_counter_zone(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_count(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_COUNT);

        page.number = WS_COUNTER_HOURS;
        if (!ws_page_number(call, "hours", 1, WS_COUNTER_HOURS_MAX, &page.number) ||
            !ws_page_counter_zone(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

/* Scanners, where everybody is shown these alone. */
static PageQuery ws_page_counter_scanners(const WsCall *call, PageKind kind) {
        PageQuery page = ws_page(call, kind);

        if (!call->identity.user && page.style.scanners_alone)
                snprintf(page.text, sizeof(page.text), "scanners");
        return page;
}

int ws_page_counter_devices(WsCall *call) {
        PageQuery page = ws_page_counter_scanners(call, PAGE_COUNTER_DEVICES);

        if (!ws_page_flag(call, "active_only", &page.number) || !ws_page_part(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_active(WsCall *call) {
        PageQuery page = ws_page_counter_scanners(call, PAGE_COUNTER_ACTIVE);

        page.number = WS_COUNTER_MINUTES;
        if (!ws_page_number(call, "threshold_minutes", 1, WS_COUNTER_YEAR, &page.number) ||
            !ws_page_part(call, &page))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_device(WsCall *call) {
        if (!ws_page_counter_sees(call, call->target))
                return 0;
        return ws_page_ask_device(call, PAGE_COUNTER_DEVICE);
}

int ws_page_counter_device_stats(WsCall *call) {
        if (!ws_page_counter_sees(call, call->target))
                return 0;
        return ws_page_ask_device(call, PAGE_COUNTER_DEVICE_STATS);
}

/* ---- the export ---------------------------------------------------------------------------- */

/* Appends to the name of the file what a header, and a file, may have. */
static void ws_page_counter_name(char name[WS_ENDPOINT_ACCOUNT_SIZE], const char *text) {
        size_t n = strlen(name);

        for (; *text && n + 8 < WS_ENDPOINT_ACCOUNT_SIZE; ++text) {
                bool is_plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                                (*text >= '0' && *text <= '9') || *text == '-';

                name[n] = '_';
                if (is_plain)
                        name[n] = *text;
                ++n;
        }
        name[n] = '\0';
}

/* Of both dates; else the last minutes, hours or days, the first that is there; else of a day. */
static bool ws_page_counter_span(WsCall *call, History *history) {
        static const struct {
                const char *parameter, *unit;
                int64_t us, most;
        } spans[] = {
                { "last_minutes", "min", 60 * CLOCK_SECOND_US, WS_COUNTER_YEAR },
                { "last_hours", "h", 3600 * CLOCK_SECOND_US, WS_COUNTER_HOURS_MAX },
                { "last_days", "d", CLOCK_DAY_US, WS_COUNTER_DAYS_MAX },
        };
        int64_t from_us = CLOCK_UNKNOWN, to_us = CLOCK_UNKNOWN;
        char first[WS_PAGE_TEXT_SIZE], last[WS_PAGE_TEXT_SIZE], text[600] = "_last_24h";

        history->from_us = call->now_us - CLOCK_DAY_US;
        history->to_us = call->now_us + 1;
        if (!ws_page_date(call, "start_date", 0, &from_us) ||
            !ws_page_date(call, "end_date", 1, &to_us))
                return false;
        for (size_t i = N_ELEMENTS(spans); i-- > 0;) {
                int64_t n = 0;

                if (!ws_page_number(call, spans[i].parameter, 0, spans[i].most, &n))
                        return false;
                if (n == 0)
                        continue;
                history->from_us = call->now_us - n * spans[i].us;
                snprintf(text, sizeof(text), "_last_%lld%s", (long long)n, spans[i].unit);
        }
        if (from_us != CLOCK_UNKNOWN && to_us != CLOCK_UNKNOWN) {
                history->from_us = from_us;
                history->to_us = to_us;
                ws_page_text(call, "start_date", first);
                ws_page_text(call, "end_date", last);
                snprintf(text, sizeof(text), "_%s_to_%s", first, last);
        }
        ws_page_counter_name(call->account, text);
        return true;
}

/* A zone that is none filters nothing, and is in the name all the same: as there. */
int ws_page_counter_export(WsCall *call) {
        History history = { .kind = HISTORY_EXPORT };
        char zone[WS_PAGE_TEXT_SIZE];

        snprintf(call->account, sizeof(call->account), "detections");
        if (!ws_page_counter_span(call, &history) || !ws_page_counter_of(call, &history.device_id))
                return 0;
        ws_page_text(call, "zone", zone);
        if (*zone) {
                ws_page_counter_name(call->account, "_zone_");
                ws_page_counter_name(call->account, zone);
        }
        if (strcasecmp(zone, "near") == 0 || strcasecmp(zone, "medium") == 0 ||
            strcasecmp(zone, "far") == 0)
                for (size_t i = 0; zone[i]; ++i)
                        history.zone[i] = (char)(zone[i] | ' ');
        if (call->options->timezone)
                snprintf(history.timezone, sizeof(history.timezone), "%s", call->options->timezone);
        return err_up(ws_endpoint_ask_history(call, &history));
}

int ws_page_counter_export_answer(WsCall *call, const Answer *answer) {
        char disposition[WS_ENDPOINT_ACCOUNT_SIZE + 64];

        if (answer->status == 200) {
                snprintf(disposition,
                         sizeof(disposition),
                         "attachment; filename=%s.csv",
                         call->account);
                ws_response_header(call->response, "Content-Disposition", disposition);
                ws_response_header(call->response, /* to a page of another origin, too */
                                   "Access-Control-Expose-Headers",
                                   "Content-Disposition");
        }
        return err_up(ws_endpoint_give_history(call, answer, "text/csv; charset=utf-8"));
}

/* ---- what is not for pages ----------------------------------------------------------------- */

int ws_page_counter_administration(WsCall *call) {
        return ws_page_administration(call, 404, WS_PAGE_COUNTER_MANUAL);
}

/* Of what may be read there. */
int ws_page_counter_change(WsCall *call) {
        return ws_page_administration(call, 405, WS_PAGE_COUNTER_MANUAL);
}
