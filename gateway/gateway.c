#include "gateway/gateway.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/process.h"
#include "base/queue.h"
#include "base/watch.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/json_check.h"
#include "gateway/doors.h"
#include "gateway/inlet.h"
#include "gateway/journal/bus_error.h"
#include "gateway/journal/crc32c.h"
#include "gateway/live/live.h"
#include "gateway/notify.h"
#include "gateway/read/readers.h"
#include "gateway/self_check.h"
#include "gateway/signals.h"
#include "gateway/slot_lines.h"
#include "gateway/sparkplug/order.h"
#include "gateway/trier.h"
#include "model/event.h"
#include "model/metrics.h"
#include "model/query.h"
#include "model/slot.h"
#include "mqtt/source.h"
#include "ws/server.h"

#define GATEWAY_TICK_US      1000000 /* self-check; the watchdog asks for no more */
#define GATEWAY_DRAIN_MIN_MS 200     /* for the sockets, when the journal took all the grace */
#define GATEWAY_RESTART_KEYS 64
#define GATEWAY_OWN_FDS      2

struct Gateway {
        Config *config;             /* borrowed: as we started */
        Config *reloaded;           /* owned; NULL until SIGHUP brought another */
        const ConfigSource *source; /* borrowed */
        int signals;                /* signalfd */

        Live *live; /* NULL: there is one slot */
        SlotLines *lines;
        WsAuth *auth;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder */
        Readers *readers;
        Trier *trier;
        WsServer *ws;
        Doors *doors;

        SelfCheck check;
};

static void gateway_free_event(void *event) {
        event_unref(event);
}

static const Config *gateway_config(const Gateway *gateway) {
        return gateway->reloaded ? gateway->reloaded : gateway->config;
}

static int gateway_make_outbox(Gateway *gateway) {
        int r;

        r = queue_new(&gateway->outbox,
                      (size_t)gateway->config->outbox_capacity,
                      gateway_free_event);
        if (r == 0)
                r = queue_new(&gateway->orders, SPARKPLUG_ORDERS, sparkplug_order_drop);
        return r == 0 ? 0 : err_up(r);
}

/* Of several slots: what is shown goes to other gateways, too. */
static int gateway_make_live(Gateway *gateway) {
        const Config *config = gateway->config;
        int r;

        if (config->cluster_slots == 1)
                return 0;
        r = live_new(&gateway->live,
                     &(LiveOptions){ .mqtt = config->mqtt_enabled ? &config->mqtt : NULL,
                                     .database_url = config->database_url,
                                     .cluster = config->cluster_name,
                                     .first_slot = config->cluster_slot,
                                     .n_slots = (unsigned)config->cluster_slots,
                                     .capacity = (size_t)config->outbox_capacity,
                                     .outbox = gateway->outbox });
        return err_up(r);
}

static int gateway_start_live(Gateway *gateway) {
        if (!gateway->live)
                return 0;
        return err_up(live_start(gateway->live,
                                 slot_lines_epochs(gateway->lines),
                                 slot_lines_client_id(gateway->lines)));
}

static int gateway_make_lines(Gateway *gateway) {
        int r = slot_lines_new(&gateway->lines,
                               gateway->config,
                               gateway->outbox,
                               gateway->orders,
                               &(SlotLinesShown){ .fn = live_hear, .arg = gateway->live });

        if (r > 0)
                return GATEWAY_E_START;
        return r == 0 ? 0 : err_up(r);
}

/* For who watches how near they are; that of sockets is told where it is known. */
static void gateway_tell_limits(const Config *config) {
        metric_set(METRIC_LIMIT_DEVICES, config->registry_max_devices);
        metric_set(METRIC_LIMIT_SPARKPLUG_THINGS, config->sparkplug_max_things);
        metric_set(METRIC_LIMIT_MERGED_DOCUMENTS, config->merge_max_devices);
        metric_set(METRIC_LIMIT_EXPLORED_SHAPES, config->explore_shapes);
        metric_set(METRIC_LIMIT_ANNOUNCED_BYTES, (int64_t)config->announced_bytes);
}

static int gateway_start_readers(Gateway *gateway) {
        const Config *config = gateway->config;
        int r;

        r = readers_new(&gateway->readers,
                        &(ReadersOptions){
                                .database_url = config->database_url,
                                .statement_timeout_ms = config->database_query_timeout_ms,
                                .stream_timeout_ms = config->database_stream_timeout_ms,
                                .n_connections = (size_t)config->database_query_connections,
                                .login_cache = (size_t)config->login_cache,
                                .login_cache_ttl_s = config->login_cache_ttl_s,
                                .capacity = (size_t)config->query_capacity,
                                .n_share = (size_t)config->query_share,
                        },
                        gateway->outbox);
        if (r == 0)
                r = trier_new(&gateway->trier,
                              &(TrierOptions){
                                      .database_url = config->database_url,
                                      .capacity = (size_t)config->try_waiting,
                                      .n_share = (size_t)config->try_share,
                                      .n_elements = (uint32_t)config->try_elements,
                              },
                              gateway->outbox);
        if (r == 0)
                trier_set_routes(gateway->trier, config->routes);
        return r == 0 ? 0 : err_up(r);
}

