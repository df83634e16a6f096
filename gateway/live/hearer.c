#include "gateway/live/hearer.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "gateway/live/frame.h"
#include "gateway/live/keys.h"
#include "model/metrics.h"
#include "model/slot.h"
#include "mqtt/listener.h"

#define LIVE_HEARER_WHAT "live_hearer"

struct LiveHearer {
        LiveHearerOptions options;
        MqttListener *listener;
        _Atomic bool is_over; /* the outbox may be gone */

        /* {Paho's thread} from here on */
        struct {
                uint64_t epoch; /* 0: nothing was heard of it */
                uint64_t last_seq, open_seq;
        } slots[SLOT_MAX];
        LogPace said_unreadable;
        Event *events[LIVE_FRAME_EVENTS];
};

static bool live_hearer_is_own(const LiveHearer *hearer, uint64_t epoch) {
        char text[17];

        snprintf(text, sizeof(text), "%016" PRIx64, epoch);
        return strstr(hearer->options.epochs, text) != NULL;
}

static void live_hearer_refuse(LiveHearer *hearer, const Inbound *inbound) {
        unsigned long long n_more;

        metric_add(METRIC_LIVE_UNREADABLE, 1);
        if (log_may(&hearer->said_unreadable, &n_more))
                log_warning("live_unreadable bytes=%zu more=%llu hint=\"only gateways of the "
                            "cluster "
                            "may write to " LIVE_TOPIC "#\"",
                            inbound->payload.n,
                            n_more);
}

/* Only one that is not behind what was heard before says what is open, and whose it is. */
static int live_hearer_note(LiveHearer *hearer, unsigned place, const LiveFrame *frame, size_t n) {
        const Event *last = hearer->events[n - 1];
        uint64_t end_seq = last->behind ? 0 : last->seq;
        CLEANUP(event_unref) Event *open = NULL;
        int r;

        if (hearer->slots[place].epoch != frame->epoch) {
                if (hearer->slots[place].epoch != 0 && end_seq <= hearer->slots[place].last_seq)
                        return 0;
                hearer->slots[place].epoch = frame->epoch;
        }
        if (hearer->slots[place].last_seq < end_seq)
                hearer->slots[place].last_seq = end_seq;
        if (hearer->slots[place].open_seq == frame->open_seq)
                return 0;
        r = event_new_open(&open, frame->open_seq);
        if (r < 0)
                return err_up(r);
        open->slot = (uint16_t)place;
        open->epoch = frame->epoch;
        if (queue_push(hearer->options.outbox, open, 0) != 0)
                return 0; /* the next frame says it again */
        open = NULL;
        hearer->slots[place].open_seq = frame->open_seq;
        return 0;
}

static void live_hearer_push(LiveHearer *hearer, unsigned place, size_t n) {
        int64_t n_heard = 0, n_unheard = 0;
        size_t n_pushed = 0;

        for (size_t i = 0; i < n; ++i)
                hearer->events[i]->slot = (uint16_t)place;
        n_heard = hearer->events[0]->type == EVENT_MESSAGE ? (int64_t)n : 0;
        (void)!queue_push_many(hearer->options.outbox,
                               (void *const *)hearer->events,
                               n,
                               0,
                               &n_pushed);
        for (size_t i = n_pushed; i < n; ++i) {
                n_unheard += hearer->events[i]->type == EVENT_MESSAGE;
                event_unref(hearer->events[i]);
        }
        metric_add(METRIC_LIVE_HEARD, n_heard);
        metric_add(METRIC_LIVE_UNHEARD, n_unheard);
}

void live_hearer_hear(void *arg, const Inbound *inbound) {
        LiveHearer *hearer = arg;
        Text said = live_keys_frame(inbound->payload);
        LiveFrame frame;
        unsigned place;
        size_t n = 0;
        int r;

        if (atomic_load(&hearer->is_over))
                return;
        r = live_frame_peek(said, &frame);
        if (r == 0 && live_hearer_is_own(hearer, frame.epoch))
                return;
        if (r == 0)
                r = live_keys_check(hearer->options.keys, inbound->payload);
        if (r == LIVE_KEYS_E_NONE)
                return; /* it is read from the database */
        place = (unsigned)frame.slot - (unsigned)hearer->options.first_slot;
        if (r == 0)
                r = place < hearer->options.n_slots ? live_frame_read(said, hearer->events, &n)
                                                    : LIVE_FRAME_E_UNREADABLE;
        if (r > 0)
                live_hearer_refuse(hearer, inbound);
        if (r == 0)
                r = live_hearer_note(hearer, place, &frame, n);
        if (n > 0)
                live_hearer_push(hearer, place, n);
        if (r < 0)
                log_error(LIVE_HEARER_WHAT "_failed error=\"%s\"", err_text(r));
}

static void live_hearer_turned(void *arg, bool is_connected) {
        (void)arg;
        metric_set(METRIC_LIVE_CONNECTED, is_connected);
}

int live_hearer_new(LiveHearer **ret_hearer, const LiveHearerOptions *options) {
        LiveHearer *hearer = calloc(1, sizeof(*hearer));

        if (!hearer)
                return err_new(-ENOMEM);
        assert(options->n_slots <= SLOT_MAX);
        hearer->options = *options;
        *ret_hearer = hearer;
        return 0;
}

int live_hearer_start(LiveHearer *hearer, const MqttOptions *mqtt, const char *client_id) {
        char filter[LIVE_TOPIC_SIZE];
        const char *const filters[] = { filter };
        int r;

        snprintf(filter, sizeof(filter), LIVE_TOPIC "%s/+", hearer->options.cluster);
        r = mqtt_listener_new(&hearer->listener,
                              mqtt,
                              LIVE_HEARER_WHAT,
                              client_id,
                              &(MqttListenerSink){ .arg = hearer,
                                                   .heard = live_hearer_hear,
                                                   .turned = live_hearer_turned });
        if (r == 0)
                r = mqtt_listener_set_filters(hearer->listener, filters, N_ELEMENTS(filters));
        return err_up(r);
}

bool live_hearer_free(LiveHearer *hearer) {
        atomic_store(&hearer->is_over, true);
        hearer->listener = mqtt_listener_free(hearer->listener);
        if (hearer->listener)
                return true;
        metric_set(METRIC_LIVE_CONNECTED, 0);
        free(hearer);
        return false;
}
