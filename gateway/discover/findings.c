#include "gateway/discover/findings.h"

#include <stdio.h>

#include "base/err.h"
#include "base/index.h"
#include "base/name.h"
#include "base/text.h"
#include "gateway/decode/decoder.h"

#define FINDINGS_BLOCK ((size_t)64 * 1024)
#define FINDINGS_TWINS 100 /* members of one name that are told apart */
#define FINDINGS_PARTY 256 /* bytes of the name of a rule, and of a user */

struct Findings {
        Arena *arena;
        Routes *own;             /* owned reference; or NULL */
        Index *devices, *topics; /* by code, by topic: borrowed from the arena */
        Index *parties;          /* how many devices a rule and user have: in the arena */
        FoundDevice *first_device, **last_device;
        FoundTopic *first_topic, **last_topic;
        FoundRefusal *first_refusal, **last_refusal;
        size_t n_devices, n_points, n_refused;
};

int findings_new(Findings **ret_findings, Routes *own) {
        CLEANUP(findings_free) Findings *findings = calloc(1, sizeof(*findings));
        int r;

        if (!findings)
                return err_new(-ENOMEM);
        findings->last_device = &findings->first_device;
        findings->last_topic = &findings->first_topic;
        findings->last_refusal = &findings->first_refusal;
        findings->own = routes_ref(own);
        r = arena_new(&findings->arena, FINDINGS_BLOCK);
        if (r == 0)
                r = index_new(&findings->devices);
        if (r == 0)
                r = index_new(&findings->topics);
        if (r == 0)
                r = index_new(&findings->parties);
        if (r != 0)
                return err_up(r);
        *ret_findings = TAKE(&findings);
        return 0;
}

Findings *findings_free(Findings *findings) {
        if (!findings)
                return NULL;
        index_free(findings->devices);
        index_free(findings->topics);
        index_free(findings->parties);
        arena_free(findings->arena);
        routes_unref(findings->own);
        free(findings);
        return NULL;
}

Arena *findings_arena(Findings *findings) {
        return findings->arena;
}

static void *findings_alloc(Findings *findings, size_t n) {
        void *memory = arena_alloc(findings->arena, n);

        if (memory)
                memset(memory, 0, n);
        return memory;
}

/* An absent one stays absent. */
int findings_keep(Findings *findings, Text text, Text *ret_text) {
        *ret_text = (Text){ 0 };
        if (!text.data)
                return 0;
        *ret_text = arena_copy(findings->arena, text.data, text.n);
        return ret_text->data ? 0 : err_new(-ENOMEM);
}

int findings_refuse(Findings *findings, Text config, Text name, const char *why, Text text) {
        FoundRefusal *refusal;
        int r;

        if (findings->n_refused++ >= FINDINGS_MAX_REFUSED)
                return 0;
        refusal = findings_alloc(findings, sizeof(*refusal));
        if (!refusal)
                return err_new(-ENOMEM);
        if (text.n > FINDINGS_MAX_TEXT)
                text.n = FINDINGS_MAX_TEXT;
        refusal->why = why;
        r = findings_keep(findings, config, &refusal->config);
        if (r == 0)
                r = findings_keep(findings, name, &refusal->name);
        if (r == 0)
                r = findings_keep(findings, text, &refusal->text);
        if (r != 0)
                return err_up(r);
        *findings->last_refusal = refusal;
        findings->last_refusal = &refusal->next;
        return 0;
}

/* ---- devices ------------------------------------------------------------------------------ */

/* Where the devices of one prefix, or of a user of it, are counted. */
static int findings_party(Findings *findings,
                          const DiscoverRule *rule,
                          Text user,
                          size_t **ret_n_devices) {
        char key[FINDINGS_PARTY];
        int n = snprintf(key, sizeof(key), "%s %.*s", rule->name, (int)user.n, user.data);
        size_t n_key = (size_t)n < sizeof(key) ? (size_t)n : sizeof(key) - 1;

        *ret_n_devices = index_get(findings->parties, key, n_key);
        if (*ret_n_devices)
                return 0;
        *ret_n_devices = findings_alloc(findings, sizeof(**ret_n_devices));
        if (!*ret_n_devices)
                return err_new(-ENOMEM);
        return err_up(index_put(findings->parties, key, n_key, *ret_n_devices));
}

