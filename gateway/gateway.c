#include "gateway/gateway.h"

#include <limits.h>
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
#include "gateway/lease.h"
#include "gateway/notify.h"
#include "gateway/read/readers.h"
#include "gateway/self_check.h"
#include "gateway/signals.h"
#include "gateway/sparkplug/order.h"
#include "gateway/store/processor.h"
#include "gateway/trier.h"
#include "model/event.h"
#include "model/metrics.h"
#include "model/query.h"
#include "ws/server.h"

#define GATEWAY_TICK_US      1000000 /* self-check; the watchdog asks for no more */
#define GATEWAY_DRAIN_MIN_MS 200     /* for the sockets, when the journal took all the grace */
#define GATEWAY_RESTART_KEYS 64

struct Gateway {
        Config *config;             /* borrowed: as we started */
        Config *reloaded;           /* owned; NULL until SIGHUP brought another */
        const ConfigSource *source; /* borrowed */
        int signals;                /* signalfd */

        Journal *journal;
        char routes_file[PATH_MAX]; /* beside it */
        Inlet *inlet;
        WsAuth *auth;
        Queue *outbox;
        Queue *orders; /* of SparkplugOrder */
        Readers *readers;
        Trier *trier;
        WsServer *ws;
        Processor *processor;
        Doors *doors;
        Lease *lease;

        SelfCheck check;
};

static void gateway_free_event(void *event) {
        event_unref(event);
}

static const Config *gateway_config(const Gateway *gateway) {
        return gateway->reloaded ? gateway->reloaded : gateway->config;
}