static int gateway_ask(void *arg, Query **queryp) {
        const Gateway *gateway = arg;

        return (*queryp)->kind == QUERY_TRY ? trier_ask(gateway->trier, queryp)
                                            : readers_ask(gateway->readers, queryp);
}

/* What the sockets are told of the rest of this process, whatever is configured. */
static void gateway_wire(Gateway *gateway, WsOptions *options, const Routes *routes) {
        const Route *route = routes_by_kind(routes, KIND_BLE_DETECTIONS);

        options->epoch = slot_lines_epochs(gateway->lines);
        options->version = TIDEGATE_VERSION;
        options->no_broker = !gateway->config->mqtt_enabled;
        options->ask = gateway_ask;
        options->ask_arg = gateway;
        options->inbound = slot_lines_take;
        options->inbound_arg = gateway->lines;
        options->cluster = gateway->config->cluster_name;
        options->has_peers = gateway->live != NULL;
        options->edge_line = slot_lines_edge;
        options->edge_look = slot_lines_look;
        options->sum = crc32c;
        options->check_json = json_check;
        options->clean_json = decode_clean;
        options->count_detections = decode_count_detections;
        options->detections_max_bytes = route ? route->max_bytes : ROUTE_DOOR_BYTES;
        options->counter.ahead_us = gateway->config->time_ahead_ms * INT64_C(1000);
        options->near_dbm = route ? route->near_dbm : ROUTE_NEAR_DBM;
        options->medium_dbm = route ? route->medium_dbm : ROUTE_MEDIUM_DBM;
}

static int gateway_start_ws(Gateway *gateway) {
        WsOptions *options = &gateway->config->ws;
        int r;

        gateway_wire(gateway, options, gateway->config->routes);
        r = ws_auth_new(&gateway->auth, &gateway->config->auth);
        if (r > 0) {
                log_error("auth_unusable hint=\"see tidegate check-config\"");
                return GATEWAY_E_START;
        }
        if (r == 0)
                r = ws_server_new(&gateway->ws, options, gateway->auth, gateway->outbox);
        if (r == 0)
                r = ws_server_start(gateway->ws);
        if (r <= 0)
                return r == 0 ? 0 : err_up(r);

        log_error("cannot_listen address=\"%s\" hint=\"in use by another process, not an address "
                  "of this machine, or a certificate that cannot be used\"",
                  options->listen);
        return GATEWAY_E_START;
}

static int gateway_make_doors(Gateway *gateway) {
        int r = doors_new(&gateway->doors,
                          &(DoorsOptions){ .config = gateway->config,
                                           .epoch = slot_lines_epoch(gateway->lines),
                                           .inbound = slot_lines_take,
                                           .inbound_arg = gateway->lines,
                                           .outbox = gateway->outbox,
                                           .orders = gateway->orders });

        return r == 0 ? 0 : err_up(r);
}

static int gateway_start_lines(Gateway *gateway) {
        return err_up(slot_lines_start(gateway->lines,
                                       doors_discovery(gateway->doors),
                                       doors_own_routes(gateway->doors),
                                       doors_routes(gateway->doors)));
}

int gateway_new(Gateway **ret_gateway, Config *config, const ConfigSource *source) {
        CLEANUP(gateway_free) Gateway *gateway = NULL;
        int r;

        gateway = calloc(1, sizeof(*gateway));
        if (!gateway)
                return err_new(-ENOMEM);
        gateway->config = config;
        gateway->source = source;
        gateway->signals = -1;
        log_set_level(config->log_level);
        gateway_tell_limits(config);

        (void)umask(0077); /* of whatever is made in journal.dir, too */
        bus_error_guard();
        r = signals_open(&gateway->signals);
        if (r == 0)
                r = gateway_make_outbox(gateway);
        if (r == 0)
                r = gateway_make_live(gateway);
        if (r == 0)
                r = gateway_make_lines(gateway);
        if (r == 0)
                r = gateway_start_readers(gateway);
        if (r == 0)
                r = gateway_start_ws(gateway);
        if (r == 0)
                r = gateway_make_doors(gateway);
        if (r == 0)
                r = gateway_start_live(gateway);
        if (r == 0)
                r = gateway_start_lines(gateway);
        if (r != 0)
                return r; /* GATEWAY_E_START is for the caller as well */

        log_info("started version=%s listen=%s port=%d epoch=%s",
                 TIDEGATE_VERSION,
                 config->ws.listen,
                 ws_server_port(gateway->ws),
                 slot_lines_epoch(gateway->lines));
        *ret_gateway = TAKE(&gateway);
        return 0;
}

