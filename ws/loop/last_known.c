#include "ws/loop/last_known.h"

#include <math.h>

#include "base/err.h"
#include "base/index.h"

typedef struct WsLastKnownKey WsLastKnownKey;
typedef struct WsLastKnownThing WsLastKnownThing;

/* No padding: it is hashed as bytes. */
struct WsLastKnownKey {
        int64_t kind;
        int64_t id;
};

struct WsLastKnownThing {
        Event *event;               /* a reference */
        double latitude, longitude; /* the newest that were said; NAN = none */
};

struct WsLastKnown {
        Index *things;            /* of WsLastKnownKey; owned */
        const Registry *registry; /* borrowed, while it prunes */
};

int ws_last_known_new(WsLastKnown **ret_recall) {
        CLEANUP(ws_last_known_free) WsLastKnown *recall = NULL;
        int r;

        recall = calloc(1, sizeof(*recall));
        if (!recall)
                return err_new(-ENOMEM);
        r = index_new(&recall->things);
        if (r < 0)
                return err_up(r);

        *ret_recall = TAKE(&recall);
        return 0;
}

static void ws_last_known_forget(void *arg, void *value) {
        WsLastKnownThing *thing = value;

        (void)arg;
        event_unref(thing->event);
        free(thing);
}

WsLastKnown *ws_last_known_free(WsLastKnown *recall) {
        if (!recall)
                return NULL;

        if (recall->things)
                index_each(recall->things, ws_last_known_forget, NULL);
        index_free(recall->things);
        free(recall);
        return NULL;
}

static WsLastKnownKey ws_last_known_key(const Event *event) {
        return (WsLastKnownKey){
                .kind = event->kind,
                .id = event->kind == KIND_TELEMETRY ? event->device_id : event->vehicle_id,
        };
}

static int ws_last_known_thing(WsLastKnown *recall,
                               const WsLastKnownKey *key,
                               WsLastKnownThing **ret_thing) {
        WsLastKnownThing *thing = index_get(recall->things, key, sizeof(*key));
        int r = 0;

        if (!thing) {
                thing = calloc(1, sizeof(*thing));
                if (!thing)
                        return err_new(-ENOMEM);
                thing->latitude = thing->longitude = (double)NAN;
                r = index_put(recall->things, key, sizeof(*key), thing);
        }
        if (r < 0) {
                free(thing);
                return err_up(r);
        }
        *ret_thing = thing;
        return 0;
}

int ws_last_known_put(WsLastKnown *recall, Event *event) {
        WsLastKnownKey key = ws_last_known_key(event);
        WsLastKnownThing *thing;
        int r;

        if (key.id == 0 || (event->kind != KIND_TELEMETRY && event->kind != KIND_VEHICLE_LOG))
                return 0;
        r = ws_last_known_thing(recall, &key, &thing);
        if (r < 0)
                return err_up(r);
        if (thing->event && (event->late || event->seq < thing->event->seq))
                return 0; /* it knows something newer */
        if (thing->event && thing->event->is_whole && !event->is_whole && !event->is_change)
                return 0; /* or more: what another route says of the device is but a piece */

        event_unref(thing->event);
        thing->event = event_ref(event);
        if (event->kind == KIND_VEHICLE_LOG && !isnan(event->latitude) &&
            !isnan(event->longitude)) {
                thing->latitude = event->latitude;
                thing->longitude = event->longitude;
        }
        return 0;
}

static const WsLastKnownThing *ws_last_known_find(const WsLastKnown *recall,
                                                  Kind kind,
                                                  int64_t id) {
        WsLastKnownKey key = { .kind = kind, .id = id };

        return index_get(recall->things, &key, sizeof(key));
}

const Event *ws_last_known_get(const WsLastKnown *recall, Kind kind, int64_t id) {
        const WsLastKnownThing *thing = ws_last_known_find(recall, kind, id);

        return thing ? thing->event : NULL;
}

bool ws_last_known_place(const WsLastKnown *recall, int64_t vehicle_id, double ret_place[2]) {
        const WsLastKnownThing *thing = ws_last_known_find(recall, KIND_VEHICLE_LOG, vehicle_id);

        if (!thing || isnan(thing->latitude))
                return false;
        ret_place[0] = thing->latitude;
        ret_place[1] = thing->longitude;
        return true;
}

bool ws_last_known_where(const WsLastKnown *recall,
                         const Registry *registry,
                         const Event *event,
                         double ret_place[2]) {
        const Device *device = NULL;

        if (event->kind == KIND_VEHICLE_LOG && !event->late && !isnan(event->latitude)) {
                ret_place[0] = event->latitude;
                ret_place[1] = event->longitude;
        } else if (event->vehicle_id != 0) {
                return ws_last_known_place(recall, event->vehicle_id, ret_place);
        } else if (event->kind == KIND_DEVICE_STATUS && !event->late &&
                   !isnan(event->state.latitude)) {
                ret_place[0] = event->state.latitude;
                ret_place[1] = event->state.longitude;
        } else {
                device = registry_device(registry, event->device_id);
                if (!device)
                        return false;
                ret_place[0] = device->state.latitude;
                ret_place[1] = device->state.longitude;
        }
        return !isnan(ret_place[0]) && !isnan(ret_place[1]);
}

static void ws_last_known_check(void *arg, void *value) {
        WsLastKnown *recall = arg;
        WsLastKnownThing *thing = value;
        WsLastKnownKey key = ws_last_known_key(thing->event);

        if (event_is_of_now(thing->event, recall->registry) &&
            (thing->event->kind == KIND_TELEMETRY
                     ? registry_device(recall->registry, key.id) != NULL
                     : registry_vehicle(recall->registry, key.id) != NULL))
                return;

        index_remove(recall->things, &key, sizeof(key));
        ws_last_known_forget(NULL, thing);
}

void ws_last_known_prune(WsLastKnown *recall, const Registry *registry) {
        recall->registry = registry;
        index_each(recall->things, ws_last_known_check, recall);
        recall->registry = NULL;
}
