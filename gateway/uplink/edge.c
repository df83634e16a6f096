#include "gateway/uplink/edge.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/process.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/decode/route.h"
#include "gateway/journal/bus_error.h"
#include "gateway/journal/journal.h"
#include "gateway/notify.h"
#include "gateway/self_check.h"
#include "gateway/session_name.h"
#include "gateway/signals.h"
#include "gateway/uplink/orders.h"
#include "gateway/uplink/sender.h"
#include "model/event.h"
#include "model/metrics.h"
#include "mqtt/source.h"
#include "ws/server.h"

#define EDGE_TICK_MS    1000
#define EDGE_DRAIN_MS   200 /* of the sockets */
#define EDGE_TIMEOUT_MS 20000

struct UplinkEdge {
        Config *config; /* borrowed */
        int signals;    /* signalfd */
        Journal *journal;
        MqttSource *source;
        UplinkOrders *orders;
        UplinkSender *sender;
        Queue *outbox; /* nothing is ever in it */
        WsAuth *auth;
        WsServer *ws;
        SelfCheck check;

        MqttOptions mqtt; /* as configured, under our name */
        char client_id[SESSION_NAME_SIZE];
        char mqtt_state[PATH_MAX];
        _Atomic int result; /* of the journal, as MQTT's threads met it */
        LogPace said;
};

/* ---- what MQTT brings ---- */

/* There is no place for it, but it is counted. */
static int edge_leave(UplinkEdge *edge, const Inbound *inbound) {
        unsigned long long n_more;

        if (log_may(&edge->said, &n_more))
                log_warning("message_too_large_for_journal bytes=%zu more=%llu",
                            inbound->topic.n + inbound->payload.n,
                            n_more);
        metric_add(METRIC_RECEIVED_MQTT, 1);
        metric_add_dead_letter(REASON_TOO_LARGE, 1);
        return 0;
}

static int edge_take(void *arg, const Inbound *inbound) {
        UplinkEdge *edge = arg;
        uint64_t seq;
        int r = journal_append(edge->journal, inbound, &seq);

        if (r == 0 || r == JOURNAL_E_UNSYNCED)
                metric_add(METRIC_IN_JOURNAL, 1);
        switch (r) {
        case 0:
        case JOURNAL_E_DUPLICATE:
                return 0;
        case JOURNAL_E_UNSYNCED:
        case JOURNAL_E_FULL:
                return INBOUND_E_FULL;
        case JOURNAL_E_TOO_LARGE:
                return edge_leave(edge, inbound);
        default:
                atomic_store(&edge->result, r);
                return err_up(r);
        }
}

static void edge_session_resumed(void *arg, uint16_t broker, unsigned n_in_flight) {
        UplinkEdge *edge = arg;

        journal_resume_session(edge->journal, broker, n_in_flight);
}

static void edge_session_lost(void *arg, uint16_t broker) {
        UplinkEdge *edge = arg;

        journal_forget_session(edge->journal, broker);
}

static bool edge_is_high(void *arg) {
        UplinkEdge *edge = arg;

        return journal_is_high(edge->journal);
}

/* ---- the start ---- */

static int edge_open_journal(UplinkEdge *edge) {
        const char *dir = edge->config->journal.dir;
        int r = journal_open(&edge->journal, &edge->config->journal);

        if (r == 0)
                return 0;
        if (r == JOURNAL_E_LOCKED)
                log_error("journal_locked dir=\"%s\" hint=\"another process uses this journal\"",
                          dir);
        else if (r == JOURNAL_E_INVALID)
                log_error("journal_unusable dir=\"%s\"", dir);
        else
                log_error("journal_failed dir=\"%s\" error=\"%s\"", dir, err_text(r));
        return r > 0 ? UPLINK_EDGE_E_START : err_up(r);
}

