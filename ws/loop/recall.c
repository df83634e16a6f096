#include "ws/loop/recall.h"

#include "base/err.h"
#include "base/index.h"

typedef struct WsRecallKey WsRecallKey;

/* No padding: it is hashed as bytes. */
struct WsRecallKey {
        int64_t kind;
        int64_t id;
};

struct WsRecall {
        Index *events;            /* of WsRecallKey; a reference each */
        const Registry *registry; /* borrowed, while it prunes */
};

int ws_recall_new(WsRecall **ret_recall) {
        CLEANUP(ws_recall_free) WsRecall *recall = NULL;
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

static void ws_recall_unref(void *arg, void *event) {
        (void)arg;
        event_unref(event);
}

WsRecall *ws_recall_free(WsRecall *recall) {
        if (!recall)
                return NULL;

        if (recall->events)
                index_each(recall->events, ws_recall_unref, NULL);
        index_free(recall->events);
        free(recall);
        return NULL;
}

static WsRecallKey ws_recall_key(const Event *event) {
        return (WsRecallKey){
                .kind = event->kind,
                .id = event->kind == KIND_TELEMETRY ? event->device_id : event->vehicle_id,
        };
}

int ws_recall_put(WsRecall *recall, Event *event) {
        WsRecallKey key = ws_recall_key(event);
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

const Event *ws_recall_get(const WsRecall *recall, Kind kind, int64_t id) {
        WsRecallKey key = { .kind = kind, .id = id };

        return index_get(recall->events, &key, sizeof(key));
}

static void ws_recall_check(void *arg, void *value) {
        WsRecall *recall = arg;
        Event *event = value;
        WsRecallKey key = ws_recall_key(event);

        if (event->kind == KIND_TELEMETRY ? registry_device(recall->registry, key.id) != NULL
                                          : registry_vehicle(recall->registry, key.id) != NULL)
                return;

        index_remove(recall->events, &key, sizeof(key));
        event_unref(event);
}

void ws_recall_prune(WsRecall *recall, const Registry *registry) {
        recall->registry = registry;
        index_each(recall->events, ws_recall_check, recall);
        recall->registry = NULL;
}
