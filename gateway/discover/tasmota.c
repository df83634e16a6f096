#include "gateway/discover/tasmota.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/json_tree.h"
#include "gateway/discover/slug.h"
#include "gateway/discover/value_template.h"
#include "gateway/discover/words.h"

#define TASMOTA_MAC    12
#define TASMOTA_DEPTH  4 /* levels of sensors */
#define TASMOTA_RELAYS 32
#define TASMOTA_LINE   256 /* bytes of a line of a map for a relay, with a NUL */

typedef enum TasmotaPrefix {
        TASMOTA_STAT = 1, /* places in "tp" */
        TASMOTA_TELE = 2,
} TasmotaPrefix;

typedef struct Tasmota Tasmota;

struct Tasmota {
        Findings *findings;   /* borrowed */
        const Notice *notice; /* borrowed: of the config */
        JsonTree tree, sensors;
        const JsonNode *root;
        FoundDevice *device;
};

/* What values of a name are in, where Tasmota does not say. */
static const struct {
        const char *name, *unit, *device_class;
} units[] = {
        { "Temperature", NULL, "temperature" }, /* as TempUnit says */
        { "DewPoint", NULL, "temperature" },
        { "Humidity", "%", "humidity" },
        { "Pressure", NULL, "pressure" }, /* as PressureUnit says */
        { "Illuminance", "lx", "illuminance" },
        { "Power", "W", "power" },
        { "ApparentPower", "VA", "apparent_power" },
        { "ReactivePower", "var", "reactive_power" },
        { "Voltage", "V", "voltage" },
        { "Current", "A", "current" },
        { "Frequency", "Hz", "frequency" },
        { "Total", "kWh", "energy" },
        { "Today", "kWh", "energy" },
        { "Yesterday", "kWh", "energy" },
        { "CarbonDioxide", "ppm", "carbon_dioxide" },
};

TasmotaPart tasmota_part(Text rest) {
        Text tail;

        if (rest.n <= TASMOTA_MAC || rest.data[TASMOTA_MAC] != '/')
                return TASMOTA_NONE;
        for (size_t i = 0; i < TASMOTA_MAC; ++i)
                if (text_hex_digit(rest.data[i]) < 0)
                        return TASMOTA_NONE;
        tail = (Text){ .data = rest.data + TASMOTA_MAC + 1, .n = rest.n - TASMOTA_MAC - 1 };
        if (text_equal(tail, TEXT("config")))
                return TASMOTA_CONFIG;
        return text_equal(tail, TEXT("sensors")) ? TASMOTA_SENSORS : TASMOTA_NONE;
}

/* The content of a string of the config; absent: there is none. */
static int tasmota_text(const Tasmota *tasmota, const JsonNode *value, Text *ret_text) {
        *ret_text = (Text){ 0 };
        if (!value || value->type != JSON_STRING)
                return 0;
        return err_up(
                json_content(&tasmota->tree, value, findings_arena(tasmota->findings), ret_text));
}

static int tasmota_say(const Tasmota *tasmota, Text name, Text *ret_text) {
        return err_up(
                tasmota_text(tasmota, json_member(&tasmota->tree, tasmota->root, name), ret_text));
}

static int tasmota_refuse(const Tasmota *tasmota, const char *why, Text text) {
        return err_up(
                findings_refuse(tasmota->findings, tasmota->notice->topic, (Text){ 0 }, why, text));
}

/* ---- topics ------------------------------------------------------------------------------- */

static void put_replaced(Buf *topic, Text full, Text prefix, Text name) {
        static const Text for_prefix = TEXT("%prefix%"), for_name = TEXT("%topic%");

        while (full.n > 0) {
                Text taken = { .data = full.data, .n = 1 }, put = taken;

                if (full.n >= for_prefix.n && memcmp(full.data, for_prefix.data, for_prefix.n) == 0)
                        taken.n = for_prefix.n, put = prefix;
                else if (full.n >= for_name.n && memcmp(full.data, for_name.data, for_name.n) == 0)
                        taken.n = for_name.n, put = name;
                buf_append_text(topic, put);
                full = (Text){ .data = full.data + taken.n, .n = full.n - taken.n };
        }
}

/* Absent: the config does not say enough. */
static int tasmota_topic(const Tasmota *tasmota, TasmotaPrefix nth, const char *what, Buf *topic) {
        const JsonNode *prefixes = json_member(&tasmota->tree, tasmota->root, TEXT("tp"));
        Text full, name, prefix;
        int r = tasmota_say(tasmota, TEXT("ft"), &full);

        if (r == 0)
                r = tasmota_say(tasmota, TEXT("t"), &name);
        if (r == 0)
                r = tasmota_text(tasmota, json_element(prefixes, (size_t)nth), &prefix);
        if (r != 0)
                return err_up(r);
        if (full.n == 0 || full.n > DISCOVER_MAX_TOPIC || name.n == 0 || prefix.n == 0)
                return 0;
        put_replaced(topic, full, prefix, name);
        if (topic->n > 0 && topic->data[topic->n - 1] != '/')
                buf_append_char(topic, '/');
        buf_append_string(topic, what);
        return buf_failed(topic) ? err_new(-ENOMEM) : 0;
}

