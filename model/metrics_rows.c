#include "model/metrics.h"

/* The formatter would make five lines of each row. */
/* clang-format off */
#define METRIC_OF_CLOCKS(first, verdict, word, name, help) \
        [(first) + (verdict)] = { name, "verdict=\"" word "\"", METRIC_GAUGE, help }
#define METRICS_OF_CLOCKS(first, name, help)                              \
        METRIC_OF_CLOCKS(first, CLOCK_UNJUDGED, "none", name, help),      \
        METRIC_OF_CLOCKS(first, CLOCK_OK, "ok", name, help),              \
        METRIC_OF_CLOCKS(first, CLOCK_AHEAD, "ahead", name, help),        \
        METRIC_OF_CLOCKS(first, CLOCK_BEHIND, "behind", name, help),      \
        METRIC_OF_CLOCKS(first, CLOCK_NONE, "no_clock", name, help),      \
        METRIC_OF_CLOCKS(first, CLOCK_LOCAL_TIME, "local_time", name, help)

static const MetricRow metric_table[METRIC_COUNT] = {
        [METRIC_RECEIVED_MQTT] = { "tidegate_received_total", "door=\"mqtt\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_RECEIVED_WS] = { "tidegate_received_total", "door=\"ws\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_RECEIVED_HTTP] = { "tidegate_received_total", "door=\"http\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_RECEIVED_INTERNAL] =
                { "tidegate_received_total", "door=\"internal\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_RECEIVED_UPLINK] =
                { "tidegate_received_total", "door=\"uplink\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_RECEIVED_RECOVERED] =
                { "tidegate_received_total", "door=\"journal\"", METRIC_COUNTER,
                "Messages taken in, by the door through which they came." },
        [METRIC_COMMITTED] = { "tidegate_committed_total", NULL, METRIC_COUNTER,
                "Messages stored in the database." },
        [METRIC_DUPLICATE] = { "tidegate_duplicate_total", NULL, METRIC_COUNTER,
                "Redeliveries recognised against the journal and not stored again." },
        [METRIC_IN_JOURNAL] = { "tidegate_in_journal", NULL, METRIC_GAUGE,
                "Messages in the journal that are not yet stored." },
        [METRIC_REFUSED_JOURNAL_SHARE] =
                { "tidegate_refused_journal_share_total", NULL, METRIC_COUNTER,
                "Tries of a device that had its share of the journal waiting already." },
        [METRIC_REFUSED_JOURNAL_FULL] =
                { "tidegate_refused_journal_full_total", NULL, METRIC_COUNTER,
                "Messages not acknowledged because the journal was full." },
        [METRIC_REFUSED_STANDBY] = { "tidegate_refused_standby_total", NULL, METRIC_COUNTER,
                "Messages by HTTP not taken because another gateway stores (503)." },
        [METRIC_ELSEWHERE] = { "tidegate_elsewhere_total", NULL, METRIC_COUNTER,
                "Messages of another slot, acknowledged and dropped before the journal." },
        [METRIC_ACCOUNTING_DRIFT] = { "tidegate_accounting_drift", NULL, METRIC_GAUGE,
                "Messages that the accounting cannot explain; 0 at rest." },
        [METRIC_DETECTIONS_COMMITTED] =
                { "tidegate_detections_committed_total", NULL, METRIC_COUNTER,
                "Single detections stored, items of ble_detections messages." },
        [METRIC_DETECTIONS_SET_ASIDE] =
                { "tidegate_detections_set_aside_total", NULL, METRIC_COUNTER,
                "Single detections set aside as dead letters." },
        [METRIC_STATE_LATE] = { "tidegate_state_late_total", NULL, METRIC_COUNTER,
                "Messages older than the latest state, which they did not move." },
        [METRIC_RETAINED_IGNORED] = { "tidegate_retained_ignored_total", NULL, METRIC_COUNTER,
                "Of the duplicates: kept by a broker from before and no news, or empty." },
        [METRIC_ODD_TIMES] = { "tidegate_odd_times_total", NULL, METRIC_COUNTER,
                "Messages whose time was none or could not be: their receipt counts." },
        [METRIC_BROADCAST_PERSISTED] =
                { "tidegate_broadcast_total", "persisted=\"true\"", METRIC_COUNTER,
                "Messages handed to viewers, by whether they were committed before." },
        [METRIC_BROADCAST_UNPERSISTED] =
                { "tidegate_broadcast_total", "persisted=\"false\"", METRIC_COUNTER,
                "Messages handed to viewers, by whether they were committed before." },
        [METRIC_LIMIT_SOCKETS] = { "tidegate_limit", "of=\"sockets\"", METRIC_GAUGE,
                "How many there may be together (ws.max_connections, as far as files reach; registry, sparkplug, merge); 0: no limit." },
        [METRIC_LIMIT_DEVICES] = { "tidegate_limit", "of=\"devices\"", METRIC_GAUGE,
                "How many there may be together (ws.max_connections, as far as files reach; registry, sparkplug, merge); 0: no limit." },
        [METRIC_LIMIT_SPARKPLUG_THINGS] = { "tidegate_limit", "of=\"sparkplug_things\"", METRIC_GAUGE,
                "How many there may be together (ws.max_connections, as far as files reach; registry, sparkplug, merge); 0: no limit." },
        [METRIC_LIMIT_MERGED_DOCUMENTS] = { "tidegate_limit", "of=\"merged_documents\"", METRIC_GAUGE,
                "How many there may be together (ws.max_connections, as far as files reach; registry, sparkplug, merge); 0: no limit." },
        [METRIC_DEVICES] = { "tidegate_devices", NULL, METRIC_GAUGE,
                "Devices that there are." },
        [METRIC_JOURNAL_BYTES] = { "tidegate_journal_bytes", NULL, METRIC_GAUGE,
                "Bytes of journal on disk." },
        [METRIC_JOURNAL_HIGH_BYTES] = { "tidegate_journal_high_bytes", NULL, METRIC_GAUGE,
                "Bytes of journal in use at which it is full: journal.max_bytes less its reserve." },
        [METRIC_JOURNAL_SEGMENTS] = { "tidegate_journal_segments", NULL, METRIC_GAUGE,
                "Journal segments on disk." },
        [METRIC_JOURNAL_FULL] = { "tidegate_journal_full", NULL, METRIC_GAUGE,
                "1 while the journal is above its high-water mark." },
        [METRIC_JOURNAL_FAILED] = { "tidegate_journal_failed", NULL, METRIC_GAUGE,
                "1 once the disk has failed the journal: the process ends and starts again." },
        [METRIC_JOURNAL_FSYNCS] = { "tidegate_journal_fsyncs_total", NULL, METRIC_COUNTER,
                "Synchronisations of the journal to disk." },
        [METRIC_JOURNAL_KEPT_BYTES] = { "tidegate_journal_kept_bytes", NULL, METRIC_GAUGE,
                "Bytes of journal that are stored and kept for journal.keep; they give way." },
        [METRIC_JOURNAL_KEPT_DROPPED] =
                { "tidegate_journal_kept_dropped_total", NULL, METRIC_COUNTER,
                "Journal segments that went before journal.keep was over, as room was needed." },
        [METRIC_JOURNAL_FILES_GONE] = { "tidegate_journal_files_gone", NULL, METRIC_GAUGE,
                "Files of the journal that somebody removed before all of them was stored." },
        [METRIC_JOURNAL_GAPS] = { "tidegate_journal_gaps", NULL, METRIC_GAUGE,
                "Open ranges of numbers that neither the database nor the journal has." },
        [METRIC_JOURNAL_GAP] = { "tidegate_journal_gap_total", NULL, METRIC_COUNTER,
                "Ranges of numbers found to be in neither the database nor the journal." },
        [METRIC_BOOKS_DRIFT] = { "tidegate_stored_drift", NULL, METRIC_GAUGE,
                "Part of tidegate_accounting_drift: messages passed by the position, not stored." },
        [METRIC_DB_OLDER] = { "tidegate_db_older_total", NULL, METRIC_COUNTER,
                "Times that the database was older than the journal and was filled again." },
        [METRIC_MQTT_CONNECTED] = { "tidegate_mqtt_connected", NULL, METRIC_GAUGE,
                "1 while connected to the MQTT broker." },
        [METRIC_MQTT_CONNECTS] = { "tidegate_mqtt_connects_total", NULL, METRIC_COUNTER,
                "Connections made to the MQTT broker." },
        [METRIC_MQTT_DISCONNECTS] = { "tidegate_mqtt_disconnects_total", NULL, METRIC_COUNTER,
                "Connections to the MQTT broker lost or given up." },
        [METRIC_MQTT_SUBSCRIBE_REFUSED] =
                { "tidegate_mqtt_subscribe_refused_total", NULL, METRIC_COUNTER,
                "Subscriptions that the MQTT broker refused." },
        [METRIC_MQTT_FILTERS_REFUSED] = { "tidegate_mqtt_filters_refused", NULL, METRIC_GAUGE,
                "Filters that the MQTT broker does not let us read; they are tried again." },
        [METRIC_MQTT_ECHOES] = { "tidegate_mqtt_echoes_total", NULL, METRIC_COUNTER,
                "Messages beyond 1,000 equal ones within ten seconds: bridges of brokers may make a ring. They are stored." },
        [METRIC_MQTT_COPIES] = { "tidegate_mqtt_copies_total", NULL, METRIC_COUNTER,
                "Further copies of a message, for another of our filters that takes it. They are not stored." },
        [METRIC_MQTT_UNWANTED] = { "tidegate_mqtt_unwanted_total", NULL, METRIC_COUNTER,
                "Messages that a filter brought which stands for several, and that none of them takes." },
        [METRIC_MQTT_PUBLISHED] = { "tidegate_mqtt_published_total", NULL, METRIC_COUNTER,
                "Messages published to the MQTT broker." },
        [METRIC_EXPLORED] = { "tidegate_explored_total", NULL, METRIC_COUNTER,
                "Messages that mqtt.explore brought and no route takes. They are counted and not stored." },
        [METRIC_EXPLORED_SHAPES] = { "tidegate_explored_shapes", NULL, METRIC_GAUGE,
                "Shapes of topics that no route takes, of 1,024 that are remembered." },
        [METRIC_EXPLORED_DISPLACED] = { "tidegate_explored_displaced_total", NULL, METRIC_COUNTER,
                "Shapes of topics that were forgotten for others: there are more than are remembered." },
        [METRIC_DISCOVERED_DEVICES] = { "tidegate_discovered_devices", NULL, METRIC_GAUGE,
                "Devices that announce themselves, by routes with kind = discovery." },
        [METRIC_DISCOVERED_POINTS] = { "tidegate_discovered_points", NULL, METRIC_GAUGE,
                "What these devices publish: members of telemetry, and whether they are there." },
        [METRIC_DISCOVERED_REFUSED] = { "tidegate_discovered_refused", NULL, METRIC_GAUGE,
                "What announcements say that is not taken: see tidegate route discovered." },
        [METRIC_DISCOVERY_NEWS] = { "tidegate_discovery_announcements_total", NULL, METRIC_COUNTER,
                "Announcements that were new, other than before, or taken back." },
        [METRIC_DISCOVERY_BOUND] = { "tidegate_discovery_bounded_total", NULL, METRIC_COUNTER,
                "Announcements that were not kept: too long, too many, or no text." },
        [METRIC_IGNORED] = { "tidegate_ignored_total", NULL, METRIC_COUNTER,
                "Messages of topics that a route does not want (its key ignore); also counted as duplicate: they leave no row." },
        [METRIC_REGISTRATIONS] = { "tidegate_registrations_total", NULL, METRIC_COUNTER,
                "Devices that were created as they reported themselves." },
        [METRIC_REGISTRATIONS_REFUSED] = { "tidegate_registrations_refused_total", NULL, METRIC_COUNTER,
                "Messages of new devices beyond those that a minute lets in: dead letters." },
        [METRIC_REGISTRATIONS_SHARE] =
                { "tidegate_registrations_share_refused_total", NULL, METRIC_COUNTER,
                "Of those refused: the user of the topic had his share (registry.user_share)." },
        [METRIC_SENSORS] = { "tidegate_sensors", NULL, METRIC_GAUGE,
                "Sensors that vehicles have named; more than registry.max_sensors of one are unknown_sensor letters." },
        [METRIC_SPARKPLUG_THINGS] = { "tidegate_sparkplug_things", NULL, METRIC_GAUGE,
                "Nodes and devices of Sparkplug whose births are remembered." },
        [METRIC_SPARKPLUG_REFUSED] = { "tidegate_sparkplug_refused_total", NULL, METRIC_COUNTER,
                "Births that were not remembered: there are sparkplug.max_things." },
        [METRIC_SPARKPLUG_GAPS] = { "tidegate_sparkplug_gaps_total", NULL, METRIC_COUNTER,
                "Messages of Sparkplug nodes whose seq is not the next one: some were lost on the way." },
        [METRIC_SPARKPLUG_LATE] = { "tidegate_sparkplug_ignored_total", "reason=\"late\"", METRIC_COUNTER,
                "Deaths of a session that was over (late), and what was said before (again); also counted as duplicate." },
        [METRIC_SPARKPLUG_AGAIN] = { "tidegate_sparkplug_ignored_total", "reason=\"again\"", METRIC_COUNTER, NULL },
        [METRIC_SPARKPLUG_ASKED] = { "tidegate_sparkplug_rebirths_asked_total", NULL, METRIC_COUNTER,
                "Nodes that were asked to be born again (rebirth of a route), at most once a minute each." },
        [METRIC_SPARKPLUG_UNTOLD] = { "tidegate_sparkplug_untold_total", NULL, METRIC_COUNTER,
                "That a device lives or is gone, which the journal had no room for." },
        [METRIC_MERGED_DOCUMENTS] = { "tidegate_merged_documents", NULL, METRIC_GAUGE, "Devices of which messages that say changes (merge of a route) are laid over each other." },
        [METRIC_MERGED_REFUSED] = { "tidegate_merged_refused_total", "reason=\"devices\"", METRIC_COUNTER, "Such messages that were not laid over what was known: of more than merge.max_devices (devices), or it came to more than merge.max_bytes (bytes)." },
        [METRIC_MERGED_TOO_LARGE] = { "tidegate_merged_refused_total", "reason=\"bytes\"", METRIC_COUNTER, NULL },
        [METRIC_LETTERS] = { "tidegate_dead_letters", NULL, METRIC_GAUGE,
                "Dead letters that there are, as PostgreSQL's statistics count them." },
        [METRIC_LETTERS_BYTES] = { "tidegate_dead_letters_bytes", NULL, METRIC_GAUGE,
                "Size of the tables of dead letters." },
        [METRIC_LETTERS_MANY] = { "tidegate_dead_letters_many", NULL, METRIC_GAUGE,
                "1 while there are more than database.dead_letters_warn." },
        [METRIC_PEOPLE] = { "tidegate_people", NULL, METRIC_GAUGE,
                "Names of people that are counted, of all cameras." },
        [METRIC_PEOPLE_REFUSED] = { "tidegate_people_refused_total", NULL, METRIC_COUNTER,
                "Names beyond registry.max_people of a camera: not counted, their events are stored." },
        METRICS_OF_CLOCKS(METRIC_CLOCKS, "tidegate_device_clocks", "Devices, by what their clocks are worth; none: it has said no time."),
        METRICS_OF_CLOCKS(METRIC_VEHICLE_CLOCKS, "tidegate_vehicle_clocks", "Vehicles, by what the clocks of what is said in their name are worth; none: no time was said."),
        [METRIC_COMMANDS_ACCEPTED] =
                { "tidegate_commands_total", "outcome=\"accepted\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_REPEATED] =
                { "tidegate_commands_total", "outcome=\"repeated\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_REFUSED] =
                { "tidegate_commands_total", "outcome=\"refused\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_SHARE_REFUSED] =
                { "tidegate_commands_share_refused_total", NULL, METRIC_COUNTER,
                "Commands refused as their user had his share of the device's queue." },
        [METRIC_COMMANDS_PUBLISHED] =
                { "tidegate_commands_total", "outcome=\"published\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_HUNG_UP] = { "tidegate_commands_hung_up_total", NULL, METRIC_COUNTER,
                "Times that the MQTT broker hung up on a command that was sent alone." },
        [METRIC_COMMANDS_DENIED] = { "tidegate_commands_denied_total", NULL, METRIC_COUNTER,
                "Times that the MQTT broker answered that it does not take a command." },
        [METRIC_COMMANDS_DELIVERED] =
                { "tidegate_commands_total", "outcome=\"delivered\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_EXPIRED] =
                { "tidegate_commands_total", "outcome=\"expired\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_CANCELLED] =
                { "tidegate_commands_total", "outcome=\"cancelled\"", METRIC_COUNTER,
                "Commands, by how they were taken and how far they came." },
        [METRIC_COMMANDS_UNCHANGED] =
                { "tidegate_command_news_unchanged_total", NULL, METRIC_COUNTER,
                "Answers of devices and states that came too late to change a command." },
        [METRIC_DB_CONNECTED] = { "tidegate_db_connected", NULL, METRIC_GAUGE,
                "1 while connected to the database." },
        [METRIC_DB_BATCHES] = { "tidegate_db_batches_total", NULL, METRIC_COUNTER,
                "Transactions committed by the processor." },
        [METRIC_DB_REJECTED_BATCHES] = { "tidegate_db_rejected_batches_total", NULL, METRIC_COUNTER,
                "Transactions that the database refused because of a row." },
        [METRIC_DB_REFUSED_BATCHES] = { "tidegate_db_refused_batches_total", NULL, METRIC_COUNTER,
                "Transactions that the database refused for no fault of the rows: an outage." },
        [METRIC_DB_STATES_REFUSED] = { "tidegate_db_states_refused_total", NULL, METRIC_COUNTER,
                "States of devices that the database refused; their messages are stored." },
        [METRIC_DB_LAG_SECONDS] = { "tidegate_db_lag_seconds", NULL, METRIC_GAUGE_US,
                "Age of the oldest message that is not yet stored." },
        [METRIC_LEASE_HELD] = { "tidegate_lease_held", NULL, METRIC_GAUGE,
                "1 while this gateway is the one that stores." },
        [METRIC_LEASE_WAITING] = { "tidegate_lease_waiting", NULL, METRIC_GAUGE,
                "1 while another gateway stores and this one stands by." },
        [METRIC_LAYOUT_DIFFERS] = { "tidegate_cluster_differs", NULL, METRIC_GAUGE,
                "1 while gateways with other cluster.slots or templates have the slots." },
        [METRIC_SLOTS_LEAVING] = { "tidegate_slots_leaving", NULL, METRIC_GAUGE,
                "Slots that are drained, for another gateway to have." },
        [METRIC_LEASE_RENEWED] = { "tidegate_lease_renewed_total", NULL, METRIC_COUNTER,
                "Times that the database confirmed that this gateway is the one that stores." },
        [METRIC_LEASE_TAKEN] = { "tidegate_lease_taken_total", NULL, METRIC_COUNTER,
                "Times that this gateway became the one that stores." },
        [METRIC_JOURNALS_LEFT] = { "tidegate_journals_left", NULL, METRIC_GAUGE,
                "Journals of other gateways of the slot that have more to store." },
        [METRIC_COMMANDS_UNHEARD] = { "tidegate_commands_unheard", NULL, METRIC_GAUGE,
                "Notifications of new commands do not arrive: all are looked at once a second." },
        [METRIC_REGISTRY_STALE] = { "tidegate_registry_stale", NULL, METRIC_GAUGE,
                                    "1: notifications of changes in the registry do not arrive." },
        [METRIC_DB_POOLED] = { "tidegate_db_transaction_pooling", NULL, METRIC_GAUGE,
                               "1: a pooler lends our sessions to others between transactions." },
        [METRIC_TIDIED] = { "tidegate_rows_tidied_total", NULL, METRIC_COUNTER,
                "Old rows deleted of commands, dead_letters_removed and replays." },
        [METRIC_RETENTION_HELD] = { "tidegate_retention_held", NULL, METRIC_GAUGE,
                "1 while a clock that jumped or disagrees keeps retention from dropping." },
        [METRIC_OUTBOX_LENGTH] = { "tidegate_outbox_length", NULL, METRIC_GAUGE,
                "Events waiting for the WebSocket loops." },
        [METRIC_OUTBOX_DROPPED] = { "tidegate_outbox_dropped_total", NULL, METRIC_COUNTER,
                "Events not shown because the outbox was full." },
        [METRIC_LIVE_CAUGHT] = { "tidegate_live_caught_up_total", NULL, METRIC_COUNTER,
                "Messages of other gateways, or from before a slot came here, that were read from the database." },
        [METRIC_WS_CONNECTIONS_A] = { "tidegate_ws_connections", "dialect=\"A\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_B] = { "tidegate_ws_connections", "dialect=\"B\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_C] = { "tidegate_ws_connections", "dialect=\"C\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_D] = { "tidegate_ws_connections", "dialect=\"D\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_E] = { "tidegate_ws_connections", "dialect=\"E\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_NATIVE] =
                { "tidegate_ws_connections", "dialect=\"native\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_EVENTS] =
                { "tidegate_ws_connections", "dialect=\"events\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_POLL] =
                { "tidegate_ws_connections", "dialect=\"poll\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_CONNECTIONS_UPLINK] =
                { "tidegate_ws_connections", "dialect=\"uplink\"", METRIC_GAUGE,
                "Open WebSocket connections, by dialect." },
        [METRIC_WS_ACCEPTED] = { "tidegate_ws_accepted_total", NULL, METRIC_COUNTER,
                "WebSocket connections accepted." },
        [METRIC_WS_ACCEPTED_DEFLATE] = { "tidegate_ws_accepted_deflate_total", NULL, METRIC_COUNTER,
                "Of the WebSockets accepted, those with permessage-deflate." },
        [METRIC_WS_CLOSED] = { "tidegate_ws_closed_total", NULL, METRIC_COUNTER,
                "WebSocket connections ended, for whatever reason." },
        [METRIC_WS_REFUSED_UNAUTHORIZED] =
                { "tidegate_ws_refused_total", "reason=\"unauthorized\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_FORBIDDEN] =
                { "tidegate_ws_refused_total", "reason=\"forbidden\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_ORIGIN] =
                { "tidegate_ws_refused_total", "reason=\"origin\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_CAPACITY] =
                { "tidegate_ws_refused_total", "reason=\"capacity\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_PER_USER] =
                { "tidegate_ws_refused_total", "reason=\"per_user\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_RATE] = { "tidegate_ws_refused_total", "reason=\"rate\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_BAD_REQUEST] =
                { "tidegate_ws_refused_total", "reason=\"bad_request\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_PREFACE] =
                { "tidegate_ws_refused_total", "reason=\"preface\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_REFUSED_TIMEOUT] =
                { "tidegate_ws_refused_total", "reason=\"timeout\"", METRIC_COUNTER,
                "WebSocket handshakes refused, by reason." },
        [METRIC_WS_CLOSED_REPLACED] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"replaced\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_SLOW] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"slow\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_SILENT] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"silent\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_UNACKNOWLEDGED] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"unacknowledged\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_RATE] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"rate\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_SET] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"set_too_large\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_TOO_BIG] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"too_big\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_REVOKED] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"revoked\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_EXPIRED] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"expired\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_BAD_TOKEN] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"bad_token\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_FORBIDDEN] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"forbidden\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_MISUSE] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"protocol\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_NO_AUTH] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"no_auth\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_TOO_MANY] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"too_many\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_WS_CLOSED_STATE_LOST] =
                { "tidegate_ws_closed_by_gateway_total", "reason=\"state_lost\"", METRIC_COUNTER,
                "WebSocket connections that the gateway closed, by reason." },
        [METRIC_UPLINK_BATCHES] = { "tidegate_uplink_batches_total", NULL, METRIC_COUNTER,
                "Batches of gateways at the edge that are in the journal; at the edge: that were sent." },
        [METRIC_UPLINK_BROKEN] = { "tidegate_uplink_broken_total", NULL, METRIC_COUNTER,
                "Connections of gateways at the edge that were closed for what they sent." },
        [METRIC_UPLINK_COMMANDS] = { "tidegate_uplink_commands_total", NULL, METRIC_COUNTER,
                "Commands that were sent to gateways at the edge, each once a connection." },
        [METRIC_UPLINK_CONNECTED] = { "tidegate_uplink_connected", NULL, METRIC_GAUGE,
                "At the edge: 1 while the central gateway takes what there is." },
        [METRIC_UPLINK_CONNECTS] = { "tidegate_uplink_connects_total", NULL, METRIC_COUNTER,
                "At the edge: connections to the central gateway." },
        [METRIC_UPLINK_DROPPED] = { "tidegate_uplink_dropped_total", NULL, METRIC_COUNTER,
                "At the edge: messages that were let go of, the oldest first, as the journal was full." },
        [METRIC_UPLINK_LAG_SECONDS] = { "tidegate_uplink_lag_seconds", NULL, METRIC_GAUGE_US,
                "At the edge: age of the oldest message that the central gateway has not stored." },
        [METRIC_WS_LISTS_PUT_OFF] = { "tidegate_ws_lists_put_off_total", NULL, METRIC_COUNTER,
                "Turns of the loop that left lists of devices (dialect C) to be gone on with." },
        [METRIC_WS_MESSAGES_IN] = { "tidegate_ws_messages_in_total", NULL, METRIC_COUNTER,
                "WebSocket messages received from clients." },
        [METRIC_WS_BYTES_OUT] = { "tidegate_ws_sent_bytes_total", NULL, METRIC_COUNTER,
                "Bytes written to WebSocket connections." },
        [METRIC_WS_OFFERED] = { "tidegate_ws_offered_total", NULL, METRIC_COUNTER,
                "Frames offered to WebSocket connections." },
        [METRIC_WS_SENT] = { "tidegate_ws_sent_total", NULL, METRIC_COUNTER,
                "Frames sent to WebSocket connections." },
        [METRIC_WS_CONFLATED] = { "tidegate_ws_conflated_total", NULL, METRIC_COUNTER,
                "Frames replaced by a newer one before they were sent." },
        [METRIC_WS_PLAYBACKS_REFUSED] = { "tidegate_ws_playbacks_refused_total", NULL, METRIC_COUNTER,
                "Playbacks that were refused, as their user had ws.max_playbacks of them." },
        [METRIC_WS_UNPACED] = { "tidegate_ws_unpaced_total", NULL, METRIC_COUNTER,
                "Events that max_hz did not hold, as their socket paces ws.max_paced things by now." },
        [METRIC_WS_DROPPED] = { "tidegate_ws_dropped_total", NULL, METRIC_COUNTER,
                "Frames dropped before they were sent." },
        [METRIC_WS_DROPPED_AT_CLOSE] = { "tidegate_ws_dropped_at_close_total", NULL, METRIC_COUNTER,
                "Those of tidegate_ws_dropped_total that waited when their connection ended." },
        [METRIC_WS_PLACES_DRIFT] = { "tidegate_ws_places_drift", NULL, METRIC_GAUGE,
                "Places of ws.max_connections that are taken by no connection: 0 if all is well." },
        [METRIC_WS_ACCOUNTING_DRIFT] = { "tidegate_ws_accounting_drift", NULL, METRIC_GAUGE,
                "Part of tidegate_accounting_drift: frames of subscribers." },
        [METRIC_WS_QUEUED] = { "tidegate_ws_queued", NULL, METRIC_GAUGE,
                "Frames waiting to be sent." },
        [METRIC_WS_BURST_BYTES] = { "tidegate_ws_burst_bytes", NULL, METRIC_GAUGE,
                "Bytes that wait for sockets beyond their queues, as a burst came." },
        [METRIC_WS_QUEUED_BYTES] = { "tidegate_ws_queued_bytes", NULL, METRIC_GAUGE,
                "Bytes of the frames waiting to be sent." },
        [METRIC_HTTP_REQUESTS_2XX] =
                { "tidegate_http_requests_total", "status=\"2xx\"", METRIC_COUNTER,
                "HTTP requests answered, by class of status." },
        [METRIC_HTTP_REQUESTS_4XX] =
                { "tidegate_http_requests_total", "status=\"4xx\"", METRIC_COUNTER,
                "HTTP requests answered, by class of status." },
        [METRIC_HTTP_REQUESTS_5XX] =
                { "tidegate_http_requests_total", "status=\"5xx\"", METRIC_COUNTER,
                "HTTP requests answered, by class of status." },
        [METRIC_LOGIN_OK] = { "tidegate_logins_total", "result=\"ok\"", METRIC_COUNTER,
                "Password logins, by result." },
        [METRIC_LOGIN_FAILED] = { "tidegate_logins_total", "result=\"failed\"", METRIC_COUNTER,
                "Password logins, by result." },
        [METRIC_LOGIN_LIMITED] = { "tidegate_logins_total", "result=\"limited\"", METRIC_COUNTER,
                "Password logins, by result." },
        [METRIC_LOGIN_REHASHED] = { "tidegate_logins_rehashed_total", NULL, METRIC_COUNTER,
                "Password logins after which the hash, of a form that others made, became one of ours." },
        [METRIC_TOKENS_REHASHED] = { "tidegate_device_tokens_rehashed_total", NULL, METRIC_COUNTER,
                "Tokens of devices, hashed by others, that became ours at their first use." },
        [METRIC_LOGIN_CACHED] = { "tidegate_logins_cached_total", NULL, METRIC_COUNTER,
                "Password logins that needed no scrypt, as the same password was right within auth.login_cache_ttl." },
        [METRIC_LOGIN_BEHIND] = { "tidegate_logins_behind_total", NULL, METRIC_COUNTER,
                "Password logins that went behind others, as more came from there than auth.logins_per_second." },
        [METRIC_LOGIN_HELD] = { "tidegate_logins_held_total", NULL, METRIC_COUNTER,
                "Password logins that waited for what became of others of their address, of which each might have failed." },
        [METRIC_CREDENTIALS_REFUSED] = { "tidegate_credentials_refused_total", NULL, METRIC_COUNTER,
                "Bad tokens and tickets, over HTTP and WebSocket." },
        [METRIC_CREDENTIALS_LIMITED] = { "tidegate_credentials_limited_total", NULL, METRIC_COUNTER,
                "Bad tokens and tickets that came too often and were told to wait (429)." },
        [METRIC_TICKETS_GAVE_WAY] = { "tidegate_tickets_gave_way_total", NULL, METRIC_COUNTER,
                "Tickets that ended before their time, as their user asked for more than auth.tickets_per_user." },
        [METRIC_TICKETS_REFUSED] = { "tidegate_tickets_refused_total", NULL, METRIC_COUNTER,
                "Tickets that were not given, as auth.tickets of others were out (503)." },
        [METRIC_TLS_HANDSHAKES] = { "tidegate_tls_handshakes_total", "result=\"ok\"", METRIC_COUNTER,
                "Handshakes of TLS on our listeners, by result." },
        [METRIC_TLS_HANDSHAKES_FAILED] = { "tidegate_tls_handshakes_total", "result=\"failed\"",
                METRIC_COUNTER, "Handshakes of TLS on our listeners, by result." },
        [METRIC_TLS_HANDSHAKES_PUT_OFF] = { "tidegate_tls_handshakes_put_off_total", NULL,
                METRIC_COUNTER,
                "Steps of handshakes that waited for a turn (http.handshake_turn) or for room "
                "(http.handshakes)." },
        [METRIC_TLS_HANDSHAKES_GAVE_WAY] = { "tidegate_tls_handshakes_gave_way_total", NULL,
                METRIC_COUNTER,
                "Handshakes half done and silent for a second that were ended for another's." },
        [METRIC_CHANGES_REFUSED] = { "tidegate_changes_refused_total", NULL, METRIC_COUNTER,
                "Changes of users, devices and shares beyond http.changes_per_minute (429)." },
        [METRIC_DASHBOARD_REFUSED] = { "tidegate_dashboard_refused_total", NULL, METRIC_COUNTER,
                "Times that the folder of the dashboard could not be read, or was too large." },
        [METRIC_SHARE_REFUSED_CONNECTIONS] =
                { "tidegate_share_refused_total", "what=\"connections\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_SHARE_REFUSED_REQUESTS] =
                { "tidegate_share_refused_total", "what=\"requests\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_SHARE_REFUSED_BODIES] =
                { "tidegate_share_refused_total", "what=\"bodies\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_SHARE_REFUSED_SOCKETS] =
                { "tidegate_share_refused_total", "what=\"sockets\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_SHARE_REFUSED_BURST] =
                { "tidegate_share_refused_total", "what=\"burst\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_SHARE_REFUSED_STRANGERS] =
                { "tidegate_share_refused_total", "what=\"strangers\"", METRIC_COUNTER,
                "What one party wanted beyond its share, by what it is." },
        [METRIC_QUERY_REFUSED] = { "tidegate_query_refused_total", NULL, METRIC_COUNTER,
                "Database queries refused: their queue was full, or their asker's share of it." },
        [METRIC_QUERY_WAITING] = { "tidegate_query_waiting", NULL, METRIC_GAUGE,
                "Log-ins, commands, statistics and resumes that wait for a connection." },
        [METRIC_HISTORY_WAITING] = { "tidegate_history_waiting", NULL, METRIC_GAUGE,
                "History requests that wait for a connection." },
        [METRIC_HISTORY_READING] = { "tidegate_history_reading", NULL, METRIC_GAUGE,
                "History requests under way." },
        [METRIC_HISTORY_DONE] = { "tidegate_history_total", "result=\"done\"", METRIC_COUNTER,
                "History requests, by result." },
        [METRIC_HISTORY_CANCELLED] =
                { "tidegate_history_total", "result=\"cancelled\"", METRIC_COUNTER,
                "History requests, by result." },
        [METRIC_HISTORY_FAILED] = { "tidegate_history_total", "result=\"failed\"", METRIC_COUNTER,
                "History requests, by result." },
        [METRIC_HISTORY_BYTES] = { "tidegate_history_sent_bytes_total", NULL, METRIC_COUNTER,
                "Bytes of history read for clients." },
};
/* clang-format on */

#define METRICS_SECONDS                                                                           \
        16, {                                                                                     \
                0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, \
                        1, 2.5, 5, 10                                                             \
        }

static const HistogramRow histogram_table[HISTOGRAM_COUNT] = {
        [HISTOGRAM_COMMIT] = { "tidegate_commit_seconds",
                               "From the receipt of a message to its commit.",
                               METRICS_SECONDS },
        [HISTOGRAM_DELIVER] = { "tidegate_deliver_seconds",
                                "From the receipt of a message to its hand-over to the sockets.",
                                METRICS_SECONDS },
        [HISTOGRAM_BATCH_SECONDS] = { "tidegate_batch_seconds",
                                      "Duration of one transaction of the processor.",
                                      METRICS_SECONDS },
        [HISTOGRAM_BATCH_SIZE] = { "tidegate_batch_messages",
                                   "Messages in one transaction of the processor.",
                                   13,
                                   { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096 } },
};

const MetricRow *metric_row(Metric metric) {
        return &metric_table[metric];
}

bool metric_row_is_family(const MetricRow *row, const MetricRow *other) {
        return row->name && other->name && strcmp(row->name, other->name) == 0;
}

Text metric_row_label(const MetricRow *row) {
        const char *value = row->label ? strchr(row->label, '"') : NULL;

        return value ? (Text){ .data = value + 1, .n = strcspn(value + 1, "\"") } : (Text){ 0 };
}

const HistogramRow *histogram_row(Histogram histogram) {
        return &histogram_table[histogram];
}
