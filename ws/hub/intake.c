#include "ws/hub/intake.h"

#include "base/err.h"
#include "base/queue.h"
#include "model/event.h"
#include "model/metrics.h"
#include "ws/hub/hub.h"

enum {
        WS_INTAKE_SHARE = 256,          /* events in one turn of the loop */
        WS_INTAKE_PIECE = 8,            /* of them taken at a time */
        WS_INTAKE_SETTLE_BYTES = 65536, /* of payload, after which sockets are written in between */
};

static int ws_intake_dispatch(WsIntake *intake, Event *event) {
        int r;

        r = event->type == EVENT_ANSWER ? ws_questions_answer(&intake->hub->questions, event)
                                        : ws_hub_publish(intake->hub, event);
        return err_up(r);
}

/* How much went out is known only by what comes in: the payloads. */
static int ws_intake_piece(WsIntake *intake,
                           size_t *n_unsettled,
                           size_t *n_bytes,
                           size_t *ret_n_taken) {
        size_t settle_bytes = intake->options->queue_bytes / 8;
        void *batch[WS_INTAKE_PIECE];
        size_t n;
        int r = 0;

        if (settle_bytes > WS_INTAKE_SETTLE_BYTES)
                settle_bytes = WS_INTAKE_SETTLE_BYTES;
        n = queue_pop(intake->outbox, batch, WS_INTAKE_PIECE, 0);
        for (size_t i = 0; i < n; ++i) {
                Event *event = batch[i];

                if (r == 0)
                        r = ws_intake_dispatch(intake, event);
                *n_unsettled += event->data.n;
                *n_bytes += event->data.n;
                event_unref(event);
                if (*n_unsettled > settle_bytes) { /* lest one turn fills a good reader's queue */
                        ws_loop_settle(&intake->hub->loop);
                        *n_unsettled = 0;
                }
        }
        *ret_n_taken = n;
        return err_up(r);
}

int ws_intake_turn(WsIntake *intake, bool *ret_has_more) {
        size_t n_unsettled = 0, n_bytes = 0, n_taken = 0;
        size_t n = WS_INTAKE_PIECE;
        int r = 0;

        while (r == 0 && n == WS_INTAKE_PIECE && n_taken < WS_INTAKE_SHARE &&
               n_bytes <= intake->options->queue_bytes / 4) {
                r = ws_intake_piece(intake, &n_unsettled, &n_bytes, &n);
                n_taken += n;
        }
        metric_set(METRIC_OUTBOX_LENGTH, (int64_t)queue_length(intake->outbox));
        *ret_has_more = n == WS_INTAKE_PIECE;
        return err_up(r);
}
