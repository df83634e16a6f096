#include "ws/viewer/subscription.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "base/index.h"
#include "base/name.h"
#include "ws/viewer/push.h"

#define WS_SUBSCRIPTION_SWEEP_US INT64_C(1000000) /* between two looks for what may go */

/* ---- who asks ------------------------------------------------------------------------------- */

bool ws_eye_sees_vehicle(const WsEye *eye, const Vehicle *vehicle) {
        return vehicle && (eye->sees_all || (eye->user && user_sees_vehicle(eye->user, vehicle)));
}

bool ws_eye_sees_device(const WsEye *eye, const Device *device) {
        return device && (eye->sees_all || (eye->user && user_sees_device(eye->user, device)));
}

/* As the hub decides live: by the vehicle where there is one, else by the device. */
bool ws_eye_sees(const WsEye *eye, int64_t vehicle_id, int64_t device_id) {
        if (eye->sees_all)
                return true;
        if (vehicle_id != 0)
                return ws_eye_sees_vehicle(eye, registry_vehicle(eye->registry, vehicle_id));
        return device_id != 0 && ws_eye_sees_device(eye, registry_device(eye->registry, device_id));
}

/* ---- what it asks for ----------------------------------------------------------------------- */

int ws_subscription_init(WsSubscription *subscription) {
        *subscription = (WsSubscription){ 0 };
        TAILQ_INIT(&subscription->held);
        return 0;
}

static void ws_hold_free(void *arg, void *value) {
        WsSubscription *subscription = arg;
        WsHold *hold = value;

        if (subscription->n_paced)
                --*subscription->n_paced;
        ws_frame_unref(hold->frame);
        event_unref(hold->event);
        free(hold);
}

static void ws_subscription_let_go(WsSubscription *subscription, WsHold *hold) {
        TAILQ_REMOVE(&subscription->held, hold, entry);
        hold->frame = ws_frame_unref(hold->frame);
        hold->event = event_unref(hold->event);
}

void ws_subscription_done(WsSubscription *subscription) {
        if (subscription->holds)
                index_each(subscription->holds, ws_hold_free, subscription);
        index_free(subscription->holds);
        ws_members_done(&subscription->members);
        index_free(subscription->things);
        free(subscription->targets);
        *subscription = (WsSubscription){ 0 };
}

/* No padding: it is hashed as bytes. */
typedef struct WsTargetKey WsTargetKey;

struct WsTargetKey {
        int64_t kind, id;
};

static bool ws_subscription_has(const WsSubscription *subscription, WsTargetKind kind, int64_t id) {
        WsTargetKey key = { .kind = kind, .id = id };

        if (id == 0)
                return (subscription->wide & 1U << kind) != 0;
        return (subscription->named & 1U << kind) != 0 &&
               index_get(subscription->things, &key, sizeof(key)) != NULL;
}

static int ws_subscription_name(WsSubscription *subscription, WsTargetKind kind, int64_t id) {
        WsTargetKey key = { .kind = kind, .id = id };
        int r = 0;

        if (!subscription->things)
                r = index_new(&subscription->things);
        if (r == 0)
                r = index_put(subscription->things, &key, sizeof(key), subscription);
        if (r < 0)
                return err_up(r);

        subscription->named |= 1U << kind;
        return 0;
}

static int ws_subscription_add(WsSubscription *subscription, WsTargetKind kind, int64_t id) {
        size_t n = subscription->n_targets;
        WsTarget *targets;
        int r = 0;

        if (ws_subscription_has(subscription, kind, id))
                return 0;
        if (n >= WS_SUBSCRIPTION_TARGETS)
                return WS_SUBSCRIPTION_E_FULL;
        targets = realloc(subscription->targets, (n + 1) * sizeof(*targets));
        if (!targets)
                return err_new(-ENOMEM);

        subscription->targets = targets;
        if (id != 0)
                r = ws_subscription_name(subscription, kind, id);
        if (r < 0)
                return err_up(r);
        if (id == 0)
                subscription->wide |= 1U << kind;
        targets[n] = (WsTarget){ .kind = kind, .id = id };
        subscription->n_targets = n + 1;
        return 0;
}

static void ws_subscription_unname(WsSubscription *subscription, const WsTarget *target) {
        WsTargetKey key = { .kind = target->kind, .id = target->id };

        index_remove(subscription->things, &key, sizeof(key));
}

