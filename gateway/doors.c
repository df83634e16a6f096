#include "gateway/doors.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/commands/dispatcher.h"
#include "gateway/discovery.h"
#include "gateway/explorer.h"
#include "gateway/inlet.h"
#include "gateway/lease.h"
#include "gateway/maintenance.h"
#include "gateway/session_name.h"

#define DOORS_HOLD_US INT64_C(10000000)

struct Doors {
        DoorsOptions options;
        char client_id[SESSION_NAME_SIZE];
        char mqtt_state[PATH_MAX]; /* in the folder of the journal */
        MqttSource *mqtt;          /* NULL: not open yet, or mqtt.url is not set */
        Explorer *explorer;
        Discovery *discovery; /* has the routes of the newest reload, which may come before we open,
                               * and what was discovered */
        const char *explore;  /* borrowed: mqtt.explore of it */
        Routes *own;          /* and the routes that it has itself */
        Dispatcher *dispatcher;
        Maintenance *maintenance;
        bool is_open;
        int64_t held_until_us; /* monotonic: the source is not started yet; 0: it is */
};

int doors_new(Doors **ret_doors, const DoorsOptions *options) {
        CLEANUP(doors_free) Doors *doors = NULL;
        int r;

        doors = calloc(1, sizeof(*doors));
        if (!doors)
                return err_new(-ENOMEM);
        doors->options = *options;
        if (options->config->mqtt.client_id)
                snprintf(doors->client_id,
                         sizeof(doors->client_id),
                         "%s",
                         options->config->mqtt.client_id);
        else
                session_name(options->config->journal.dir, options->epoch, doors->client_id);
        r = discovery_new(&doors->discovery, options->config->journal.dir);
        if (r == 0)
                r = explorer_new(&doors->explorer, options->config->journal.dir);
        if (r == 0)
                r = doors_reload(doors, options->config);
        if (r < 0)
                return err_up(r);
        *ret_doors = TAKE(&doors);
        return 0;
}

const char *doors_client_id(const Doors *doors) {
        return doors->client_id;
}

/* Of those that are configured each, of what was discovered patterns. */
static int doors_set_filters(Doors *doors) {
        const Routes *own = doors->own;
        const Patterns *patterns = discovery_patterns(doors->discovery);
        size_t n = 0;
        const char **filters;
        int r;

        filters = calloc(routes_length(own) + patterns->n + 1, sizeof(*filters));
        if (!filters)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < routes_length(own); ++i)
                filters[n++] = topic_template_pattern(routes_get(own, i)->topic);
        for (size_t i = 0; i < patterns->n; ++i)
                filters[n++] = patterns->items[i];
        r = mqtt_source_set_filters(doors->mqtt, filters, n);
        free(filters);
        return r == 0 ? 0 : err_up(r);
}

/* The broker may have queued messages of topics that another process, or another node, had
 * discovered: without the announcements none of them has a route. */
static bool doors_must_hold(const Doors *doors, bool is_of_others) {
        return !discovery_is_known(doors->discovery) &&
               (is_of_others || access(doors->mqtt_state, F_OK) == 0);
}

static int doors_start_mqtt(Doors *doors) {
        int r = doors_set_filters(doors);

        doors->held_until_us = 0;
        return r == 0 ? err_up(mqtt_source_start(doors->mqtt)) : err_up(r);
}

/* What was heard is known to the processor since the turn before. */
static int doors_end_hold(Doors *doors) {
        bool is_known = discovery_is_known(doors->discovery);

        if (doors->held_until_us == 0 || (!is_known && clock_mono_us() < doors->held_until_us))
                return 0;
        if (!is_known)
                log_warning("mqtt_held_in_vain hint=\"what devices announce was not heard\"");
        return err_up(doors_start_mqtt(doors));
}

static bool doors_is_ours(const void *lease) {
        return lease_is_confirmed(lease);
}