static int findings_make_device(Findings *findings, const FoundDevice *like, FoundDevice **ret) {
        FoundDevice *device = findings_alloc(findings, sizeof(*device));
        int r;

        if (!device)
                return err_new(-ENOMEM);
        device->rule = like->rule;
        r = findings_keep(findings, like->code, &device->code);
        if (r == 0)
                r = findings_keep(findings, like->user, &device->user);
        if (r == 0)
                r = index_put(findings->devices, device->code.data, device->code.n, device);
        if (r != 0)
                return err_up(r);
        *findings->last_device = device;
        findings->last_device = &device->next;
        ++findings->n_devices;
        *ret = device;
        return 0;
}

/* It stands in a line of a map as a constant. */
static bool findings_is_code(Text code) {
        return (!name_refusal(code) || name_is_number(code)) && name_is_printable(code) &&
               !memchr(code.data, '\'', code.n) && text_trim(code).n == code.n;
}

/* A name that is a number would be taken for the id of a device: it has the rule's name before it.
 */
static int findings_name_device(Findings *findings, const DiscoverRule *rule, Text *code) {
        size_t n_rule = strlen(rule->name), n = n_rule + 1 + code->n;
        char *name;

        if (code->n > DECODER_MAX_NAME || !name_is_number(*code))
                return 0;
        name = arena_alloc(findings->arena, n);
        if (!name)
                return err_new(-ENOMEM);
        memcpy(name, rule->name, n_rule);
        name[n_rule] = '-';
        memcpy(name + n_rule + 1, code->data, code->n);
        *code = (Text){ .data = name, .n = n };
        return 0;
}

int findings_device(Findings *findings,
                    const DiscoverRule *rule,
                    Text user,
                    Text code,
                    Text config,
                    FoundDevice **ret_device) {
        FoundDevice *device;
        size_t *n_devices = NULL;
        int r = findings_name_device(findings, rule, &code);

        *ret_device = NULL;
        if (r != 0)
                return err_up(r);
        device = index_get(findings->devices, code.data, code.n);
        if (!findings_is_code(code) || (user.data && !findings_is_code(user)))
                return findings_refuse(findings,
                                       config,
                                       (Text){ 0 },
                                       "not a name of a device",
                                       code);
        if (device && (device->rule != rule || !text_equal(device->user, user)))
                return findings_refuse(findings,
                                       config,
                                       (Text){ 0 },
                                       "a device that is announced elsewhere",
                                       code);
        *ret_device = device;
        if (device)
                return 0;
        r = findings_party(findings, rule, user, &n_devices);
        if (r != 0)
                return err_up(r);
        if (*n_devices >= rule->max_devices)
                return findings_refuse(findings,
                                       config,
                                       (Text){ 0 },
                                       "more devices than max_devices",
                                       code);
        ++*n_devices;
        return findings_make_device(findings,
                                    &(FoundDevice){ .rule = rule, .user = user, .code = code },
                                    ret_device);
}

/* ---- points ------------------------------------------------------------------------------- */

static FoundTopic *findings_topic(const Findings *findings, Text topic) {
        return index_get(findings->topics, topic.data, topic.n);
}

static bool findings_is_own(const Findings *findings, Text topic) {
        const Route *routes[ROUTES_MAX_TAKING];
        bool is_ignored = false;

        return findings->own &&
               (routes_taking(findings->own, topic, routes, &is_ignored) > 0 || is_ignored);
}

/* NULL, or why no point of the device may be of that topic. */
static const char *findings_forbids(const Findings *findings,
                                    const FoundDevice *device,
                                    Text topic,
                                    Text config) {
        const char *why = discover_rule_forbids(device->rule, config, topic);

        if (!why && findings_is_own(findings, topic))
                why = "a topic that a route has";
        return why;
}