static int ws_subscription_aim_vehicle(WsSubscription *subscription, const WsEye *eye, Text name) {
        const Vehicle *vehicle = registry_find_vehicle_for(eye->registry, eye->user, name);

        if (!ws_eye_sees_vehicle(eye, vehicle))
                return WS_SUBSCRIPTION_E_NOT_FOUND;
        return ws_subscription_add(subscription, WS_TARGET_VEHICLE, vehicle->id);
}

static int ws_subscription_aim_device(WsSubscription *subscription, const WsEye *eye, Text name) {
        const Device *device = registry_find_device_for(eye->registry, eye->user, name);

        if (!ws_eye_sees_device(eye, device))
                return WS_SUBSCRIPTION_E_NOT_FOUND;
        return ws_subscription_add(subscription, WS_TARGET_DEVICE, device->id);
}

/* A group is no right: of its devices everybody gets what he sees anyway. Which there are is for
 * admins: to all others one that is not there is as one of which they see nothing. */
static bool ws_eye_lacks_group(const WsEye *eye, int64_t id) {
        return eye->sees_all && !registry_has_group(eye->registry, id);
}

static int ws_subscription_aim_group(WsSubscription *subscription, const WsEye *eye, Text name) {
        int64_t said = name_said_id(name);
        int64_t id = said != 0 ? said : name_spelt_id(name);

        if (id == 0)
                return WS_SUBSCRIPTION_E_BAD;
        if (ws_eye_lacks_group(eye, id))
                return WS_SUBSCRIPTION_E_NOT_FOUND;
        return ws_subscription_add(subscription, WS_TARGET_GROUP, id);
}

static const struct {
        Text word;
        WsTargetKind kind;
} ws_subscription_words[] = {
        { { "user", 4 }, WS_TARGET_USER },       { { "detections", 10 }, WS_TARGET_DETECTIONS },
        { { "cameras", 7 }, WS_TARGET_CAMERAS }, { { "alerts", 6 }, WS_TARGET_ALERTS },
        { { "stats", 5 }, WS_TARGET_STATS },     { { "vehicle/*", 9 }, WS_TARGET_VEHICLE },
        { { "device/*", 8 }, WS_TARGET_DEVICE },
};

/* The rest of @text behind @prefix; absent if it does not begin so, or nothing follows. */
static Text ws_subscription_after(Text text, Text prefix) {
        if (text.n <= prefix.n || memcmp(text.data, prefix.data, prefix.n) != 0)
                return (Text){ 0 };
        return (Text){ .data = text.data + prefix.n, .n = text.n - prefix.n };
}

int ws_subscription_aim(WsSubscription *subscription, const WsEye *eye, Text target) {
        Text name;

        for (size_t i = 0; i < N_ELEMENTS(ws_subscription_words); ++i)
                if (text_equal(target, ws_subscription_words[i].word))
                        return ws_subscription_add(subscription, ws_subscription_words[i].kind, 0);

        name = ws_subscription_after(target, TEXT("vehicle/"));
        if (name.data)
                return ws_subscription_aim_vehicle(subscription, eye, name);
        name = ws_subscription_after(target, TEXT("device/"));
        if (name.data)
                return ws_subscription_aim_device(subscription, eye, name);
        name = ws_subscription_after(target, TEXT("group/"));
        return name.data ? ws_subscription_aim_group(subscription, eye, name)
                         : WS_SUBSCRIPTION_E_BAD;
}

uint32_t ws_subscription_stats(Text type) {
        if (text_equal(type, TEXT("stats_update")))
                return UINT32_C(1) << 31;
        return text_equal(type, TEXT("statistics_update")) ? UINT32_C(1) << 30 : 0;
}

int ws_subscription_add_type(WsSubscription *subscription, Text type) {
        uint32_t kinds = ws_push_kinds(type) | ws_subscription_stats(type);

        if (kinds == 0)
                return WS_SUBSCRIPTION_E_BAD;
        subscription->kinds |= kinds;
        return 0;
}

/* West may be the larger one: a box across the 180th meridian. */
int ws_subscription_set_box(WsSubscription *subscription, const double box[4]) {
        for (int i = 0; i < 4; ++i)
                if (!isfinite(box[i]) || fabs(box[i]) > (i % 2 ? 90 : 180))
                        return WS_SUBSCRIPTION_E_BAD;
        if (box[1] > box[3])
                return WS_SUBSCRIPTION_E_BAD;

        subscription->has_box = true;
        subscription->west = box[0];
        subscription->south = box[1];
        subscription->east = box[2];
        subscription->north = box[3];
        return 0;
}

