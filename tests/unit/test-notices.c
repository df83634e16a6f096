/* Notices, and what is found in them: announcements of Home Assistant and Tasmota as points. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "gateway/discover/entity.h"
#include "gateway/discover/entity_keys.h"
#include "gateway/discover/findings.h"
#include "gateway/discover/notices.h"
#include "gateway/discover/points.h"
#include "gateway/discover/rule.h"
#include "gateway/discover/slug.h"
#include "gateway/discover/tasmota.h"

#define MAX_BYTES ((size_t)64 << 20)

typedef struct World World;

struct World {
        DiscoverRule rules[2];
        size_t n_rules;
        Notices *notices;
};

static void add_rule(World *world, const char *topic) {
        DiscoverRule *rule = &world->rules[world->n_rules++];

        *rule = (DiscoverRule){ .name = strdup("ha"),
                                .max_devices = 3,
                                .max_points = 4,
                                .max_bytes = 4096,
                                .auto_register = true };
        assert_int_equal(topic_template_new(&rule->topic, topic), 0);
        notices_set_rules(world->notices, world->rules, world->n_rules);
}

static int setup(void **state) {
        static World world;

        world = (World){ 0 };
        assert_int_equal(notices_new(&world.notices, MAX_BYTES), 0);
        add_rule(&world, "homeassistant/#");
        *state = &world;
        return 0;
}

static int teardown(void **state) {
        World *world = *state;

        notices_free(world->notices);
        for (size_t i = 0; i < world->n_rules; ++i)
                discover_rule_done(&world->rules[i]);
        return 0;
}

static NoticeFate hear(World *world, const char *topic, const char *payload) {
        return notices_hear(world->notices, text_of(topic), text_of(payload));
}

static Findings *found(World *world) {
        Findings *findings = NULL;

        assert_int_equal(notices_read(world->notices, NULL, &findings), 0);
        return findings;
}

/* The point of that name of a topic; NULL: there is none. */
static const FoundPoint *point(const Findings *findings, const char *topic, const char *name) {
        for (const FoundTopic *at = findings_topics(findings); at; at = at->next)
                for (const FoundPoint *one = at->points; one; one = one->next)
                        if (text_equal(at->topic, text_of(topic)) && !at->is_refused &&
                            text_equal(one->name, text_of(name)))
                                return one;
        return NULL;
}

static void expect_line(World *world, const char *topic, const char *name, const char *line) {
        CLEANUP(findings_free) Findings *findings = found(world);
        const FoundPoint *one = point(findings, topic, name);

        if (!one)
                fail_msg("no point %s of %s", name, topic);
        else if (!text_equal(one->line, text_of(line)))
                fail_msg("%s: %.*s", name, (int)one->line.n, one->line.data);
}

static void expect_refused(World *world, const char *why, const char *text) {
        CLEANUP(findings_free) Findings *findings = found(world);

        for (const FoundRefusal *at = findings_refused(findings); at; at = at->next)
                if (strcmp(at->why, why) == 0 && (!text || text_equal(at->text, text_of(text))))
                        return;
        for (const FoundRefusal *at = findings_refused(findings); at; at = at->next)
                print_message("%s: %.*s\n", at->why, (int)at->text.n, at->text.data);
        fail_msg("not refused: %s", why);
}

static void test_an_entity_is_a_point(void **state) {
        World *world = *state;
        CLEANUP(findings_free) Findings *findings = NULL;
        const FoundDevice *device;
        const FoundPoint *one;

        assert_int_equal(hear(world,
                              "homeassistant/sensor/0x1/temperature/config",
                              "{\"state_topic\":\"z2m/attic\",\"unit_of_measurement\":\"C\","
                              "\"device_class\":\"temperature\","
                              "\"value_template\":\"{{ value_json.temperature }}\","
                              "\"device\":{\"identifiers\":[\"z2m_0x1\"],\"name\":\"Attic\","
                              "\"model\":\"T1\",\"manufacturer\":\"Acme\",\"sw_version\":\"2\","
                              "\"suggested_area\":\"Roof\"}}"),
                         NOTICE_NEWS);
        expect_line(world,
                    "z2m/attic",
                    "temperature",
                    "/temperature | null unknown unavailable none nan | number");
        findings = found(world);
        device = findings_devices(findings);
        assert_true(text_equal(device->code, TEXT("z2m_0x1")));
        assert_true(text_equal(device->name, TEXT("Attic")));
        assert_true(text_equal(device->area, TEXT("Roof")));
        one = point(findings, "z2m/attic", "temperature");
        assert_true(one && text_equal(one->unit, TEXT("C")));
        assert_int_equal(findings_n_points(findings), 1);
}