static int findings_make_topic(Findings *findings,
                               FoundDevice *device,
                               Text topic,
                               bool is_json,
                               FoundTopic **ret_topic) {
        FoundTopic *found = findings_alloc(findings, sizeof(*found));
        int r;

        if (!found)
                return err_new(-ENOMEM);
        found->device = device;
        found->is_json = is_json;
        r = findings_keep(findings, topic, &found->topic);
        if (r == 0)
                r = index_put(findings->topics, found->topic.data, found->topic.n, found);
        if (r != 0)
                return err_up(r);
        found->last_sharer = &found->sharers;
        found->sibling = device->topics;
        device->topics = found;
        *findings->last_topic = found;
        findings->last_topic = &found->next;
        *ret_topic = found;
        return 0;
}

static bool topic_has_point(const FoundTopic *topic, Text name) {
        for (const FoundPoint *at = topic->points; at; at = at->next)
                if (text_equal(at->name, name))
                        return true;
        return false;
}

/* Names that a map has for something else. */
static bool is_reserved(Text name) {
        static const char *const reserved[] = { "time", "user", "vehicle", "device", "camera" };

        for (size_t i = 0; i < N_ELEMENTS(reserved); ++i)
                if (text_equal(name, text_of(reserved[i])))
                        return true;
        return false;
}

/* A name that no other point of the topic has, and no map has for something else. */
static int findings_name_point(Findings *findings, const FoundTopic *topic, Text *name) {
        char twin[MAP_MAX_TARGET + 1];
        Text wanted = *name;

        if (is_reserved(wanted)) {
                int n = snprintf(twin, sizeof(twin), "%.*s_value", (int)wanted.n, wanted.data);

                wanted = (Text){ .data = twin, .n = (size_t)n };
        }
        for (int i = 2; topic_has_point(topic, wanted) && i < FINDINGS_TWINS; ++i) {
                int n = snprintf(twin, sizeof(twin), "%.*s_%d", (int)name->n, name->data, i);

                wanted = (Text){ .data = twin, .n = (size_t)n };
        }
        return err_up(findings_keep(findings, wanted, name));
}

static int findings_put(Findings *findings, FoundTopic *topic, const FoundPoint *like) {
        FoundPoint *point = findings_alloc(findings, sizeof(*point)), **last = &topic->points;
        int r;

        if (!point)
                return err_new(-ENOMEM);
        while (*last)
                last = &(*last)->next;
        point->name = like->name;
        point->is_missing = like->is_missing;
        r = findings_name_point(findings, topic, &point->name);
        if (r == 0)
                r = findings_keep(findings, like->line, &point->line);
        if (r == 0)
                r = findings_keep(findings, like->config, &point->config);
        if (r == 0)
                r = findings_keep(findings, like->component, &point->component);
        if (r == 0)
                r = findings_keep(findings, like->unit, &point->unit);
        if (r == 0)
                r = findings_keep(findings, like->device_class, &point->device_class);
        if (r != 0)
                return err_up(r);
        *last = point;
        ++topic->n_points;
        ++topic->device->n_points;
        ++findings->n_points;
        return 0;
}

/* NULL, or why the topic that is there already takes no such point. */
static const char *topic_refuses(const FoundTopic *topic, const FoundDevice *device, bool is_json) {
        if (topic->device != device)
                return "a topic of another device";
        if (topic->is_status)
                return "a topic that says whether the device is there";
        if (topic->is_json != is_json)
                return topic->is_json ? "a topic that others read as JSON"
                                      : "a topic that others read as text";
        if (topic->n_points >= MAP_MAX_ASSIGNMENTS - 2) /* the device and the time are two */
                return "more points of a topic than a map has lines";
        return NULL;
}

int findings_add(Findings *findings,
                 FoundDevice *device,
                 Text topic,
                 bool is_json,
                 const FoundPoint *point) {
        FoundTopic *found = findings_topic(findings, topic);
        const char *why = findings_forbids(findings, device, topic, point->config);
        int r = 0;

        if (!why && found)
                why = topic_refuses(found, device, is_json);
        if (!why && device->n_points >= device->rule->max_points)
                why = "more points of a device than max_points";
        if (why)
                return findings_refuse(findings, point->config, point->name, why, topic);
        if (!found)
                r = findings_make_topic(findings, device, topic, is_json, &found);
        return r == 0 ? err_up(findings_put(findings, found, point)) : err_up(r);
}

int findings_add_time(Findings *findings, const FoundDevice *device, Text topic, Text line) {
        FoundTopic *found = findings_topic(findings, topic);

        if (!found || found->device != device)
                return 0;
        return err_up(findings_keep(findings, line, &found->time));
}