static bool ws_target_is_lost(const WsTarget *target, const WsEye *eye) {
        if (target->id == 0)
                return false;
        switch (target->kind) {
        case WS_TARGET_VEHICLE:
                return !ws_eye_sees_vehicle(eye, registry_vehicle(eye->registry, target->id));
        case WS_TARGET_DEVICE:
                return !ws_eye_sees_device(eye, registry_device(eye->registry, target->id));
        case WS_TARGET_GROUP:
                return ws_eye_lacks_group(eye, target->id);
        default:
                return false;
        }
}

size_t ws_subscription_narrow(WsSubscription *subscription, const WsEye *eye) {
        WsHold *hold, *next;
        size_t n = 0;

        for (size_t i = 0; i < subscription->n_targets; ++i)
                if (!ws_target_is_lost(&subscription->targets[i], eye))
                        subscription->targets[n++] = subscription->targets[i];
                else
                        ws_subscription_unname(subscription, &subscription->targets[i]);
        subscription->n_targets = n;

        for (hold = TAILQ_FIRST(&subscription->held); hold; hold = next) {
                next = TAILQ_NEXT(hold, entry);
                if (!event_is_of_now(hold->event, eye->registry) ||
                    !ws_eye_sees(eye, hold->event->vehicle_id, hold->event->device_id))
                        ws_subscription_let_go(subscription, hold);
        }
        return n;
}

/* ---- does it match? ------------------------------------------------------------------------- */

/* Things that were named, or are in a group that was: at the cost of a look at each. */
static bool ws_subscription_names(const WsSubscription *subscription,
                                  const Registry *registry,
                                  int64_t vehicle_id,
                                  int64_t device_id) {
        const Device *device = NULL;

        if (vehicle_id != 0 && ws_subscription_has(subscription, WS_TARGET_VEHICLE, vehicle_id))
                return true;
        if (device_id != 0 && ws_subscription_has(subscription, WS_TARGET_DEVICE, device_id))
                return true;
        if (device_id != 0 && (subscription->named & 1U << WS_TARGET_GROUP))
                device = registry_device(registry, device_id);
        for (size_t i = 0; device && i < device->n_groups; ++i)
                if (ws_subscription_has(subscription, WS_TARGET_GROUP, device->groups[i].id))
                        return true;
        return false;
}

/* The targets without id that messages of one kind may match. */
static unsigned ws_target_words(Kind kind) {
        switch (kind) {
        case KIND_BLE_DETECTIONS:
                return 1U << WS_TARGET_USER | 1U << WS_TARGET_DETECTIONS;
        case KIND_CAMERA_EVENT:
                return 1U << WS_TARGET_USER | 1U << WS_TARGET_CAMERAS;
        case KIND_ALERT:
                return 1U << WS_TARGET_USER | 1U << WS_TARGET_ALERTS;
        default:
                return 1U << WS_TARGET_USER;
        }
}

static unsigned ws_target_sorts(int64_t vehicle_id, int64_t device_id) {
        return (vehicle_id != 0 ? 1U << WS_TARGET_VEHICLE : 0) |
               (device_id != 0 ? 1U << WS_TARGET_DEVICE : 0);
}

bool ws_subscription_reaches(const WsSubscription *subscription,
                             const Registry *registry,
                             int64_t vehicle_id,
                             int64_t device_id) {
        unsigned words = 1U << WS_TARGET_USER | 1U << WS_TARGET_ALERTS |
                         ws_target_sorts(vehicle_id, device_id);

        if (device_id != 0)
                words |= 1U << WS_TARGET_DETECTIONS | 1U << WS_TARGET_CAMERAS;
        return (subscription->wide & words) != 0 ||
               ws_subscription_names(subscription, registry, vehicle_id, device_id);
}

bool ws_subscription_wants_stats(const WsSubscription *subscription, uint32_t stats) {
        if (subscription->kinds != 0 && !(subscription->kinds & stats))
                return false;
        return (subscription->wide & 1U << WS_TARGET_STATS) != 0;
}

bool ws_subscription_matches_thing(const WsSubscription *subscription,
                                   const Registry *registry,
                                   Kind kind,
                                   int64_t vehicle_id,
                                   int64_t device_id) {
        if (subscription->kinds != 0 && !(subscription->kinds & WS_DIALECT_KIND(kind)))
                return false;
        if (subscription->wide & (ws_target_words(kind) | ws_target_sorts(vehicle_id, device_id)))
                return true;
        return ws_subscription_names(subscription, registry, vehicle_id, device_id);
}