static void test_short_keys_and_the_base_are_known(void **state) {
        World *world = *state;

        hear(world,
             "homeassistant/binary_sensor/door/config",
             "{\"~\":\"home/door\",\"stat_t\":\"~/state\",\"pl_on\":\"open\",\"pl_off\":\"shut "
             "it\","
             "\"avty_t\":\"~/lwt\",\"dev\":{\"ids\":\"door\"}}");
        expect_line(world,
                    "home/door/state",
                    "door",
                    "/ | word true=open \"false=shut it\" | bool");
        expect_line(world, "home/door/lwt", "status", "/ | word online=online offline=offline");
}

static void test_a_device_has_parts(void **state) {
        World *world = *state;

        hear(world,
             "homeassistant/device/meter/config",
             "{\"dev\":{\"ids\":\"meter\"},\"o\":{\"name\":\"x\"},\"state_topic\":\"m/state\","
             "\"cmps\":{\"p1\":{\"p\":\"sensor\",\"unit_of_measurement\":\"W\","
             "\"value_template\":\"{{ value_json.p }}\"},\"gone\":{\"p\":\"sensor\"},"
             "\"text\":{\"p\":\"sensor\",\"name\":\"T\"},"
             "\"b\":{\"p\":\"button\",\"command_topic\":\"m/b\"}}}");
        expect_line(world, "m/state", "p1", "/p | null unknown unavailable none nan | number");
        expect_refused(world, "a topic that others read as JSON", "m/state");
}

static void test_what_is_a_program_is_listed_with_its_text(void **state) {
        World *world = *state;

        hear(world,
             "homeassistant/sensor/x/config",
             "{\"stat_t\":\"x/s\",\"val_tpl\":\"{{ value_json.a * 2 }}\",\"dev\":{\"ids\":\"x\"}}");
        expect_refused(world, "more than a path", "{{ value_json.a * 2 }}");
}

static void test_an_empty_one_takes_it_away(void **state) {
        World *world = *state;
        const char *topic = "homeassistant/sensor/x/config";
        const char *payload = "{\"stat_t\":\"x/s\",\"dev\":{\"ids\":\"x\"}}";

        assert_int_equal(hear(world, topic, payload), NOTICE_NEWS);
        assert_int_equal(hear(world, topic, payload), NOTICE_NONE);
        assert_int_equal(notices_length(world->notices), 1);
        assert_int_equal(hear(world, topic, ""), NOTICE_NEWS);
        assert_int_equal(hear(world, topic, ""), NOTICE_NONE);
        assert_int_equal(notices_length(world->notices), 0);
        assert_int_equal(hear(world, "homeassistant/status", "online"), NOTICE_NONE);
        assert_int_equal(hear(world, "elsewhere/sensor/x/config", payload), NOTICE_NONE);
}

static void announce(World *world, const char *device, const char *name, const char *topic) {
        char config[128], payload[640];

        snprintf(config, sizeof(config), "homeassistant/sensor/%s/%s/config", device, name);
        snprintf(payload,
                 sizeof(payload),
                 "{\"stat_t\":\"%s\",\"dev\":{\"ids\":\"%s\"}}",
                 topic,
                 device);
        hear(world, config, payload);
}

static void test_a_topic_belongs_to_who_named_it_first(void **state) {
        World *world = *state;

        announce(world, "one", "a", "t/a");
        announce(world, "two", "b", "t/a");
        expect_refused(world, "a topic of another device", "t/a");
        expect_line(world, "t/a", "a", "/");
}

static void test_devices_and_points_are_bounded(void **state) {
        World *world = *state;
        char topic[16];

        for (char c = 'a'; c < 'f'; ++c) {
                snprintf(topic, sizeof(topic), "t/%c", c);
                announce(world, "many", (char[]){ c, '\0' }, topic);
        }
        expect_refused(world, "more points of a device than max_points", "t/e");
        announce(world, "two", "x", "t/x");
        announce(world, "three", "y", "t/y");
        announce(world, "four", "z", "t/z");
        expect_refused(world, "more devices than max_devices", "four");
}