/* All that a route takes here; what they make of it is the central gateway's. */
static int edge_set_filters(UplinkEdge *edge) {
        const Routes *routes = edge->config->routes;
        size_t n = routes_length(routes);
        const char **filters = calloc(n + 1, sizeof(*filters));
        int r;

        if (!filters)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < n; ++i)
                filters[i] = topic_template_pattern(routes_get(routes, i)->topic);
        r = mqtt_source_set_filters(edge->source, filters, n);
        free(filters);
        return r == 0 ? 0 : err_up(r);
}

static int edge_make_source(UplinkEdge *edge) {
        const Config *config = edge->config;
        const MqttSink sink = { .arg = edge,
                                .inbound = edge_take,
                                .session_resumed = edge_session_resumed,
                                .session_lost = edge_session_lost,
                                .is_high = edge_is_high };
        int r;

        if (!config->mqtt_enabled) {
                log_error(
                        "mqtt_off hint=\"uplink.url without mqtt.url: there is nothing to bring\"");
                return UPLINK_EDGE_E_START;
        }
        if (snprintf(edge->mqtt_state,
                     sizeof(edge->mqtt_state),
                     "%s/subscriptions",
                     config->journal.dir) >= (int)sizeof(edge->mqtt_state))
                return UPLINK_EDGE_E_START;
        edge->mqtt = config->mqtt;
        edge->mqtt.state_file = edge->mqtt_state;
        if (!edge->mqtt.client_id) {
                session_name(config->journal.dir, journal_epoch(edge->journal), edge->client_id);
                edge->mqtt.client_id = edge->client_id;
        }
        r = mqtt_source_new(&edge->source, &edge->mqtt, &sink);
        if (r > 0) {
                log_error("mqtt_unusable hint=\"see the keys of [mqtt]\"");
                return UPLINK_EDGE_E_START;
        }
        return r == 0 ? err_up(edge_set_filters(edge)) : err_up(r);
}

/* What comes down goes to the broker by a session of its own. */
static int edge_make_orders(UplinkEdge *edge) {
        CommandPublisherOptions options = edge->config->commands;
        int r;

        options.mqtt = &edge->mqtt;
        r = uplink_orders_new(&edge->orders, &options);
        if (r <= 0)
                return r == 0 ? 0 : err_up(r);
        log_error("commands_unusable hint=\"see the keys of [commands] and [mqtt]\"");
        return UPLINK_EDGE_E_START;
}

static int edge_make_sender(UplinkEdge *edge) {
        const Config *config = edge->config;

        return err_up(uplink_sender_new(&edge->sender,
                                        &(UplinkSenderOptions){
                                                .url = config->uplink_url,
                                                .token_file = config->uplink_token_file,
                                                .ca_file = config->uplink_ca_file,
                                                .verify = config->uplink_verify,
                                                .drops = config->uplink_drops,
                                                .orders = edge->orders,
                                                .backoff_min_ms = config->uplink_backoff_min_ms,
                                                .backoff_max_ms = config->uplink_backoff_max_ms,
                                                .timeout_ms = EDGE_TIMEOUT_MS },
                                        edge->journal));
}

static void edge_free_event(void *event) {
        event_unref(event);
}

static int edge_start_ws(UplinkEdge *edge) {
        WsOptions *options = &edge->config->ws;
        int r;

        options->epoch = journal_epoch(edge->journal);
        options->version = TIDEGATE_VERSION;
        options->is_edge = true;
        options->no_live = true;
        r = queue_new(&edge->outbox, (size_t)edge->config->outbox_capacity, edge_free_event);
        if (r == 0)
                r = ws_auth_new(&edge->auth, &edge->config->auth);
        if (r > 0) {
                log_error("auth_unusable hint=\"see tidegate check-config\"");
                return UPLINK_EDGE_E_START;
        }
        if (r == 0)
                r = ws_server_new(&edge->ws, options, edge->auth, edge->outbox);
        if (r == 0)
                r = ws_server_start(edge->ws);
        if (r <= 0)
                return r == 0 ? 0 : err_up(r);
        log_error("cannot_listen address=\"%s\" hint=\"in use by another process, not an address "
                  "of this machine, or a certificate that cannot be used\"",
                  options->listen);
        return UPLINK_EDGE_E_START;
}

