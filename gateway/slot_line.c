#include "gateway/slot_line.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/discovery.h"
#include "gateway/inlet.h"
#include "gateway/journal/journal.h"
#include "gateway/lease.h"
#include "gateway/processor_setup.h"
#include "gateway/session_name.h"
#include "gateway/slot_keys.h"
#include "gateway/store/processor.h"
#include "model/edge/uplink.h"
#include "model/metrics.h"
#include "mqtt/source.h"

#define SLOT_LINE_HOLD_US INT64_C(10000000)
#define SLOT_LINE_LEAVE_US                                                                      \
        INT64_C(10000000)                   /* to have stored all, if another one is to have it \
                                             */
#define SLOT_LINE_STAY_US INT64_C(60000000) /* behind one that was in vain */
#define SLOT_LINE_LOOK_US 20000

struct SlotLine {
        SlotLineOptions options;
        Discovery *discovery; /* borrowed */
        Journal *journal;
        Inlet *inlet;
        Lease *lease;
        Processor *processor;
        _Atomic uint64_t edges_view; /* of the processor (origins.h); 0: there was none yet */
        MqttSource *source;          /* NULL: not open yet, or mqtt.url is not set */
        Routes *own;                 /* that are configured */

        MqttOptions mqtt; /* as configured, under our name */
        bool is_client_fixed;
        char client_id[SESSION_NAME_SIZE];
        char dir[PATH_MAX];                               /* of the journal */
        char routes_file[PATH_MAX], mqtt_state[PATH_MAX]; /* beside it */
        bool is_open;
        int64_t held_until_us; /* monotonic: the source is not started yet; 0: it is */

        bool is_leaving, is_let_go;            /* and is stored, and that is to be said */
        int64_t leave_until_us, stay_until_us; /* monotonic */
};

/* ---- which of several ---- */

static bool slot_line_is_of_several(const SlotLine *line) {
        return line->options.n_slots > 1;
}

static int slot_line_slot(const SlotLine *line) {
        return line->options.config->cluster_slot + (int)line->options.place;
}

/* What is begun and counted is the slot's. */
static unsigned slot_line_enter(const SlotLine *line) {
        return metrics_enter(slot_line_is_of_several(line) ? line->options.place + 1 : 0);
}

/* A folder of its own, and its part of what they may have together. */
static void slot_line_journal(const SlotLine *line, JournalOptions *ret_options) {
        *ret_options = line->options.config->journal;
        if (!slot_line_is_of_several(line))
                return;
        ret_options->dir = line->dir;
        ret_options->max_bytes /= line->options.n_slots;
        ret_options->reserve_bytes /= line->options.n_slots;
}

/* ---- the way to the broker ---- */

/* Of those that are configured each, of what was discovered patterns. */
static int slot_line_set_filters(const SlotLine *line) {
        const Patterns *patterns = discovery_patterns(line->discovery);
        size_t n = 0;
        const char **filters;
        int r;

        filters = calloc(routes_length(line->own) + patterns->n + 1, sizeof(*filters));
        if (!filters)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < routes_length(line->own); ++i)
                filters[n++] = topic_template_pattern(routes_get(line->own, i)->topic);
        for (size_t i = 0; i < patterns->n; ++i)
                filters[n++] = patterns->items[i];
        r = mqtt_source_set_filters(line->source, filters, n);
        free(filters);
        return r == 0 ? 0 : err_up(r);
}

/* The broker may have queued messages of topics that another process, or another node, had
 * discovered: without the announcements none of them has a route. */
static bool slot_line_must_hold(const SlotLine *line, bool is_of_others) {
        return !discovery_is_known(line->discovery) &&
               (is_of_others || access(line->mqtt_state, F_OK) == 0);
}

static int slot_line_start_source(SlotLine *line) {
        int r = slot_line_set_filters(line);

        line->held_until_us = 0;
        return r == 0 ? err_up(mqtt_source_start(line->source)) : err_up(r);
}

/* It took too long: others are better served by who has it. */
static void slot_line_stay(SlotLine *line) {
        log_warning("slot_kept slot=%d hint=\"what there is could not be stored in time\"",
                    slot_line_slot(line));
        line->is_leaving = false;
        line->stay_until_us = clock_mono_us() + SLOT_LINE_STAY_US;
        metric_set(METRIC_SLOTS_LEAVING, 0);
}

