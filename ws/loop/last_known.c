#include "ws/loop/last_known.h"

#include "base/err.h"
#include "base/index.h"

typedef struct WsLastKnownKey WsLastKnownKey;

/* No padding: it is hashed as bytes. */
struct WsLastKnownKey {
        int64_t kind;
        int64_t id;
};

struct WsLastKnown {
        Index *events;            /* of WsLastKnownKey; a reference each */
        const Registry *registry; /* borrowed, while it prunes */
};

int ws_last_known_new(WsLastKnown **ret_recall) {
        CLEANUP(ws_last_known_free) WsLastKnown *recall = NULL;
        int r;

        recall = calloc(1, sizeof(*recall));
        if (!recall)
                return err_new(-ENOMEM);
        r = index_new(&recall->events);
        if (r < 0)
                return err_up(r);

        *ret_recall = TAKE(&recall);
        return 0;
}

static void ws_last_known_unref(void *arg, void *event) {
        (void)arg;
        event_unref(event);
}

WsLastKnown *ws_last_known_free(WsLastKnown *recall) {
        if (!recall)
                return NULL;

        if (recall->events)
                index_each(recall->events, ws_last_known_unref, NULL);
        index_free(recall->events);
        free(recall);
        return NULL;
}

static WsLastKnownKey ws_last_known_key(const Event *event) {
        return (WsLastKnownKey){
                .kind = event->kind,
                .id = event->kind == KIND_TELEMETRY ? event->device_id : event->vehicle_id,
        };
}

int ws_last_known_put(WsLastKnown *recall, Event *event) {
        WsLastKnownKey key = ws_last_known_key(event);
        Event *before;
        int r;

        if (key.id == 0 || (event->kind != KIND_TELEMETRY && event->kind != KIND_VEHICLE_LOG))
                return 0;
        before = index_get(recall->events, &key, sizeof(key));
        if (before && (event->late || event->seq < before->seq)) /* it knows something newer */
                return 0;
        r = index_put(recall->events, &key, sizeof(key), event);
        if (r < 0)
                return err_up(r);

        event_ref(event);
        event_unref(before);
        return 0;
}

const Event *ws_last_known_get(const WsLastKnown *recall, Kind kind, int64_t id) {
        WsLastKnownKey key = { .kind = kind, .id = id };

        return index_get(recall->events, &key, sizeof(key));
}

static void ws_last_known_check(void *arg, void *value) {
        WsLastKnown *recall = arg;
        Event *event = value;
        WsLastKnownKey key = ws_last_known_key(event);

        if (event->kind == KIND_TELEMETRY ? registry_device(recall->registry, key.id) != NULL
                                          : registry_vehicle(recall->registry, key.id) != NULL)
                return;

        index_remove(recall->events, &key, sizeof(key));
        event_unref(event);
}

void ws_last_known_prune(WsLastKnown *recall, const Registry *registry) {
        recall->registry = registry;
        index_each(recall->events, ws_last_known_check, recall);
        recall->registry = NULL;
}