Gateway *gateway_free(Gateway *gateway) {
        if (!gateway)
                return NULL;

        if (gateway->live)
                live_stop(gateway->live);
        if (gateway->lines)
                slot_lines_end(gateway->lines);
        live_free(gateway->live);
        doors_free(gateway->doors);
        if (gateway->readers)
                readers_stop(gateway->readers);
        if (gateway->trier)
                trier_stop(gateway->trier);
        ws_server_free(gateway->ws);
        ws_auth_free(gateway->auth);
        readers_free(gateway->readers);
        trier_free(gateway->trier);
        queue_free(gateway->outbox);
        queue_free(gateway->orders);
        slot_lines_free(gateway->lines);
        config_free(gateway->reloaded);
        if (gateway->signals >= 0)
                (void)close(gateway->signals);
        free(gateway);
        return NULL;
}

/* ---- reload ------------------------------------------------------------------------------- */

static void gateway_warn_restart(const Gateway *gateway, const Config *config) {
        const char *names[GATEWAY_RESTART_KEYS][2];
        size_t n = config_restart_keys(gateway->config, config, names, GATEWAY_RESTART_KEYS);

        for (size_t i = 0; i < n; ++i)
                log_warning("reload_needs_restart key=%s.%s", names[i][0], names[i][1]);
}

/* Key files are read again, also those whose names have not changed. */
static int gateway_apply_auth(Gateway *gateway, const Config *config) {
        CLEANUP(ws_auth_free) WsAuth *auth = NULL;
        int r;

        r = ws_auth_new(&auth, &config->auth);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                log_error(
                        "reload_refused part=auth hint=\"keys and their rules stay as they were\"");
        else
                ws_server_set_auth(gateway->ws, &auth);
        return 0;
}

static int gateway_set_routes(Gateway *gateway) {
        return err_up(slot_lines_set_routes(gateway->lines,
                                            doors_own_routes(gateway->doors),
                                            doors_routes(gateway->doors)));
}

static int gateway_apply(Gateway *gateway, Config *config) {
        int r;

        log_set_level(config->log_level);
        config->ws.listen = gateway->config->ws.listen;
        config->ws.health_listen = gateway->config->ws.health_listen;
        gateway_wire(gateway, &config->ws, config->routes);
        r = ws_server_reload(gateway->ws, &config->ws);
        if (r > 0)
                log_error("reload_refused part=ws hint=\"limits and certificates stay as they "
                          "were\"");
        if (r >= 0)
                r = gateway_apply_auth(gateway, config);
        if (r < 0)
                return err_up(r);

        trier_set_routes(gateway->trier, config->routes);
        r = doors_reload(gateway->doors, config);
        return r == 0 ? err_up(gateway_set_routes(gateway)) : err_up(r);
}

static int gateway_reload(Gateway *gateway) {
        CLEANUP(config_free) Config *config = NULL;
        int r;

        notify_reloading();
        r = config_load(&config, gateway->source);
        if (r == 0)
                r = config_check_files(config);
        if (r == CONFIG_E_INVALID) {
                log_error("reload_refused hint=\"the configuration stays as it was\"");
                notify_ready();
                return 0;
        }
        if (r == 0)
                r = gateway_apply(gateway, config);
        if (r != 0)
                return err_up(r);

        gateway_warn_restart(gateway, config);
        config_free(gateway->reloaded);
        gateway->reloaded = TAKE(&config);
        log_info("reloaded");
        notify_ready();
        return 0;
}

/* ---- the main loop ------------------------------------------------------------------------ */

static int gateway_result(const Gateway *gateway) {
        int r = slot_lines_result(gateway->lines);

        if (r == 0)
                r = doors_result(gateway->doors);
        return r != 0 ? r : ws_server_result(gateway->ws);
}

static void gateway_tick(Gateway *gateway) {
        self_check_tick(&gateway->check,
                        gateway->outbox,
                        gateway_config(gateway)->watchdog_timeout_ms);
        process_give_back();
        doors_tick(gateway->doors);
        if (gateway_result(gateway) == 0 && self_check_is_well(&gateway->check))
                notify_watchdog();
}

static int gateway_take_signals(Gateway *gateway, bool *ret_stop) {
        int r = 0;

        for (int signo = signals_next(gateway->signals); signo != 0 && r == 0;
             signo = signals_next(gateway->signals)) {
                if (signo == SIGHUP)
                        r = gateway_reload(gateway);
                else
                        *ret_stop = true;
        }
        return r == 0 ? 0 : err_up(r);
}