static void slot_line_drain_on(SlotLine *line) {
        if (!line->is_leaving || line->is_let_go)
                return;
        if (processor_has_stored(line->processor, journal_last_seq(line->journal))) {
                line->is_let_go = true;
                lease_let_go(line->lease);
        } else if (clock_mono_us() >= line->leave_until_us) {
                slot_line_stay(line);
        }
}

static int slot_line_end_hold(SlotLine *line) {
        bool is_known;

        if (line->held_until_us == 0)
                return 0;
        is_known = discovery_is_known(line->discovery); /* to the processor since the turn before */
        if (!is_known && clock_mono_us() < line->held_until_us)
                return 0;
        if (!is_known)
                log_warning("mqtt_held_in_vain hint=\"what devices announce was not heard\"");
        return err_up(slot_line_start_source(line));
}

int slot_line_turn(SlotLine *line) {
        unsigned before = slot_line_enter(line);
        int r;

        slot_line_drain_on(line);
        r = slot_line_end_hold(line);
        (void)metrics_enter(before);
        return r == 0 ? 0 : err_up(r);
}

int64_t slot_line_wait_us(const SlotLine *line) {
        int64_t left_us;

        if ((line->is_leaving && !line->is_let_go) || slot_line_is_to_open(line))
                return SLOT_LINE_LOOK_US;
        if (line->held_until_us == 0)
                return INT64_MAX;
        left_us = discovery_is_known(line->discovery) ? 0 : line->held_until_us - clock_mono_us();
        return left_us > 0 ? left_us : 0;
}

static bool slot_line_is_ours(const void *owner) {
        const SlotLine *line = owner;

        return lease_is_confirmed(line->lease);
}

static bool slot_line_may_be_others(const void *owner) {
        const SlotLine *line = owner;

        return journal_is_unsure(line->journal);
}

/* The session is the one that goes with the lease. */
static bool slot_line_take_name(SlotLine *line) {
        const char *client_id = lease_client_id(line->lease);
        bool is_of_others = line->is_client_fixed || strcmp(client_id, line->client_id) != 0;

        if (!line->is_client_fixed && is_of_others) {
                session_name_change(line->dir, client_id);
                snprintf(line->client_id, sizeof(line->client_id), "%s", client_id);
        }
        return is_of_others;
}

static int slot_line_open_source(SlotLine *line) {
        const MqttSink sink = {
                .arg = line->inlet,
                .inbound = inlet_take,
                .session_resumed = inlet_session_resumed,
                .session_lost = inlet_session_lost,
                .is_high = inlet_is_high,
                .owner = line,
                .is_ours = slot_line_is_ours,
                .may_be_others = slot_line_may_be_others,
                .is_wanted = discovery_wants,
                .wanted = line->discovery,
        };
        bool is_of_others;
        int r;

        if (!line->options.config->mqtt_enabled) {
                log_warning("mqtt_off hint=\"mqtt.url is not set\"");
                return 0;
        }
        is_of_others = slot_line_take_name(line);
        r = mqtt_source_new(&line->source, &line->mqtt, &sink);
        if (r > 0) {
                log_error("mqtt_unusable hint=\"see the keys of [mqtt]\"");
                return SLOT_LINE_E_UNUSABLE;
        }
        if (r == 0 && slot_line_must_hold(line, is_of_others)) {
                line->held_until_us = clock_mono_us() + SLOT_LINE_HOLD_US;
                log_info("mqtt_held hint=\"until what devices announce was heard\"");
        } else if (r == 0) {
                r = slot_line_start_source(line);
        }
        return r == 0 ? 0 : err_up(r);
}

/* ---- whose it is ---- */

int slot_line_fd(const SlotLine *line) {
        return lease_fd(line->lease);
}

void slot_line_leave(SlotLine *line) {
        unsigned before = slot_line_enter(line);

        if (slot_line_is_in(line) && clock_mono_us() >= line->stay_until_us &&
            !journal_is_high(line->journal)) {
                log_info("slot_leaving slot=%d", slot_line_slot(line));
                if (line->source)
                        mqtt_source_stop(line->source); /* what has come is taken */
                line->source = mqtt_source_free(line->source);
                inlet_shut(line->inlet);
                line->held_until_us = 0;
                line->is_open = false;
                line->is_leaving = true;
                line->is_let_go = false;
                line->leave_until_us = clock_mono_us() + SLOT_LINE_LEAVE_US;
                metric_set(METRIC_SLOTS_LEAVING, 1);
        }
        (void)metrics_enter(before);
}

