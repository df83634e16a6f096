#include "gateway/doors.h"

#include "base/err.h"
#include "base/log.h"
#include "gateway/commands/dispatcher.h"
#include "gateway/discovery.h"
#include "gateway/explorer.h"
#include "gateway/maintenance.h"

struct Doors {
        DoorsOptions options;
        MqttOptions mqtt; /* as configured, beside the session that stores */
        Explorer *explorer;
        Discovery *discovery; /* has the routes of the newest reload, which may come before we open,
                               * and what was discovered */
        const char *explore;  /* borrowed: mqtt.explore of it */
        Routes *own;          /* and the routes that it has itself */
        Dispatcher *dispatcher;
        Maintenance *maintenance;
        bool is_open;
};

int doors_new(Doors **ret_doors, const DoorsOptions *options) {
        CLEANUP(doors_free) Doors *doors = NULL;
        int r;

        doors = calloc(1, sizeof(*doors));
        if (!doors)
                return err_new(-ENOMEM);
        doors->options = *options;
        doors->mqtt = options->config->mqtt;
        r = discovery_new(&doors->discovery,
                          options->config->journal.dir,
                          options->config->announced_bytes);
        if (r == 0)
                r = explorer_new(&doors->explorer,
                                 options->config->journal.dir,
                                 (size_t)options->config->explore_shapes);
        if (r == 0)
                r = doors_reload(doors, options->config);
        if (r < 0)
                return err_up(r);
        *ret_doors = TAKE(&doors);
        return 0;
}

static int doors_open_listeners(Doors *doors, const char *client_id) {
        int r;

        if (!doors->options.config->mqtt_enabled)
                return 0;
        doors->mqtt.client_id = client_id;
        r = explorer_open(doors->explorer, &doors->mqtt, client_id);
        if (r == 0)
                r = discovery_open(doors->discovery, &doors->mqtt, client_id);
        return r == 0 ? 0 : err_up(r);
}

static int doors_open_dispatcher(Doors *doors) {
        const Config *config = doors->options.config;
        DispatcherOptions options = {
                .publisher = config->commands,
                .heartbeat_ms = config->database_heartbeat_ms,
                .database_url = config->database_url,
                .epoch = doors->options.epoch,
                .orders = doors->options.orders,
        };
        int r;

        options.publisher.mqtt = config->mqtt_enabled ? &doors->mqtt : NULL;
        r = dispatcher_new(&doors->dispatcher,
                           &options,
                           doors->options.inbound,
                           doors->options.inbound_arg,
                           doors->options.outbox);
        if (r > 0) {
                log_error("commands_unusable hint=\"see the keys of [commands] and [mqtt]\"");
                return DOORS_E_UNUSABLE;
        }
        return r == 0 ? 0 : err_up(r);
}

static int doors_open_maintenance(Doors *doors) {
        const Config *config = doors->options.config;
        DbRetention retention[CONFIG_N_RETENTION + 2] = { { .table = "row_notes" },
                                                          { .table = "alert_acks" } };
        int r;

        for (size_t i = 0; i < config->n_retention; ++i) {
                retention[i + 2] = (DbRetention){
                        .table = config->retention[i].table,
                        .days = config->retention[i].days,
                };
                if (strcmp(config->retention[i].table, "dead_letters") == 0)
                        retention[0].days = config->retention[i].days;
                if (strcmp(config->retention[i].table, "alerts") == 0)
                        retention[1].days = config->retention[i].days;
        }
        r = maintenance_new(&doors->maintenance,
                            &(MaintenanceOptions){ .database_url = config->database_url,
                                                   .days_ahead = config->partitions_ahead_days,
                                                   .hold_ms = config->retention_hold_ms,
                                                   .survey_ms = config->survey_ms,
                                                   .many_letters = config->dead_letters_warn,
                                                   .retention = retention,
                                                   .n_retention = config->n_retention + 2 });
        return r == 0 ? 0 : err_up(r);
}

int doors_open(Doors *doors, const char *client_id) {
        int r;

        if (doors->is_open)
                return 0;
        doors->is_open = true;
        r = doors_open_maintenance(doors);
        if (r == 0)
                r = doors_open_listeners(doors, client_id);
        if (r == 0)
                r = doors_open_dispatcher(doors);
        return r < 0 ? err_up(r) : r;
}

int doors_reload(Doors *doors, const Config *config) {
        int r;

        doors->explore = config->mqtt_explore;
        routes_unref(doors->own);
        doors->own = routes_ref(config->routes);
        r = discovery_set(doors->discovery, config->discover, config->n_discover, config->routes);
        if (r == 0)
                r = explorer_set(doors->explorer, doors->explore, doors_routes(doors));
        return r == 0 ? 0 : err_up(r);
}

Discovery *doors_discovery(Doors *doors) {
        return doors->discovery;
}

Routes *doors_own_routes(Doors *doors) {
        return doors->own;
}

Routes *doors_routes(Doors *doors) {
        return discovery_routes(doors->discovery);
}

int doors_turn(Doors *doors, bool *ret_is_changed) {
        int r = discovery_turn(doors->discovery, ret_is_changed);

        if (r == 0 && *ret_is_changed)
                r = explorer_set(doors->explorer, doors->explore, doors_routes(doors));
        return r == 0 ? 0 : err_up(r);
}

int doors_fd(const Doors *doors) {
        return discovery_fd(doors->discovery);
}

int64_t doors_wait_us(const Doors *doors) {
        return discovery_wait_us(doors->discovery);
}

void doors_tick(Doors *doors) {
        explorer_tick(doors->explorer);
}

int doors_result(const Doors *doors) {
        return doors->dispatcher ? dispatcher_result(doors->dispatcher) : 0;
}

void doors_stop(Doors *doors, int dispatcher_ms) {
        explorer_stop(doors->explorer);
        discovery_stop(doors->discovery);
        if (doors->dispatcher)
                dispatcher_stop(doors->dispatcher, dispatcher_ms);
        doors->dispatcher = dispatcher_free(doors->dispatcher);
}

Doors *doors_free(Doors *doors) {
        if (!doors)
                return NULL;
        dispatcher_free(doors->dispatcher);
        maintenance_free(doors->maintenance);
        explorer_free(doors->explorer);
        discovery_free(doors->discovery);
        routes_unref(doors->own);
        free(doors);
        return NULL;
}
