#include "ws/pages/page.h"

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