static void test_nobody_points_where_nobody_may(void **state) {
        static const char *const topics[] = {
                "#", "a/+/b", "$SYS/broker/load", "a/{b}/c", "$share/g/a"
        };
        World *world = *state;
        char *allow[] = { (char[]){ "ok/#" } };

        for (size_t i = 0; i < N_ELEMENTS(topics); ++i) {
                announce(world, "one", "a", topics[i]);
                expect_refused(world, "not a topic, or one that nobody may point to", NULL);
        }
        announce(world, "one", "a", "tidegate/canary/x");
        expect_refused(world, "a topic of the gateway", NULL);
        world->rules[0].allow = allow;
        world->rules[0].n_allow = 1;
        announce(world, "one", "a", "not/ok");
        announce(world, "one", "b", "ok/b");
        expect_refused(world, "a topic that is not allowed", "not/ok");
        expect_line(world, "ok/b", "b", "/");
        world->rules[0].allow = NULL;
        world->rules[0].n_allow = 0;
}

/* A line of a map is cut there: it would be another one, or none. */
static void test_a_name_that_cuts_a_line_is_refused(void **state) {
        static const char *const names[] = { "a + b", "a or b", "a or", "a +", "a|b" };
        World *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(names); ++i) {
                char text[200];

                snprintf(text,
                         sizeof(text),
                         "{\"stat_t\":\"t\",\"val_tpl\":\"{{ value_json['%s'] }}\"}",
                         names[i]);
                hear(world, "homeassistant/sensor/cut/config", text);
                expect_refused(world, "a name that a map cannot say", NULL);
        }
}

static void test_what_is_too_deep_is_refused(void **state) {
        World *world = *state;
        CLEANUP(findings_free) Findings *findings = NULL;
        CLEANUP(routes_unref) Routes *routes = NULL;
        char topic[DISCOVER_MAX_TOPIC + 1],
                text[600] = "{\"stat_t\":\"t\",\"val_tpl\":\"{{ value_json";

        memset(topic, '/', sizeof(topic) - 1);
        topic[sizeof(topic) - 1] = '\0';
        announce(world, "one", "a", topic);
        expect_refused(world, "not a topic, or one that nobody may point to", NULL);
        for (int i = 0; i < 40; ++i)
                strcat(text, ".a");
        strcat(text, " }}\"}");
        hear(world, "homeassistant/sensor/deep/config", text);
        expect_refused(world, "a name that a map cannot say", NULL);
        findings = found(world);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(points_add_routes(findings, routes), 0);
        assert_int_equal(routes_length(routes), 0);
}

static void test_a_user_points_at_what_is_below_it(void **state) {
        World *world = *state;
        const char *payload = "{\"stat_t\":\"users/eve/t\",\"dev\":{\"ids\":\"x\"}}";

        add_rule(world, "users/{user}/ha/#");
        hear(world, "users/bob/ha/sensor/x/config", payload);
        expect_refused(world, "a topic that is not below that of its user", "users/eve/t");
        hear(world, "users/bob/ha/sensor/x/config", "");
        hear(world, "users/eve/ha/sensor/x/config", payload);
        expect_line(world, "users/eve/t", "x", "/");
}

static void test_a_topic_that_others_share_is_said_of_each(void **state) {
        CLEANUP(findings_free) Findings *findings = NULL;
        World *world = *state;

        hear(world,
             "homeassistant/sensor/a/config",
             "{\"stat_t\":\"t/a\",\"avty\":[{\"t\":\"bridge\"},{\"t\":\"a/here\","
             "\"val_tpl\":\"{{ value_json.state }}\"}],\"dev\":{\"ids\":\"a\"}}");
        hear(world,
             "homeassistant/sensor/b/config",
             "{\"stat_t\":\"t/b\",\"avty\":{\"t\":\"bridge\"},\"dev\":{\"ids\":\"b\"}}");
        hear(world,
             "homeassistant/sensor/c/config",
             "{\"stat_t\":\"t/c\",\"avty\":{\"t\":\"bridge\",\"pl_avail\":\"up\"},"
             "\"dev\":{\"ids\":\"c\"}}");
        expect_line(world, "bridge", "status", "/ | word online=online offline=offline");
        expect_line(world, "a/here", "status", "/state | word online=online offline=offline");
        expect_refused(world, "a topic that another device reads otherwise", "bridge");
        findings = found(world);
        assert_int_equal(findings_devices(findings)->n_sources, 2);
        assert_int_equal(findings_devices(findings)->next->n_sources, 1);
        assert_ptr_equal(findings_devices(findings)->sources[0],
                         findings_devices(findings)->next->sources[0]);
        assert_int_equal(findings_devices(findings)->sources[0]->n_sharers, 2);
}