int uplink_edge_new(UplinkEdge **ret_edge, Config *config) {
        CLEANUP(uplink_edge_free) UplinkEdge *edge = calloc(1, sizeof(*edge));
        int r;

        if (!edge)
                return err_new(-ENOMEM);
        edge->config = config;
        edge->signals = -1;
        log_set_level(config->log_level);
        (void)umask(0077);
        bus_error_guard();
        r = signals_open(&edge->signals);
        if (r == 0)
                r = edge_open_journal(edge);
        if (r == 0)
                r = edge_make_source(edge);
        if (r == 0)
                r = edge_make_orders(edge);
        if (r == 0)
                r = edge_make_sender(edge);
        if (r == 0)
                r = edge_start_ws(edge);
        if (r == 0)
                r = uplink_orders_start(edge->orders);
        if (r == 0)
                r = uplink_sender_start(edge->sender);
        if (r == 0)
                r = mqtt_source_start(edge->source);
        if (r != 0)
                return r; /* UPLINK_EDGE_E_START is for the caller as well */
        log_info("started version=%s as=edge listen=%s port=%d epoch=%s",
                 TIDEGATE_VERSION,
                 config->ws.listen,
                 ws_server_port(edge->ws),
                 journal_epoch(edge->journal));
        *ret_edge = TAKE(&edge);
        return 0;
}

UplinkEdge *uplink_edge_free(UplinkEdge *edge) {
        if (!edge)
                return NULL;
        mqtt_source_free(edge->source);
        uplink_sender_free(edge->sender);
        uplink_orders_free(edge->orders);
        ws_server_free(edge->ws);
        ws_auth_free(edge->auth);
        queue_free(edge->outbox);
        journal_close(edge->journal);
        if (edge->signals >= 0)
                (void)close(edge->signals);
        free(edge);
        return NULL;
}

/* ---- the main loop ---- */

static int edge_result(const UplinkEdge *edge) {
        int r = atomic_load(&edge->result);

        if (r == 0 && journal_has_failed(edge->journal))
                r = -EIO; /* only a new start reads what is there */
        if (r == 0)
                r = uplink_sender_result(edge->sender);
        return r != 0 ? r : ws_server_result(edge->ws);
}

static void edge_tick(UplinkEdge *edge) {
        self_check_tick(&edge->check, edge->outbox, edge->config->watchdog_timeout_ms);
        process_give_back();
        if (edge_result(edge) == 0 && self_check_is_well(&edge->check))
                notify_watchdog();
}

static int edge_loop(UplinkEdge *edge) {
        struct pollfd fd = { .fd = edge->signals, .events = POLLIN };
        int64_t next_us = clock_mono_us();
        bool stop = false;
        int r = 0;

        while (r == 0 && !stop) {
                int64_t now_us = clock_mono_us();

                if (now_us >= next_us) {
                        edge_tick(edge);
                        next_us = now_us + EDGE_TICK_MS * INT64_C(1000);
                }
                (void)poll(&fd, 1, EDGE_TICK_MS);
                for (int signo = signals_next(edge->signals); signo != 0;
                     signo = signals_next(edge->signals))
                        stop = stop || signo != SIGHUP;
                r = edge_result(edge);
        }
        return r;
}

int uplink_edge_run(UplinkEdge *edge) {
        int grace_ms = edge->config->shutdown_grace_ms;
        int r;

        watch_foreign("MQTTAsync_"); /* Paho's */
        notify_ready();
        r = edge_loop(edge);
        if (r < 0)
                log_error("fault error=\"%s\"", err_text(r));
        log_info("stopping grace_ms=%d", grace_ms);
        notify_stopping();
        signals_arm_second();
        mqtt_source_stop(edge->source);
        uplink_sender_stop(edge->sender, grace_ms / 2);
        ws_server_drain(edge->ws, EDGE_DRAIN_MS);
        log_info("stopped in_journal=%lld", (long long)metric_get(METRIC_IN_JOURNAL));
        return r == 0 ? 0 : err_up(r);
}
