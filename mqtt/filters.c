#include "mqtt/filters.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "model/metrics.h"
#include "model/topic_filter.h"
#include "mqtt/session.h"

#define MQTT_FILTERS_MAX_LINE 65600      /* the longest filter that MQTT allows, and a newline */
#define MQTT_FILTERS_JOIN     "\tjoined" /* in the file, behind such a one */

static MqttFilter *mqtt_filters_find(const MqttFilters *filters, const char *text) {
        for (size_t i = 0; i < filters->n_items; ++i)
                if (strcmp(filters->items[i].text, text) == 0)
                        return &filters->items[i];
        return NULL;
}

static int mqtt_filters_add(MqttFilters *filters,
                            const char *text,
                            MqttFilterState state,
                            bool is_join) {
        MqttFilter filter = { .state = state, .is_join = is_join };

        if (!VEC_HAS_ROOM(filters->items, filters->n_items, filters->capacity, 8))
                return err_new(-ENOMEM);
        filter.text = strdup(text);
        if (!filter.text)
                return err_new(-ENOMEM);
        filters->items[filters->n_items++] = filter;
        return 0;
}

static bool mqtt_filters_is_pattern(const char *text) {
        return strstr(text, "#/") != NULL;
}

static int mqtt_filters_add_pattern(MqttFilters *filters, const char *text) {
        char *copy;

        for (size_t i = 0; i < filters->n_patterns; ++i)
                if (strcmp(filters->patterns[i], text) == 0)
                        return 0;
        copy = strdup(text);
        if (!copy ||
            !VEC_HAS_ROOM(filters->patterns, filters->n_patterns, filters->patterns_capacity, 4)) {
                free(copy);
                return err_new(-ENOMEM);
        }
        filters->patterns[filters->n_patterns++] = copy;
        return 0;
}

/* And the filter that brings its topics, which nobody else may want. */
static int mqtt_filters_want_pattern(MqttFilters *filters, const char *text) {
        char *filter = strndup(text, strcspn(text, "#") + 1);
        int r = filter ? mqtt_filters_add_pattern(filters, text) : err_new(-ENOMEM);

        if (r == 0 && !mqtt_filters_find(filters, filter))
                r = mqtt_filters_add(filters, filter, MQTT_FILTER_WANTED, true);
        free(filter);
        return r == 0 ? 0 : err_up(r);
}

static bool mqtt_filters_cover_both(const MqttFilters *filters, const char *a, const char *b) {
        for (size_t i = 0; i < filters->n_items; ++i)
                if (topic_filter_covers(filters->items[i].text, a) &&
                    topic_filter_covers(filters->items[i].text, b))
                        return true;
        return false;
}

/* A join may meet others again, so it is looked at like them. */
static int mqtt_filters_join(MqttFilters *filters) {
        for (size_t i = 0; i < filters->n_items; ++i)
                for (size_t k = 0; k < i; ++k) {
                        const char *a = filters->items[i].text, *b = filters->items[k].text;
                        char *join = NULL;
                        int r;

                        if (!topic_filter_meets(a, b) || mqtt_filters_cover_both(filters, a, b))
                                continue;
                        r = topic_filter_join(a, b, &join);
                        if (r == 0)
                                r = mqtt_filters_add(filters, join, MQTT_FILTER_WANTED, true);
                        free(join);
                        if (r < 0)
                                return err_up(r);
                }
        return 0;
}

int mqtt_filters_new(MqttFilters **ret_filters, const char *const texts[], size_t n_texts) {
        CLEANUP(mqtt_filters_free) MqttFilters *filters = NULL;
        int r = 0;

        filters = calloc(1, sizeof(*filters));
        if (!filters)
                return err_new(-ENOMEM);
        for (size_t i = 0; r == 0 && i < n_texts; ++i)
                if (!mqtt_filters_is_pattern(texts[i]) && !mqtt_filters_find(filters, texts[i]))
                        r = mqtt_filters_add(filters, texts[i], MQTT_FILTER_WANTED, false);
        for (size_t i = 0; r == 0 && i < n_texts; ++i)
                if (mqtt_filters_is_pattern(texts[i]))
                        r = mqtt_filters_want_pattern(filters, texts[i]);
        filters->n_own = filters->n_patterns;
        if (r == 0)
                r = mqtt_filters_join(filters);
        if (r < 0)
                return err_up(r);

        *ret_filters = TAKE(&filters);
        return 0;
}

MqttFilters *mqtt_filters_free(MqttFilters *filters) {
        if (!filters)
                return NULL;

        for (size_t i = 0; i < filters->n_items; ++i)
                free(filters->items[i].text);
        for (size_t i = 0; i < filters->n_patterns; ++i)
                free(filters->patterns[i]);
        free(filters->patterns);
        free(filters->items);
        free(filters);
        return NULL;
}