static void test_a_topic_of_any_gateway_is_taken_where_that_is_allowed(void **state) {
        static char allowed[] = "+/+/BTtoMQTT/#", ignored[] = "attic/#";
        static char *allow[] = { allowed }, *ignore[] = { ignored };
        World *world = *state;
        DiscoverRule *rule = &world->rules[0];

        hear(world,
             "homeassistant/sensor/A4-tempc/config",
             "{\"stat_t\":\"+/+/BTtoMQTT/A4\",\"val_tpl\":\"{{ value_json.tempc | is_defined }}\","
             "\"dev\":{\"ids\":[\"A4\"]}}");
        expect_refused(world, "not a topic, or one that nobody may point to", "+/+/BTtoMQTT/A4");
        rule->allow = allow;
        rule->n_allow = 1;
        expect_line(world, "+/+/BTtoMQTT/A4", "tempc", "/tempc");
        hear(world,
             "homeassistant/sensor/evil/config",
             "{\"stat_t\":\"+/+/+/A4\",\"dev\":{\"ids\":[\"evil\"]}}");
        expect_refused(world, "not a topic, or one that nobody may point to", "+/+/+/A4");
        rule->ignore = ignore;
        rule->n_ignore = 1;
        expect_refused(world, "not a topic, or one that nobody may point to", "+/+/BTtoMQTT/A4");
        rule->allow = rule->ignore = NULL;
        rule->n_allow = rule->n_ignore = 0;
}

static void test_a_tasmota_says_it_its_own_way(void **state) {
        World *world = *state;

        add_rule(world, "tasmota/discovery/#");
        world->rules[1].max_points = 20;
        hear(world,
             "tasmota/discovery/0200000000AB/config",
             "{\"dn\":\"Plug\",\"md\":\"Basic\",\"sw\":\"14.1\",\"t\":\"plug\","
             "\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"cmnd\",\"stat\",\"tele\"],"
             "\"onln\":\"Online\",\"ofln\":\"Offline\",\"rl\":[1,0]}");
        hear(world,
             "tasmota/discovery/0200000000AB/sensors",
             "{\"sn\":{\"Time\":\"2026-01-01T00:00:00\",\"ENERGY\":{\"Power\":[1,2],"
             "\"Total\":3.1},\"AM2301\":{\"Temperature\":21.5},\"TempUnit\":\"C\"},\"ver\":1}");
        expect_line(world, "tele/plug/SENSOR", "energy_power_1", "/ENERGY/Power/1");
        expect_line(world, "tele/plug/SENSOR", "am2301_temperature", "/AM2301/Temperature");
        expect_line(world, "tele/plug/STATE", "power", "/POWER | bool");
        expect_line(world, "stat/plug/POWER", "power", "/ | bool");
        expect_line(world, "tele/plug/LWT", "status", "/ | word online=Online offline=Offline");
}

static void test_a_tasmota_has_words_of_its_own(void **state) {
        World *world = *state;

        add_rule(world, "tasmota/discovery/#");
        hear(world,
             "tasmota/discovery/0200000000AB/config",
             "{\"t\":\"plug\",\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"cmnd\",\"stat\",\"tele\"],"
             "\"onln\":\"bin da\",\"ofln\":\"weg\",\"state\":[\"AUS\",\"AN\"],\"rl\":[1,0]}");
        expect_line(world, "tele/plug/LWT", "status", "/ | word \"online=bin da\" offline=weg");
        expect_line(world, "tele/plug/STATE", "power", "/POWER | word true=AN false=AUS | bool");
        expect_line(world, "stat/plug/POWER", "power", "/ | word true=AN false=AUS | bool");
        hear(world,
             "tasmota/discovery/0200000000AB/config",
             "{\"t\":\"plug\",\"ft\":\"%prefix%/%topic%/\",\"tp\":[\"cmnd\",\"stat\",\"tele\"],"
             "\"onln\":\"x\",\"ofln\":\"x\",\"state\":[\"|\",\"AN\"],\"rl\":[1,0]}");
        expect_refused(world, "payloads that a map cannot tell apart", "x");
        expect_refused(world, "payloads that a map cannot tell apart", "state");
}