bool ws_subscription_matches(const WsSubscription *subscription,
                             const Registry *registry,
                             const Event *event) {
        return ws_push_is_shown(event) && ws_subscription_matches_thing(subscription,
                                                                        registry,
                                                                        event->kind,
                                                                        event->vehicle_id,
                                                                        event->device_id);
}

/* ---- what it asks for now ------------------------------------------------------------------- */

static void ws_subscription_swap_targets(WsSubscription *subscription, WsSubscription *next) {
        const WsSubscription before = *subscription;

        subscription->targets = next->targets;
        subscription->n_targets = next->n_targets;
        subscription->wide = next->wide;
        subscription->named = next->named;
        subscription->things = next->things;
        next->targets = before.targets;
        next->n_targets = before.n_targets;
        next->things = before.things;
}

static void ws_subscription_copy_box(WsSubscription *subscription, const WsSubscription *next) {
        subscription->has_box = next->has_box;
        subscription->west = next->west;
        subscription->south = next->south;
        subscription->east = next->east;
        subscription->north = next->north;
        if (!next->has_box && !subscription->is_set)
                ws_members_clear(&subscription->members);
}

size_t ws_subscription_change(WsSubscription *subscription,
                              WsSubscription *next,
                              WsChange change,
                              const Registry *registry) {
        WsHold *hold, *after;
        size_t n = 0;

        if (change.targets)
                ws_subscription_swap_targets(subscription, next);
        if (change.box)
                ws_subscription_copy_box(subscription, next);
        if (change.pace)
                subscription->interval_us = next->interval_us;
        for (hold = TAILQ_FIRST(&subscription->held); hold; hold = after) {
                after = TAILQ_NEXT(hold, entry);
                if (ws_subscription_matches(subscription, registry, hold->event))
                        continue;
                ws_subscription_let_go(subscription, hold);
                ++n;
        }
        return n;
}

/* ---- where is it? --------------------------------------------------------------------------- */

bool ws_subscription_contains(const WsSubscription *subscription,
                              double latitude,
                              double longitude) {
        if (isnan(latitude) || isnan(longitude) || latitude < subscription->south ||
            latitude > subscription->north)
                return false;
        if (subscription->west <= subscription->east)
                return longitude >= subscription->west && longitude <= subscription->east;
        return longitude >= subscription->west || longitude <= subscription->east;
}

int ws_subscription_note(WsSubscription *subscription, WsThing thing) {
        if (!subscription->has_box && !subscription->is_set)
                return 0;
        return ws_members_add(&subscription->members, thing);
}

static WsPlace ws_place(bool was_inside, bool is_inside) {
        if (is_inside)
                return was_inside ? WS_PLACE_INSIDE : WS_PLACE_ENTERS;
        return was_inside ? WS_PLACE_LEAVES : WS_PLACE_OUTSIDE;
}

int ws_subscription_locate(WsSubscription *subscription,
                           const Registry *registry,
                           const WsLastKnown *recall,
                           const Event *event,
                           WsPlace *ret_place) {
        const WsThing thing = { event->vehicle_id, event->device_id };
        bool was_inside, is_inside;
        double place[2];
        int r = 0;

        *ret_place = WS_PLACE_INSIDE;
        if (!subscription->has_box && !subscription->is_set)
                return 0;

        was_inside = ws_members_have(&subscription->members, thing);
        is_inside = was_inside || !subscription->has_box;
        if (subscription->has_box && ws_last_known_where(recall, registry, event, place))
                is_inside = ws_subscription_contains(subscription, place[0], place[1]);
        *ret_place = ws_place(was_inside, is_inside);
        if (*ret_place == WS_PLACE_ENTERS)
                r = ws_members_add(&subscription->members, thing);
        else if (*ret_place == WS_PLACE_LEAVES)
                ws_members_remove(&subscription->members, thing);
        return err_up(r);
}

/* ---- how often? ----------------------------------------------------------------------------- */

/* What waits for nothing, and would let the next one pass, need not be known. */
static void ws_subscription_sweep_one(void *arg, void *value) {
        WsSubscription *subscription = arg;
        WsHold *hold = value;

        if (hold->frame || subscription->swept_us - hold->sent_us < subscription->interval_us)
                return;
        index_remove(subscription->holds, &hold->key, sizeof(hold->key));
        ws_hold_free(subscription, hold);
}

