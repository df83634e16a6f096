#include "gateway/store/nodes.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/name.h"
#include "base/queue.h"
#include "base/text.h"
#include "gateway/decode/route.h"
#include "gateway/sparkplug/births.h"
#include "gateway/sparkplug/order.h"
#include "gateway/sparkplug/topic.h"
#include "model/metrics.h"

#define NODES_TIME_SIZE 24
#define NODES_COUNT     "/count/" /* the last counter of a node, beside births in the database */
#define NODES_DEATH     1024      /* bytes of a death that are journalled for each device */
#define NODES_PAUSE_US  INT64_C(60000000) /* until a node is asked again */

typedef struct Telling Telling;

struct Nodes {
        NodesOptions options;
        Births *births;
        uint64_t refused_seq; /* the last birth that was: it may be read again */
        LogPace said_full;
};

/* A message about a node, while it is judged. */
struct Telling {
        Nodes *nodes;
        const Routes *routes;
        Record *record;
        SparkplugTopic topic;
        Buf thing, node; /* GROUP/NODE[/DEVICE]; GROUP/NODE */
        Text death;      /* what is told of devices */
        int fault;
};

int nodes_new(Nodes **ret_nodes, const NodesOptions *options) {
        CLEANUP(nodes_free) Nodes *nodes = calloc(1, sizeof(*nodes));
        int r;

        if (!nodes)
                return err_new(-ENOMEM);
        nodes->options = *options;
        r = births_new(&nodes->births, (size_t)options->max_things, (size_t)options->max_metrics);
        if (r != 0)
                return err_up(r);
        *ret_nodes = TAKE(&nodes);
        return 0;
}

Nodes *nodes_free(Nodes *nodes) {
        if (!nodes)
                return NULL;
        births_free(nodes->births);
        free(nodes);
        return NULL;
}

void nodes_look(const Nodes *nodes, Record *envelope) {
        CLEANUP_BUF Buf thing = { 0 };
        SparkplugTopic topic;
        const Birth *birth;

        if (!sparkplug_topic_read(envelope->topic, &topic) || topic.type == SPARKPLUG_NBIRTH ||
            topic.type == SPARKPLUG_DBIRTH)
                return;
        sparkplug_topic_key(&topic, false, &thing);
        birth = births_before(nodes->births, buf_text(&thing), envelope->seq);
        if (birth)
                envelope->terms = birth->table;
}

/* ---- telling -------------------------------------------------------------------------------- */

/* Without a route it would be a dead letter, and it is for nobody. */
static bool telling_is_wanted(const Telling *telling, Text topic) {
        const Route *routes[ROUTES_MAX_TAKING];
        bool ignored;

        return telling->nodes->options.inbound &&
               routes_taking(telling->routes, topic, routes, &ignored) > 0;
}

/* The journal has no room, or is not ours now: the next birth or death says it again. */
static void telling_say(Telling *telling, const char *type, Text device, Text payload) {
        const NodesOptions *options = &telling->nodes->options;
        CLEANUP_BUF Buf topic = { 0 };
        Inbound inbound = { .door = DOOR_INTERNAL, .payload = payload };
        int r;

        sparkplug_topic_write(&telling->topic, type, device, &topic);
        inbound.topic = buf_text(&topic);
        if (telling->fault != 0 || buf_failed(&topic) || !telling_is_wanted(telling, inbound.topic))
                return;
        r = options->inbound(options->arg, &inbound);
        if (r < 0)
                telling->fault = r;
        else if (r > 0)
                metric_add(METRIC_SPARKPLUG_UNTOLD, 1);
}

static void telling_alive(Telling *telling) {
        char time[NODES_TIME_SIZE];

        if (!births_tell(telling->nodes->births, buf_text(&telling->thing), telling->record->seq))
                return;
        snprintf(time, sizeof(time), "%lld", (long long)telling->record->time_us / 1000);
        telling_say(telling, "ALIVE", telling->topic.device, text_of(time));
}

static void telling_device_dead(void *arg, Text device) {
        Telling *telling = arg;

        telling_say(telling, "DDEATH", device, telling->death);
}

/* What else a long one says is not told as often as there are devices. */
static void telling_devices_dead(Telling *telling) {
        const Record *record = telling->record;
        CLEANUP_BUF Buf death = { 0 };

        telling->death = record->payload;
        if (record->payload.n > NODES_DEATH) {
                sparkplug_death_write(&death, record->time_us, record->bd_seq);
                telling->death = buf_text(&death);
        }
        if (buf_failed(&death))
                telling->fault = err_new(-ENOMEM);
        else
                births_each_device(telling->nodes->births,
                                   buf_text(&telling->node),
                                   record->seq,
                                   telling_device_dead,
                                   telling);
}