static void test_what_was_heard_is_there_after_a_restart(void **state) {
        World *world = *state;
        char path[] = "/tmp/test-notices-XXXXXX";
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        (void)close(fd);
        announce(world, "one", "a", "t/a");
        announce(world, "two", "b", "t/a");
        assert_true(notices_save(world->notices, path));
        notices_free(world->notices);
        assert_int_equal(notices_new(&world->notices, MAX_BYTES), 0);
        notices_set_rules(world->notices, world->rules, world->n_rules);
        assert_int_equal(notices_load(world->notices, path), 0);
        expect_refused(world, "a topic of another device", "t/a"); /* in their order */
        (void)unlink(path);
}

static void test_what_nobody_heard_again_gives_way(void **state) {
        World *world = *state;
        char path[] = "/tmp/test-notices-XXXXXX", topic[64], payload[4000];
        int fd = mkstemp(path);

        assert_true(fd >= 0);
        (void)close(fd);
        memset(payload, 'x', sizeof(payload));
        payload[sizeof(payload) - 1] = '\0';
        hear(world, "homeassistant/sensor/stale/config", payload);
        assert_true(notices_save(world->notices, path));
        hear(world, "homeassistant/sensor/stale/config", "");
        assert_int_equal(notices_load(world->notices, path), 0);
        for (int i = 0; i < 12; ++i) {
                snprintf(topic, sizeof(topic), "homeassistant/sensor/n%d/config", i);
                assert_int_equal(hear(world, topic, payload), NOTICE_NEWS);
        }
        assert_int_equal(notices_length(world->notices), 12);
        assert_int_equal(hear(world, "homeassistant/sensor/n12/config", payload), NOTICE_BOUND);
        (void)unlink(path);
}

/* Of all prefixes and users together, however much each of them may have. */
static void test_all_of_them_have_so_many_bytes_together(void **state) {
        World *world = *state;
        Notices *small = NULL;
        char topic[64], payload[1000];
        size_t n_bytes;

        memset(payload, 'x', sizeof(payload));
        payload[sizeof(payload) - 1] = '\0';
        notices_free(world->notices);
        assert_int_equal(notices_new(&small, 4096), 0);
        world->notices = small;
        add_rule(world, "other/#");
        for (int i = 0; i < 4; ++i) {
                snprintf(topic,
                         sizeof(topic),
                         "%s/sensor/n%d/config",
                         i % 2 ? "other" : "homeassistant",
                         i);
                assert_int_equal(hear(world, topic, payload), i < 3 ? NOTICE_NEWS : NOTICE_BOUND);
        }
        n_bytes = notices_bytes(small);
        assert_true(n_bytes > 3 * (sizeof(payload) - 1) && n_bytes <= 4096);
        hear(world, "homeassistant/sensor/n0/config", ""); /* which makes room */
        assert_int_equal(hear(world, topic, payload), NOTICE_NEWS);
        for (int i = 0; i < 3; ++i)
                hear(world,
                     (const char *[]){ "homeassistant/sensor/n2/config",
                                       "other/sensor/n1/config",
                                       "other/sensor/n3/config" }[i],
                     "");
        assert_int_equal(notices_bytes(small), 0);
}

static void test_what_is_not_announced_any_more_is_marked(void **state) {
        World *world = *state;
        CLEANUP(findings_free) Findings *findings = NULL;
        char path[] = "/tmp/test-notices-XXXXXX";
        int fd = mkstemp(path);
        size_t n_missing;

        assert_true(fd >= 0);
        (void)close(fd);
        announce(world, "one", "a", "t/a");
        announce(world, "two", "a", "t/b");
        assert_false(notices_settle(world->notices, &n_missing));
        notices_begin(world->notices);
        announce(world, "one", "a", "t/a");
        assert_true(notices_settle(world->notices, &n_missing));
        assert_int_equal(n_missing, 1);
        findings = found(world);
        assert_false(point(findings, "t/a", "a")->is_missing);
        assert_true(point(findings, "t/b", "a")->is_missing);
        assert_true(notices_save(world->notices, path));
        notices_free(world->notices);
        assert_int_equal(notices_new(&world->notices, MAX_BYTES), 0);
        notices_set_rules(world->notices, world->rules, world->n_rules);
        assert_int_equal(notices_load(world->notices, path), 0);
        findings_free(findings);
        findings = found(world);
        assert_false(point(findings, "t/a", "a")->is_missing); /* until it is known */
        assert_true(point(findings, "t/b", "a")->is_missing);
        announce(world, "two", "a", "t/b");
        findings_free(findings);
        findings = found(world);
        assert_false(point(findings, "t/b", "a")->is_missing);
        (void)unlink(path);
}

