#include "gateway/inlet.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/allowance.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/lease.h"
#include "gateway/live/frame.h"
#include "gateway/slot_keys.h"
#include "gateway/store/understand.h"
#include "model/edge/uplink.h"
#include "model/metrics.h"
#include "model/record.h"

#define INLET_SEGMENT_PART 2 /* a cut payload has this part of a segment */
#define INLET_ARENA_BLOCK  ((size_t)64 * 1024)

struct Inlet {
        Journal *journal; /* borrowed */
        size_t cut_bytes;
        size_t share_bytes;   /* of what may wait, for one device */
        const SlotKeys *keys; /* borrowed; NULL: all is ours */
        unsigned slot;        /* of theirs */
        unsigned place;       /* metrics.h */
        Allowance *allowance; /* owned; of the loop's thread, whose doors know their senders */
        _Atomic(const Lease *) lease; /* borrowed; NULL: shut */
        _Atomic int result;
        LogPace said; /* of what is too large */
        pthread_mutex_t lock;
        Arena *arena;   /* {lock} of what is counted */
        Routes *routes; /* {lock} */
};

static const Metric inlet_received[] = {
        [DOOR_MQTT] = METRIC_RECEIVED_MQTT,     [DOOR_WS] = METRIC_RECEIVED_WS,
        [DOOR_HTTP] = METRIC_RECEIVED_HTTP,     [DOOR_INTERNAL] = METRIC_RECEIVED_INTERNAL,
        [DOOR_UPLINK] = METRIC_RECEIVED_UPLINK,
};

/* Too large for any segment even so (a huge topic): there is no place for it, but it is counted. */
static int inlet_drop(Inlet *inlet, const Inbound *inbound) {
        unsigned long long n_more;

        if (log_may(&inlet->said, &n_more))
                log_warning("message_too_large_for_journal bytes=%zu more=%llu",
                            inbound->topic.n + inbound->payload.n,
                            n_more);
        metric_add(inlet_received[inbound->door], 1);
        metric_add_dead_letter(REASON_TOO_LARGE, 1);
        return 0;
}

/* The doors but MQTT know what they bring; what is a letter is read as it came first. */
static int inlet_count(Inlet *inlet, const Inbound *inbound, uint32_t *ret_n) {
        const JournalRecord entry = { .door = inbound->door,
                                      .kind = inbound->kind,
                                      .topic = inbound->topic,
                                      .payload = inbound->payload };
        int r = 0;

        *ret_n = 1;
        if (inbound->kind != KIND_NONE)
                return 0;
        pthread_mutex_lock(&inlet->lock);
        if (inlet->routes)
                r = understand_count(inlet->arena, inlet->routes, &entry, ret_n);
        arena_reset(inlet->arena);
        pthread_mutex_unlock(&inlet->lock);
        return r == 0 ? 0 : err_up(r);
}

static int inlet_append(Inlet *inlet, const Inbound *inbound, uint64_t *ret_seq) {
        unsigned long long n_more;
        int r;

        r = journal_append(inlet->journal, inbound, ret_seq);
        if (r != JOURNAL_E_TOO_LARGE || inbound->payload.n <= inlet->cut_bytes)
                return r;

        if (log_may(&inlet->said, &n_more))
                log_warning("message_cut bytes=%zu kept=%zu more=%llu",
                            inbound->payload.n,
                            inlet->cut_bytes,
                            n_more);
        return journal_append(inlet->journal,
                              &(Inbound){
                                      .door = inbound->door,
                                      .kind = inbound->kind,
                                      .is_redelivery = inbound->is_redelivery,
                                      .is_retained = inbound->is_retained,
                                      .qos = inbound->qos,
                                      .packet_id = inbound->packet_id,
                                      .device_id = inbound->device_id,
                                      .sender_key = inbound->sender_key,
                                      .topic = inbound->topic,
                                      .payload = { inbound->payload.data, inlet->cut_bytes },
                              },
                              ret_seq);
}

/* 0: MQTT does not say who sends, and what it brings cannot be refused to one alone. What an edge
 * brings is that edge's, whosever it is. */
static int64_t inlet_sender(const Inbound *inbound) {
        Text payload = inbound->payload;
        UplinkMark mark;

        if (inbound->door == DOOR_UPLINK)
                return uplink_unmark(&payload, &mark) ? mark.device_id : 0;
        return inbound->door == DOOR_WS || inbound->door == DOOR_HTTP ? inbound->device_id : 0;
}

/* Is there as much of it waiting already as one device may have? A first one always fits. */
static bool inlet_is_over(const Inlet *inlet, const Inbound *inbound) {
        uint64_t passed = journal_stored_seq(inlet->journal);
        int64_t sender = inlet_sender(inbound);
        size_t n_waiting;

        if (sender == 0)
                return false;
        n_waiting = allowance_waiting(inlet->allowance, sender, passed);
        if (n_waiting == 0 || n_waiting + inbound->payload.n <= inlet->share_bytes)
                return false;
        metric_add(METRIC_REFUSED_JOURNAL_SHARE, 1);
        return true;
}

static int inlet_charge(const Inlet *inlet, const Inbound *inbound, uint64_t seq) {
        int64_t sender = inlet_sender(inbound);
        int r;

        if (sender == 0)
                return 0;
        r = allowance_charge(inlet->allowance,
                             sender,
                             seq,
                             inbound->topic.n + inbound->payload.n,
                             journal_stored_seq(inlet->journal));
        return r == 0 ? 0 : err_up(r);
}

/* What is told by us is of what we took; the other doors' messages were brought here. What gateways
 * show each other is no message, whatever a route takes. */
