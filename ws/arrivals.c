#include "ws/arrivals.h"

#include <libwebsockets.h>
#include <sys/queue.h>

#include "gateway/base/err.h"
#include "gateway/base/index.h"
#include "gateway/base/metrics.h"

typedef struct WsArrival WsArrival;

struct WsArrival {
        struct lws *wsi;
        int64_t since_ms;
        TAILQ_ENTRY(WsArrival) entry;
};

struct WsArrivals {
        Index *by_wsi;
        TAILQ_HEAD(, WsArrival) queue; /* in order of their coming */
};

int ws_arrivals_new(WsArrivals **ret_arrivals) {
        CLEANUP(ws_arrivals_free) WsArrivals *arrivals = NULL;
        int r;

        arrivals = calloc(1, sizeof(*arrivals));
        if (!arrivals)
                return err_new(-ENOMEM);
        TAILQ_INIT(&arrivals->queue);
        r = index_new(&arrivals->by_wsi);
        if (r < 0)
                return err_up(r);

        *ret_arrivals = TAKE(&arrivals);
        return 0;
}

WsArrivals *ws_arrivals_free(WsArrivals *arrivals) {
        WsArrival *arrival;

        if (!arrivals)
                return NULL;
        while ((arrival = TAILQ_FIRST(&arrivals->queue))) {
                TAILQ_REMOVE(&arrivals->queue, arrival, entry);
                free(arrival);
        }
        index_free(arrivals->by_wsi);
        free(arrivals);
        return NULL;
}

void ws_arrivals_add(WsArrivals *arrivals, struct lws *wsi, int64_t now_ms) {
        WsArrival *arrival = calloc(1, sizeof(*arrival));

        if (!arrival)
                return;
        arrival->wsi = wsi;
        arrival->since_ms = now_ms;
        if (index_put(arrivals->by_wsi, &arrival->wsi, sizeof(arrival->wsi), arrival) < 0) {
                free(arrival);
                return;
        }
        TAILQ_INSERT_TAIL(&arrivals->queue, arrival, entry);
}

void ws_arrivals_remove(WsArrivals *arrivals, struct lws *wsi) {
        WsArrival *arrival = index_get(arrivals->by_wsi, &wsi, sizeof(wsi));

        if (!arrival)
                return;
        index_remove(arrivals->by_wsi, &wsi, sizeof(wsi));
        TAILQ_REMOVE(&arrivals->queue, arrival, entry);
        free(arrival);
}

void ws_arrivals_sweep(WsArrivals *arrivals, int64_t before_ms) {
        WsArrival *arrival;

        while ((arrival = TAILQ_FIRST(&arrivals->queue)) && arrival->since_ms < before_ms) {
                struct lws *wsi = arrival->wsi;

                ws_arrivals_remove(arrivals, wsi);
                metric_add(METRIC_WS_REFUSED_TIMEOUT, 1);
                lws_set_timeout(wsi, PENDING_TIMEOUT_AWAITING_SERVER_RESPONSE, LWS_TO_KILL_ASYNC);
        }
}