bool slot_line_is_in(const SlotLine *line) {
        return inlet_is_open(line->inlet);
}

bool slot_line_is_leaving(const SlotLine *line) {
        return line->is_leaving;
}

int slot_line_take_surplus(SlotLine *line) {
        return lease_take_surplus(line->lease);
}

static void slot_line_follow_lease(SlotLine *line, bool *ret_is_in) {
        static const ProcessorStanding standings[] = {
                [LEASE_UNKNOWN] = PROCESSOR_WAITS, [LEASE_NEW] = PROCESSOR_STORES,
                [LEASE_AWAY] = PROCESSOR_LOOKS,    [LEASE_HELD] = PROCESSOR_STORES,
                [LEASE_WAITING] = PROCESSOR_WAITS, [LEASE_DOUBTED] = PROCESSOR_WAITS,
                [LEASE_LOST] = PROCESSOR_WAITS,
        };
        bool is_gone = line->is_let_go && !lease_is_letting_go(line->lease);
        LeaseState state; /* after that: it may be ours again by now */

        lease_hear(line->lease);
        state = lease_state(line->lease);
        processor_set_standing(line->processor, standings[state]);
        if (state == LEASE_WAITING && slot_line_is_of_several(line) && line->options.place == 0)
                processor_may_follow(line->processor);
        *ret_is_in = state == LEASE_AWAY || state == LEASE_HELD;
        if (line->is_leaving && (is_gone || !*ret_is_in)) {
                line->is_leaving = line->is_let_go = false;
                metric_set(METRIC_SLOTS_LEAVING, 0);
        }
        *ret_is_in = *ret_is_in && !line->is_leaving;
        if (!*ret_is_in) {
                inlet_shut(line->inlet);
                return;
        }
        inlet_open(line->inlet, line->lease);
}

void slot_line_follow(SlotLine *line, bool *ret_is_in) {
        unsigned before = slot_line_enter(line);

        slot_line_follow_lease(line, ret_is_in);
        (void)metrics_enter(before);
}

bool slot_line_is_to_open(const SlotLine *line) {
        return slot_line_is_in(line) && !line->is_open;
}

bool slot_line_may_wait(const SlotLine *line) {
        return line->source && !(slot_line_is_in(line) && lease_is_awake(line->lease));
}

int slot_line_open(SlotLine *line) {
        unsigned before = slot_line_enter(line);
        int r;

        line->is_open = true;
        r = slot_line_open_source(line);
        (void)metrics_enter(before);
        return r < 0 ? err_up(r) : r;
}

int slot_line_set_routes(SlotLine *line, Routes *own, Routes *routes) {
        routes_unref(line->own);
        line->own = routes_ref(own);
        processor_set_routes(line->processor, routes); /* before their messages come */
        inlet_set_routes(line->inlet, routes);
        return line->source ? err_up(slot_line_set_filters(line)) : 0;
}

int slot_line_result(const SlotLine *line) {
        int r = processor_result(line->processor);

        if (r == 0 && journal_has_failed(line->journal))
                r = -EIO; /* only a new start reads what is there */
        if (r == 0 && lease_state(line->lease) == LEASE_LOST)
                r = -EBUSY; /* only a new start waits for its turn */
        return r != 0 ? r : inlet_result(line->inlet);
}

/* ---- the start ---- */

static int slot_line_open_journal(SlotLine *line) {
        const Config *config = line->options.config;
        JournalOptions options;
        int r;

        slot_line_journal(line, &options);
        r = journal_open(&line->journal, &options);
        switch (r) {
        case 0:
                break;
        case JOURNAL_E_LOCKED:
                log_error("journal_locked dir=\"%s\" hint=\"another process uses this journal\"",
                          options.dir);
                return SLOT_LINE_E_UNUSABLE;
        case JOURNAL_E_INVALID:
                log_error("journal_unusable dir=\"%s\"", options.dir);
                return SLOT_LINE_E_UNUSABLE;
        default:
                log_error("journal_failed dir=\"%s\" error=\"%s\"", options.dir, err_text(r));
                return err_up(r);
        }

        r = inlet_new(&line->inlet,
                      line->journal,
                      options.segment_bytes,
                      (size_t)(options.max_bytes / 100 * (uint64_t)config->journal_device_share));
        return r == 0 ? 0 : err_up(r);
}

