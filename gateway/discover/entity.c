#include "gateway/discover/entity.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/json_tree.h"
#include "gateway/discover/entity_keys.h"
#include "gateway/discover/slug.h"
#include "gateway/discover/value_template.h"
#include "gateway/discover/words.h"

#define ENTITY_LEVELS 4 /* of a topic behind the prefix */

typedef struct Entity Entity;

struct Entity {
        Findings *findings;   /* borrowed */
        const Notice *notice; /* borrowed */
        JsonTree tree;
        const JsonNode *root,
                *own; /* the whole; what of it is this entity's: the same, or a part */
        Text component, node, object; /* no node: absent */
        Text base;                    /* what ~ stands for; absent: nothing */
        FoundDevice *device;
        char name[SLUG_SIZE];
};

/* ---- topics of announcements -------------------------------------------------------------- */

static size_t entity_cut(Text rest, Text levels[ENTITY_LEVELS]) {
        size_t n = 0;

        for (;;) {
                const char *slash = memchr(rest.data, '/', rest.n);
                size_t n_level = slash ? (size_t)(slash - rest.data) : rest.n;

                if (n == ENTITY_LEVELS)
                        return 0;
                levels[n] = (Text){ .data = rest.data, .n = n_level };
                ++n;
                if (!slash)
                        return n;
                rest = (Text){ .data = slash + 1, .n = rest.n - n_level - 1 };
        }
}

bool entity_is_notice(Text rest) {
        Text levels[ENTITY_LEVELS];
        size_t n = entity_cut(rest, levels);

        return n >= 3 && text_equal(levels[n - 1], TEXT("config")) && levels[0].n > 0 &&
               levels[n - 2].n > 0;
}

/* ---- members ------------------------------------------------------------------------------ */

/* NULL: it is not there, or null. */
static const JsonNode *entity_get(const Entity *entity, const JsonNode *object, const char *key) {
        Text short_key = entity_short_key(key);
        const JsonNode *value = json_member(&entity->tree, object, text_of(key));

        if (!value && short_key.data)
                value = json_member(&entity->tree, object, short_key);
        return value && value->type != JSON_NULL ? value : NULL;
}

/* Of an entity within a device also what all of them share. */
static const JsonNode *entity_member(const Entity *entity, const char *key) {
        static const char *const shared[] = { "state_topic",           "availability",
                                              "availability_mode",     "availability_topic",
                                              "availability_template", "payload_available",
                                              "payload_not_available" };
        const JsonNode *value = entity_get(entity, entity->own, key);

        for (size_t i = 0; !value && entity->own != entity->root && i < N_ELEMENTS(shared); ++i)
                if (strcmp(shared[i], key) == 0)
                        value = entity_get(entity, entity->root, key);
        return value;
}

/* Numbers and switches as they are written; absent: no text. */
static int entity_text(const Entity *entity, const JsonNode *value, Text *ret_text) {
        *ret_text = (Text){ 0 };
        if (!value || value->odd || value->type >= JSON_ARRAY)
                return 0;
        if (value->type != JSON_STRING) {
                *ret_text = json_text(&entity->tree, value);
                return 0;
        }
        return err_up(
                json_content(&entity->tree, value, findings_arena(entity->findings), ret_text));
}

static int entity_say(const Entity *entity, const JsonNode *object, const char *key, Text *ret) {
        return err_up(entity_text(entity, entity_get(entity, object, key), ret));
}

/* With the base in place of ~ at either end. */
static int entity_topic(const Entity *entity, const JsonNode *value, Text *ret_topic) {
        Text text, base = entity->base;
        bool is_front, is_end;
        char *topic;
        int r = entity_text(entity, value, &text);

        *ret_topic = text;
        if (r != 0 || text.n == 0 || !base.data)
                return err_up(r);
        is_front = *text.data == '~';
        is_end = !is_front && text.data[text.n - 1] == '~';
        if (!is_front && !is_end)
                return 0;
        topic = arena_alloc(findings_arena(entity->findings), base.n + text.n);
        if (!topic)
                return err_new(-ENOMEM);
        memcpy(topic + (is_front ? 0 : text.n - 1), base.data, base.n);
        memcpy(topic + (is_front ? base.n : 0), text.data + is_front, text.n - 1);
        *ret_topic = (Text){ .data = topic, .n = base.n + text.n - 1 };
        return 0;
}

static int entity_refuse(const Entity *entity, const char *why, Text text) {
        return err_up(findings_refuse(entity->findings,
                                      entity->notice->topic,
                                      text_of(entity->name),
                                      why,
                                      text));
}

/* ---- the device --------------------------------------------------------------------------- */

