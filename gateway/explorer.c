#include "gateway/explorer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway/decode/route.h"
#include "gateway/explore/found.h"
#include "gateway/explore/sketch.h"
#include "gateway/live/frame.h"
#include "model/bulletin.h"
#include "model/metrics.h"
#include "mqtt/listener.h"

#define EXPLORER_NAME    "%s-explore"
#define EXPLORER_FILTERS 32               /* as config_form.c has it */
#define EXPLORER_NOTE_US INT64_C(5000000) /* between two files */
#define EXPLORER_OURS    "tidegate/canary/"

struct Explorer {
        Sketch *sketch;
        MqttListener *listener; /* NULL: nothing was ever wanted, or we may not yet */
        MqttOptions options;    /* its texts are borrowed */
        char *path, *path_next; /* of the file, and of the one that takes its place */
        int64_t noted_us;
        uint64_t n_noted; /* messages of it */
        bool is_told;     /* that it cannot be written */
        char *client_id;
        char *filters; /* NULL: none */
        bool is_open;
        bool is_abandoned; /* the listener goes on using us */
        pthread_mutex_t lock;
        Routes *routes; /* {lock} */
};

static bool explorer_has_route(Explorer *explorer, Text topic) {
        const Route *routes[ROUTES_MAX_TAKING];
        bool ignored = false, has_route;

        pthread_mutex_lock(&explorer->lock);
        has_route = routes_taking(explorer->routes, topic, routes, &ignored) > 0 || ignored;
        pthread_mutex_unlock(&explorer->lock);
        return has_route;
}

void explorer_hear(void *arg, const Inbound *inbound) {
        Explorer *explorer = arg;
        SketchFate fate;

        if (explorer_has_route(explorer, inbound->topic) ||
            text_begins(inbound->topic, TEXT(EXPLORER_OURS)) ||
            text_begins(inbound->topic, TEXT(LIVE_TOPIC)))
                return;
        fate = sketch_take(explorer->sketch, inbound->topic, inbound->payload, clock_now_us());
        metric_add(METRIC_EXPLORED, 1);
        if (fate == SKETCH_DISPLACED)
                metric_add(METRIC_EXPLORED_DISPLACED, 1);
        else if (fate == SKETCH_NEW)
                metric_set(METRIC_EXPLORED_SHAPES,
                           (int64_t)sketch_sums(explorer->sketch).n_entries);
}

static char *explorer_path(const char *dir, const char *name) {
        size_t n = strlen(dir) + strlen(name) + 2;
        char *path = malloc(n);

        if (path)
                snprintf(path, n, "%s/%s", dir, name);
        return path;
}

int explorer_new(Explorer **ret_explorer, const char *dir, size_t n_shapes) {
        CLEANUP(explorer_free) Explorer *explorer = calloc(1, sizeof(*explorer));
        int r;

        if (!explorer)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&explorer->lock, NULL));
        explorer->path = explorer_path(dir, EXPLORER_FILE);
        explorer->path_next = explorer_path(dir, EXPLORER_FILE ".new");
        if (!explorer->path || !explorer->path_next)
                return err_new(-ENOMEM);
        r = sketch_new(&explorer->sketch, n_shapes);
        if (r != 0)
                return err_up(r);
        *ret_explorer = TAKE(&explorer);
        return 0;
}

void explorer_stop(Explorer *explorer) {
        explorer->is_open = false;
        explorer->listener = mqtt_listener_free(explorer->listener);
        explorer->is_abandoned |= explorer->listener != NULL;
        explorer->listener = NULL;
}

Explorer *explorer_free(Explorer *explorer) {
        if (!explorer)
                return NULL;
        explorer_stop(explorer);
        if (explorer->is_abandoned)
                return NULL;
        sketch_free(explorer->sketch);
        routes_unref(explorer->routes);
        MUST(pthread_mutex_destroy(&explorer->lock));
        free(explorer->path);
        free(explorer->path_next);
        free(explorer->client_id);
        free(explorer->filters);
        free(explorer);
        return NULL;
}

