#include "gateway/discovery.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bucket.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/decode/route.h"
#include "gateway/discover/points.h"
#include "model/bulletin.h"
#include "model/metrics.h"
#include "mqtt/listener.h"

#define DISCOVERY_NAME     "%s-discover"
#define DISCOVERY_QUIET_US INT64_C(200000)  /* without news: that was all of them */
#define DISCOVERY_LONG_US  INT64_C(1000000) /* and if it is never quiet */
#define DISCOVERY_KNOWN_US INT64_C(1000000) /* without news: the session may be taken up */
#define DISCOVERY_ALL_US   INT64_C(5000000) /* without any, at a new connection: all have come */
#define DISCOVERY_BURST    6                /* tables at once */
#define DISCOVERY_EACH_US  INT64_C(20000000)
#define DISCOVERY_FILTERS  64 /* prefixes */

struct Discovery {
        Notices *notices;
        MqttListener *listener; /* NULL: nothing was ever wanted, or we may not yet */
        MqttOptions options;    /* its texts are borrowed */
        char *client_id;
        char path[PATH_MAX];
        int wake_fd;
        bool is_open;
        bool is_abandoned; /* the listener goes on using us */
        bool is_loaded;    /* the file has been read */
        bool is_known;     /* it had some, or the broker was heard */
        bool is_told;      /* that it cannot be written */

        const DiscoverRule *rules; /* borrowed */
        size_t n_rules;
        Routes *own;               /* owned reference */
        Bucket tables;             /* that may be made */
        uint64_t hash;             /* of the points that the table has */
        _Atomic int64_t news_us;   /* when the first came that is in no table; 0: none */
        _Atomic int64_t newest_us; /* and the last */
        _Atomic int64_t all_us;    /* when all that is retained has come; 0: that is known */
        _Atomic bool has_patterns; /* whatever comes is wanted without */
        pthread_mutex_t lock;
        Routes *table;     /* {lock} owned reference; set by main alone */
        Patterns patterns; /* {lock} */
};

static const BucketRate discovery_rate = { 1, DISCOVERY_EACH_US, DISCOVERY_BURST };

/* ---- on Paho's thread --------------------------------------------------------------------- */

static void discovery_wake(const Discovery *discovery) {
        uint64_t one = 1;

        (void)!write(discovery->wake_fd, &one, sizeof(one));
}

static void discovery_hear(void *arg, const Inbound *inbound) {
        Discovery *discovery = arg;
        int64_t none = 0, all_us = atomic_load(&discovery->all_us);

        if (all_us != 0) /* the connection may have gone meanwhile */
                (void)atomic_compare_exchange_strong(&discovery->all_us,
                                                     &all_us,
                                                     clock_mono_us() + DISCOVERY_ALL_US);
        switch (notices_hear(discovery->notices, inbound->topic, inbound->payload)) {
        case NOTICE_NEWS:
                metric_add(METRIC_DISCOVERY_NEWS, 1);
                atomic_store(&discovery->newest_us, clock_mono_us());
                if (atomic_compare_exchange_strong(&discovery->news_us, &none, clock_mono_us()))
                        discovery_wake(discovery);
                break;
        case NOTICE_BOUND:
                metric_add(METRIC_DISCOVERY_BOUND, 1);
                break;
        case NOTICE_NONE:
        default:
                break;
        }
}

/* On the listener's. */
static void discovery_turned(void *arg, bool is_connected) {
        Discovery *discovery = arg;

        if (is_connected)
                notices_begin(discovery->notices);
        atomic_store(&discovery->all_us, is_connected ? clock_mono_us() + DISCOVERY_ALL_US : 0);
        discovery_wake(discovery);
}

bool discovery_wants(const void *arg, Text topic) {
        /* The lock is all that changes of it. */
        Discovery *discovery = (Discovery *)(uintptr_t)arg;
        const Route *routes[ROUTES_MAX_TAKING];
        bool is_ignored, is_wanted;

        if (!atomic_load_explicit(&discovery->has_patterns, memory_order_relaxed))
                return true;
        pthread_mutex_lock(&discovery->lock);
        is_wanted = routes_taking(discovery->table, topic, routes, &is_ignored) > 0 || is_ignored ||
                    !patterns_take(&discovery->patterns, topic);
        pthread_mutex_unlock(&discovery->lock);
        return is_wanted;
}

/* ---- tables ------------------------------------------------------------------------------- */

static int discovery_make_patterns(const Findings *findings, Patterns *ret_patterns) {
        const FoundTopic *at = findings_topics(findings);
        size_t n = 0, n_all = 0;
        Text *topics;
        int r;

        for (const FoundTopic *one = at; one; one = one->next)
                ++n_all;
        topics = calloc(n_all + 1, sizeof(*topics));
        if (!topics)
                return err_new(-ENOMEM);
        for (; at; at = at->next)
                if (!at->is_refused)
                        topics[n++] = at->topic;
        r = patterns_make(ret_patterns, topics, n);
        free(topics);
        return err_up(r);
}