static bool ws_subscription_has_room(WsSubscription *subscription, int64_t now_us) {
        if (!subscription->n_paced || *subscription->n_paced < subscription->max_paced)
                return true;
        if (subscription->holds && now_us - subscription->swept_us >= WS_SUBSCRIPTION_SWEEP_US) {
                subscription->swept_us = now_us;
                index_each(subscription->holds, ws_subscription_sweep_one, subscription);
        }
        return *subscription->n_paced < subscription->max_paced;
}

/* NULL: there are as many as there may be. */
static int ws_subscription_hold_of(WsSubscription *subscription,
                                   uint64_t key,
                                   int64_t now_us,
                                   WsHold **ret_hold) {
        WsHold *hold = NULL;
        int r = 0;

        if (subscription->holds)
                hold = index_get(subscription->holds, &key, sizeof(key));
        if (!hold && !ws_subscription_has_room(subscription, now_us)) {
                *ret_hold = NULL;
                return 0;
        }

        if (!subscription->holds)
                r = index_new(&subscription->holds);
        if (r < 0)
                return err_up(r);
        if (!hold) {
                hold = calloc(1, sizeof(*hold));
                if (!hold)
                        return err_new(-ENOMEM);
                hold->key = key;
                hold->sent_us = INT64_MIN / 2;
                r = index_put(subscription->holds, &key, sizeof(key), hold);
                if (r < 0) {
                        free(hold);
                        return err_up(r);
                }
                if (subscription->n_paced)
                        ++*subscription->n_paced;
        }

        *ret_hold = hold;
        return 0;
}

int ws_subscription_pace(WsSubscription *subscription,
                         Event *event,
                         uint64_t before_seq,
                         WsFrame *frame,
                         int64_t now_us,
                         WsPaceAnswer *ret_answer) {
        uint64_t key = ws_push_key(event);
        WsHold *hold;
        int r;

        *ret_answer = (WsPaceAnswer){ 0 };
        if (subscription->interval_us == 0 || key == 0)
                return 0;
        r = ws_subscription_hold_of(subscription, key, now_us, &hold);
        if (r < 0)
                return err_up(r);
        ret_answer->is_unpaced = !hold;
        if (!hold)
                return 0;

        if (hold->frame) {
                ret_answer->replaced = true;
                ws_subscription_let_go(subscription, hold);
        }
        if (now_us - hold->sent_us >= subscription->interval_us) {
                hold->sent_us = now_us;
                return 0;
        }

        hold->frame = ws_frame_ref(frame);
        hold->event = event_ref(event);
        hold->before_seq = before_seq;
        TAILQ_INSERT_TAIL(&subscription->held, hold, entry);
        ret_answer->hold = hold;
        return 0;
}

WsHold *ws_subscription_due(WsSubscription *subscription, const WsHold *hold, int64_t now_us) {
        WsHold *next = hold ? TAILQ_NEXT(hold, entry) : TAILQ_FIRST(&subscription->held);

        while (next && now_us - next->sent_us < subscription->interval_us)
                next = TAILQ_NEXT(next, entry);
        return next;
}

size_t ws_subscription_drop(WsSubscription *subscription, WsThing thing) {
        WsHold *hold, *next;
        size_t n = 0;

        for (hold = TAILQ_FIRST(&subscription->held); hold; hold = next) {
                next = TAILQ_NEXT(hold, entry);
                if (thing.vehicle_id != 0 ? hold->event->vehicle_id == thing.vehicle_id
                                          : hold->event->vehicle_id == 0 &&
                                                    hold->event->device_id == thing.device_id) {
                        ws_subscription_let_go(subscription, hold);
                        ++n;
                }
        }
        return n;
}

bool ws_subscription_may_hurry(const WsHold *hold, int64_t now_us) {
        return hold->sent_us <= now_us;
}

void ws_subscription_release(WsSubscription *subscription, WsHold *hold, int64_t now_us) {
        if (now_us - hold->sent_us >= subscription->interval_us)
                hold->sent_us = now_us;
        else
                hold->sent_us += subscription->interval_us;
        ws_subscription_let_go(subscription, hold);
}

void ws_subscription_forget(WsSubscription *subscription, const Event *event, int64_t now_us) {
        uint64_t key = ws_push_key(event);
        WsHold *hold = NULL;

        if (!TAILQ_EMPTY(&subscription->held) && key != 0)
                hold = index_get(subscription->holds, &key, sizeof(key));
        if (!hold || hold->event != event)
                return;

        ws_subscription_let_go(subscription, hold);
        if (hold->sent_us < now_us)
                hold->sent_us = now_us;
}