/* Under which name we would go to the broker. One of several has it from its number alone: whoever
 * takes the slot goes on with the session. */
static void slot_line_name(SlotLine *line) {
        const Config *config = line->options.config;

        line->mqtt = config->mqtt;
        line->mqtt.state_file = line->mqtt_state;
        line->is_client_fixed = config->mqtt.client_id || slot_line_is_of_several(line);
        if (slot_line_is_of_several(line))
                snprintf(line->client_id,
                         sizeof(line->client_id),
                         "tidegate-%s-%d",
                         config->cluster_name,
                         slot_line_slot(line));
        else if (line->is_client_fixed)
                snprintf(line->client_id, sizeof(line->client_id), "%s", config->mqtt.client_id);
        else
                session_name(line->dir, journal_epoch(line->journal), line->client_id);
        if (!config->mqtt.client_id)
                line->mqtt.client_id = line->client_id;
}

bool slot_line_dir(const Config *config, unsigned place, char ret_dir[PATH_MAX]) {
        const char *dir = config->journal.dir;
        int n = config->cluster_slots > 1 ? snprintf(ret_dir,
                                                     PATH_MAX,
                                                     "%s/slot-%d",
                                                     dir,
                                                     config->cluster_slot + (int)place)
                                          : snprintf(ret_dir, PATH_MAX, "%s", dir);

        return n < PATH_MAX;
}

static bool slot_line_find_dir(SlotLine *line) {
        const char *dir = line->options.config->journal.dir;

        if (slot_line_is_of_several(line) && mkdir(dir, 0700) < 0 && errno != EEXIST) {
                log_error("journal_failed dir=\"%s\" errno=%d", dir, errno);
                return false;
        }
        if (!slot_line_dir(line->options.config, line->options.place, line->dir))
                return false;
        return snprintf(line->routes_file, sizeof(line->routes_file), "%s/routes", line->dir) <
                       (int)sizeof(line->routes_file) &&
               snprintf(line->mqtt_state, sizeof(line->mqtt_state), "%s/subscriptions", line->dir) <
                       (int)sizeof(line->mqtt_state);
}

int slot_line_new(SlotLine **ret_line, const SlotLineOptions *options) {
        CLEANUP(slot_line_free) SlotLine *line = NULL;
        unsigned before;
        int r;

        line = calloc(1, sizeof(*line));
        if (!line)
                return err_new(-ENOMEM);
        line->options = *options;
        if (!slot_line_find_dir(line))
                return SLOT_LINE_E_UNUSABLE;
        before = slot_line_enter(line);
        r = slot_line_open_journal(line);
        (void)metrics_enter(before);
        if (r != 0)
                return r; /* SLOT_LINE_E_UNUSABLE is for the caller as well */
        slot_line_name(line);
        if (slot_line_is_of_several(line))
                inlet_set_slot(line->inlet, options->keys, options->place);
        *ret_line = TAKE(&line);
        return 0;
}

/* A key without a value is one that is not there. */
static const char *slot_line_given(const char *text) {
        return text && *text ? text : NULL;
}

static DbSlotLayout slot_line_layout(const SlotLine *line) {
        const Config *config = line->options.config;

        return (DbSlotLayout){ .first = config->cluster_slot,
                               .n_slots = (int)line->options.n_slots,
                               .templates =
                                       line->options.keys ? slot_keys_hash(line->options.keys) : "",
                               .cluster = config->cluster_name };
}

static int slot_line_start_lease(SlotLine *line) {
        const Config *config = line->options.config;
        int r;

        r = lease_new(&line->lease,
                      &(LeaseOptions){ .instance = line->options.instance,
                                       .layout = slot_line_layout(line),
                                       .node_dir = config->journal.dir,
                                       .is_silent = line->options.place > 0,
                                       .database_url = config->database_url,
                                       .journal_dir = line->dir,
                                       .epoch = journal_epoch(line->journal),
                                       .journal = line->journal,
                                       .cluster = config->cluster_name,
                                       .node = slot_line_given(config->cluster_node),
                                       .advertise = config->cluster_advertise,
                                       .client_id = line->client_id,
                                       .is_client_fixed = line->is_client_fixed,
                                       .is_experienced = journal_noted_seq(line->journal) > 0,
                                       .slot = slot_line_slot(line),
                                       .lease_ms = config->cluster_lease_ms });
        return r == 0 ? 0 : err_up(r);
}

