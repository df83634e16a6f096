#include "gateway/discover/points.h"

#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "base/name.h"
#include "base/text.h"
#include "gateway/decode/decoder.h"

enum {
        POINTS_E_NONE = 1, /* no template or no map: whoever found it should have refused it */
};

#define POINTS_CONSTANT 256 /* bytes of a code in quotes */

/* ---- routes ------------------------------------------------------------------------------- */

static int points_add_line(Route *route, Text target, Text line) {
        char why[MAP_WHY_SIZE];
        int r = map_add(route->map, route->topic, target, line, why);

        if (r > 0)
                return POINTS_E_NONE;
        return err_up(r);
}

static int points_add_constant(Route *route, Text target, Text value) {
        char text[POINTS_CONSTANT];
        int n = snprintf(text, sizeof(text), "'%.*s'", (int)value.n, value.data);

        return points_add_line(route, target, (Text){ .data = text, .n = (size_t)n });
}

/* Is it said of one device, and by this topic alone, or by each for itself? */
static bool topic_is_of_one(const FoundTopic *topic) {
        const FoundDevice *device = topic->device;

        return !topic->is_status ||
               (topic->n_sharers == 1 && (device->n_sources == 1 || device->mode == ROUTE_LATEST));
}

static int points_join_topics(RouteJoint *joint, const FoundDevice *device) {
        joint->topics = calloc(device->n_sources, sizeof(*joint->topics));
        if (!joint->topics)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < device->n_sources; ++i) {
                Text topic = device->sources[i]->topic;

                joint->topics[i] = strndup(topic.data, topic.n);
                if (!joint->topics[i])
                        return err_new(-ENOMEM);
                ++joint->n_topics;
        }
        return 0;
}

/* A message for each device, in the order in which they were announced. */
static int points_join(Route *route, const FoundTopic *topic) {
        int r = 0;

        route->joints = calloc(topic->n_sharers, sizeof(*route->joints));
        if (!route->joints)
                return err_new(-ENOMEM);
        for (const FoundSharer *at = topic->sharers; r == 0 && at; at = at->next) {
                RouteJoint *joint = &route->joints[route->n_joints++];
                const FoundDevice *device = at->device;

                joint->mode = device->n_sources > 1 ? device->mode : ROUTE_LATEST;
                joint->device = strndup(device->code.data, device->code.n);
                r = joint->device ? 0 : err_new(-ENOMEM);
                if (r == 0 && joint->mode != ROUTE_LATEST)
                        r = points_join_topics(joint, device);
        }
        return err_up(r);
}

static int points_add_lines(Route *route, const FoundTopic *topic) {
        int r = topic_is_of_one(topic)
                        ? points_add_constant(route, TEXT("device"), topic->device->code)
                        : points_join(route, topic);

        if (r == 0 && topic->device->user.data)
                r = points_add_constant(route, TEXT("user"), topic->device->user);
        if (r == 0 && topic->time.data)
                r = points_add_line(route, TEXT("time"), topic->time);
        for (const FoundPoint *at = topic->points; r == 0 && at; at = at->next)
                r = points_add_line(route, at->name, at->line);
        return r;
}

/* What cannot be a name in the database is none. *ret_label: NULL, or owned. */
static int points_label(Text text, char **ret_label) {
        if (text.n == 0 || text.n > DECODER_MAX_LABEL || !name_is_printable(text))
                return 0;
        *ret_label = strndup(text.data, text.n);
        return *ret_label ? 0 : err_new(-ENOMEM);
}

static int points_describe(Route *route, const FoundDevice *device) {
        int r = points_label(device->name, &route->said_name);

        if (r == 0)
                r = points_label(device->area, &route->said_location);
        if (r == 0)
                r = points_label(device->manufacturer, &route->said_maker);
        if (r == 0)
                r = points_label(device->model, &route->said_model);
        if (r == 0)
                r = points_label(device->firmware, &route->said_firmware);
        return err_up(r);
}

static int points_make_route(Route *route, const FoundTopic *topic) {
        const DiscoverRule *rule = topic->device->rule;
        char text[DISCOVER_MAX_TOPIC + 1];
        int r;

        *route = (Route){
                .name = strdup(rule->name),
                .kind = topic->is_status ? KIND_DEVICE_STATUS : KIND_TELEMETRY,
                .auto_register = rule->auto_register,
                .max_ahead_us = rule->max_ahead_us,
                .max_age_us = rule->max_age_us,
                .max_bytes = rule->max_bytes,
                .near_dbm = ROUTE_NEAR_DBM,
                .medium_dbm = ROUTE_MEDIUM_DBM,
                .format = { .kind = topic->is_json ? FORMAT_AS_IT_IS : FORMAT_TEXT },
                .keeps_named = !rule->keeps_all,
        };
        if (!route->name)
                return err_new(-ENOMEM);
        memcpy(text, topic->topic.data, topic->topic.n);
        text[topic->topic.n] = '\0';
        r = topic_template_new(&route->topic, text);
        if (r == 0 && rule->zone)
                r = zone_new(&route->zone, zone_name(rule->zone));
        if (r == 0 && topic->n_sharers <= 1)
                r = points_describe(route, topic->device);
        if (r == 0)
                r = map_new(&route->map, route->kind);
        if (r == 0)
                r = points_add_lines(route, topic);
        if (r > 0)
                return POINTS_E_NONE;
        return err_up(r);
}

