#pragma once

/*
 * Metrics: every counter, gauge and histogram of the process, in one table.
 *
 * Relaxed atomics: any thread, any time, no locks. The table in metrics_rows.c gives
 * each its Prometheus name, label and help (written by model/metrics_text.h);
 * docs/protocol.md names the two equations. Names follow the Prometheus
 * conventions (base units, _total for counters).
 */

#include "base/base.h"
#include "model/device_clock.h"

typedef enum Metric {
        /* the way in: received = committed + dead_lettered + duplicate + in_journal */
        METRIC_RECEIVED_MQTT,
        METRIC_RECEIVED_WS,
        METRIC_RECEIVED_HTTP,
        METRIC_RECEIVED_INTERNAL,
        METRIC_RECEIVED_UPLINK,
        METRIC_RECEIVED_RECOVERED, /* door="journal": found in the journal at start, not yet
                                      committed */
        METRIC_COMMITTED,
        METRIC_DUPLICATE,
        METRIC_IN_JOURNAL,            /* gauge: records behind the database cursor */
        METRIC_REFUSED_JOURNAL_SHARE, /* one device has enough of it */
        METRIC_REFUSED_JOURNAL_FULL,  /* not acked: the broker keeps them */
        METRIC_REFUSED_STANDBY,       /* by HTTP, as another gateway stores */
        METRIC_ELSEWHERE,             /* of another slot, and dropped before the journal */
        METRIC_ACCOUNTING_DRIFT,      /* gauge */
        METRIC_DETECTIONS_COMMITTED,  /* items, not messages */
        METRIC_DETECTIONS_SET_ASIDE,
        METRIC_STATE_LATE, /* older than the stored latest */
        METRIC_RETAINED_IGNORED,
        METRIC_ODD_TIMES, /* a device's time that was not believed */
        METRIC_BROADCAST_PERSISTED,
        METRIC_BROADCAST_UNPERSISTED,

        METRIC_LIMIT_SOCKETS, /* gauge: of all together, as are the next; 0 = none */
        METRIC_LIMIT_DEVICES,
        METRIC_LIMIT_SPARKPLUG_THINGS,
        METRIC_LIMIT_MERGED_DOCUMENTS,
        METRIC_LIMIT_EXPLORED_SHAPES,
        METRIC_LIMIT_ANNOUNCED_BYTES,
        METRIC_DEVICES,            /* gauge */
        METRIC_JOURNAL_BYTES,      /* gauge */
        METRIC_JOURNAL_HIGH_BYTES, /* gauge: in use, at which it is full */
        METRIC_JOURNAL_SEGMENTS,   /* gauge */
        METRIC_JOURNAL_FULL,       /* gauge, 0 or 1 */
        METRIC_JOURNAL_FAILED,     /* gauge, 0 or 1: the disk did not take or give what it should */
        METRIC_JOURNAL_FSYNCS,
        METRIC_JOURNAL_KEPT_BYTES, /* gauge: stored, and there to be stored again */
        METRIC_JOURNAL_KEPT_DROPPED,
        METRIC_JOURNAL_FILES_GONE, /* gauge: removed by somebody, and not stored */
        METRIC_JOURNAL_GAPS,       /* gauge: open */
        METRIC_LETTERS_REFUSED,    /* gauge: messages that are neither rows nor letters, likewise */
        METRIC_JOURNAL_GAP,
        METRIC_BOOKS_DRIFT, /* gauge: messages of all open differences */
        METRIC_DB_OLDER,

        METRIC_MQTT_CONNECTED, /* gauge, 0 or 1 */
        METRIC_MQTT_CONNECTS,
        METRIC_MQTT_DISCONNECTS,
        METRIC_MQTT_SUBSCRIBE_REFUSED,
        METRIC_MQTT_FILTERS_REFUSED, /* gauge: now */
        METRIC_MQTT_ECHOES,          /* among many equal ones in a short time */
        METRIC_MQTT_COPIES,          /* of a message, for another filter of ours */
        METRIC_MQTT_UNWANTED,        /* came for a filter that two others were joined to */
        METRIC_MQTT_PUBLISHED,
        METRIC_EXPLORED,           /* messages that mqtt.explore brought and no route takes */
        METRIC_EXPLORED_SHAPES,    /* gauge: of their topics, in the sketch */
        METRIC_EXPLORED_DISPLACED, /* shapes that gave way to others */
        METRIC_DISCOVERED_DEVICES, /* gauge: that announce themselves */
        METRIC_DISCOVERED_POINTS,  /* gauge: of them */
        METRIC_DISCOVERED_REFUSED, /* gauge: what of announcements is not taken */
        METRIC_DISCOVERY_NEWS,     /* announcements that are new, or other than before */
        METRIC_DISCOVERY_BYTES,    /* gauge: of announcements that are kept */
        METRIC_DISCOVERY_BOUND,    /* announcements that are not kept */

        METRIC_IGNORED,               /* of topics that a route does not want; duplicates, too */
        METRIC_REGISTRATIONS,         /* devices that were to be created by themselves */
        METRIC_REGISTRATIONS_REFUSED, /* too many in a minute */
        METRIC_REGISTRATIONS_SHARE,   /* of these: one user had his share */
        METRIC_SENSORS,               /* gauge: of all vehicles */
        METRIC_SPARKPLUG_THINGS,      /* gauge: nodes and devices whose births are remembered */
        METRIC_SPARKPLUG_REFUSED,     /* births of more */
        METRIC_SPARKPLUG_GAPS,        /* in counters of nodes */
        METRIC_SPARKPLUG_LATE,   /* messages of a session or life that was over; duplicates, too */
        METRIC_SPARKPLUG_AGAIN,  /* that it lives, or is gone, said before; duplicates, too */
        METRIC_SPARKPLUG_ASKED,  /* nodes, to be born again */
        METRIC_SPARKPLUG_UNTOLD, /* what follows from a birth or death, without room */
        METRIC_MERGED_DOCUMENTS, /* gauge: devices of which changes are laid over each other */
        METRIC_MERGED_REFUSED,   /* messages of more devices */
        METRIC_MERGED_TOO_LARGE, /* messages that made a document too long */
        METRIC_LETTERS,          /* gauge: dead letters that there are, roughly */
        METRIC_LETTERS_BYTES,    /* gauge: of their tables */
        METRIC_LETTERS_MANY,     /* gauge, 0 or 1: more than database.dead_letters_warn */
        METRIC_PEOPLE,           /* gauge: of all cameras */
        METRIC_PEOPLE_REFUSED,   /* names that were not counted; of the database */
        METRIC_CLOCKS,           /* gauge: of devices, by ClockVerdict; the first of */
        METRIC_CLOCKS_LAST = METRIC_CLOCKS + CLOCK_VERDICTS - 1,
        METRIC_VEHICLE_CLOCKS, /* gauge: of vehicles, likewise */
        METRIC_VEHICLE_CLOCKS_LAST = METRIC_VEHICLE_CLOCKS + CLOCK_VERDICTS - 1,
        METRIC_COMMANDS_ACCEPTED,
        METRIC_COMMANDS_REPEATED, /* the same idempotency key again */
        METRIC_COMMANDS_REFUSED,
        METRIC_COMMANDS_SHARE_REFUSED, /* of these: one user's share of a device's queue was full */
        METRIC_COMMANDS_PUBLISHED,
        METRIC_COMMANDS_HUNG_UP,   /* sent alone, and the broker broke the connection */
        METRIC_COMMANDS_DENIED,    /* the broker answered that it does not take it */
        METRIC_COMMANDS_DELIVERED, /* to a device's own socket */
        METRIC_COMMANDS_EXPIRED,
        METRIC_COMMANDS_CANCELLED,
        METRIC_COMMANDS_UNCHANGED, /* acks and states that came too late to change anything */

        METRIC_DB_CONNECTED, /* gauge, 0 or 1 */
        METRIC_DB_BATCHES,
        METRIC_DB_REJECTED_BATCHES,
        METRIC_DB_REFUSED_BATCHES, /* for what is not their rows' fault */
        METRIC_DB_STATES_REFUSED,
        METRIC_DB_SIDES_REFUSED, /* what would have gone beside a row */
        METRIC_DB_LAG_SECONDS,   /* gauge, age of the oldest record not committed */

        METRIC_LEASE_HELD,     /* gauge, of each slot 0 or 1 */
        METRIC_LEASE_WAITING,  /* gauge, of each slot 0 or 1: another gateway stores */
        METRIC_LAYOUT_DIFFERS, /* gauge, 0 or 1: others have other slots, or other templates */
        METRIC_SLOTS_LEAVING,  /* gauge: that we are letting go of */
        METRIC_LEASE_RENEWED,
        METRIC_LEASE_TAKEN,
        METRIC_JOURNALS_LEFT, /* gauge: of others of the slot, with more to store */

        METRIC_COMMANDS_UNHEARD, /* gauge, 0 or 1: nobody tells us of new ones */
        METRIC_REGISTRY_STALE,   /* gauge, 0 or 1: nobody tells us of changes */
        METRIC_DB_POOLED,        /* gauge, 0 or 1: our session is lent to others */
        METRIC_TIDIED,           /* rows of tables without days that were old */
        METRIC_RETENTION_HELD,   /* gauge, 0 or 1: the clocks do not fit, nothing is dropped */

        METRIC_OUTBOX_LENGTH, /* gauge */
        METRIC_OUTBOX_DROPPED,
        METRIC_LIVE_TOLD,       /* of ours, to other gateways: messages, and */
        METRIC_LIVE_FRAMES,     /* what they went in */
        METRIC_LIVE_UNTOLD,     /* the broker was away, or slow: others read them */
        METRIC_LIVE_HEARD,      /* of others: messages */
        METRIC_LIVE_UNREADABLE, /* frames */
        METRIC_LIVE_UNHEARD,    /* messages: the outbox was full, and they are read */
        METRIC_LIVE_CAUGHT,     /* messages of others that were read in place of heard */
        METRIC_LIVE_FORKED,     /* slots taken over of which more was shown than stored */
        METRIC_LIVE_EQUAL,      /* messages whose number another journal gave as well */
        METRIC_LIVE_CONNECTED,  /* gauge, 0 or 1: it hears others */
        METRIC_NODES_SERVING,   /* gauge: that have a slot of ours; 0: there is one slot */

        METRIC_WS_CONNECTIONS_A, /* gauges, by dialect */
        METRIC_WS_CONNECTIONS_B,
        METRIC_WS_CONNECTIONS_C,
        METRIC_WS_CONNECTIONS_D,
        METRIC_WS_CONNECTIONS_E,
        METRIC_WS_CONNECTIONS_NATIVE,
        METRIC_WS_CONNECTIONS_EVENTS,
        METRIC_WS_CONNECTIONS_POLL,
        METRIC_WS_CONNECTIONS_UPLINK,
        METRIC_WS_ACCEPTED,
        METRIC_WS_ACCEPTED_DEFLATE, /* of those */
        METRIC_WS_CLOSED,
        METRIC_WS_REFUSED_UNAUTHORIZED, /* 401 and dialect 403 */
        METRIC_WS_REFUSED_FORBIDDEN,
        METRIC_WS_REFUSED_ORIGIN,
        METRIC_WS_REFUSED_CAPACITY, /* sockets in total */
        METRIC_WS_REFUSED_PER_USER,
        METRIC_WS_REFUSED_RATE, /* connect rate of a source */
        METRIC_WS_REFUSED_BAD_REQUEST,
        METRIC_WS_REFUSED_PREFACE, /* from a proxy, without one that can be read */
        METRIC_WS_REFUSED_TIMEOUT, /* connections that did not ask for anything in time */
        METRIC_WS_CLOSED_REPLACED, /* by a newer connection of the same device */
        METRIC_WS_CLOSED_SLOW,
        METRIC_WS_CLOSED_SILENT,
        METRIC_WS_CLOSED_UNACKNOWLEDGED, /* by the kernel, on our behalf (TCP_USER_TIMEOUT) */
        METRIC_WS_CLOSED_RATE,
        METRIC_WS_CLOSED_SET,
        METRIC_WS_CLOSED_TOO_BIG,
        METRIC_WS_CLOSED_REVOKED,
        METRIC_WS_CLOSED_EXPIRED,
        METRIC_WS_CLOSED_BAD_TOKEN,
        METRIC_WS_CLOSED_FORBIDDEN,
        METRIC_WS_CLOSED_MISUSE,
        METRIC_WS_CLOSED_NO_AUTH,
        METRIC_WS_CLOSED_TOO_MANY,
        METRIC_WS_CLOSED_STATE_LOST,
        METRIC_UPLINK_BATCHES, /* of edges, journalled; at the edge: sent */
        METRIC_UPLINK_BROKEN,
        METRIC_UPLINK_COMMANDS,  /* to edges */
        METRIC_UPLINK_CONNECTED, /* gauge, 0 or 1; this and what follows: at the edge */
        METRIC_UPLINK_CONNECTS,
        METRIC_UPLINK_COPIED,      /* gauge: connections; at the edge: 0 or 1 */
        METRIC_UPLINK_DROPPED,     /* messages, as the journal was full */
        METRIC_UPLINK_GAPS,        /* ranges that edges have let go of, as they say */
        METRIC_UPLINK_LOST,        /* and messages */
        METRIC_UPLINK_LOSSY,       /* gauge: connections of edges that said so */
        METRIC_UPLINK_LAG_SECONDS, /* gauge, age of the oldest that is not stored */
        METRIC_WS_LISTS_PUT_OFF,
        METRIC_WS_MESSAGES_IN,
        METRIC_WS_BYTES_OUT,
        /* the way out: offered = sent + conflated + dropped + queued */
        METRIC_WS_OFFERED,
        METRIC_WS_SENT,
        METRIC_WS_CONFLATED,
        METRIC_WS_PLAYBACKS_REFUSED,
        METRIC_WS_UNPACED, /* sent as it came, though max_hz was asked for: too many things */
        METRIC_WS_DROPPED,
        METRIC_WS_DROPPED_AT_CLOSE, /* of those: still queued when their socket went */
        METRIC_WS_QUEUED,           /* gauge: frames */
        METRIC_WS_QUEUED_BYTES,     /* gauge */
        METRIC_WS_PLACES_DRIFT, /* gauge: places taken of ws.max_connections for which there is no
                                   connection */
        METRIC_WS_ACCOUNTING_DRIFT, /* gauge: frames of open sockets that no count explains */

        METRIC_HTTP_REQUESTS_2XX,
        METRIC_HTTP_REQUESTS_4XX,
        METRIC_HTTP_REQUESTS_5XX,
        METRIC_LOGIN_OK,
        METRIC_LOGIN_FAILED,
        METRIC_LOGIN_LIMITED,
        METRIC_LOGIN_REHASHED,      /* hashes of other forms that became ours */
        METRIC_TOKENS_REHASHED,     /* of devices, likewise */
        METRIC_LOGIN_CACHED,        /* by gateway/read/login_cache.c, among those that were ok */
        METRIC_LOGIN_FORGOTTEN,     /* who was good from where, for somebody else */
        METRIC_LOGIN_BEHIND,        /* of who comes back too often */
        METRIC_LOGIN_HELD,          /* until it is known what became of others of the address */
        METRIC_CREDENTIALS_REFUSED, /* bad tokens and tickets, whatever the transport */
        METRIC_CREDENTIALS_LIMITED, /* of those: answered with 429 */
        METRIC_TICKETS_GAVE_WAY,    /* of users who have as many as they may: the oldest */
        METRIC_TICKETS_REFUSED,     /* the table was full of others' */
        METRIC_TLS_HANDSHAKES,
        METRIC_TLS_HANDSHAKES_FAILED,   /* also what hung up, or took too long */
        METRIC_TLS_HANDSHAKES_PUT_OFF,  /* steps that had to wait for a turn, or for room */
        METRIC_WS_PUT_OFF,              /* reads whose words waited for another turn of the loop */
        METRIC_TLS_HANDSHAKES_GAVE_WAY, /* half done and silent, while others waited for room */
        METRIC_CHANGES_REFUSED,         /* of one user, too many in a minute */
        METRIC_GROUPS_REFUSED,          /* bodies with more devices than may be in one */
        METRIC_DASHBOARD_REFUSED,       /* folders that could not be read, or are too large */
        METRIC_SHARE_REFUSED_CONNECTIONS, /* one party wanted more than its share */
        METRIC_SHARE_REFUSED_REQUESTS,
        METRIC_SHARE_REFUSED_BODIES,
        METRIC_SHARE_REFUSED_SOCKETS,
        METRIC_SHARE_REFUSED_STRANGERS,
        METRIC_SHARE_REFUSED_BURST,
        METRIC_WS_BURST_BYTES,  /* held beyond the queues now */
        METRIC_QUERY_REFUSED,   /* their lane was full, or their party's share of it */
        METRIC_QUERY_WAITING,   /* gauge */
        METRIC_HISTORY_WAITING, /* gauge */
        METRIC_HISTORY_READING, /* gauge: under way */
        METRIC_HISTORY_DONE,
        METRIC_HISTORY_CANCELLED, /* the client was gone */
        METRIC_HISTORY_FAILED,
        METRIC_HISTORY_BYTES,

        METRIC_COUNT
} Metric;

