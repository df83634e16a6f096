#pragma once

/*
 * WsSubscription: what one subscriber wants to see: targets, types, how often, and where.
 *
 * Knows nothing of sockets, of cursors or of rights: who may see what is decided before. A target
 * that names a thing holds its id, so a thing that gets another code stays the same. The tables of
 * pace and place are bounded by what the subscriber sees. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "model/event.h"
#include "model/registry.h"
#include "ws/loop/last_known.h"
#include "ws/viewer/members.h"
#include "ws/wire/frame.h"

#define WS_SUBSCRIPTION_TARGETS 1000

#define WS_SUBSCRIPTION_STATS (UINT32_C(3) << 30) /* among the kinds: both statistics */
#define WS_SUBSCRIPTION_ANY   UINT32_MAX

typedef struct Index Index;
typedef struct WsHold WsHold;
typedef struct WsPaceAnswer WsPaceAnswer;
typedef struct WsSubscription WsSubscription;
typedef struct WsTarget WsTarget;

typedef enum WsTargetKind {
        WS_TARGET_VEHICLE,
        WS_TARGET_DEVICE,
        WS_TARGET_GROUP,
        WS_TARGET_USER, /* all that is mine; for who sees all: everything */
        WS_TARGET_DETECTIONS,
        WS_TARGET_CAMERAS,
        WS_TARGET_ALERTS,
        WS_TARGET_STATS,
} WsTargetKind;

struct WsTarget {
        WsTargetKind kind;
        int64_t id; /* vehicle, device, group; 0 = any */
};

/* When something was sent last, and what waits for its turn since. */
struct WsHold {
        uint64_t key;
        int64_t sent_us;     /* monotonic; ahead of now: it has had its next turn, too */
        WsFrame *frame;      /* a reference; NULL = nothing waits */
        Event *event;        /* a reference; the one of the frame */
        uint64_t before_seq; /* of the event before it */
        TAILQ_ENTRY(WsHold) entry;
};

struct WsSubscription {    /* memory of the owner, zeroed */
        WsTarget *targets; /* each once */
        size_t n_targets;
        unsigned wide;       /* 1 << WsTargetKind of those without id */
        unsigned named;      /* and of those with one, which are in: */
        Index *things;       /* WsTarget -> the subscription itself */
        uint32_t kinds;      /* 1 << Kind; 0 = every type */
        int64_t interval_us; /* between two of one thing and type; 0 = as they come */
        bool is_set;         /* what comes and goes is told */
        bool has_box;
        double west, south, east, north;

        Index *holds;              /* key -> WsHold, while interval_us */
        size_t *n_paced;           /* borrowed: holds of all of its socket; NULL = not counted */
        size_t max_paced;          /* of these */
        int64_t swept_us;          /* monotonic: when those that say nothing were let go last */
        TAILQ_HEAD(, WsHold) held; /* hold a frame; in order of seq */
        WsMembers members;         /* those inside the box, or of the set */
};

typedef struct WsChange WsChange;

struct WsChange {
        bool targets, box, pace;
};

enum {
        WS_SUBSCRIPTION_E_BAD = 1,   /* no such word */
        WS_SUBSCRIPTION_E_NOT_FOUND, /* no such vehicle or device that is seen, no such group */
        WS_SUBSCRIPTION_E_FULL,      /* too many targets */
};

/* Who asks: what it names must be visible to it. */
typedef struct WsEye WsEye;

struct WsEye {
        const Registry *registry;
        const User *user; /* NULL: anonymous */
        bool sees_all;
};

bool ws_eye_sees_vehicle(const WsEye *eye, const Vehicle *vehicle);
bool ws_eye_sees_device(const WsEye *eye, const Device *device);
bool ws_eye_sees(const WsEye *eye, int64_t vehicle_id, int64_t device_id); /* of an event */