/* What is known of users and devices is the same for all slots: the first one tells it. */
static OutboxOptions slot_line_outbox(const SlotLine *line) {
        return (OutboxOptions){ .wait_ms = line->options.config->outbox_wait_ms,
                                .is_of_several = slot_line_is_of_several(line),
                                .slot = (uint16_t)line->options.place,
                                .epoch = strtoull(journal_epoch(line->journal), NULL, 16),
                                .hides_registry = line->options.place > 0,
                                .shown = line->options.shown,
                                .shown_arg = line->options.shown_arg };
}

static int slot_line_start_processor(SlotLine *line, Routes *routes) {
        ProcessorOptions options = processor_setup(line->options.config);
        int r;

        options.holder =
                (DbHolder){ .slot = slot_line_slot(line), .instance = lease_instance(line->lease) };
        options.nodes.inbound = inlet_take;
        options.nodes.arg = line->inlet;
        options.nodes.orders = line->options.orders;
        options.routes_file = line->routes_file;
        options.outbox = slot_line_outbox(line);
        options.ended = line->options.ended;
        options.ended_arg = line->options.ended_arg;
        options.edges_view = &line->edges_view;
        options.migrate = line->options.config->database_migrate;
        r = processor_new(&line->processor, &options, line->journal, routes, line->options.outbox);
        return r == 0 ? 0 : err_up(r);
}

int slot_line_start(SlotLine *line, Discovery *discovery, Routes *own, Routes *routes) {
        unsigned before = slot_line_enter(line);
        int r;

        line->discovery = discovery;
        line->own = routes_ref(own);
        inlet_set_routes(line->inlet, routes);
        r = slot_line_start_lease(line);
        if (r == 0)
                r = slot_line_start_processor(line, routes);
        (void)metrics_enter(before);
        return r == 0 ? 0 : err_up(r);
}

/* ---- the end ---- */

void slot_line_drain(SlotLine *line) {
        lease_drain(line->lease);
}

void slot_line_begin_stop(SlotLine *line) {
        if (line->source)
                mqtt_source_begin_stop(line->source);
}

void slot_line_await_source(SlotLine *line) {
        if (line->source)
                mqtt_source_await(line->source);
}

void slot_line_stop_source(SlotLine *line) {
        unsigned before = slot_line_enter(line);

        if (line->source)
                mqtt_source_stop(line->source);
        (void)metrics_enter(before);
}

void slot_line_stop_storing(SlotLine *line, int grace_ms) {
        processor_stop(line->processor, grace_ms);
}

void slot_line_release(SlotLine *line, int timeout_ms) {
        bool is_drained = slot_line_is_of_several(line)
                                  ? metric_get_of(METRIC_IN_JOURNAL, line->options.place + 1) == 0
                                  : metric_get(METRIC_IN_JOURNAL) == 0;

        lease_stop(line->lease, is_drained, timeout_ms);
}

void slot_line_end(SlotLine *line) {
        unsigned before = slot_line_enter(line);

        line->source = mqtt_source_free(line->source);
        line->processor = processor_free(line->processor);
        line->lease = lease_free(line->lease);
        (void)metrics_enter(before);
}

SlotLine *slot_line_free(SlotLine *line) {
        if (!line)
                return NULL;
        slot_line_end(line);
        inlet_free(line->inlet);
        journal_close(line->journal);
        routes_unref(line->own);
        free(line);
        return NULL;
}

/* ---- what others need ---- */

const char *slot_line_epoch(const SlotLine *line) {
        return journal_epoch(line->journal);
}

const char *slot_line_client_id(const SlotLine *line) {
        return line->mqtt.client_id;
}

void slot_line_look(const SlotLine *line, UplinkLine *ret_line) {
        ret_line->stored_seq = journal_stored_seq(line->journal);
        ret_line->view = atomic_load(&line->edges_view);
}

Inlet *slot_line_inlet(SlotLine *line) {
        return line->inlet;
}