static int discovery_make_table(Discovery *discovery, const Findings *findings) {
        CLEANUP(routes_unref) Routes *table = NULL;
        Routes *old;
        Patterns patterns = { 0 }, before;
        int r = routes_new_behind(&table, discovery->own);

        if (r == 0)
                r = points_add_routes(findings, table);
        if (r == 0)
                r = discovery_make_patterns(findings, &patterns);
        if (r != 0)
                return err_up(r);
        pthread_mutex_lock(&discovery->lock);
        before = discovery->patterns;
        old = discovery->table;
        discovery->patterns = patterns;
        discovery->table = TAKE(&table);
        atomic_store(&discovery->has_patterns, patterns.n > 0);
        pthread_mutex_unlock(&discovery->lock);
        routes_unref(old);
        patterns_done(&before);
        return 0;
}

static void discovery_tell(Discovery *discovery, const Findings *findings) {
        CLEANUP_BUF Buf buf = { 0 };

        metric_set(METRIC_DISCOVERY_BYTES, (int64_t)notices_bytes(discovery->notices));
        metric_set(METRIC_DISCOVERED_DEVICES, (int64_t)findings_n_devices(findings));
        metric_set(METRIC_DISCOVERED_POINTS, (int64_t)findings_n_points(findings));
        metric_set(METRIC_DISCOVERED_REFUSED, (int64_t)findings_n_refused(findings));
        points_write(findings, clock_now_us(), &buf);
        if (discovery->n_rules == 0 || buf_failed(&buf) ||
            bulletin_put(BULLETIN_DISCOVERED, buf_text(&buf)) != 0)
                bulletin_clear(BULLETIN_DISCOVERED);
}

static void discovery_save(Discovery *discovery) {
        if (notices_save(discovery->notices, discovery->path)) {
                discovery->is_told = false;
        } else if (!discovery->is_told) {
                log_warning("discovered_not_written file=\"%s\" errno=%d", discovery->path, errno);
                discovery->is_told = true;
        }
}

static int discovery_read(Discovery *discovery, bool is_new, bool *ret_is_changed) {
        CLEANUP(findings_free) Findings *findings = NULL;
        uint64_t hash;
        int r;

        atomic_store(&discovery->news_us, 0);
        r = notices_read(discovery->notices, discovery->own, &findings);
        if (r != 0)
                return err_up(r);
        hash = points_hash(findings);
        *ret_is_changed = is_new || hash != discovery->hash;
        discovery->hash = hash;
        discovery_tell(discovery, findings);
        if (*ret_is_changed)
                r = discovery_make_table(discovery, findings);
        if (r == 0 && discovery->n_rules > 0)
                log_info("discovered devices=%zu points=%zu refused=%zu patterns=%zu",
                         findings_n_devices(findings),
                         findings_n_points(findings),
                         findings_n_refused(findings),
                         discovery->patterns.n);
        return err_up(r);
}

static int64_t discovery_wait_news_us(const Discovery *discovery) {
        int64_t now_us = clock_mono_us(), news_us = atomic_load(&discovery->news_us);
        int64_t quiet_us, long_us;

        if (news_us == 0)
                return INT64_MAX;
        if (bucket_left(&discovery->tables, &discovery_rate, now_us) == 0)
                return DISCOVERY_LONG_US;
        quiet_us = atomic_load(&discovery->newest_us) + DISCOVERY_QUIET_US - now_us;
        long_us = news_us + DISCOVERY_LONG_US - now_us;
        quiet_us = quiet_us < long_us ? quiet_us : long_us;
        return quiet_us > 0 ? quiet_us : 0;
}

static int64_t discovery_wait_all_us(const Discovery *discovery) {
        int64_t all_us = atomic_load(&discovery->all_us), left_us = all_us - clock_mono_us();

        if (all_us == 0)
                return INT64_MAX;
        return left_us > 0 ? left_us : 0;
}

/* Who waits for what is announced waits until no more comes: each that is missing is a topic whose
 * queued messages have no route. */
static int64_t discovery_wait_known_us(const Discovery *discovery) {
        int64_t newest_us = atomic_load(&discovery->newest_us), left_us;

        if (discovery->is_known || newest_us == 0 || atomic_load(&discovery->news_us) != 0)
                return INT64_MAX;
        left_us = newest_us + DISCOVERY_KNOWN_US - clock_mono_us();
        return left_us > 0 ? left_us : 0;
}

int64_t discovery_wait_us(const Discovery *discovery) {
        int64_t news_us = discovery_wait_news_us(discovery);
        int64_t all_us = discovery_wait_all_us(discovery);
        int64_t known_us = discovery_wait_known_us(discovery);

        all_us = known_us < all_us ? known_us : all_us;
        return news_us < all_us ? news_us : all_us;
}

/* What is missing now is news. */
static void discovery_settle(Discovery *discovery) {
        int64_t now_us = clock_mono_us(), none = 0, all_us = atomic_load(&discovery->all_us);
        size_t n_missing;

        if (all_us == 0 || now_us < all_us ||
            !atomic_compare_exchange_strong(&discovery->all_us, &all_us, 0))
                return;
        discovery->is_known = true; /* also that there are none */
        if (!notices_settle(discovery->notices, &n_missing))
                return;
        log_info("discovered_missing announcements=%zu", n_missing);
        atomic_store(&discovery->newest_us, now_us - DISCOVERY_QUIET_US);
        (void)atomic_compare_exchange_strong(&discovery->news_us, &none, now_us);
}

