#include "ws/http/rates.h"

#include "model/metrics.h"

#define WS_RATES_US INT64_C(2000000)

void ws_rates_take(WsRates *rates, int64_t now_us) {
        const int64_t counts[] = {
                metric_get(METRIC_RECEIVED_MQTT) + metric_get(METRIC_RECEIVED_WS) +
                        metric_get(METRIC_RECEIVED_HTTP) + metric_get(METRIC_RECEIVED_UPLINK),
                metric_get(METRIC_COMMITTED),
                metric_get(METRIC_WS_OFFERED),
                metric_get(METRIC_WS_SENT),
        };
        double seconds = (double)(now_us - rates->at_us) / 1e6;

        if (now_us - rates->at_us < WS_RATES_US)
                return;
        if (rates->at_us != 0) {
                rates->received = (double)(counts[0] - rates->from[0]) / seconds;
                rates->committed = (double)(counts[1] - rates->from[1]) / seconds;
                rates->offered = (double)(counts[2] - rates->from[2]) / seconds;
                rates->sent = (double)(counts[3] - rates->from[3]) / seconds;
        }
        memcpy(rates->from, counts, sizeof(counts));
        rates->at_us = now_us;
}
