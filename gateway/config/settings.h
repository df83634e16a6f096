#pragma once

/* Config: the values in force. What each means is said in the table of keys (config_table.c). */

#include <stdio.h>

#include "base/base.h"
#include "base/log.h"
#include "gateway/commands/command_publisher.h"
#include "gateway/decode/route.h"
#include "gateway/discover/rule.h"
#include "gateway/journal/journal.h"
#include "mqtt/source.h"
#include "ws/access/auth.h"
#include "ws/loop/options.h"

typedef struct Config Config;

#define CONFIG_N_RETENTION   11
#define CONFIG_PROFILE_NAMES "people-counter, energy, device-hub, vehicles, cameras"

/* One error: @line 0 is of none; @text is for people, and may have any bytes of the source. */
typedef void (*ConfigSayFn)(void *arg, int line, const char *text);

#define CONFIG_TRY_ERRORS 100 /* that are told of one file */

struct Config {
        WsOptions ws;       /* [http] and [ws]; epoch and version are filled in by the gateway */
        WsAuthOptions auth; /* [auth] */
        MqttOptions mqtt;   /* [mqtt]; client_id NULL = "tidegate-<epoch>" */
        int login_cache, login_cache_ttl_s; /* users, [auth] */
        bool mqtt_enabled;                  /* mqtt.url is set */
        const char *mqtt_explore;           /* filters with commas; NULL = none */
        int explore_shapes;
        size_t announced_bytes; /* of all devices that announce themselves */
        JournalOptions journal;
        int journal_check_ms;
        int journal_device_share; /* percent */
        Routes *routes;
        DiscoverRule *discover; /* owned: routes with kind = discovery */
        size_t n_discover;
        const char *route_profiles; /* a folder of profiles, before those that are built in */
        bool auto_register;         /* registry.auto_register: of routes that do not say */
        int registry_new_per_minute, registry_max_devices, registry_max_sensors,
                registry_max_people, registry_user_share;
        int sparkplug_max_things, sparkplug_max_metrics;
        int merge_max_devices;
        int64_t merge_max_bytes;
        int survey_ms, dead_letters_warn, row_notes;
        int try_waiting, try_share, try_elements;

        const char *database_url;
        bool database_migrate;
        int database_max_batch, database_max_delay_ms, database_stall_ms, database_timeout_ms;
        int database_heartbeat_ms;
        int database_query_timeout_ms;
        int database_query_connections, database_stream_timeout_ms;
        int outbox_capacity, outbox_wait_ms, query_capacity, query_share;
        int time_ahead_ms, time_oldest_days; /* 0 days: the longest retention */
        int partitions_ahead_days;
        int retention_hold_ms;
        struct {
                const char *table;
                int days;
        } retention[CONFIG_N_RETENTION]; /* [retention] raw_logs = 30d ... */
        size_t n_retention;
        const char *cluster_name, *cluster_node, *cluster_advertise;
        int cluster_slot, cluster_slots, cluster_lease_ms;
        CommandPublisherOptions commands; /* [commands] topics, ack_topic; the rest is in ws */
        const char *uplink_url, *uplink_token_file, *uplink_ca_file; /* url NULL: no edge */
        bool uplink_verify, uplink_drops;
        int uplink_backoff_min_ms, uplink_backoff_max_ms;
        int shutdown_grace_ms;
        int watchdog_timeout_ms;
        LogLevel log_level;

        struct ConfigTexts *texts; /* owned: what was given for each key; the strings above */
};

enum {
        CONFIG_E_INVALID = 1, /* said why on standard error */
};

/* The files that the options name are there and usable: for those who will use them. */
MUST_CHECK int config_check_files(const Config *config);

/* Every key with its value in force, one a line; passwords inside URLs are masked. */
void config_print(const Config *config, FILE *out);

/* An example file with every key, its default and its help, as deploy/tidegate.conf has it. */
void config_print_example(FILE *out);

/* A whole configuration of a profile (config_profile.h); false: there is none of that name. */
bool config_print_profile(const char *name, FILE *out);

/* Keys that differ between the two and are not reloaded, up to @n_max of them. */
size_t config_restart_keys(const Config *config,
                           const Config *other,
                           const char *ret_names[][2], /* section, key */
                           size_t n_max);
