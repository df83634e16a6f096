#include "gateway/processor_setup.h"

ProcessorOptions processor_setup(const Config *config) {
        return (ProcessorOptions){
                .database_url = config->database_url,
                .max_batch = (size_t)config->database_max_batch,
                .max_delay_ms = config->database_max_delay_ms,
                .stall_ms = config->database_stall_ms,
                .timeout_ms = config->database_timeout_ms,
                .heartbeat_ms = config->database_heartbeat_ms,
                .outbox = { .wait_ms = config->outbox_wait_ms },
                .check_ms = config->journal_check_ms,
                .new_per_minute = config->registry_new_per_minute,
                .max_devices = config->registry_max_devices,
                .user_share = config->registry_user_share,
                .max_sensors = config->registry_max_sensors,
                .max_people = config->registry_max_people,
                .max_notes = config->row_notes,
                .nodes = { .max_things = config->sparkplug_max_things,
                           .max_metrics = config->sparkplug_max_metrics },
                .merged = { .max_devices = config->merge_max_devices,
                            .max_bytes = config->merge_max_bytes },
        };
}