static int tasmota_add(const Tasmota *tasmota,
                       TasmotaPrefix prefix,
                       const char *what,
                       bool is_json,
                       FoundPoint point) {
        CLEANUP_BUF Buf topic = { 0 };
        int r = tasmota_topic(tasmota, prefix, what, &topic);

        if (r != 0 || topic.n == 0)
                return err_up(r);
        point.config = tasmota->notice->topic;
        point.is_missing = tasmota->notice->is_missing;
        return err_up(findings_add(tasmota->findings,
                                   tasmota->device,
                                   buf_text(&topic),
                                   is_json,
                                   &point));
}

/* ---- sensors ------------------------------------------------------------------------------ */

static int tasmota_unit(const Tasmota *tasmota,
                        const JsonNode *sensors,
                        Text name,
                        FoundPoint *point) {
        const JsonTree *tree = &tasmota->sensors;
        const JsonNode *unit = NULL;

        for (size_t i = 0; i < N_ELEMENTS(units); ++i)
                if (text_equal(text_of(units[i].name), name)) {
                        point->unit = text_of(units[i].unit);
                        point->device_class = text_of(units[i].device_class);
                }
        if (!point->device_class.data || point->unit.data)
                return 0;
        unit = json_member(tree,
                           sensors,
                           text_equal(point->device_class, TEXT("pressure")) ? TEXT("PressureUnit")
                                                                             : TEXT("TempUnit"));
        if (!unit || unit->type != JSON_STRING)
                return 0;
        return err_up(json_content(tree, unit, findings_arena(tasmota->findings), &point->unit));
}

typedef struct SensorPlace SensorPlace;

struct SensorPlace {
        char source[VALUE_TEMPLATE_SOURCE];
        char slug[SLUG_SIZE];
        Text name; /* of what is nearest */
        unsigned depth;
};

static int tasmota_read_value(const Tasmota *tasmota,
                              const JsonNode *sensors,
                              const JsonNode *value,
                              const SensorPlace *place) {
        FoundPoint point = { .name = text_of(place->slug),
                             .line = text_of(place->source),
                             .component = TEXT("sensor") };
        int r;

        if (value->type == JSON_NULL)
                return 0;
        r = tasmota_unit(tasmota, sensors, place->name, &point);
        return r == 0 ? err_up(tasmota_add(tasmota, TASMOTA_TELE, "SENSOR", true, point))
                      : err_up(r);
}

static bool place_below(const SensorPlace *place, Text name, SensorPlace *ret_below) {
        char slug[SLUG_SIZE];

        *ret_below = *place;
        ++ret_below->depth;
        slug_of(name, slug);
        slug_add(ret_below->slug, slug);
        return value_template_add_level(ret_below->source, name);
}

/* NOLINTNEXTLINE(misc-no-recursion): TASMOTA_DEPTH levels */
static int tasmota_read_sensor(const Tasmota *tasmota,
                               const JsonNode *sensors,
                               const JsonNode *node,
                               const SensorPlace *place) {
        bool is_object = node->type == JSON_OBJECT;
        const JsonNode *child = node + 1;
        int r = 0;

        if (node->type < JSON_ARRAY)
                return err_up(tasmota_read_value(tasmota, sensors, node, place));
        for (size_t i = 0; r == 0 && place->depth < TASMOTA_DEPTH && i < node->n;
             i += is_object ? 2 : 1) {
                const JsonNode *value = is_object ? child + 1 : child;
                SensorPlace below;
                char digits[24];
                Text name = { 0 };

                snprintf(digits, sizeof(digits), "%zu", i);
                if (is_object)
                        r = json_content(&tasmota->sensors,
                                         child,
                                         findings_arena(tasmota->findings),
                                         &name);
                if (r == 0 && place_below(place, is_object ? name : text_of(digits), &below)) {
                        if (is_object)
                                below.name = name;
                        r = tasmota_read_sensor(tasmota, sensors, value, &below);
                }
                child = json_next(value);
        }
        return err_up(r);
}

static bool is_beside_sensors(const JsonTree *tree, const JsonNode *name) {
        return json_is(tree, name, TEXT("Time")) || json_is(tree, name, TEXT("TempUnit")) ||
               json_is(tree, name, TEXT("PressureUnit"));
}

