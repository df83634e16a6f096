#include "gateway/uplink/losses.h"

#include "base/json_out.h"
#include "model/metrics.h"

void uplink_losses_welcome(UplinkLosses *losses, Text welcome) {
        static const Text asks = TEXT("\"lost\"");

        losses->is_asked_for = memmem(welcome.data, welcome.n, asks.data, asks.n) != NULL;
        losses->is_said = losses->is_heard = false;
}

bool uplink_losses_write(UplinkLosses *losses, Buf *buf) {
        int64_t n_dropped = metric_get(METRIC_UPLINK_DROPPED) + metric_get_dead_letters();
        int64_t n_gaps = metric_get(METRIC_JOURNAL_GAP);
        JsonOut out = { .buf = buf };

        if (!losses->is_asked_for || n_dropped + n_gaps == 0 ||
            (losses->is_said && (!losses->is_heard || (n_dropped == losses->said_dropped &&
                                                       n_gaps == losses->said_gaps))))
                return false;
        losses->is_said = true;
        losses->is_heard = false;
        losses->said_dropped = n_dropped;
        losses->said_gaps = n_gaps;
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "lost");
        json_out_int(&out, "dropped", n_dropped);
        json_out_int(&out, "gaps", n_gaps);
        json_out_int(&out, "new_dropped", n_dropped - losses->heard_dropped);
        json_out_int(&out, "new_gaps", n_gaps - losses->heard_gaps);
        json_out_object_end(&out);
        return true;
}

void uplink_losses_heard(UplinkLosses *losses) {
        if (!losses->is_said)
                return;
        losses->is_heard = true;
        losses->heard_dropped = losses->said_dropped;
        losses->heard_gaps = losses->said_gaps;
}
