#include <stdio.h>

#include "ws/pages/page.h"

#define WS_COUNTER_HOURS     24
#define WS_COUNTER_HOURS_MAX 87600 /* ten years */
#define WS_COUNTER_MINUTES   60
#define WS_COUNTER_YEAR      525600
#define WS_COUNTER_RECENT    100
#define WS_COUNTER_MANY      1000
#define WS_COUNTER_DEVICES   10000 /* of a list, which knows no pages */
#define WS_COUNTER_DAYS      7
#define WS_COUNTER_DAYS_MAX  3660

/* The people counter: PROTOCOL 3 A. */

int ws_page_counter_range(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_RANGE);

        if (!ws_page_time(call, "start_time", &page.from_us) ||
            !ws_page_time(call, "end_time", &page.to_us) ||
            !ws_page_device(call, "device_id", &page.device_id))
                return 0;
        if (page.from_us == CLOCK_UNKNOWN || page.to_us == CLOCK_UNKNOWN) {
                (void)ws_page_refuse(call, 422, "start_time and end_time are needed.");
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
            !ws_page_device(call, "device_id", &page.device_id))
                return 0;
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

int ws_page_counter_devices(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_DEVICES);

        page.limit = WS_COUNTER_DEVICES;
        if (!ws_page_flag(call, "active_only", &page.number))
                return 0;
        return ws_page_ask(call, &page);
}

int ws_page_counter_active(WsCall *call) {
        PageQuery page = ws_page(call, PAGE_COUNTER_ACTIVE);

        page.limit = WS_COUNTER_DEVICES;
        page.number = WS_COUNTER_MINUTES;
        if (!ws_page_number(call, "threshold_minutes", 1, WS_COUNTER_YEAR, &page.number))
                return 0;
        return ws_page_ask(call, &page);
}

static int ws_page_counter_one(WsCall *call, PageKind kind) {
        PageQuery page = ws_page(call, kind);
        const Device *device;

        if (!ws_endpoint_see_device(call, call->target, &device))
                return 0;
        page.device_id = device->id;
        return ws_page_ask(call, &page);
}

int ws_page_counter_device(WsCall *call) {
        return ws_page_counter_one(call, PAGE_COUNTER_DEVICE);
}

int ws_page_counter_device_stats(WsCall *call) {
        return ws_page_counter_one(call, PAGE_COUNTER_DEVICE_STATS);
}