int points_add_routes(const Findings *findings, Routes *routes) {
        int r = 0;

        for (const FoundTopic *at = findings_topics(findings); r == 0 && at; at = at->next) {
                Route route;

                if (at->is_refused)
                        continue;
                r = points_make_route(&route, at);
                if (r == 0)
                        r = routes_add(routes, &route);
                if (r != 0)
                        route_done(&route);
                if (r == POINTS_E_NONE)
                        r = 0; /* what is announced costs itself, whatever was overlooked of it */
        }
        return err_up(r);
}

static uint64_t points_hash_text(uint64_t hash, Text text) {
        hash = text_hash(hash, &text.n, sizeof(text.n));
        return text.n > 0 ? text_hash(hash, text.data, text.n) : hash;
}

uint64_t points_hash(const Findings *findings) {
        uint64_t hash = TEXT_HASH;

        for (const FoundTopic *at = findings_topics(findings); at; at = at->next) {
                const bool flags[] = { at->is_json, at->is_status, at->is_refused };

                hash = points_hash_text(hash, at->topic);
                hash = points_hash_text(hash, at->device->code);
                hash = points_hash_text(hash, at->device->user);
                hash = points_hash_text(hash, at->device->name);
                hash = points_hash_text(hash, at->device->area);
                hash = points_hash_text(hash, at->device->manufacturer);
                hash = points_hash_text(hash, at->device->model);
                hash = points_hash_text(hash, at->device->firmware);
                hash = points_hash_text(hash, at->time);
                hash = text_hash(hash, flags, sizeof(flags));
                for (const FoundSharer *one = at->sharers; one; one = one->next) {
                        const size_t how[] = { one->device->n_sources, one->device->mode };

                        hash = points_hash_text(hash, one->device->code);
                        hash = text_hash(hash, how, sizeof(how));
                }
                for (const FoundPoint *point = at->points; point; point = point->next) {
                        hash = points_hash_text(hash, point->name);
                        hash = points_hash_text(hash, point->line);
                }
        }
        return hash;
}

/* ---- for people --------------------------------------------------------------------------- */

static void points_write_point(JsonOut *out, const FoundTopic *topic, const FoundPoint *point) {
        json_out_object(out, NULL);
        json_out_text(out, "name", point->name);
        json_out_text(out, "topic", topic->topic);
        json_out_string(out,
                        "kind",
                        kind_name(topic->is_status ? KIND_DEVICE_STATUS : KIND_TELEMETRY));
        json_out_string(out, "decode", topic->is_json ? "json" : "text");
        json_out_text(out, "line", point->line);
        json_out_text(out, "component", point->component);
        json_out_text(out, "unit", point->unit);
        json_out_text(out, "device_class", point->device_class);
        json_out_text(out, "config", point->config);
        json_out_bool(out, "missing", point->is_missing);
        json_out_object_end(out);
}

static void points_write_device(JsonOut *out, const FoundDevice *device) {
        static const char *const modes[] = { "latest", "all", "any" };

        json_out_object(out, NULL);
        json_out_text(out, "device", device->code);
        json_out_text(out, "user", device->user);
        json_out_string(out, "route", device->rule->name);
        json_out_text(out, "name", device->name);
        json_out_text(out, "model", device->model);
        json_out_text(out, "manufacturer", device->manufacturer);
        json_out_text(out, "firmware", device->firmware);
        json_out_text(out, "area", device->area);
        json_out_string(out, "availability_mode", modes[device->mode]);
        json_out_array(out, "points");
        for (const FoundTopic *topic = device->topics; topic; topic = topic->sibling)
                for (const FoundPoint *at = topic->points; !topic->is_status && at; at = at->next)
                        points_write_point(out, topic, at);
        for (size_t i = 0; i < device->n_sources; ++i)
                points_write_point(out, device->sources[i], device->sources[i]->points);
        json_out_array_end(out);
        json_out_object_end(out);
}

void points_write(const Findings *findings, int64_t now_us, Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_time(&out, "at", now_us);
        json_out_int(&out, "devices", (int64_t)findings_n_devices(findings));
        json_out_int(&out, "points", (int64_t)findings_n_points(findings));
        json_out_int(&out, "refused", (int64_t)findings_n_refused(findings));
        json_out_array(&out, "discovered");
        for (const FoundDevice *at = findings_devices(findings); at; at = at->next)
                points_write_device(&out, at);
        json_out_array_end(&out);
        json_out_array(&out, "not_taken");
        for (const FoundRefusal *at = findings_refused(findings); at; at = at->next) {
                json_out_object(&out, NULL);
                json_out_text(&out, "config", at->config);
                json_out_text(&out, "name", at->name);
                json_out_string(&out, "why", at->why);
                json_out_text(&out, "text", at->text);
                json_out_object_end(&out);
        }
        json_out_array_end(&out);
        json_out_object_end(&out);
}