int findings_set_mode(Findings *findings, FoundDevice *device, RouteMode mode, Text config) {
        if (device->has_mode && device->mode != mode)
                return findings_refuse(findings,
                                       config,
                                       TEXT("status"),
                                       "another availability_mode than its device has",
                                       device->code);
        device->has_mode = true;
        device->mode = mode;
        return 0;
}

/* A topic that is of no use is there as well, so that it is refused once and not by each entity. */
static int findings_refuse_status(Findings *findings,
                                  FoundTopic *topic,
                                  const FoundPoint *point,
                                  const char *why) {
        topic->is_status = topic->is_refused = true;
        return findings_refuse(findings, point->config, point->name, why, topic->topic);
}

static bool device_has_source(const FoundDevice *device, const FoundTopic *topic) {
        for (size_t i = 0; i < device->n_sources; ++i)
                if (device->sources[i] == topic)
                        return true;
        return false;
}

/* NULL, or why the topic that says so of others already does not of this one. */
static const char *topic_refuses_sharer(const FoundTopic *topic,
                                        const FoundDevice *device,
                                        bool is_json,
                                        const FoundPoint *point) {
        if (topic->device->rule != device->rule || !text_equal(topic->device->user, device->user))
                return "a topic of another device";
        if (topic->is_json != is_json || !text_equal(topic->points->line, point->line))
                return "a topic that another device reads otherwise";
        if (topic->n_sharers >= FINDINGS_MAX_SHARERS)
                return "more devices of a topic than a message may be of";
        return NULL;
}

static int findings_share(Findings *findings, FoundTopic *topic, FoundDevice *device) {
        FoundSharer *sharer = findings_alloc(findings, sizeof(*sharer));

        if (!sharer)
                return err_new(-ENOMEM);
        sharer->device = device;
        *topic->last_sharer = sharer;
        topic->last_sharer = &sharer->next;
        ++topic->n_sharers;
        device->sources[device->n_sources++] = topic;
        return 0;
}

static int findings_make_status(Findings *findings,
                                FoundDevice *device,
                                Text topic,
                                bool is_json,
                                const FoundPoint *point,
                                FoundTopic **ret_topic) {
        const char *why = findings_forbids(findings, device, topic, point->config);
        int r = findings_make_topic(findings, device, topic, is_json, ret_topic);

        if (r == 0 && why)
                return findings_refuse_status(findings, *ret_topic, point, why);
        if (r == 0) {
                (*ret_topic)->is_status = true;
                r = findings_put(findings, *ret_topic, point);
        }
        return err_up(r);
}

int findings_add_status(Findings *findings,
                        FoundDevice *device,
                        Text topic,
                        bool is_json,
                        const FoundPoint *point) {
        FoundTopic *found = findings_topic(findings, topic);
        const char *why = NULL;
        int r = 0;

        if (found && (!found->is_status || found->is_refused || device_has_source(device, found)))
                return 0; /* the first that says so counts, and a point before it */
        if (device->n_sources == FINDINGS_MAX_SOURCES)
                why = "more topics of availability than a device may have";
        else if (found || topic.n > DISCOVER_MAX_TOPIC)
                why = findings_forbids(findings, device, topic, point->config);
        if (found && !why)
                why = topic_refuses_sharer(found, device, is_json, point);
        if (why)
                return findings_refuse(findings, point->config, point->name, why, topic);
        if (!found)
                r = findings_make_status(findings, device, topic, is_json, point, &found);
        if (r == 0 && !found->is_refused)
                r = findings_share(findings, found, device);
        return err_up(r);
}

/* ---- what is there ------------------------------------------------------------------------ */

const FoundDevice *findings_devices(const Findings *findings) {
        return findings->first_device;
}

const FoundTopic *findings_topics(const Findings *findings) {
        return findings->first_topic;
}

const FoundRefusal *findings_refused(const Findings *findings) {
        return findings->first_refusal;
}

size_t findings_n_devices(const Findings *findings) {
        return findings->n_devices;
}

size_t findings_n_points(const Findings *findings) {
        return findings->n_points;
}

size_t findings_n_refused(const Findings *findings) {
        return findings->n_refused;
}