static int tasmota_read_sensors(Tasmota *tasmota, Text payload) {
        const JsonNode *sensors;
        JsonFault fault;
        int r = json_tree_read(&tasmota->sensors, payload, &fault);

        if (r > 0)
                return err_up(tasmota_refuse(tasmota, "sensors that are not JSON", (Text){ 0 }));
        if (r < 0)
                return err_up(r);
        sensors = json_member(&tasmota->sensors, json_root(&tasmota->sensors), TEXT("sn"));
        if (!sensors || sensors->type != JSON_OBJECT)
                return 0;
        for (const JsonNode *name = sensors + 1; r == 0 && name < json_next(sensors);
             name = json_next(name + 1)) {
                SensorPlace place = { .source = "/" }, below;
                Text text = { 0 };

                if (is_beside_sensors(&tasmota->sensors, name))
                        continue;
                r = json_content(&tasmota->sensors, name, findings_arena(tasmota->findings), &text);
                if (r == 0 && place_below(&place, text, &below)) {
                        below.name = text;
                        r = tasmota_read_sensor(tasmota, sensors, name + 1, &below);
                }
        }
        return err_up(r);
}

/* ---- relays, radio, and whether it is there ------------------------------------------------ */

/* What it calls off and on (StateText1, StateText2); *ret_why: NULL, or why it cannot be read. */
static int tasmota_put_switch(const Tasmota *tasmota, Buf *line, const char **ret_why) {
        const JsonNode *names = json_member(&tasmota->tree, tasmota->root, TEXT("state"));
        Words words = { .yes = "true", .no = "false" };
        int r = tasmota_text(tasmota, json_element(names, 0), &words.for_no);

        *ret_why = NULL;
        if (r == 0)
                r = tasmota_text(tasmota, json_element(names, 1), &words.for_yes);
        if (r == 0 && (words.for_no.data || words.for_yes.data))
                *ret_why = words_put(line, &words);
        buf_append_string(line, " | bool");
        if (r == 0 && buf_failed(line))
                r = err_new(-ENOMEM);
        return err_up(r);
}

static int tasmota_read_relay(const Tasmota *tasmota, size_t nth, bool is_only, Text operations) {
        char what[16], line[TASMOTA_LINE], name[SLUG_SIZE];
        FoundPoint point = { .component = TEXT("switch") };
        int r;

        snprintf(what, sizeof(what), is_only ? "POWER" : "POWER%zu", nth + 1);
        slug_of(text_of(what), name);
        point.name = text_of(name);
        snprintf(line, sizeof(line), "/%s%.*s", what, (int)operations.n, operations.data);
        point.line = text_of(line);
        r = tasmota_add(tasmota, TASMOTA_TELE, "STATE", true, point);
        if (r != 0)
                return err_up(r);
        snprintf(line, sizeof(line), "/%.*s", (int)operations.n, operations.data);
        point.line = text_of(line);
        return err_up(tasmota_add(tasmota, TASMOTA_STAT, what, false, point));
}

static int tasmota_read_relays(const Tasmota *tasmota) {
        const JsonNode *relays = json_member(&tasmota->tree, tasmota->root, TEXT("rl"));
        CLEANUP_BUF Buf operations = { 0 };
        const char *why;
        size_t places[TASMOTA_RELAYS], n = 0;
        int r = tasmota_put_switch(tasmota, &operations, &why);

        for (size_t i = 0; i < TASMOTA_RELAYS && json_element(relays, i); ++i) {
                const JsonNode *relay = json_element(relays, i);
                Text digits = json_text(&tasmota->tree, relay);

                if (relay->type == JSON_NUMBER && !text_equal(digits, TEXT("0")))
                        places[n++] = i;
        }
        if (r == 0 && why && n > 0)
                return err_up(tasmota_refuse(tasmota, why, TEXT("state")));
        for (size_t i = 0; r == 0 && i < n; ++i)
                r = tasmota_read_relay(tasmota,
                                       places[i],
                                       n == 1 && places[0] == 0,
                                       buf_text(&operations));
        return err_up(r);
}

static int tasmota_read_state(const Tasmota *tasmota) {
        static const FoundPoint points[] = {
                { .name = TEXT("wifi_rssi"),
                  .line = TEXT("/Wifi/RSSI | number"),
                  .component = TEXT("sensor"),
                  .unit = TEXT("%") },
                { .name = TEXT("wifi_signal"),
                  .line = TEXT("/Wifi/Signal | number"),
                  .component = TEXT("sensor"),
                  .unit = TEXT("dBm"),
                  .device_class = TEXT("signal_strength") },
                { .name = TEXT("uptime"),
                  .line = TEXT("/UptimeSec | number"),
                  .component = TEXT("sensor"),
                  .unit = TEXT("s"),
                  .device_class = TEXT("duration") },
        };
        int r = 0;

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(points); ++i)
                r = tasmota_add(tasmota, TASMOTA_TELE, "STATE", true, points[i]);
        return err_up(r);
}

