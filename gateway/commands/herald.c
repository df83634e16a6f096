#include "gateway/commands/herald.h"

#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "model/event.h"

#define HERALD_OUTBOX_MS 100

int herald_tell(void *arg, const char *said) {
        CLEANUP(event_unref) Event *event = NULL;
        Queue *outbox = arg;
        int r;

        r = event_new_acknowledged(&event, text_of(said));
        if (r == EVENT_E_UNREADABLE)
                return 0;
        if (r < 0)
                return err_up(r);
        r = queue_push(outbox, event, HERALD_OUTBOX_MS);
        switch (r) {
        case 0:
                event = NULL;
                return 0;
        case QUEUE_E_FULL:
                log_warning("acknowledgement_not_shown hint=\"the outbox is full\"");
                return 0;
        case QUEUE_E_CLOSED:
                return 0;
        default:
                return err_up(r);
        }
}