static int gateway_open_journal(Gateway *gateway) {
        const JournalOptions *options = &gateway->config->journal;
        int r;

        snprintf(gateway->routes_file, sizeof(gateway->routes_file), "%s/routes", options->dir);
        r = journal_open(&gateway->journal, options);
        switch (r) {
        case 0:
                break;
        case JOURNAL_E_LOCKED:
                log_error("journal_locked dir=\"%s\" hint=\"another process uses this journal\"",
                          options->dir);
                return GATEWAY_E_START;
        case JOURNAL_E_INVALID:
                log_error("journal_unusable dir=\"%s\"", options->dir);
                return GATEWAY_E_START;
        default:
                log_error("journal_failed dir=\"%s\" error=\"%s\"", options->dir, err_text(r));
                return err_up(r);
        }

        r = inlet_new(&gateway->inlet,
                      gateway->journal,
                      options->segment_bytes,
                      (size_t)(options->max_bytes / 100 *
                               (uint64_t)gateway->config->journal_device_share));
        return r == 0 ? 0 : err_up(r);
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
                r = trier_new(&gateway->trier, config->database_url, gateway->outbox);
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

        options->epoch = journal_epoch(gateway->journal);
        options->version = TIDEGATE_VERSION;
        options->no_broker = !gateway->config->mqtt_enabled;
        options->ask = gateway_ask;
        options->ask_arg = gateway;
        options->inbound = inlet_take;
        options->inbound_arg = gateway->inlet;
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

static int gateway_start_database(Gateway *gateway) {
        const Config *config = gateway->config;
        const ProcessorOptions options = {
                .database_url = config->database_url,
                .holder = { .slot = config->cluster_slot,
                            .instance = lease_instance(gateway->lease) },
                .max_batch = (size_t)config->database_max_batch,
                .max_delay_ms = config->database_max_delay_ms,
                .stall_ms = config->database_stall_ms,
                .timeout_ms = config->database_timeout_ms,
                .heartbeat_ms = config->database_heartbeat_ms,
                .outbox_wait_ms = config->outbox_wait_ms,
                .check_ms = config->journal_check_ms,
                .new_per_minute = config->registry_new_per_minute,
                .max_devices = config->registry_max_devices,
                .user_share = config->registry_user_share,
                .max_sensors = config->registry_max_sensors,
                .max_people = config->registry_max_people,
                .max_notes = config->row_notes,
                .nodes = { .max_things = config->sparkplug_max_things,
                           .max_metrics = config->sparkplug_max_metrics,
                           .inbound = inlet_take,
                           .arg = gateway->inlet,
                           .orders = gateway->orders },
                .merged = { .max_devices = config->merge_max_devices,
                            .max_bytes = config->merge_max_bytes },
                .routes_file = gateway->routes_file,
                .migrate = config->database_migrate,
        };
        int r = processor_new(&gateway->processor,
                              &options,
                              gateway->journal,
                              doors_routes(gateway->doors),
                              gateway->outbox);
        return r == 0 ? 0 : err_up(r);
}

static int gateway_make_doors(Gateway *gateway) {
        int r = doors_new(&gateway->doors,
                          &(DoorsOptions){ .config = gateway->config,
                                           .epoch = journal_epoch(gateway->journal),
                                           .inlet = gateway->inlet,
                                           .outbox = gateway->outbox,
                                           .orders = gateway->orders });

        return r == 0 ? 0 : err_up(r);
}

/* A key without a value is one that is not there. */
static const char *gateway_given(const char *text) {
        return text && *text ? text : NULL;
}

static int gateway_start_lease(Gateway *gateway) {
        const Config *config = gateway->config;
        int r;

        r = lease_new(&gateway->lease,
                      &(LeaseOptions){ .database_url = config->database_url,
                                       .journal_dir = config->journal.dir,
                                       .epoch = journal_epoch(gateway->journal),
                                       .journal = gateway->journal,
                                       .cluster = config->cluster_name,
                                       .node = gateway_given(config->cluster_node),
                                       .advertise = config->cluster_advertise,
                                       .client_id = doors_client_id(gateway->doors),
                                       .is_client_fixed = config->mqtt.client_id != NULL,
                                       .is_experienced = journal_noted_seq(gateway->journal) > 0,
                                       .slot = config->cluster_slot,
                                       .lease_ms = config->cluster_lease_ms });
        return r == 0 ? 0 : err_up(r);
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

        (void)umask(0077); /* of whatever is made in journal.dir, too */
        bus_error_guard();
        r = signals_open(&gateway->signals);
        if (r == 0)
                r = gateway_open_journal(gateway);
        if (r == 0)
                r = gateway_make_outbox(gateway);
        if (r == 0)
                r = gateway_start_readers(gateway);
        if (r == 0)
                r = gateway_start_ws(gateway);
        if (r == 0)
                r = gateway_make_doors(gateway);
        if (r == 0)
                r = gateway_start_lease(gateway);
        if (r == 0)
                r = gateway_start_database(gateway);
        if (r != 0)
                return r; /* GATEWAY_E_START is for the caller as well */

        log_info("started version=%s listen=%s port=%d epoch=%s",
                 TIDEGATE_VERSION,
                 config->ws.listen,
                 ws_server_port(gateway->ws),
                 journal_epoch(gateway->journal));
        *ret_gateway = TAKE(&gateway);
        return 0;
}

Gateway *gateway_free(Gateway *gateway) {
        if (!gateway)
                return NULL;

        doors_free(gateway->doors);
        processor_free(gateway->processor);
        lease_free(gateway->lease);
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
        inlet_free(gateway->inlet);
        journal_close(gateway->journal);
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

/* They are known before their messages come. */
static int gateway_set_routes(Gateway *gateway) {
        processor_set_routes(gateway->processor, doors_routes(gateway->doors));
        return err_up(doors_follow(gateway->doors));
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
        int r = processor_result(gateway->processor);

        if (r == 0)
                r = ws_server_result(gateway->ws);
        if (r == 0 && journal_has_failed(gateway->journal))
                r = -EIO; /* only a new start reads what is there */
        if (r == 0 && lease_state(gateway->lease) == LEASE_LOST)
                r = -EBUSY; /* only a new start waits for its turn */
        return r != 0 ? r : inlet_result(gateway->inlet);
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

/* It takes in while the slot is ours, or while there is nobody to ask; it stores what the database
 * lets it. */
static int gateway_follow_lease(Gateway *gateway) {
        static const ProcessorStanding standings[] = {
                [LEASE_UNKNOWN] = PROCESSOR_WAITS, [LEASE_NEW] = PROCESSOR_STORES,
                [LEASE_AWAY] = PROCESSOR_LOOKS,    [LEASE_HELD] = PROCESSOR_STORES,
                [LEASE_WAITING] = PROCESSOR_WAITS, [LEASE_DOUBTED] = PROCESSOR_WAITS,
                [LEASE_LOST] = PROCESSOR_WAITS,
        };
        LeaseState state;
        int r = 0;

        lease_hear(gateway->lease);
        state = lease_state(gateway->lease);
        processor_set_standing(gateway->processor, standings[state]);
        if (state == LEASE_AWAY || state == LEASE_HELD)
                r = doors_open(gateway->doors, gateway->lease);
        else
                doors_shut(gateway->doors);
        if (r > 0)
                return err_new(-EINVAL); /* as configured */
        return r == 0 ? 0 : err_up(r);
}

/* What devices have announced. */
static int gateway_follow_doors(Gateway *gateway) {
        bool is_changed;
        int r = doors_turn(gateway->doors, &is_changed);

        if (r == 0 && is_changed)
                r = gateway_set_routes(gateway);
        return r == 0 ? 0 : err_up(r);
}

/* Until the tick, or until there is something to do before. */
static int gateway_wait_ms(const Gateway *gateway, int64_t left_us) {
        int64_t wait_us = doors_wait_us(gateway->doors);

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
        struct pollfd fds[] = { { .fd = gateway->signals, .events = POLLIN },
                                { .fd = lease_fd(gateway->lease), .events = POLLIN },
                                { .fd = doors_fd(gateway->doors), .events = POLLIN } };
        int64_t tick_us = gateway_tick_us();
        int64_t next_us = clock_mono_us();
        bool stop = false;
        int r = 0;

        while (r == 0 && !stop) {
                int64_t now_us = clock_mono_us();

                if (now_us >= next_us) {
                        gateway_tick(gateway);
                        next_us = now_us + tick_us;
                }
                (void)poll(fds, N_ELEMENTS(fds), gateway_wait_ms(gateway, next_us - now_us));
                r = gateway_take_signals(gateway, &stop);
                if (r == 0 && !stop)
                        r = gateway_follow_lease(gateway);
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
 * sockets: all within the grace. */
static void gateway_stop(Gateway *gateway) {
        int grace_ms = gateway_config(gateway)->shutdown_grace_ms;
        int64_t deadline_us = clock_mono_us() + grace_ms * INT64_C(1000);

        log_info("stopping grace_ms=%d", grace_ms);
        notify_stopping();
        lease_drain(gateway->lease);
        signals_arm_second();
        doors_stop(gateway->doors, gateway_left_ms(deadline_us) / 2);
        processor_stop(gateway->processor, gateway_left_ms(deadline_us));
        (void)queue_wait_closed(gateway->outbox, gateway_left_ms(deadline_us));
        lease_stop(gateway->lease,
                   metric_get(METRIC_IN_JOURNAL) == 0,
                   gateway_left_ms(deadline_us));
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