MUST_CHECK int ws_subscription_init(WsSubscription *subscription);
void ws_subscription_done(WsSubscription *subscription);

/* "vehicle/12", "alerts", ... */
MUST_CHECK int ws_subscription_aim(WsSubscription *subscription, const WsEye *eye, Text target);
MUST_CHECK int ws_subscription_add_type(WsSubscription *subscription, Text type);
MUST_CHECK int ws_subscription_set_box(WsSubscription *subscription, const double box[4]);

/* What of @next is to be in place of what there is; the rest stays. How many that waited for their
 * turn are of no interest any more. */
size_t ws_subscription_change(WsSubscription *subscription,
                              WsSubscription *next,
                              WsChange change,
                              const Registry *registry);

/* Forgets the named targets that are gone, or that @eye sees no more; how many are left. */
size_t ws_subscription_narrow(WsSubscription *subscription, const WsEye *eye);

/* May anything that this thing sends match? */
bool ws_subscription_reaches(const WsSubscription *subscription,
                             const Registry *registry,
                             int64_t vehicle_id,
                             int64_t device_id);
/* Of WS_SUBSCRIPTION_STATS the one that is sent as @type; 0: it is none of statistics. */
uint32_t ws_subscription_stats(Text type);
bool ws_subscription_wants_stats(const WsSubscription *subscription, uint32_t stats);
bool ws_subscription_matches(const WsSubscription *subscription,
                             const Registry *registry,
                             const Event *event);
/* The same for the state of a thing, of one kind. */
bool ws_subscription_matches_thing(const WsSubscription *subscription,
                                   const Registry *registry,
                                   Kind kind,
                                   int64_t vehicle_id,
                                   int64_t device_id);

typedef enum WsPlace {
        WS_PLACE_OUTSIDE,
        WS_PLACE_INSIDE,
        WS_PLACE_ENTERS, /* inside, and was not before */
        WS_PLACE_LEAVES, /* outside, and was inside before */
} WsPlace;

/* Where the thing of the event is now. What says nothing of its place is where it was last. */
MUST_CHECK int ws_subscription_locate(WsSubscription *subscription,
                                      const Registry *registry,
                                      const WsLastKnown *recall,
                                      const Event *event,
                                      WsPlace *ret_place);
bool ws_subscription_contains(const WsSubscription *subscription,
                              double latitude,
                              double longitude);
MUST_CHECK int ws_subscription_note(WsSubscription *subscription, WsThing thing);

/* What became of a frame: where it waits (NULL: it may go), and whether one that waited is gone. */
struct WsPaceAnswer {
        WsHold *hold;
        bool replaced;
        bool is_unpaced; /* it goes as it comes: of so many things no more can be paced */
};

/*
 * Is it too soon for another one with the key of @event? Then the frame waits, in place of the one
 * that waited before, until its turn has come. Else it counts as sent now. @before_seq is of the
 * event before it.
 */
MUST_CHECK int ws_subscription_pace(WsSubscription *subscription,
                                    Event *event,
                                    uint64_t before_seq,
                                    WsFrame *frame,
                                    int64_t now_us,
                                    WsPaceAnswer *ret_answer);
/* The oldest that waits, or the one behind @hold, and whose turn it is; NULL: none. */
WsHold *ws_subscription_due(WsSubscription *subscription, const WsHold *hold, int64_t now_us);
/* May it go out now, in place of when it is its turn? Once in a turn: the next one waits twice. */
bool ws_subscription_may_hurry(const WsHold *hold, int64_t now_us);
/* What waits of @thing is of no interest any more; how many. */
size_t ws_subscription_drop(WsSubscription *subscription, WsThing thing);
/* It is sent: with its turn, or before it. */
void ws_subscription_release(WsSubscription *subscription, WsHold *hold, int64_t now_us);
/* The subscriber has had @event by another way. */
void ws_subscription_forget(WsSubscription *subscription, const Event *event, int64_t now_us);