typedef enum Histogram {
        HISTOGRAM_COMMIT,        /* receive to commit, seconds */
        HISTOGRAM_DELIVER,       /* receive to hand-over to the sockets, seconds */
        HISTOGRAM_BATCH_SECONDS, /* duration of one transaction */
        HISTOGRAM_BATCH_SIZE,    /* messages in it */
        HISTOGRAM_COUNT
} Histogram;

/*
 * Where a process has several slots, what each has for itself is kept for each: whatever a thread
 * adds or sets while it works for one. What is asked for is the sum, or the worst of those that are
 * held; /metrics has each, with its label. Set before any thread works for one. 0 slots: none has
 * anything for itself.
 */
void metrics_have_slots(unsigned n_slots, int first); /* numbered from @first on */
/* The calling thread works for the slot with this place (from 1 on; 0: for none); for which it did
 * before. */
unsigned metrics_enter(unsigned place);
unsigned metrics_place(void); /* for which it does */
unsigned metrics_n_places(void);
int metrics_slot(unsigned place);                     /* its number */
bool metric_is_of_slots(Metric metric);               /* and there are several */
int64_t metric_get_of(Metric metric, unsigned place); /* of one */
/* No slot is ours, and of one somebody else has it. */
bool metrics_stand_by(void);

void metric_add(Metric metric, int64_t n);
void metric_set(Metric metric, int64_t value);
int64_t metric_get(Metric metric);