/* ---- judging -------------------------------------------------------------------------------- */

static void judge_refuse(Nodes *nodes, uint64_t seq) {
        unsigned long long n_more;

        if (seq <= nodes->refused_seq)
                return;
        nodes->refused_seq = seq;
        metric_add(METRIC_SPARKPLUG_REFUSED, 1);
        if (log_may(&nodes->said_full, &n_more))
                log_warning("sparkplug_full things=%zu more=%llu hint=\"births of others are not "
                            "remembered, and data with their aliases are dead letters: "
                            "sparkplug.max_things\"",
                            births_length(nodes->births),
                            n_more);
}

static int judge_birth(Telling *telling, Arena *arena) {
        Nodes *nodes = telling->nodes;
        Record *record = telling->record;
        Text thing = buf_text(&telling->thing);
        int r;

        if (record->letter_id != 0 || record->ignored)
                return 0; /* it was news long ago, or nobody wants it */
        r = name_is_utf8(thing) ? births_add(nodes->births, thing, record->seq, record->payload)
                                : BIRTHS_E_NONE;
        switch (r) {
        case 0:
                break;
        case BIRTHS_E_FULL:
                judge_refuse(nodes, record->seq);
                return 0;
        case BIRTHS_E_NONE:
                return 0;
        default:
                return r < 0 ? err_up(r) : err_new(-EINVAL);
        }
        metric_set(METRIC_SPARKPLUG_THINGS, (int64_t)births_length(nodes->births));
        record->birth = arena_copy(arena, thing.data, thing.n);
        if (!record->birth.data)
                return err_new(-ENOMEM);
        telling_alive(telling);
        return err_up(telling->fault);
}

static void judge_leave_out(Record *record, Stale stale) {
        *record = (Record){ .seq = record->seq,
                            .received_us = record->received_us,
                            .letter_id = record->letter_id,
                            .retained = record->retained,
                            .duplicate = true,
                            .stale = stale };
}

/* Of a session that was over when the last birth came: a broker tells late of a lost connection. */
static bool judge_is_late(const Telling *telling) {
        const Record *record = telling->record;
        const Birth *birth =
                births_before(telling->nodes->births, buf_text(&telling->node), record->seq);

        return birth && birth->bd_seq >= 0 && record->bd_seq >= 0 &&
               birth->bd_seq != record->bd_seq;
}

static int judge_death(Telling *telling) {
        Births *births = telling->nodes->births;
        Record *record = telling->record;

        if (judge_is_late(telling)) {
                judge_leave_out(record, STALE_LATE);
                return 0;
        }
        if (!births_is_first_dead(births, buf_text(&telling->thing), record->seq)) {
                judge_leave_out(record, STALE_AGAIN);
                return 0;
        }
        if (telling->topic.type == SPARKPLUG_NDEATH &&
            births_tell(births, buf_text(&telling->thing), record->seq))
                telling_devices_dead(telling);
        return err_up(telling->fault);
}

/* Said behind the birth: by then it may be gone, which is what is known of it. */
static void judge_alive(Telling *telling) {
        Births *births = telling->nodes->births;
        Text thing = buf_text(&telling->thing);
        uint64_t seq = telling->record->seq;
        const Birth *birth = births_before(births, thing, seq);

        if (birth && birth->dead_seq != 0 && birth->dead_seq < seq)
                telling->record->is_history = true;
        if (!births_is_first_alive(births, thing, seq))
                judge_leave_out(telling->record, STALE_AGAIN);
}

/* Where there is no room, or nobody who takes it there: the next time. */
static int telling_ask(Telling *telling) {
        CLEANUP(sparkplug_order_free) SparkplugOrder *order = NULL;
        Queue *orders = telling->nodes->options.orders;
        int r;

        if (!orders || !telling->record->may_ask || telling->record->letter_id != 0 ||
            !births_may_ask(telling->nodes->births,
                            buf_text(&telling->node),
                            clock_mono_us(),
                            NODES_PAUSE_US))
                return 0;
        r = sparkplug_order_rebirth(&order, &telling->topic, clock_now_us());
        if (r != 0)
                return err_up(r);
        if (queue_push(orders, order, 0) == 0) {
                (void)TAKE(&order);
                metric_add(METRIC_SPARKPLUG_ASKED, 1);
        }
        return 0;
}

static bool judge_lacks_names(const Record *record) {
        for (size_t i = 0; i < record->n_notes; ++i)
                if (record->notes[i].reason == REASON_UNKNOWN_ALIAS)
                        return true;
        return record->reason == REASON_UNKNOWN_ALIAS;
}