static int doors_open_mqtt(Doors *doors, const Lease *lease) {
        const char *client_id = lease_client_id(lease);
        Config *config = doors->options.config;
        MqttOptions *options = &config->mqtt;
        bool is_of_others = options->client_id || strcmp(client_id, doors->client_id) != 0;
        const MqttSink sink = {
                .arg = doors->options.inlet,
                .inbound = inlet_take,
                .session_resumed = inlet_session_resumed,
                .session_lost = inlet_session_lost,
                .is_high = inlet_is_high,
                .owner = lease,
                .is_ours = doors_is_ours,
                .is_wanted = discovery_wants,
                .wanted = doors->discovery,
        };
        int r;

        if (!config->mqtt_enabled) {
                log_warning("mqtt_off hint=\"mqtt.url is not set\"");
                return 0;
        }
        if (!options->client_id) {
                if (strcmp(client_id, doors->client_id) != 0)
                        session_name_change(config->journal.dir, client_id);
                snprintf(doors->client_id, sizeof(doors->client_id), "%s", client_id);
                options->client_id = doors->client_id;
        }
        snprintf(doors->mqtt_state,
                 sizeof(doors->mqtt_state),
                 "%s/subscriptions",
                 config->journal.dir);
        options->state_file = doors->mqtt_state;
        r = mqtt_source_new(&doors->mqtt, options, &sink);
        if (r > 0) {
                log_error("mqtt_unusable hint=\"see the keys of [mqtt]\"");
                return DOORS_E_UNUSABLE;
        }
        if (r == 0 && doors_must_hold(doors, is_of_others)) {
                doors->held_until_us = clock_mono_us() + DOORS_HOLD_US;
                log_info("mqtt_held hint=\"until what devices announce was heard\"");
        } else if (r == 0) {
                r = doors_start_mqtt(doors);
        }
        if (r == 0)
                r = explorer_open(doors->explorer, options, options->client_id);
        if (r == 0)
                r = discovery_open(doors->discovery, options, options->client_id);
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

        options.publisher.mqtt = config->mqtt_enabled ? &config->mqtt : NULL;
        r = dispatcher_new(&doors->dispatcher,
                           &options,
                           inlet_take,
                           doors->options.inlet,
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

int doors_open(Doors *doors, const Lease *lease) {
        int r;

        inlet_open(doors->options.inlet, lease);
        if (doors->is_open)
                return 0;
        doors->is_open = true;
        r = doors_open_maintenance(doors);
        if (r == 0)
                r = doors_open_mqtt(doors, lease);
        if (r == 0)
                r = doors_open_dispatcher(doors);
        return r < 0 ? err_up(r) : r;
}

void doors_shut(Doors *doors) {
        inlet_shut(doors->options.inlet);
}

int doors_reload(Doors *doors, const Config *config) {
        int r;

        doors->explore = config->mqtt_explore;
        routes_unref(doors->own);
        doors->own = routes_ref(config->routes);
        inlet_set_routes(doors->options.inlet, config->routes); /* what is discovered has no each */
        r = discovery_set(doors->discovery, config->discover, config->n_discover, config->routes);
        if (r == 0)
                r = explorer_set(doors->explorer, doors->explore, doors_routes(doors));
        return r == 0 ? 0 : err_up(r);
}

Routes *doors_routes(Doors *doors) {
        return discovery_routes(doors->discovery);
}

int doors_follow(Doors *doors) {
        return doors->mqtt ? err_up(doors_set_filters(doors)) : 0;
}

int doors_turn(Doors *doors, bool *ret_is_changed) {
        int r = doors_end_hold(doors);

        *ret_is_changed = false;
        if (r == 0)
                r = discovery_turn(doors->discovery, ret_is_changed);
        if (r == 0 && *ret_is_changed)
                r = explorer_set(doors->explorer, doors->explore, doors_routes(doors));
        return r == 0 ? 0 : err_up(r);
}

int doors_fd(const Doors *doors) {
        return discovery_fd(doors->discovery);
}

int64_t doors_wait_us(const Doors *doors) {
        int64_t wait_us = discovery_wait_us(doors->discovery), left_us;

        if (doors->held_until_us == 0)
                return wait_us;
        left_us = discovery_is_known(doors->discovery) ? 0 : doors->held_until_us - clock_mono_us();
        if (left_us < 0)
                left_us = 0;
        return left_us < wait_us ? left_us : wait_us;
}

void doors_tick(Doors *doors) {
        explorer_tick(doors->explorer);
}

void doors_stop(Doors *doors, int dispatcher_ms) {
        explorer_stop(doors->explorer);
        discovery_stop(doors->discovery);
        if (doors->mqtt)
                mqtt_source_stop(doors->mqtt);
        if (doors->dispatcher)
                dispatcher_stop(doors->dispatcher, dispatcher_ms);
        doors->dispatcher = dispatcher_free(doors->dispatcher);
}

Doors *doors_free(Doors *doors) {
        if (!doors)
                return NULL;
        dispatcher_free(doors->dispatcher);
        mqtt_source_free(doors->mqtt);
        maintenance_free(doors->maintenance);
        explorer_free(doors->explorer);
        discovery_free(doors->discovery);
        routes_unref(doors->own);
        free(doors);
        return NULL;
}
