#include "gateway/live/live.h"

#include <stdio.h>

#include "base/err.h"
#include "gateway/live/hearer.h"
#include "gateway/live/keys.h"
#include "gateway/live/teller.h"
#include "gateway/live/watch.h"

#define LIVE_NAME_SIZE 160

struct Live {
        LiveOptions options;
        MqttOptions mqtt; /* of both sessions; its texts are borrowed */
        LiveKeys *keys;
        LiveTeller *teller;
        LiveHearer *hearer;
        LiveWatch *watch;
        bool is_abandoned; /* a thread goes on using us */
};

int live_new(Live **ret_live, const LiveOptions *options) {
        CLEANUP(live_free) Live *live = calloc(1, sizeof(*live));
        int r;

        if (!live)
                return err_new(-ENOMEM);
        live->options = *options;
        if (options->mqtt)
                live->mqtt = *options->mqtt;
        live->mqtt.state_file = NULL;
        r = live_keys_new(&live->keys);
        if (r < 0)
                return err_up(r);
        r = live_teller_new(&live->teller,
                            &(LiveTellerOptions){ .cluster = options->cluster,
                                                  .keys = live->keys,
                                                  .first_slot = options->first_slot,
                                                  .n_slots = options->n_slots,
                                                  .capacity = options->capacity });
        if (r < 0)
                return err_up(r);
        *ret_live = TAKE(&live);
        return 0;
}

static int live_start_broker(Live *live, const char *epochs, const char *client_id) {
        char name[LIVE_NAME_SIZE];
        int r;

        r = live_hearer_new(&live->hearer,
                            &(LiveHearerOptions){ .cluster = live->options.cluster,
                                                  .epochs = epochs,
                                                  .keys = live->keys,
                                                  .first_slot = live->options.first_slot,
                                                  .n_slots = live->options.n_slots,
                                                  .outbox = live->options.outbox });
        if (r < 0)
                return err_up(r);
        snprintf(name, sizeof(name), "%s-hear", client_id);
        r = live_hearer_start(live->hearer, &live->mqtt, name);
        snprintf(name, sizeof(name), "%s-tell", client_id);
        if (r == 0)
                r = live_teller_start(live->teller, &live->mqtt, name);
        return err_up(r);
}

int live_start(Live *live, const char *epochs, const char *client_id) {
        int r = 0;

        if (live->options.mqtt)
                r = live_start_broker(live, epochs, client_id);
        if (r == 0)
                r = live_watch_new(&live->watch,
                                   &(LiveWatchOptions){ .database_url = live->options.database_url,
                                                        .cluster = live->options.cluster,
                                                        .keys = live->keys,
                                                        .first_slot = live->options.first_slot,
                                                        .n_slots = live->options.n_slots,
                                                        .outbox = live->options.outbox });
        return err_up(r);
}

void live_own(Live *live, unsigned place, bool is_ours) {
        live_teller_own(live->teller, place, is_ours);
}

void live_hear(void *arg, Event *event) {
        Live *live = arg;

        live_teller_hear(live->teller, event);
}

void live_stop(Live *live) {
        live->watch = live_watch_free(live->watch);
        if (live->hearer)
                live->is_abandoned |= live_hearer_free(live->hearer);
        live->hearer = NULL;
}

Live *live_free(Live *live) {
        if (!live)
                return NULL;
        live_stop(live);
        if (live->teller)
                live->is_abandoned |= live_teller_free(live->teller);
        if (!live->is_abandoned) {
                live_keys_free(live->keys);
                free(live);
        }
        return NULL;
}