int mqtt_filters_replace(MqttFilters **filtersp, MqttFilters **nextp) {
        MqttFilters *next = *nextp;
        int r = 0;

        for (size_t i = 0; *filtersp && r == 0 && i < (*filtersp)->n_items; ++i) {
                const MqttFilter *old = &(*filtersp)->items[i];
                MqttFilter *same = mqtt_filters_find(next, old->text);
                MqttFilterState state = old->state;

                if (same) {
                        mqtt_filter_step(&state, MQTT_FILTER_ON_WISH);
                        same->state = state;
                        same->may_be_there = old->may_be_there;
                        same->is_refused = old->is_refused;
                        same->is_reported = old->is_reported;
                } else if (mqtt_filter_step(&state, MQTT_FILTER_ON_DROP) &&
                           state != MQTT_FILTER_GONE) {
                        r = mqtt_filters_add(next, old->text, state, old->is_join);
                }
        }
        for (size_t i = 0; *filtersp && r == 0 && i < (*filtersp)->n_patterns; ++i)
                r = mqtt_filters_add_pattern(next, (*filtersp)->patterns[i]);
        if (r < 0)
                return err_up(r);
        next->is_changed = true;

        mqtt_filters_free(*filtersp);
        *filtersp = TAKE(nextp);
        return 0;
}

void mqtt_filter_answered(MqttFilter *filter, int code, int qos) {
        if (code >= MQTT_SESSION_REFUSED) {
                metric_add(METRIC_MQTT_SUBSCRIBE_REFUSED, 1);
                if (!filter->is_refused)
                        log_error("mqtt_subscribe_refused filter=%s code=0x%02x",
                                  filter->text,
                                  (unsigned)code);
                filter->is_refused = true;
                mqtt_filter_step(&filter->state, MQTT_FILTER_ON_DENY);
                return;
        }
        if (code < qos && !filter->is_reported)
                log_warning("mqtt_subscribe_downgraded filter=%s qos=%d hint=\"the broker may "
                            "lose messages\"",
                            filter->text,
                            code);
        if (filter->is_refused || (code >= qos && filter->is_reported))
                log_info("mqtt_subscribe_granted filter=%s", filter->text);
        filter->is_refused = false;
        filter->is_reported = code < qos;
        filter->may_be_there = true;
        mqtt_filter_step(&filter->state, MQTT_FILTER_ON_GRANT);
}

void mqtt_filter_unsubscribed(MqttFilter *filter) {
        filter->may_be_there = false;
        mqtt_filter_step(&filter->state, MQTT_FILTER_ON_UNSUB);
}

void mqtt_filters_drop_gone(MqttFilters *filters) {
        size_t n = 0;

        for (size_t i = 0; i < filters->n_items; ++i)
                if (filters->items[i].state == MQTT_FILTER_GONE)
                        free(filters->items[i].text);
                else
                        filters->items[n++] = filters->items[i];
        filters->is_changed |= n != filters->n_items;
        filters->n_items = n;
        while (filters->n_patterns > filters->n_own &&
               !mqtt_filters_have(filters, MQTT_FILTER_STALE)) {
                filters->is_changed = true;
                free(filters->patterns[--filters->n_patterns]);
        }
}

void mqtt_filters_reset(MqttFilters *filters, bool is_session_new) {
        for (size_t i = 0; i < filters->n_items; ++i) {
                filters->items[i].may_be_there = !is_session_new;
                mqtt_filter_step(&filters->items[i].state,
                                 is_session_new ? MQTT_FILTER_ON_FRESH : MQTT_FILTER_ON_RESUME);
        }
        mqtt_filters_drop_gone(filters);
}

static bool mqtt_filters_is_in_use(const MqttFilter *filter) {
        return filter->state == MQTT_FILTER_WANTED || filter->state == MQTT_FILTER_SUBSCRIBED;
}

static bool mqtt_filters_is_covered(const MqttFilters *filters, const MqttFilter *filter) {
        for (size_t i = 0; i < filters->n_items; ++i) {
                const MqttFilter *other = &filters->items[i];

                if (other != filter && mqtt_filters_is_in_use(other) &&
                    topic_filter_covers(other->text, filter->text))
                        return true;
        }
        return false;
}

/* A subscription that was granted is in the session, whatever else is. */
static bool mqtt_filters_is_there(const MqttFilter *filter) {
        return filter->state == MQTT_FILTER_SUBSCRIBED || filter->may_be_there;
}