/* A text, or the first of a list of them. */
static const JsonNode *first_of(const JsonNode *value) {
        while (value && value->type == JSON_ARRAY)
                value = json_element(value, 0);
        return value;
}

/* Its first identifier or connection; who names no device is one by its node, or its object. */
static int entity_device_code(const Entity *entity, const JsonNode *device, Text *ret_code) {
        const JsonNode *connection;
        int r = entity_text(entity, first_of(entity_get(entity, device, "identifiers")), ret_code);

        if (r == 0 && ret_code->n == 0) {
                connection = entity_get(entity, device, "connections");
                connection = connection ? json_element(connection, 0) : NULL;
                connection = connection ? json_element(connection, 1) : NULL;
                r = entity_text(entity, connection, ret_code);
        }
        if (r == 0 && ret_code->n == 0)
                *ret_code = entity->node.n > 0 ? entity->node : entity->object;
        return err_up(r);
}

static int entity_describe(const Entity *entity, const JsonNode *device) {
        FoundDevice *found = entity->device;
        const struct {
                const char *key;
                Text *text;
        } said[] = {
                { "name", &found->name },
                { "model", &found->model },
                { "manufacturer", &found->manufacturer },
                { "sw_version", &found->firmware },
                { "suggested_area", &found->area },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(said); ++i) {
                Text text;

                if (said[i].text->data)
                        continue;
                r = entity_say(entity, device, said[i].key, &text);
                if (r == 0)
                        r = findings_keep(entity->findings, text, said[i].text);
        }
        return err_up(r);
}

static int entity_find_device(Entity *entity) {
        const JsonNode *device = entity_get(entity, entity->root, "device");
        const Notice *notice = entity->notice;
        Text code;
        int r = entity_device_code(entity, device, &code);

        if (r == 0)
                r = findings_device(entity->findings,
                                    notice->rule,
                                    notice->user,
                                    code,
                                    notice->topic,
                                    &entity->device);
        if (r == 0 && entity->device)
                r = entity_describe(entity, device);
        return err_up(r);
}

/* ---- points ------------------------------------------------------------------------------- */

/* What it is called within its device: the object, without what the device is called. */
static void entity_name(Entity *entity, Text object, const char *suffix) {
        const Text devices[] = { entity->node, entity->device->code, entity->device->name };
        char prefix[SLUG_SIZE];

        slug_of(object, entity->name);
        for (size_t i = 0; i < N_ELEMENTS(devices); ++i) {
                slug_of(devices[i], prefix);
                slug_cut(entity->name, prefix);
        }
        if (suffix)
                slug_add(entity->name, suffix);
        if (!*entity->name)
                slug_of(entity->component, entity->name);
}

/* One of two payloads, each under the first key that is there. */
static int entity_payload(const Entity *entity,
                          const char *const keys[],
                          Text fallback,
                          Text *ret_payload) {
        int r = 0;

        *ret_payload = (Text){ 0 };
        for (size_t i = 0; r == 0 && keys[i] && !ret_payload->data; ++i)
                r = entity_text(entity, entity_member(entity, keys[i]), ret_payload);
        if (!ret_payload->data)
                *ret_payload = fallback;
        return err_up(r);
}

/* *ret_why: NULL, or why there can be none. */
static int entity_put_switch(const Entity *entity, Buf *line, const char **ret_why) {
        static const char *const on_keys[] = { "state_on", "payload_on", NULL };
        static const char *const off_keys[] = { "state_off", "payload_off", NULL };
        Words words = { .yes = "true", .no = "false" };
        int r = entity_payload(entity, on_keys, TEXT("ON"), &words.for_yes);

        if (r == 0)
                r = entity_payload(entity, off_keys, TEXT("OFF"), &words.for_no);
        if (r != 0)
                return err_up(r);
        *ret_why = words_put(line, &words);
        buf_append_string(line, " | bool");
        return 0;
}

static bool entity_is_number(const Entity *entity,
                             const EntityState *state,
                             const ValueTemplate *template) {
        if (state->how == ENTITY_NUMBER || template->is_number || template->decimals >= 0)
                return true;
        return state->how == ENTITY_SENSOR &&
               (entity_member(entity, "unit_of_measurement") ||
                entity_member(entity, "state_class") ||
                entity_member(entity, "suggested_display_precision"));
}

static void put_number(Buf *line, const ValueTemplate *template) {
        buf_append_string(line, " | null unknown unavailable none nan | number");
        if (template->decimals >= 0)
                buf_printf(line, " | round %d", template->decimals);
        if (*template->in_place)
                buf_printf(line, " | default %s", template->in_place);
}