static int inlet_is_elsewhere(const Inlet *inlet, const Inbound *inbound, bool *ret_is) {
        unsigned slot = inlet->slot;
        int r = 0;

        if (inlet->keys && inbound->door == DOOR_MQTT)
                r = slot_keys_find(inlet->keys, inbound->topic, &slot);
        *ret_is = slot != inlet->slot ||
                  (inlet->keys && text_begins(inbound->topic, TEXT(LIVE_TOPIC)));
        return r == 0 ? 0 : err_up(r);
}

/* It can be neither taken nor left: whoever brings it waits for us, and would acknowledge it. */
static void inlet_end_stale(Inlet *inlet) {
        if (atomic_exchange(&inlet->result, -EBUSY) == 0)
                log_error("mqtt_stale hint=\"another gateway has had the session since this "
                          "connection began, and what it still brings. This one ends; started "
                          "again it goes on\"");
}

static int inlet_put(Inlet *inlet, const Inbound *inbound) {
        const Lease *lease = atomic_load_explicit(&inlet->lease, memory_order_acquire);
        uint64_t seq = 0;
        uint32_t n = 1;
        bool is_elsewhere;
        Inbound counted;
        int r;

        if (!lease || !lease_is_awake(lease)) {
                if (inbound->door == DOOR_HTTP)
                        metric_add(METRIC_REFUSED_STANDBY, 1);
                return INBOUND_E_FULL;
        }
        if (inlet_is_over(inlet, inbound))
                return INBOUND_E_FULL;
        r = inlet_is_elsewhere(inlet, inbound, &is_elsewhere);
        if (r == 0 && is_elsewhere) {
                metric_add(METRIC_ELSEWHERE, 1);
                return 0;
        }
        if (r == 0)
                r = inlet_count(inlet, inbound, &n);
        if (r == 0) {
                counted = *inbound;
                counted.n_messages = n;
                r = inlet_append(inlet, &counted, &seq);
        }
        if (r == 0) {
                metric_add(METRIC_IN_JOURNAL, n);
                if (inbound->ret_seq)
                        *inbound->ret_seq = seq;
                r = inlet_charge(inlet, inbound, seq);
        }
        switch (r) {
        case 0:
        case JOURNAL_E_DUPLICATE:
                return 0;
        case JOURNAL_E_UNSYNCED:
                metric_add(METRIC_IN_JOURNAL, n);
                return INBOUND_E_FULL;
        case JOURNAL_E_FULL:
                return INBOUND_E_FULL;
        case JOURNAL_E_STALE:
                inlet_end_stale(inlet);
                return INBOUND_E_FULL;
        case JOURNAL_E_TOO_LARGE:
                return inlet_drop(inlet, inbound);
        default:
                atomic_store(&inlet->result, r);
                return err_up(r);
        }
}

int inlet_take(void *arg, const Inbound *inbound) {
        Inlet *inlet = arg;
        unsigned before = metrics_enter(inlet->place);
        int r = inlet_put(inlet, inbound);

        (void)metrics_enter(before);
        return r;
}

void inlet_set_slot(Inlet *inlet, const SlotKeys *keys, unsigned slot) {
        inlet->keys = keys;
        inlet->slot = slot;
}

void inlet_open(Inlet *inlet, const Lease *lease) {
        atomic_store(&inlet->lease, lease);
}

void inlet_shut(Inlet *inlet) {
        atomic_store(&inlet->lease, NULL);
}

bool inlet_is_open(const Inlet *inlet) {
        return atomic_load(&inlet->lease) != NULL;
}

void inlet_set_routes(Inlet *inlet, Routes *routes) {
        pthread_mutex_lock(&inlet->lock);
        routes_unref(inlet->routes);
        inlet->routes = routes_ref(routes);
        pthread_mutex_unlock(&inlet->lock);
}

void inlet_session_resumed(void *arg, uint16_t broker, unsigned n_in_flight) {
        Inlet *inlet = arg;

        journal_resume_session(inlet->journal, broker, n_in_flight);
}

void inlet_session_lost(void *arg, uint16_t broker) {
        Inlet *inlet = arg;

        journal_forget_session(inlet->journal, broker);
}

bool inlet_is_high(void *arg) {
        const Inlet *inlet = arg;
        unsigned before = metrics_enter(inlet->place);
        bool is_high = journal_is_high(inlet->journal);

        (void)metrics_enter(before);
        return is_high;
}

int inlet_result(const Inlet *inlet) {
        return atomic_load(&inlet->result);
}

int inlet_new(Inlet **ret_inlet, Journal *journal, size_t segment_bytes, size_t share_bytes) {
        CLEANUP(inlet_free) Inlet *inlet = NULL;
        int r;

        inlet = calloc(1, sizeof(*inlet));
        if (!inlet)
                return err_new(-ENOMEM);

        MUST(pthread_mutex_init(&inlet->lock, NULL));
        inlet->journal = journal;
        inlet->cut_bytes = segment_bytes / INLET_SEGMENT_PART;
        inlet->share_bytes = share_bytes;
        inlet->place = metrics_place();
        r = arena_new(&inlet->arena, INLET_ARENA_BLOCK);
        if (r == 0)
                r = allowance_new(&inlet->allowance);
        if (r != 0)
                return err_up(r);
        *ret_inlet = TAKE(&inlet);
        return 0;
}

Inlet *inlet_free(Inlet *inlet) {
        if (!inlet)
                return NULL;
        allowance_free(inlet->allowance);
        arena_free(inlet->arena);
        routes_unref(inlet->routes);
        MUST(pthread_mutex_destroy(&inlet->lock));
        free(inlet);
        return NULL;
}