void mqtt_filters_cover(MqttFilters *filters) {
        for (size_t i = 0; i < filters->n_items; ++i) {
                MqttFilter *filter = &filters->items[i];
                bool is_left_out = filter->state == MQTT_FILTER_COVERED ||
                                   filter->state == MQTT_FILTER_DOUBLED;
                bool is_covered;

                if (!is_left_out && !mqtt_filters_is_in_use(filter))
                        continue;
                is_covered = mqtt_filters_is_covered(filters, filter);
                if (is_left_out && !is_covered)
                        mqtt_filter_step(&filter->state, MQTT_FILTER_ON_UNCOVER);
                if (!is_left_out && is_covered)
                        mqtt_filter_step(&filter->state,
                                         mqtt_filters_is_there(filter) ? MQTT_FILTER_ON_DOUBLE
                                                                       : MQTT_FILTER_ON_COVER);
        }
}

bool mqtt_filters_have(const MqttFilters *filters, MqttFilterState state) {
        for (size_t i = 0; i < filters->n_items; ++i)
                if (filters->items[i].state == state)
                        return true;
        return false;
}

size_t mqtt_filters_n_refused(const MqttFilters *filters) {
        size_t n = 0;

        for (size_t i = 0; i < filters->n_items; ++i)
                n += filters->items[i].is_refused;
        return n;
}

size_t mqtt_filters_pick(MqttFilters *filters,
                         MqttFilterState state,
                         MqttFilter *ret_items[],
                         size_t n_max) {
        size_t n = 0;

        for (size_t i = 0; i < filters->n_items && n < n_max; ++i)
                if (filters->items[i].state == state)
                        ret_items[n++] = &filters->items[i];
        return n;
}

static bool mqtt_filters_write(const MqttFilters *filters, int fd, const char *client_id) {
        FILE *file = fdopen(fd, "w");
        bool failed;

        if (!file) {
                (void)close(fd);
                return false;
        }
        fprintf(file, "%s\n", client_id);
        for (size_t i = 0; i < filters->n_items; ++i)
                if (filters->items[i].state != MQTT_FILTER_GONE)
                        fprintf(file,
                                "%s%s\n",
                                filters->items[i].text,
                                filters->items[i].is_join ? MQTT_FILTERS_JOIN : "");
        for (size_t i = 0; i < filters->n_patterns; ++i)
                fprintf(file, "%s\n", filters->patterns[i]);
        failed = fflush(file) != 0 || fsync(fileno(file)) != 0;
        failed = fclose(file) != 0 || failed;
        return !failed;
}

/* Written beside and moved over. If it is lost, the next process leaves old filters be. */
void mqtt_filters_save(MqttFilters *filters, const char *path, const char *client_id) {
        char next[4096];
        int fd;

        if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
                return;
        filters->is_changed = false;
        fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd >= 0 && (fchmod(fd, 0600) < 0 || !mqtt_filters_write(filters, fd, client_id)))
                fd = -1;
        if (fd < 0 || rename(next, path) < 0)
                log_warning("mqtt_state_not_saved file=\"%s\" errno=%d", path, errno);
}

static bool mqtt_filters_load_line(MqttFilters *filters, char *text) {
        const size_t n_mark = sizeof(MQTT_FILTERS_JOIN) - 1;
        size_t n = strlen(text);
        bool is_join = n > n_mark && strcmp(text + n - n_mark, MQTT_FILTERS_JOIN) == 0;

        if (is_join)
                text[n - n_mark] = '\0';
        if (mqtt_filters_is_pattern(text))
                return mqtt_filters_add_pattern(filters, text) == 0;
        if (!topic_filter_is_valid(text_of(text))) /* damage: the broker would hang up on us */
                return true;
        if (mqtt_filters_find(filters, text))
                return true;
        return mqtt_filters_add(filters, text, MQTT_FILTER_STALE, is_join) == 0;
}

bool mqtt_filters_load(MqttFilters *filters, const char *path, const char *client_id) {
        char *line = NULL;
        size_t n_line = 0;
        bool is_ours = false;
        ssize_t n;
        FILE *file;

        file = fopen(path, "re");
        if (!file)
                return false;
        while ((n = getline(&line, &n_line, file)) > 0 && n < MQTT_FILTERS_MAX_LINE) {
                if (line[n - 1] == '\n')
                        line[n - 1] = '\0';
                if (is_ours && (line[0] == '\0' || !mqtt_filters_load_line(filters, line)))
                        break;
                if (!is_ours && strcmp(line, client_id) != 0)
                        break;
                is_ours = true;
        }
        free(line);
        (void)fclose(file);
        return is_ours;
}