/* The whole line of a map. */
static int entity_line(const Entity *entity,
                       const EntityState *state,
                       const ValueTemplate *template,
                       Buf *line,
                       const char **ret_why) {
        int r = 0;

        buf_append_string(line, template->source);
        if (state->how == ENTITY_SWITCH)
                r = entity_put_switch(entity, line, ret_why);
        else if (entity_is_number(entity, state, template))
                put_number(line, template);
        if (r == 0 && buf_failed(line))
                r = err_new(-ENOMEM);
        return err_up(r);
}

/* *ret_why: NULL, or why it is not taken, and then *ret_text is what it says. */
static int entity_template(const Entity *entity,
                           const JsonNode *value,
                           const char *fallback,
                           ValueTemplate *ret_template,
                           const char **ret_why,
                           Text *ret_text) {
        int r = entity_text(entity, value, ret_text);

        *ret_template = (ValueTemplate){ .source = "/", .decimals = -1 };
        if (r != 0)
                return err_up(r);
        if (!ret_text->data)
                *ret_text = text_of(fallback);
        if (ret_text->data && value_template_read(*ret_text, ret_template, ret_why) == 0)
                *ret_why = NULL;
        return 0;
}

static int entity_add(const Entity *entity,
                      const EntityState *state,
                      Text topic,
                      const ValueTemplate *template,
                      Text line) {
        FoundPoint point = { .name = text_of(entity->name),
                             .line = line,
                             .config = entity->notice->topic,
                             .is_missing = entity->notice->is_missing,
                             .component = text_of(state->component) };
        int r = entity_text(entity, entity_member(entity, "unit_of_measurement"), &point.unit);

        if (r == 0)
                r = entity_text(entity, entity_member(entity, "device_class"), &point.device_class);
        if (r == 0)
                r = findings_add(entity->findings,
                                 entity->device,
                                 topic,
                                 template->is_json,
                                 &point);
        return err_up(r);
}

static int entity_read_state(Entity *entity, const EntityState *state, Text object) {
        CLEANUP_BUF Buf line = { 0 };
        ValueTemplate template;
        const char *why = NULL;
        Text topic, text = { 0 };
        int r = entity_topic(entity, entity_member(entity, state->topic), &topic);

        if (r != 0 || !topic.data)
                return err_up(r); /* it has no such state, or tells nobody */
        entity_name(entity, object, state->suffix);
        r = entity_template(entity,
                            state->template ? entity_member(entity, state->template) : NULL,
                            state->fallback,
                            &template,
                            &why,
                            &text);
        if (r == 0 && !why)
                r = entity_line(entity, state, &template, &line, &why);
        if (r != 0)
                return err_up(r);
        if (why)
                return err_up(entity_refuse(entity, why, text));
        return err_up(entity_add(entity, state, topic, &template, buf_text(&line)));
}

/* ---- is it there? ------------------------------------------------------------------------- */

static int entity_add_status(Entity *entity, const JsonNode *object, Text topic, const char *key) {
        static const char *const here_keys[] = { "payload_available", NULL };
        static const char *const away_keys[] = { "payload_not_available", NULL };
        const JsonNode *before = entity->own;
        CLEANUP_BUF Buf line = { 0 };
        ValueTemplate template;
        const char *why = NULL;
        Words words = { .yes = "online", .no = "offline" };
        Text text = { 0 };
        int r;

        snprintf(entity->name, sizeof(entity->name), "status");
        r = entity_template(entity, entity_get(entity, object, key), NULL, &template, &why, &text);
        entity->own = object;
        if (r == 0)
                r = entity_payload(entity, here_keys, TEXT("online"), &words.for_yes);
        if (r == 0)
                r = entity_payload(entity, away_keys, TEXT("offline"), &words.for_no);
        entity->own = before;
        if (r != 0)
                return err_up(r);
        buf_append_string(&line, template.source);
        if (!why)
                why = words_put(&line, &words);
        if (buf_failed(&line))
                return err_new(-ENOMEM);
        if (why)
                return err_up(entity_refuse(entity, why, text.data ? text : topic));
        return err_up(
                findings_add_status(entity->findings,
                                    entity->device,
                                    topic,
                                    template.is_json,
                                    &(FoundPoint){ .name = text_of(entity->name),
                                                   .line = buf_text(&line),
                                                   .config = entity->notice->topic,
                                                   .is_missing = entity->notice->is_missing }));
}