static int gateway_follow_lines(Gateway *gateway) {
        bool is_in;
        int r = slot_lines_follow(gateway->lines, &is_in);

        for (unsigned i = 0; gateway->live && i < slot_lines_n(gateway->lines); ++i)
                live_own(gateway->live, i, slot_lines_have(gateway->lines, i));
        if (r == 0 && is_in)
                r = doors_open(gateway->doors, slot_lines_client_id(gateway->lines));
        if (r > 0)
                return err_new(-EINVAL); /* as configured */
        return r == 0 ? 0 : err_up(r);
}

/* What devices have announced. */
static int gateway_follow_doors(Gateway *gateway) {
        bool is_changed = false;
        int r = slot_lines_turn(gateway->lines);

        if (r == 0)
                r = doors_turn(gateway->doors, &is_changed);
        if (r == 0 && is_changed)
                r = gateway_set_routes(gateway);
        if (r > 0)
                return err_new(-EINVAL); /* as configured */
        return r == 0 ? 0 : err_up(r);
}

/* Until the tick, or until there is something to do before. */
static int gateway_wait_ms(const Gateway *gateway, int64_t left_us) {
        int64_t wait_us = doors_wait_us(gateway->doors);
        int64_t lines_us = slot_lines_wait_us(gateway->lines);

        if (wait_us > lines_us)
                wait_us = lines_us;
        if (wait_us > left_us)
                wait_us = left_us;
        return wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0;
}

static int64_t gateway_tick_us(void) {
        int64_t watchdog_us = notify_watchdog_us();

        return watchdog_us > 0 && watchdog_us / 2 < GATEWAY_TICK_US ? watchdog_us / 2
                                                                    : GATEWAY_TICK_US;
}

static int gateway_loop(Gateway *gateway) {
        struct pollfd fds[GATEWAY_OWN_FDS + SLOT_MAX] = {
                { .fd = gateway->signals, .events = POLLIN },
                { .fd = doors_fd(gateway->doors), .events = POLLIN },
        };
        nfds_t n_fds = GATEWAY_OWN_FDS + slot_lines_n(gateway->lines);
        int64_t tick_us = gateway_tick_us();
        int64_t next_us = clock_mono_us();
        bool stop = false;
        int r = 0;

        slot_lines_fds(gateway->lines, &fds[GATEWAY_OWN_FDS]);
        while (r == 0 && !stop) {
                int64_t now_us = clock_mono_us();

                if (now_us >= next_us) {
                        gateway_tick(gateway);
                        next_us = now_us + tick_us;
                }
                (void)poll(fds, n_fds, gateway_wait_ms(gateway, next_us - now_us));
                r = gateway_take_signals(gateway, &stop);
                if (r == 0 && !stop)
                        r = gateway_follow_lines(gateway);
                if (r == 0 && !stop)
                        r = gateway_follow_doors(gateway);
                if (r == 0)
                        r = gateway_result(gateway);
        }
        return r;
}

/* ---- the end ------------------------------------------------------------------------------ */

static int gateway_left_ms(int64_t deadline_us) {
        int64_t left_us = deadline_us - clock_mono_us();

        return left_us > GATEWAY_DRAIN_MIN_MS * INT64_C(1000) ? (int)(left_us / 1000)
                                                              : GATEWAY_DRAIN_MIN_MS;
}

/* The source, then the journal into the database, then whoever waits for its turn, then the
 * sockets: all within the grace. Where a source has stuck the doors can have nothing of the broker
 * either, and are not waited for: what there is is stored, and the slot let go of. */
static void gateway_stop(Gateway *gateway) {
        int grace_ms = gateway_config(gateway)->shutdown_grace_ms;
        int64_t deadline_us = clock_mono_us() + grace_ms * INT64_C(1000);

        log_info("stopping grace_ms=%d", grace_ms);
        notify_stopping();
        slot_lines_drain(gateway->lines);
        signals_arm_second();
        slot_lines_stop_source(gateway->lines);
        doors_stop(gateway->doors,
                   mqtt_source_has_stuck() ? GATEWAY_DRAIN_MIN_MS
                                           : gateway_left_ms(deadline_us) / 2);
        if (gateway->live)
                live_stop(gateway->live);
        slot_lines_stop_storing(gateway->lines, gateway_left_ms(deadline_us));
        (void)queue_wait_closed(gateway->outbox, gateway_left_ms(deadline_us));
        slot_lines_release(gateway->lines, deadline_us);
        ws_server_drain(gateway->ws, gateway_left_ms(deadline_us));
        log_info("stopped in_journal=%lld", (long long)metric_get(METRIC_IN_JOURNAL));
}

int gateway_run(Gateway *gateway) {
        int r;

        watch_foreign("MQTTAsync_"); /* Paho's */
        notify_ready();
        r = gateway_loop(gateway);
        if (r < 0)
                log_error("fault error=\"%s\"", err_text(r));
        gateway_stop(gateway);
        return r == 0 ? 0 : err_up(r);
}