static void test_routes_are_made_of_it(void **state) {
        CLEANUP(routes_unref) Routes *routes = NULL;
        CLEANUP(findings_free) Findings *findings = NULL;
        CLEANUP_BUF Buf buf = { 0 };
        World *world = *state;
        const Route *route;

        announce(world, "one", "time", "t/a");
        findings = found(world);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(points_add_routes(findings, routes), 0);
        assert_int_equal(routes_length(routes), 1);
        route = routes_get(routes, 0);
        assert_int_equal(route->kind, KIND_TELEMETRY);
        assert_int_equal(map_length(route->map), 2);
        assert_true(text_equal(map_get(route->map, 1)->line[0], TEXT("time_value")));
        points_write(findings, 0, &buf);
        assert_non_null(strstr(buf.data, "\"device\":\"one\""));
        assert_non_null(strstr(buf.data, "\"name\":\"time_value\",\"topic\":\"t/a\""));
}

static void test_odd_announcements_cost_themselves(void **state) {
        static const char *const payloads[] = {
                "x",
                "[]",
                "{\"dev\":{\"ids\":\"x\"},\"stat_t\":\"a\\u0000b\"}",
                "{",
                "{}",
                "{\"dev\":[]}",
                "{\"dev\":{\"ids\":[]},\"stat_t\":5}",
                "{\"dev\":{\"ids\":[[[[]]]]},\"stat_t\":{}}",
                "{\"dev\":{\"ids\":\"a'b\"},\"stat_t\":\"t\"}",
                "{\"dev\":{\"cns\":[[\"mac\"]]},\"~\":5,\"stat_t\":\"~\"}",
                "{\"dev\":{\"cns\":[\"mac\"]},\"avty\":[5,{},[]]}",
                "{\"stat_t\":\"t\",\"val_tpl\":[]}",
        };
        World *world = *state;
        static const char *const topics[] = { "homeassistant/sensor/x/config",
                                              "homeassistant/device/x/config",
                                              "homeassistant/light/n/x/config",
                                              "homeassistant/0200000000AB/config",
                                              "homeassistant/0200000000AB/sensors" };

        for (size_t i = 0; i < N_ELEMENTS(payloads); ++i)
                for (size_t k = 0; k < N_ELEMENTS(topics); ++k) {
                        hear(world, topics[k], payloads[i]);
                        findings_free(found(world));
                }
}

/* What every other door takes is taken: a mark in front, NULs at the end, a byte that is no text.
 */
static void test_bytes_that_are_no_json_cost_what_they_cost_elsewhere(void **state) {
        static const char topic[] = "homeassistant/sensor/x/config";
        static const struct {
                Text payload;
                const char *of; /* NULL: it is none, and is listed */
        } odd[] = {
                { TEXT("{\"dev\":{\"ids\":\"x\"},\"name\":\"a\",\"stat_t\":\"x/a\"}\0"), "x/a" },
                { TEXT("{\"dev\":{\"ids\":\"x\"},\"name\":\"b\",\"stat_t\":\"x/b\"}\r\n\0\0"),
                  "x/b" },
                { TEXT("\xef\xbb\xbf{\"dev\":{\"ids\":\"x\"},\"name\":\"c\",\"stat_t\":\"x/c\"}"),
                  "x/c" },
                { TEXT("{\"dev\":{\"ids\":\"x\",\"mf\":\"\xff\"},\"name\":\"d\",\"stat_t\":\"x/"
                       "d\"}"),
                  "x/d" },
                { TEXT("\xff"), NULL },
                { TEXT("\0\0"), NULL },
                { TEXT("{\"a\":\xff\0\xfe"), NULL },
        };
        World *world = *state;

        for (size_t i = 0; i < N_ELEMENTS(odd); ++i) {
                CLEANUP(findings_free) Findings *findings = NULL;

                assert_int_equal(notices_hear(world->notices, text_of(topic), odd[i].payload),
                                 NOTICE_NEWS);
                assert_int_equal(notices_hear(world->notices, text_of(topic), odd[i].payload),
                                 NOTICE_NONE);
                findings = found(world);
                if (odd[i].of)
                        assert_non_null(point(findings, odd[i].of, "x"));
                else
                        expect_refused(world, "not JSON", NULL);
        }
}