/* Why the database is away: an SQLSTATE, or "" for what has none. Any thread. */
#define METRICS_CAUSE_SIZE 8
void metrics_set_cause(const char *sqlstate);
void metrics_get_cause(char ret_sqlstate[METRICS_CAUSE_SIZE]);

/* Which gateway stores while we do not, as host:pid; "" = we do, or nobody knows. One thread sets
 * it, any thread asks. */
#define METRICS_HOLDER_SIZE 96
void metrics_set_holder(const char *holder);
void metrics_get_holder(char ret_holder[METRICS_HOLDER_SIZE]);

/* Dead letters are counted by Reason (record.h). */
void metric_add_dead_letter(unsigned reason, int64_t n);
int64_t metric_get_dead_letter(unsigned reason);
int64_t metric_get_dead_letters(void); /* of all reasons */

void histogram_observe(Histogram histogram, double value);

/* What they are called, and how they stand, for whoever writes them all down. */
#define HISTOGRAM_MAX_BOUNDS 16

typedef enum MetricType {
        METRIC_COUNTER,
        METRIC_GAUGE,
        METRIC_GAUGE_US, /* kept in microseconds, shown in seconds */
} MetricType;

typedef struct MetricRow MetricRow;
typedef struct HistogramRow HistogramRow;

struct MetricRow {
        const char *name;  /* rows of one name share type and help */
        const char *label; /* NULL = none */
        MetricType type;
        const char *help;
};

struct HistogramRow {
        const char *name, *help;
        size_t n_bounds;
        double bounds[HISTOGRAM_MAX_BOUNDS]; /* upper, inclusive; +Inf follows by itself */
};

const MetricRow *metric_row(Metric metric);
bool metric_row_is_family(const MetricRow *row, const MetricRow *other); /* of one name */
Text metric_row_label(const MetricRow *row); /* its value: of reason="rate", rate */
const HistogramRow *histogram_row(Histogram histogram);
uint64_t histogram_bucket(Histogram histogram, size_t i); /* not cumulative; the last is +Inf */
double histogram_sum(Histogram histogram);

void metrics_reset(void); /* for tests */
