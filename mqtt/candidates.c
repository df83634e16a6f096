#include "mqtt/candidates.h"

#include <stdio.h>

#include "mqtt/broker.h"

#define MQTT_CANDIDATES_CLOSED 2 /* times before 3.1.1 is tried */
#define MQTT_CANDIDATES_OLD    4 /* as Paho calls 3.1.1 */
#define MQTT_CANDIDATES_NEW    5

/* The @i-th part of a list with commas; without the blanks around it. */
static bool mqtt_candidates_part(const char *urls, size_t i, char *ret_url, size_t n_url) {
        const char *at = urls + strspn(urls, " \t");
        size_t n;

        for (; i > 0 && *at; --i) {
                at += strcspn(at, ",");
                at += *at == ',';
                at += strspn(at, " \t");
        }
        n = strcspn(at, ", \t");
        if (i > 0 || n == 0 || n >= n_url)
                return false;
        memcpy(ret_url, at, n);
        ret_url[n] = '\0';
        return true;
}

static size_t mqtt_candidates_count(const char *urls) {
        size_t n = 1;

        for (const char *c = urls; *c; ++c)
                n += *c == ',';
        return n;
}

static bool mqtt_candidates_aim(MqttCandidates *candidates, size_t at) {
        candidates->at = at;
        candidates->n_closed = 0;
        candidates->is_old = false;
        candidates->n_others = candidates->n_tried = 0;
        candidates->version = candidates->wanted ? candidates->wanted : MQTT_CANDIDATES_NEW;
        return mqtt_candidates_part(candidates->urls,
                                    at,
                                    candidates->url,
                                    sizeof(candidates->url)) &&
               mqtt_broker_uri(candidates->url,
                               candidates->uri,
                               sizeof(candidates->uri),
                               &candidates->is_tls);
}

bool mqtt_candidates_init(MqttCandidates *candidates, const char *urls, int version) {
        *candidates = (MqttCandidates){ .urls = urls, .wanted = version, .is_round_over = true };
        if (!urls ||
            (version != 0 && version != MQTT_CANDIDATES_OLD && version != MQTT_CANDIDATES_NEW))
                return false;
        candidates->n_urls = mqtt_candidates_count(urls);
        if (candidates->n_urls > MQTT_CANDIDATES_MAX)
                return false;
        for (size_t i = candidates->n_urls; i > 0; --i)
                if (!mqtt_candidates_aim(candidates, i - 1))
                        return false;
        return true;
}

bool mqtt_candidates_is_wide(const MqttCandidates *candidates) {
        return candidates->n_others > 0;
}

void mqtt_candidates_widen(MqttCandidates *candidates, const char *address, const char *port) {
        bool is_v6 = strchr(address, ':') != NULL;
        int n;

        if (candidates->n_others == MQTT_CANDIDATES_ADDRESSES)
                return;
        n = snprintf(candidates->others[candidates->n_others],
                     sizeof(candidates->others[0]),
                     is_v6 ? "%s://[%s]:%s" : "%s://%s:%s",
                     candidates->is_tls ? "ssl" : "tcp",
                     address,
                     port);
        if (n > 0 && (size_t)n < sizeof(candidates->others[0]))
                ++candidates->n_others;
}

/* Another address of the same name. */
static bool mqtt_candidates_next_address(MqttCandidates *candidates) {
        if (candidates->n_tried == candidates->n_others)
                return false;
        snprintf(candidates->uri,
                 sizeof(candidates->uri),
                 "%s",
                 candidates->others[candidates->n_tried++]);
        return true;
}

void mqtt_candidates_fail(MqttCandidates *candidates, MqttFault fault) {
        bool may_be_old = candidates->wanted == 0 && candidates->version == MQTT_CANDIDATES_NEW;

        candidates->is_round_over = false;
        if (may_be_old && fault == MQTT_FAULT_VERSION) {
                candidates->is_old = true;
                candidates->version = MQTT_CANDIDATES_OLD;
                return;
        }
        if (may_be_old && fault == MQTT_FAULT_CLOSED) {
                if (++candidates->n_closed >= MQTT_CANDIDATES_CLOSED)
                        candidates->version = MQTT_CANDIDATES_OLD;
                return;
        }
        if (mqtt_candidates_next_address(candidates))
                return;
        (void)mqtt_candidates_aim(candidates, (candidates->at + 1) % candidates->n_urls);
        candidates->is_round_over = candidates->at == 0;
}

void mqtt_candidates_succeed(MqttCandidates *candidates) {
        if (candidates->wanted != 0 || candidates->is_old)
                return;
        candidates->n_closed =
                candidates->version == MQTT_CANDIDATES_OLD ? MQTT_CANDIDATES_CLOSED - 1 : 0;
        candidates->version = MQTT_CANDIDATES_NEW;
}

bool mqtt_said_is_news(MqttSaid said[MQTT_CANDIDATES_MAX], const char *url, const char *error) {
        size_t i = 0;

        while (i + 1 < MQTT_CANDIDATES_MAX && said[i].url[0] != '\0' &&
               strcmp(said[i].url, url) != 0)
                ++i;
        snprintf(said[i].url, sizeof(said[i].url), "%s", url);
        for (size_t k = 0; k < MQTT_CANDIDATES_REASONS && k < said[i].n_said; ++k)
                if (strncmp(said[i].errors[k], error, MQTT_CANDIDATES_WHY - 1) == 0)
                        return false;
        snprintf(said[i].errors[said[i].n_said++ % MQTT_CANDIDATES_REASONS],
                 MQTT_CANDIDATES_WHY,
                 "%s",
                 error);
        return true;
}