/* Who does not say takes what was said last. */
static int entity_read_mode(const Entity *entity) {
        static const struct {
                Text text;
                RouteMode mode;
        } modes[] = {
                { TEXT("all"), ROUTE_ALL },
                { TEXT("any"), ROUTE_ANY },
                { TEXT("latest"), ROUTE_LATEST },
        };
        Text text;
        int r = entity_text(entity, entity_member(entity, "availability_mode"), &text);

        if (r != 0 || !text.data)
                return err_up(r);
        for (size_t i = 0; i < N_ELEMENTS(modes); ++i)
                if (text_equal(text, modes[i].text))
                        return err_up(findings_set_mode(entity->findings,
                                                        entity->device,
                                                        modes[i].mode,
                                                        entity->notice->topic));
        return err_up(entity_refuse(entity, "not an availability_mode", text));
}

static int entity_read_availability(Entity *entity) {
        const JsonNode *one = entity_member(entity, "availability_topic");
        const JsonNode *list = entity_member(entity, "availability");
        Text topic;
        int r = entity_topic(entity, one, &topic);

        if (r == 0 && topic.data)
                r = entity_add_status(entity, entity->own, topic, "availability_template");
        for (size_t i = 0; r == 0 && list && list->type == JSON_ARRAY && i < list->n; ++i) {
                const JsonNode *item = json_element(list, i);

                r = entity_topic(entity, entity_get(entity, item, "topic"), &topic);
                if (r == 0 && topic.data)
                        r = entity_add_status(entity, item, topic, "value_template");
        }
        if (r == 0 && list && list->type == JSON_OBJECT) {
                r = entity_topic(entity, entity_get(entity, list, "topic"), &topic);
                if (r == 0 && topic.data)
                        r = entity_add_status(entity, list, topic, "value_template");
        }
        return r == 0 ? err_up(entity_read_mode(entity)) : err_up(r);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int entity_read_one(Entity *entity, Text object) {
        static const Text json_light = TEXT("light json");
        Text schema, attributes;
        const EntityState *states;
        size_t n_states;
        int r = entity_say(entity, entity->own, "schema", &schema);

        if (r == 0)
                r = entity_topic(entity,
                                 entity_member(entity, "json_attributes_topic"),
                                 &attributes);
        if (r != 0)
                return err_up(r);
        if (text_equal(entity->component, TEXT("light")) && text_equal(schema, TEXT("json")))
                entity->component = json_light;
        states = entity_states(entity->component, &n_states);
        entity_name(entity, object, NULL);
        if (n_states == 0 && !entity_is_stateless(entity->component))
                return err_up(
                        entity_refuse(entity, "a component that is not known", entity->component));
        if (attributes.data)
                r = entity_refuse(entity, "attributes are not taken", attributes);
        for (size_t i = 0; r == 0 && i < n_states; ++i)
                r = entity_read_state(entity, &states[i], object);
        if (r == 0 && n_states > 0)
                r = entity_read_availability(entity);
        return err_up(r);
}

static int entity_read_parts(Entity *entity) {
        const JsonNode *parts = entity_get(entity, entity->root, "components");
        int r = 0;

        if (!parts || parts->type != JSON_OBJECT)
                return err_up(entity_refuse(entity, "a device without components", (Text){ 0 }));
        for (const JsonNode *name = parts + 1; r == 0 && name < json_next(parts);
             name = json_next(name + 1)) {
                Text object;

                entity->own = name + 1;
                r = entity_text(entity, name, &object);
                if (r == 0)
                        r = entity_say(entity, entity->own, "platform", &entity->component);
                if (r == 0 && entity->component.data && name[1].n > 2) /* alone: it has gone */
                        r = entity_read_one(entity, object);
        }
        return err_up(r);
}

static int entity_read_tree(Entity *entity) {
        Text levels[ENTITY_LEVELS];
        size_t n = entity_cut(entity->notice->rest, levels);
        int r;

        assert(n >= 3);
        entity->component = levels[0];
        entity->object = levels[n - 2];
        entity->node = n > 3 ? levels[1] : (Text){ 0 };
        entity->root = entity->own = json_root(&entity->tree);
        if (entity->root->type != JSON_OBJECT)
                return err_up(entity_refuse(entity, "not an object", (Text){ 0 }));
        r = entity_say(entity, entity->root, "~", &entity->base);
        if (r == 0)
                r = entity_find_device(entity);
        if (r != 0 || !entity->device)
                return err_up(r);
        if (text_equal(entity->component, TEXT("device")))
                return err_up(entity_read_parts(entity));
        return err_up(entity_read_one(entity, entity->object));
}

int entity_read(Findings *findings, const Notice *notice) {
        Entity entity = { .findings = findings, .notice = notice };
        JsonFault fault;
        int r = json_tree_read(&entity.tree, notice->payload, &fault);

        if (r == 0)
                r = entity_read_tree(&entity);
        else if (r > 0)
                r = entity_refuse(&entity, "not JSON", (Text){ 0 });
        json_tree_done(&entity.tree);
        return err_up(r);
}