/* What is listed of it is what can be read of it. */
static void test_of_what_is_no_text_the_rest_is_kept(void **state) {
        static const char topic[] = "homeassistant/sensor/x/config";
        World *world = *state;

        assert_int_equal(notices_hear(world->notices,
                                      text_of(topic),
                                      TEXT("{\"a\":\xff\0 \xc3\xa4")),
                         NOTICE_NEWS);
        assert_int_equal(notices_bytes(world->notices), strlen(topic) + 5 + 3 + 3 + 1 + 2);
}

/* What stands for a byte that is no text takes three: the bound is of what is kept. */
static void test_a_payload_grows_no_further_than_its_bound(void **state) {
        World *world = *state;
        char payload[4096];

        memset(payload, '\xff', sizeof(payload));
        assert_int_equal(notices_hear(world->notices,
                                      TEXT("homeassistant/sensor/x/config"),
                                      (Text){ payload, sizeof(payload) }),
                         NOTICE_BOUND);
        assert_int_equal(notices_length(world->notices), 0);
}

static void test_names_are_slugs(void **state) {
        char slug[SLUG_SIZE];

        (void)state;
        slug_of(TEXT("  Front-Door (2) "), slug);
        assert_string_equal(slug, "front_door_2");
        slug_cut(slug, "front");
        assert_string_equal(slug, "door_2");
        slug_cut(slug, "door_2");
        assert_string_equal(slug, "door_2");
        slug_add(slug, "state");
        assert_string_equal(slug, "door_2_state");
        for (int i = 0; i < 9; ++i)
                slug_add(slug, "long_name");
        assert_int_equal(strlen(slug), SLUG_SIZE - 1);
        slug_of(TEXT("\xc3\xa4"), slug);
        assert_string_equal(slug, "");
}

static void test_components_are_known_or_have_no_state(void **state) {
        size_t n;

        (void)state;
        assert_non_null(entity_states(TEXT("climate"), &n));
        assert_int_equal(n, 7);
        assert_null(entity_states(TEXT("toaster"), &n));
        assert_true(entity_is_stateless(TEXT("button")));
        assert_false(entity_is_stateless(TEXT("sensor")));
        assert_true(text_equal(entity_short_key("value_template"), TEXT("val_tpl")));
        assert_null(entity_short_key("name").data);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
        const struct CMUnitTest tests[] = {
                WITH_WORLD(test_an_entity_is_a_point),
                WITH_WORLD(test_short_keys_and_the_base_are_known),
                WITH_WORLD(test_a_device_has_parts),
                WITH_WORLD(test_what_is_a_program_is_listed_with_its_text),
                WITH_WORLD(test_an_empty_one_takes_it_away),
                WITH_WORLD(test_a_topic_belongs_to_who_named_it_first),
                WITH_WORLD(test_devices_and_points_are_bounded),
                WITH_WORLD(test_nobody_points_where_nobody_may),
                WITH_WORLD(test_a_name_that_cuts_a_line_is_refused),
                WITH_WORLD(test_what_is_too_deep_is_refused),
                WITH_WORLD(test_a_user_points_at_what_is_below_it),
                WITH_WORLD(test_a_topic_that_others_share_is_said_of_each),
                WITH_WORLD(test_a_topic_of_any_gateway_is_taken_where_that_is_allowed),
                WITH_WORLD(test_a_tasmota_says_it_its_own_way),
                WITH_WORLD(test_a_tasmota_has_words_of_its_own),
                WITH_WORLD(test_what_was_heard_is_there_after_a_restart),
                WITH_WORLD(test_what_nobody_heard_again_gives_way),
                WITH_WORLD(test_all_of_them_have_so_many_bytes_together),
                WITH_WORLD(test_what_is_not_announced_any_more_is_marked),
                WITH_WORLD(test_routes_are_made_of_it),
                WITH_WORLD(test_odd_announcements_cost_themselves),
                WITH_WORLD(test_bytes_that_are_no_json_cost_what_they_cost_elsewhere),
                WITH_WORLD(test_of_what_is_no_text_the_rest_is_kept),
                WITH_WORLD(test_a_payload_grows_no_further_than_its_bound),
                cmocka_unit_test(test_names_are_slugs),
                cmocka_unit_test(test_components_are_known_or_have_no_state),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