static int tasmota_read_status(const Tasmota *tasmota) {
        CLEANUP_BUF Buf topic = { 0 }, line = { 0 };
        Words words = { .yes = "online", .no = "offline" };
        FoundPoint point = { .name = TEXT("status"),
                             .config = tasmota->notice->topic,
                             .is_missing = tasmota->notice->is_missing };
        const char *why;
        int r = tasmota_say(tasmota, TEXT("onln"), &words.for_yes);

        if (r == 0)
                r = tasmota_say(tasmota, TEXT("ofln"), &words.for_no);
        if (r == 0)
                r = tasmota_topic(tasmota, TASMOTA_TELE, "LWT", &topic);
        if (r != 0 || topic.n == 0)
                return err_up(r);
        buf_append_string(&line, "/");
        why = words_put(&line, &words);
        if (buf_failed(&line))
                return err_new(-ENOMEM);
        if (why)
                return err_up(tasmota_refuse(tasmota, why, words.for_yes));
        point.line = buf_text(&line);
        return err_up(findings_add_status(tasmota->findings,
                                          tasmota->device,
                                          buf_text(&topic),
                                          false,
                                          &point));
}

/* Its times are local and without an offset: where its zone is not known, a message is of when it
 * came. */
static int tasmota_read_time(const Tasmota *tasmota) {
        static const char *const timed[] = { "STATE", "SENSOR" };
        int r = 0;

        if (!tasmota->notice->rule->zone)
                return 0;
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(timed); ++i) {
                CLEANUP_BUF Buf topic = { 0 };

                r = tasmota_topic(tasmota, TASMOTA_TELE, timed[i], &topic);
                if (r == 0 && topic.n > 0)
                        r = findings_add_time(tasmota->findings,
                                              tasmota->device,
                                              buf_text(&topic),
                                              TEXT("/Time"));
        }
        return err_up(r);
}

/* ---- the whole ---------------------------------------------------------------------------- */

static int tasmota_describe(const Tasmota *tasmota) {
        FoundDevice *device = tasmota->device;
        Text text;
        int r = tasmota_say(tasmota, TEXT("dn"), &text);

        if (r == 0)
                r = findings_keep(tasmota->findings, text, &device->name);
        if (r == 0)
                r = tasmota_say(tasmota, TEXT("md"), &text);
        if (r == 0)
                r = findings_keep(tasmota->findings, text, &device->model);
        if (r == 0)
                r = tasmota_say(tasmota, TEXT("sw"), &text);
        if (r == 0)
                r = findings_keep(tasmota->findings, text, &device->firmware);
        if (r == 0)
                r = findings_keep(tasmota->findings, TEXT("Tasmota"), &device->manufacturer);
        return err_up(r);
}

/* Digits alone would be an id: it is called as its address is, behind a word of its own. */
static int tasmota_find_device(Tasmota *tasmota) {
        const Notice *notice = tasmota->notice;
        char code[16 + TASMOTA_MAC];

        snprintf(code, sizeof(code), "tasmota_%.*s", TASMOTA_MAC, notice->rest.data);
        return err_up(findings_device(tasmota->findings,
                                      notice->rule,
                                      notice->user,
                                      text_of(code),
                                      notice->topic,
                                      &tasmota->device));
}

static int tasmota_read_all(Tasmota *tasmota, Text sensors) {
        int r = tasmota_find_device(tasmota);

        if (r != 0 || !tasmota->device)
                return err_up(r);
        r = tasmota_describe(tasmota);
        if (r == 0)
                r = tasmota_read_status(tasmota);
        if (r == 0)
                r = tasmota_read_relays(tasmota);
        if (r == 0)
                r = tasmota_read_state(tasmota);
        if (r == 0 && sensors.n > 0)
                r = tasmota_read_sensors(tasmota, sensors);
        if (r == 0)
                r = tasmota_read_time(tasmota);
        return err_up(r);
}

int tasmota_read(Findings *findings, const Notice *config, Text sensors) {
        Tasmota tasmota = { .findings = findings, .notice = config };
        JsonFault fault;
        int r = json_tree_read(&tasmota.tree, config->payload, &fault);

        if (r == 0) {
                tasmota.root = json_root(&tasmota.tree);
                r = tasmota_read_all(&tasmota, sensors);
        } else if (r > 0) {
                r = tasmota_refuse(&tasmota, "not JSON", (Text){ 0 });
        }
        json_tree_done(&tasmota.tree);
        json_tree_done(&tasmota.sensors);
        return err_up(r);
}