/* Counts of a letter are those of another time. */
static bool judge_is_gap(const Telling *telling) {
        const Record *record = telling->record;

        if (record->node_seq < 0 || record->letter_id != 0)
                return false;
        return births_is_gap(telling->nodes->births,
                             buf_text(&telling->node),
                             record->seq,
                             (uint64_t)record->node_seq,
                             telling->topic.type == SPARKPLUG_NBIRTH);
}

/* Who brings data of a life that nobody has told us of: a host that has no birth asks for it. */
static bool judge_lacks_birth(const Telling *telling) {
        const Births *births = telling->nodes->births;
        uint64_t seq = telling->record->seq;

        if (telling->topic.type != SPARKPLUG_NDATA && telling->topic.type != SPARKPLUG_DDATA)
                return false;
        return !births_before(births, buf_text(&telling->node), seq) ||
               !births_before(births, buf_text(&telling->thing), seq);
}

/* The next process goes on counting. What brings a birth has its counter in it. */
static int judge_keep_count(const Telling *telling, Arena *arena) {
        Record *record = telling->record;
        CLEANUP_BUF Buf key = { 0 };
        char count[NODES_TIME_SIZE];

        if (record->node_seq < 0 || record->letter_id != 0 || record->birth.data ||
            record->ignored ||
            !births_before(telling->nodes->births, buf_text(&telling->node), record->seq))
                return 0;
        buf_append_string(&key, NODES_COUNT);
        buf_append_text(&key, buf_text(&telling->node));
        snprintf(count, sizeof(count), "%lld", (long long)record->node_seq);
        if (buf_failed(&key))
                return err_new(-ENOMEM);
        record->birth = arena_copy(arena, key.data, key.n);
        record->birth_said = arena_copy(arena, count, strlen(count));
        return record->birth.data && record->birth_said.data ? 0 : err_new(-ENOMEM);
}

static int judge(Telling *telling, Arena *arena) {
        bool is_gap;
        int r = 0;

        sparkplug_topic_key(&telling->topic, false, &telling->thing);
        sparkplug_topic_key(&telling->topic, true, &telling->node);
        if (buf_failed(&telling->thing) || buf_failed(&telling->node))
                return err_new(-ENOMEM);
        is_gap = judge_is_gap(telling);
        if (is_gap)
                metric_add(METRIC_SPARKPLUG_GAPS, 1);
        if (is_gap || judge_lacks_names(telling->record) || judge_lacks_birth(telling))
                r = telling_ask(telling);
        if (r != 0)
                return err_up(r);
        switch (telling->topic.type) {
        case SPARKPLUG_NBIRTH:
        case SPARKPLUG_DBIRTH:
                r = judge_birth(telling, arena);
                break;
        case SPARKPLUG_NDEATH:
        case SPARKPLUG_DDEATH:
                r = judge_death(telling);
                break;
        case SPARKPLUG_ALIVE:
                judge_alive(telling);
                break;
        default:
                break;
        }
        if (r == 0)
                r = judge_keep_count(telling, arena);
        return r == 0 ? 0 : err_up(r);
}

int nodes_judge(Nodes *nodes, Arena *arena, const Routes *routes, Record *record) {
        Telling telling = { .nodes = nodes, .routes = routes, .record = record };
        int r;

        record->terms = NULL; /* it is not kept for the record */
        if (record->duplicate || !sparkplug_topic_read(record->topic, &telling.topic))
                return 0;
        r = judge(&telling, arena);
        buf_done(&telling.thing);
        buf_done(&telling.node);
        return r == 0 ? 0 : err_up(r);
}

bool nodes_restore_count(const Nodes *nodes, Text key, uint64_t seq, Text said) {
        const size_t n = strlen(NODES_COUNT);
        uint64_t count;

        if (!text_begins(key, TEXT(NODES_COUNT)))
                return false;
        if (text_to_number(said, 255, &count))
                births_set_count(nodes->births,
                                 (Text){ .data = key.data + n, .n = key.n - n },
                                 seq,
                                 count);
        return true;
}

int nodes_restore(Nodes *nodes, Text thing, uint64_t seq, Text payload) {
        int r = births_add(nodes->births, thing, seq, payload);

        switch (r) {
        case BIRTHS_E_FULL:
                judge_refuse(nodes, seq);
                break;
        case BIRTHS_E_NONE: /* nobody but us writes there */
        case 0:
                break;
        default:
                return r < 0 ? err_up(r) : err_new(-EINVAL);
        }
        metric_set(METRIC_SPARKPLUG_THINGS, (int64_t)births_length(nodes->births));
        return 0;
}

void nodes_stored(Nodes *nodes, uint64_t seq) {
        births_stored(nodes->births, seq);
}

void nodes_move(Nodes *nodes, uint64_t stored_seq, uint64_t by) {
        births_move(nodes->births, stored_seq, by);
}