static int explorer_subscribe(Explorer *explorer) {
        char *copy = strdup(explorer->filters ? explorer->filters : "");
        const char *filters[EXPLORER_FILTERS];
        char *rest = copy, *item;
        size_t n = 0;
        int r;

        if (!copy)
                return err_new(-ENOMEM);
        while (n < EXPLORER_FILTERS && (item = strsep(&rest, ",")) != NULL) {
                Text trimmed = text_trim(text_of(item));

                if (trimmed.n == 0)
                        continue;
                item[(trimmed.data - item) + (ptrdiff_t)trimmed.n] = '\0';
                filters[n++] = trimmed.data;
        }
        r = mqtt_listener_set_filters(explorer->listener, filters, n);
        free(copy);
        return r == 0 ? 0 : err_up(r);
}

/* The listener is made when it is first wanted: who explores nothing has no thread for it. */
static int explorer_begin(Explorer *explorer) {
        int r = 0;

        if (!explorer->is_open || (!explorer->listener && !explorer->filters))
                return 0;
        if (!explorer->listener)
                r = mqtt_listener_new(&explorer->listener,
                                      &explorer->options,
                                      "mqtt_explore",
                                      explorer->client_id,
                                      &(MqttListenerSink){ .arg = explorer,
                                                           .heard = explorer_hear });
        if (r == 0)
                r = explorer_subscribe(explorer);
        return r == 0 ? 0 : err_up(r);
}

int explorer_set(Explorer *explorer, const char *filters, Routes *routes) {
        Routes *before;
        bool is_same = text_equal(text_of(filters), text_of(explorer->filters));
        char *copy = filters && !is_same ? strdup(filters) : NULL;
        int r;

        if (filters && !is_same && !copy)
                return err_new(-ENOMEM);
        pthread_mutex_lock(&explorer->lock);
        before = explorer->routes;
        explorer->routes = routes_ref(routes);
        pthread_mutex_unlock(&explorer->lock);
        routes_unref(before);
        sketch_forget(explorer->sketch);
        explorer->n_noted = 0;
        explorer->noted_us = 0;
        (void)unlink(explorer->path); /* also what another process has left */
        bulletin_clear(BULLETIN_UNROUTED);
        metric_set(METRIC_EXPLORED_SHAPES, 0);
        if (is_same)
                return 0;
        free(explorer->filters);
        explorer->filters = copy;
        r = explorer_begin(explorer);
        return r == 0 ? 0 : err_up(r);
}

int explorer_open(Explorer *explorer, const MqttOptions *options, const char *client_id) {
        size_t n = strlen(client_id) + sizeof(EXPLORER_NAME);
        int r;

        explorer->options = *options;
        explorer->client_id = malloc(n);
        if (!explorer->client_id)
                return err_new(-ENOMEM);
        snprintf(explorer->client_id, n, EXPLORER_NAME, client_id);
        explorer->is_open = true;
        r = explorer_begin(explorer);
        return r == 0 ? 0 : err_up(r);
}

static bool explorer_write(const Explorer *explorer, Text text) {
        int fd = open(explorer->path_next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        bool failed = fd < 0;

        while (!failed && text.n > 0) {
                ssize_t n = write(fd, text.data, text.n);

                failed = n <= 0;
                if (!failed)
                        text = (Text){ .data = text.data + n, .n = text.n - (size_t)n };
        }
        if (fd >= 0)
                failed = close(fd) < 0 || failed;
        return !failed && rename(explorer->path_next, explorer->path) == 0;
}

void explorer_tick(Explorer *explorer) {
        uint64_t n_messages = sketch_sums(explorer->sketch).n_messages;
        int64_t now_us = clock_mono_us();
        CLEANUP_BUF Buf buf = { 0 };

        if (n_messages == explorer->n_noted ||
            (explorer->noted_us > 0 && now_us - explorer->noted_us < EXPLORER_NOTE_US))
                return;
        explorer->noted_us = now_us;
        if (found_write(explorer->sketch, clock_now_us(), EXPLORER_TOLD, &buf) == 0 &&
            bulletin_put(BULLETIN_UNROUTED, buf_text(&buf)) == 0 &&
            explorer_write(explorer, buf_text(&buf))) {
                explorer->n_noted = n_messages;
                explorer->is_told = false;
        } else if (!explorer->is_told) {
                log_warning("unrouted_not_written file=\"%s\" errno=%d", explorer->path, errno);
                explorer->is_told = true;
        }
}