int discovery_turn(Discovery *discovery, bool *ret_is_changed) {
        uint64_t count;
        int r;

        *ret_is_changed = false;
        (void)!read(discovery->wake_fd, &count, sizeof(count));
        discovery_settle(discovery);
        if (discovery_wait_known_us(discovery) == 0)
                discovery->is_known = true;
        if (discovery_wait_news_us(discovery) > 0)
                return 0;
        bucket_pay(&discovery->tables, &discovery_rate, 1, clock_mono_us());
        r = discovery_read(discovery, false, ret_is_changed);
        if (r == 0)
                discovery_save(discovery);
        return err_up(r);
}

/* ---- what is wanted ----------------------------------------------------------------------- */

/* The listener is made when it is first wanted: who discovers nothing has no thread for it. */
static int discovery_listen(Discovery *discovery) {
        const char *filters[DISCOVERY_FILTERS];
        size_t n = 0;
        int r = 0;

        if (!discovery->is_open || (!discovery->listener && discovery->n_rules == 0))
                return 0;
        if (!discovery->listener)
                r = mqtt_listener_new(&discovery->listener,
                                      &discovery->options,
                                      "mqtt_discovery",
                                      discovery->client_id,
                                      &(MqttListenerSink){ .arg = discovery,
                                                           .heard = discovery_hear,
                                                           .turned = discovery_turned });
        for (; n < discovery->n_rules && n < N_ELEMENTS(filters); ++n)
                filters[n] = topic_template_filter(discovery->rules[n].topic);
        if (r == 0)
                r = mqtt_listener_set_filters(discovery->listener, filters, n);
        return err_up(r);
}

int discovery_set(Discovery *discovery, const DiscoverRule rules[], size_t n_rules, Routes *own) {
        bool is_changed;
        int r = 0;

        routes_unref(discovery->own);
        discovery->own = routes_ref(own);
        discovery->rules = rules;
        discovery->n_rules = n_rules;
        notices_set_rules(discovery->notices, rules, n_rules);
        if (!discovery->is_loaded && n_rules > 0) {
                r = notices_load(discovery->notices, discovery->path);
                discovery->is_loaded = true;
                discovery->is_known = notices_length(discovery->notices) > 0;
        }
        if (r == 0)
                r = discovery_read(discovery, true, &is_changed);
        return r == 0 ? err_up(discovery_listen(discovery)) : err_up(r);
}

int discovery_open(Discovery *discovery, const MqttOptions *options, const char *client_id) {
        size_t n = strlen(client_id) + sizeof(DISCOVERY_NAME);

        discovery->options = *options;
        discovery->client_id = malloc(n);
        if (!discovery->client_id)
                return err_new(-ENOMEM);
        snprintf(discovery->client_id, n, DISCOVERY_NAME, client_id);
        discovery->is_open = true;
        return err_up(discovery_listen(discovery));
}

int discovery_fd(const Discovery *discovery) {
        return discovery->wake_fd;
}

bool discovery_is_known(const Discovery *discovery) {
        return discovery->n_rules == 0 || discovery->is_known;
}

Routes *discovery_routes(Discovery *discovery) {
        return discovery->table;
}

const Patterns *discovery_patterns(const Discovery *discovery) {
        return &discovery->patterns;
}

/* ---- life --------------------------------------------------------------------------------- */

int discovery_new(Discovery **ret_discovery, const char *dir, size_t max_bytes) {
        CLEANUP(discovery_free) Discovery *discovery = calloc(1, sizeof(*discovery));
        int r;

        if (!discovery)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&discovery->lock, NULL));
        snprintf(discovery->path, sizeof(discovery->path), "%s/" DISCOVERY_FILE, dir);
        discovery->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (discovery->wake_fd < 0)
                return err_new(-errno);
        r = notices_new(&discovery->notices, max_bytes);
        if (r != 0)
                return err_up(r);
        *ret_discovery = TAKE(&discovery);
        return 0;
}

void discovery_stop(Discovery *discovery) {
        discovery->is_open = false;
        discovery->listener = mqtt_listener_free(discovery->listener);
        discovery->is_abandoned |= discovery->listener != NULL;
        discovery->listener = NULL;
        notices_set_rules(discovery->notices, NULL, 0); /* they may go now */
}

Discovery *discovery_free(Discovery *discovery) {
        if (!discovery)
                return NULL;
        if (discovery->notices)
                discovery_stop(discovery);
        if (discovery->is_abandoned)
                return NULL;
        notices_free(discovery->notices);
        routes_unref(discovery->own);
        routes_unref(discovery->table);
        patterns_done(&discovery->patterns);
        MUST(pthread_mutex_destroy(&discovery->lock));
        if (discovery->wake_fd >= 0)
                (void)close(discovery->wake_fd);
        free(discovery->client_id);
        free(discovery);
        return NULL;
}
