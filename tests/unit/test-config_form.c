/* ConfigForm: what cannot work, or stands for nothing, is refused for every key, wherever it is
 * given, with the place where it was given. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/config/config.h"
#include "gateway/config/config_table.h"

#define MAX_TEXTS 40

static char file_name[] = "/tmp/test-config_form-XXXXXX";

static void write_file(const char *text, size_t n) {
        FILE *file = fopen(file_name, "we");

        assert_non_null(file);
        assert_int_equal(fwrite(text, 1, n, file), n);
        assert_int_equal(fclose(file), 0);
}

/* What loading says; NULL if it takes all without a word. To be freed. */
static char *complaint(const ConfigSource *source) {
        FILE *saved = stderr;
        Config *config = NULL;
        char *said = NULL;
        size_t n_said = 0;
        int r;

        stderr = open_memstream(&said, &n_said);
        assert_non_null(stderr);
        r = config_load(&config, source);
        assert_int_equal(fclose(stderr), 0);
        stderr = saved;
        assert_true(r == 0 ? n_said == 0 || strstr(said, "warning: ")
                           : r == CONFIG_E_INVALID && n_said > 0);
        config_free(config);
        if (n_said == 0) {
                free(said);
                said = NULL;
        }
        return said;
}

static char *complaint_of_file(const char *text, size_t n) {
        write_file(text, n);
        return complaint(&(ConfigSource){ .file = file_name });
}

static void assert_said(char *said, const char *what) {
        if (!said || !strstr(said, what))
                fail_msg("'%s' not in:\n%s", what, said ? said : "(nothing)");
        free(said);
}

static void assert_taken(char *said) {
        if (said)
                fail_msg("refused:\n%s", said);
}

static void variable_of(const ConfigKey *key, const char *text, char *ret_variable, size_t n) {
        int n_name = snprintf(ret_variable, n, "TIDEGATE_%s_%s=%s", key->section, key->name, text);

        assert_true(n_name > 0 && (size_t)n_name < n);
        for (char *c = ret_variable; *c != '='; ++c)
                if (*c >= 'a' && *c <= 'z')
                        *c = (char)(*c - 'a' + 'A');
}

/* From the file with its line, from the environment with the variable, and from --set. */
static void assert_refused(const ConfigKey *key, const char *text) {
        char line[512], variable[512], set[512], what[1024];
        char *environment[] = { variable, NULL };
        const char *sets[] = { set };
        int n;

        n = snprintf(line, sizeof(line), "[%s]\n%s = %s\n", key->section, key->name, text);
        snprintf(what, sizeof(what), "%s:2: %s.%s: ", file_name, key->section, key->name);
        assert_said(complaint_of_file(line, (size_t)n), what);

        variable_of(key, text, variable, sizeof(variable));
        snprintf(what,
                 sizeof(what),
                 "environment %.*s: %s.%s: ",
                 (int)strcspn(variable, "="),
                 variable,
                 key->section,
                 key->name);
        assert_said(complaint(&(ConfigSource){ .environment = environment }), what);

        snprintf(set, sizeof(set), "%s.%s=%s", key->section, key->name, text);
        snprintf(what, sizeof(what), "--set: %s.%s: ", key->section, key->name);
        assert_said(complaint(&(ConfigSource){ .sets = sets, .n_sets = 1 }), what);
}

/* Each of @texts, by each key of the type. */
static void assert_all_refused(ConfigType type, const char *const texts[MAX_TEXTS]) {
        for (size_t k = 0; k < config_n_keys; ++k)
                for (size_t t = 0; config_keys[k].type == type && t < MAX_TEXTS; ++t)
                        if (texts[t])
                                assert_refused(&config_keys[k], texts[t]);
}

static bool is_number(ConfigType type) {
        return type == CONFIG_INT || type == CONFIG_SIZE || type == CONFIG_MS ||
               type == CONFIG_SECONDS || type == CONFIG_DAYS;
}

static const char *name_of(const ConfigKey *key) {
        static char name[128];

        snprintf(name, sizeof(name), "%s.%s", key->section, key->name);
        return name;
}

static void test_no_key_takes_what_is_no_text(void **state) {
        static const char *const texts[] = { "a\x01", "a\x1b[31m", "a\x7f" };

        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                bool is_file = key->type == CONFIG_PATH || key->type == CONFIG_FILES;

                for (size_t k = 0; k < N_ELEMENTS(texts); ++k)
                        assert_refused(key, texts[k]);
                if (!is_file) /* files have names of bytes */
                        assert_refused(key, "a\xff\xfe");
        }
}

static void test_no_line_may_have_a_nul(void **state) {
        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const char *good = config_keys[i].fallback ? config_keys[i].fallback : "";
                char text[512], what[256];
                int n = snprintf(text,
                                 sizeof(text),
                                 "[%s]\n%s = %s%cx\n[log]\nlevel = info\n",
                                 config_keys[i].section,
                                 config_keys[i].name,
                                 good,
                                 '\0');

                snprintf(what, sizeof(what), "%s:2: line: has a NUL", file_name);
                assert_said(complaint_of_file(text, (size_t)n), what);
        }
}

static void test_no_key_is_given_twice_by_one_source(void **state) {
        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                const char *good = key->fallback ? key->fallback : "";
                char text[1024], one[512], other[512], what[256];
                char *environment[] = { one, other, NULL };
                int n = snprintf(text,
                                 sizeof(text),
                                 "[%s]\n%s = %s\n[log]\n[%s]\n%s = %s\n",
                                 key->section,
                                 key->name,
                                 good,
                                 key->section,
                                 key->name,
                                 good);

                snprintf(what,
                         sizeof(what),
                         "%s:5: warning: %s: is given twice, and this one counts; the other: %s:2",
                         file_name,
                         name_of(key),
                         file_name);
                assert_said(complaint_of_file(text, (size_t)n), what);

                snprintf(one, sizeof(one), "TIDEGATE_%s_%s=%s", key->section, key->name, good);
                variable_of(key, good, other, sizeof(other));
                assert_said(complaint(&(ConfigSource){ .environment = environment }),
                            "is given twice");
        }
}

static void test_a_later_source_counts_and_so_does_the_last_set(void **state) {
        static const char text[] = "[ws]\nmax_subscriptions = 7\n";
        char variable[] = "TIDEGATE_WS_MAX_SUBSCRIPTIONS=8";
        char *environment[] = { variable, NULL };
        const char *sets[] = { "ws.max_subscriptions=9", "ws.max_subscriptions=10" };
        ConfigSource source = {
                .file = file_name, .environment = environment, .sets = sets, .n_sets = 2
        };
        Config *config = NULL;

        (void)state;
        write_file(text, sizeof(text) - 1);
        assert_int_equal(config_load(&config, &source), 0);
        assert_int_equal(config->ws.max_subscriptions, 10);
        config_free(config);
}

static void test_a_number_is_one_in_its_range_and_unit(void **state) {
        static const char *const texts[] = {
                "",     ",",
                "-1",   "-0",
                "+1",   "1,2",
                "1 2",  "0x10",
                "1.5",  "1e3",
                "1;2",  "1mile",
                "many", "ms",
                "K",    "1msx",
                "NaN",  "inf",
                "١",    "1KiB",
                "1/2",  "10%",
                "1M1K", "",
                "0-",   "99999999999999999999999",
        };

        (void)state;
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                char bound[32];

                if (!is_number(key->type))
                        continue;
                for (size_t k = 0; k < N_ELEMENTS(texts); ++k)
                        assert_refused(key, texts[k]);
                assert_refused(key, key->type == CONFIG_SIZE ? "10s" : "10G");
                if (key->type == CONFIG_INT)
                        assert_refused(key, "10s");
                if (key->min > 0) {
                        assert_refused(key, "0");
                        snprintf(bound, sizeof(bound), "%lld", (long long)key->min - 1);
                        assert_refused(key, bound);
                }
                snprintf(bound, sizeof(bound), "%lld", (long long)key->max + 1);
                assert_refused(key, bound);
        }
}

/* The texts of a type that no key of it takes. */
static void test_a_word_is_one_of_those_that_there_are(void **state) {
        static const struct {
                ConfigType type;
                const char *texts[MAX_TEXTS];
        } rows[] = {
                { CONFIG_FLAG, { "", ",", "2", "-1", "maybe", "on off", "on,", "onn", "10ms" } },
                { CONFIG_FSYNC,
                  { "", ",", "0", "-1", "1h", "sometimes", "always,", "10 ms", "10msx" } },
                { CONFIG_MQTT_VERSION, { "", ",", "0", "-1", "3", "3.1", "6", "5,4", "autox" } },
                { CONFIG_PREFACE, { "", ",", "0", "v1", "2", "v2,", "on", "V2" } },
                { CONFIG_LEVEL, { "", ",", "0", "-1", "loud", "info,debug", "INFO" } },
                { CONFIG_ALGORITHMS,
                  { "",
                    ",",
                    ",,",
                    "HS256,",
                    ",HS256",
                    "HS256,,RS256",
                    "HS256 RS256",
                    "none",
                    "hs256",
                    "HS512",
                    "HS256x",
                    "0" } },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                assert_all_refused(rows[i].type, rows[i].texts);
}

static void test_a_text_has_its_form(void **state) {
        static const struct {
                ConfigType type;
                const char *texts[MAX_TEXTS];
        } rows[] = {
                { CONFIG_LISTEN,
                  { ",",
                    "0",
                    "-1",
                    "h",
                    "h:",
                    "h:-1",
                    "h:65536",
                    "h:99999999999999999999",
                    "h:80x",
                    "h:80,",
                    "h:80 81",
                    "h:0x50",
                    "::1:80",
                    "[]:80",
                    "[zz]:80",
                    "[::1]",
                    "[::1]80",
                    "[::1:80",
                    "[::1%]:80",
                    "h h:80",
                    "h..h:80",
                    ".h:80",
                    "-:",
                    "1.2.3.256:80",
                    "1.2.3.4.5:80",
                    "http://h:80",
                    "h/x:80",
                    "h:80/",
                    "h@h:80",
                    "**:80" } },
                { CONFIG_PROXIES,
                  { ",",
                    "0",
                    "-1",
                    "10.0.0.1,",
                    ",10.0.0.1",
                    "10.0.0.1,,10.0.0.2",
                    "10.0.0.1/33",
                    "10.0.0.1/8",
                    "10.0.0.0/0",
                    "h",
                    "10.0.0.1x",
                    "10.0.0.256",
                    "::1/129" } },
                { CONFIG_ORIGINS,
                  { ",",
                    "https://a,",
                    ",https://a",
                    "https://a,,https://b",
                    "https://a https://b",
                    "0",
                    "a",
                    "a.example",
                    "https://",
                    "https://:443",
                    "https://a:0",
                    "https://a:65536",
                    "https://a/",
                    "https://a/path",
                    "https://*.a",
                    "*.a",
                    "https://u@a",
                    "https://a?x",
                    "https:/a",
                    "://a",
                    "https://a:x",
                    "https://[::1",
                    "nulls" } },
                { CONFIG_PATHS,
                  { ",",
                    "/a,",
                    ",/a",
                    "/a,,/b",
                    "/a /b",
                    "0",
                    "a",
                    "api/ws",
                    "/a?x=1",
                    "/a#b",
                    "/a*b",
                    "**",
                    "tidegate.v2",
                    "https://a/b" } },
                { CONFIG_FILES, { ",", "/a,", ",/a", "/a,,/b", "old=", "/a,old=" } },
                { CONFIG_MQTT_URL,
                  { ",",
                    "0",
                    "-1",
                    "h",
                    "h:1883",
                    "mqtt://",
                    "mqtt://:1883",
                    "mqtts://:8883",
                    "mqtt://h:0",
                    "mqtt://h:65536",
                    "mqtt://h:-1",
                    "mqtt://h:",
                    "mqtt://h:x",
                    "mqtt://h:1883x",
                    "mqtt://h:1883/",
                    "mqtt://h,",
                    ",mqtt://h",
                    "mqtt://h,,mqtt://g",
                    "mqtt://h mqtt://g",
                    "mqtt://[::1",
                    "mqtt://[]",
                    "mqtt://[zz]:1",
                    "mqtt://[::1]1883",
                    "mqtt://::1:1883",
                    "mqtt://h..h",
                    "mqtt://1.2.3.256",
                    "mqtt://u:p@h",
                    "tcp://h:1883",
                    "mqtt:/h",
                    "mqtt://h?x",
                    "mqtt://h#x",
                    "mqtt://a,mqtt://b,mqtt://c,mqtt://d,mqtt://e,mqtt://f,"
                    "mqtt://g,mqtt://h,mqtt://i" } },
                { CONFIG_DB_URL,
                  { "",
                    ",",
                    "0",
                    "-1",
                    "name",
                    "http://h/d",
                    "postgresql://h:0/d",
                    "postgresql://h:65536/d",
                    "postgresql://h:x/d",
                    "postgresql://h:-1/d",
                    "postgresql://g,h:5432x/d",
                    "postgresql://h/d?sslmode=maybe",
                    "postgresql://h/d?frobnicate=1",
                    "postgresql://h/%zz",
                    "host=h port=0",
                    "host=h port=70000",
                    "host=h port=5432,x",
                    "frobnicate=1",
                    "host=h dbname",
                    "host=h connect_timeout=soon",
                    "host=h target_session_attrs=any-thing",
                    "host='h" } },
                { CONFIG_TOPIC,
                  { ",",
                    "0",
                    "a",
                    "a/#",
                    "a/+/{device}",
                    "a/{device},",
                    "a/{device}, b/{device}",
                    "a/{device}/{device}",
                    "a/{vehicle}",
                    "a/{planet}/{device}",
                    "a b/{device}" } },
                { CONFIG_TOPICS,
                  { ",",
                    "0",
                    "a",
                    "a/#",
                    "a/{device},",
                    ",a/{device}",
                    "a/{device},,b/{device}",
                    "a/{device} b/{device}",
                    "a/{device},b/#",
                    "a/{device},b/{device},c/{device},d/{device},e/{device}" } },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                assert_all_refused(rows[i].type, rows[i].texts);
}

static void test_what_is_right_is_taken(void **state) {
        static const char *const sets[] = {
                "http.listen=:80",
                "http.listen=*:80",
                "http.listen=0.0.0.0:0",
                "http.listen=[::1]:65535",
                "http.listen=[fe80::1%eth0]:80",
                "http.listen=gate_way-1.example.:80",
                "http.health_listen=",
                "http.trusted_proxies=10.0.0.0/8, 2001:db8::/32",
                "http.allowed_origins=",
                "http.allowed_origins=*",
                "http.allowed_origins=https://a.example,\thttp://b:8080, http://[::1]:3000",
                "http.allowed_origins=null, file://, capacitor://localhost",
                "auth.anonymous=/api/ws, /api/ws/*, tidegate.v1",
                "auth.anonymous=*",
                "auth.algorithms= HS256 ",
                "mqtt.url=mqtt://h",
                "mqtt.url=mqtt://h:1, mqtts://10.1.2.3:65535,mqtt://[2001:db8::1]",
                "database.url=postgresql://u:p%40ss@a:5432,b:5433/d?sslmode=require",
                "database.url=postgresql:///d?host=/run/postgresql&connect_timeout=3",
                "database.url=host=a,b port=5432, user=u target_session_attrs=read-write",
                "commands.topics=",
                "commands.topics=a/{user}/{device}, b/{device}",
                "commands.ack_topic=",
                "commands.ack_topic=a/{device}/done",
                "commands.reserve=99",
                "watchdog.timeout=0",
                "ws.welcome=Grüße; 你好",
                "journal.dir=/var/lib/\xff",
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(sets); ++i)
                assert_taken(complaint(&(ConfigSource){ .sets = &sets[i], .n_sets = 1 }));
}

static void test_keys_that_contradict_each_other(void **state) {
        static const struct {
                const char *text, *said; /* NULL: nothing is wrong */
        } rows[] = {
                { "[commands]\ntimeout = 2h\nmax_timeout = 1h\n",
                  ":2: commands.timeout: is above" },
                { "[commands]\nmax_timeout = 1s\n", ":2: commands.timeout: is above" },
                { "[commands]\nreserve = 100\n", ":2: commands.reserve: bad number" },
                { "[mqtt]\nbackoff_max = 10ms\n", ":2: mqtt.backoff_min: is above" },
                { "[ws]\nping_interval = 1s\nsilence_timeout = 500ms\n",
                  ":2: ws.ping_interval: is above" },
                { "[ws]\nsilence_timeout = 20s\n",
                  ":2: warning: ws.ping_interval: is ws.silence_timeout" },
                { "[ws]\nmax_message_bytes = 2M\n", ":2: ws.queue_bytes: is less" },
                { "[ws]\nqueue_bytes = 32K\n", ":2: ws.queue_bytes: is less" },
                { "[ws]\nmax_connections = 4\nmax_connections_per_user = 5\n",
                  ":3: warning: ws.max_connections_per_user: is above" },
                { "[ws]\nmax_connections = 4\nmax_unauthenticated = 5\n",
                  ":3: warning: ws.max_unauthenticated: is above" },
                { "[ws]\nmax_connections = 4\n", NULL },
                { "[database]\nquery_share = 9\nquery_capacity = 8\n",
                  ":2: warning: database.query_share: is above database.query_capacity: no more "
                  "than 8" },
                { "[database]\nquery_capacity = 1\n", NULL },
                { "[journal]\nmax_bytes = 4M\nsegment_bytes = 2M\n", ":3: journal.segment_bytes" },
                { "[journal]\nmax_bytes = 4M\nreserve_bytes = 3M\n", ":3: journal.reserve_bytes" },
                { "[http]\nbodies_bytes = 1M\n",
                  ":2: warning: http.bodies_bytes: is less than four" },
                { "[http]\nbodies_bytes = 4M\nmax_body_bytes = 2M\n",
                  ":2: warning: http.bodies_bytes" },
                { "[http]\nmax_body_bytes = 64M\n", NULL },
                { "[http]\nlisten = 127.0.0.1:80\nhealth_listen = 127.0.0.1:80\n",
                  ":3: http.health_listen: is the address of http.listen" },
                { "[http]\nlisten = :80\nhealth_listen = [::1]:80\n", ":3: http.health_listen" },
                { "[http]\nlisten = a:80\nhealth_listen = *:80\n", ":3: http.health_listen" },
                { "[http]\nlisten = a:80\nhealth_listen = a:81\n", NULL },
                { "[http]\nlisten = a:0\nhealth_listen = a:0\n", NULL },
                { "[http]\nproxy_protocol = v2\n", ":2: http.proxy_protocol: needs" },
                { "[http]\ntls_cert = /a\n", ":2: http.tls_cert: needs" },
                { "[mqtt]\nurl = mqtt://h\nca_file = /a\n",
                  ":3: warning: mqtt.ca_file: is of no use" },
                { "[mqtt]\nurl = mqtt://h\ncert_file = /a\nkey_file = /b\n",
                  ":4: warning: mqtt.key_file" },
                { "[mqtt]\nurl = mqtt://h, mqtts://h\nca_file = /a\n", NULL },
                { "[mqtt]\nca_file = /a\n", NULL },
                { "[mqtt]\npassword_file = /a\n", ":2: mqtt.password_file: needs" },
                { "[auth]\nalgorithms = RS256\n", ":2: auth.algorithms" },
                { "[auth]\nsubject_type = shoe\n", ":2: auth.subject_type" },
                { "[watchdog]\ntimeout = 999ms\n", ":2: watchdog.timeout: is less" },
                { "[route raw_log]\nmax_bytes = 1K\nmax_bytes = 2K\n",
                  ":3: warning: route raw_log.max_bytes: is given twice" },
                { "[route ble_detections]\nmedium_dbm = -50\n",
                  ":2: route ble_detections.medium_dbm: is above near_dbm" },
                { "[route ble_detections]\nnear_dbm = -0x20\n",
                  ":2: route ble_detections.near_dbm: bad number" },
                { "[route raw_log]\nnear_dbm = -50\n",
                  ":2: route raw_log.near_dbm: means nothing where kind is not ble_detections" },
                { "[route raw_log]\nperson = who\n",
                  ":2: route raw_log.person: means nothing where kind is not camera_event" },
                { "[route raw_log]\nmerge = on\n",
                  ":2: route raw_log.merge: means nothing where kind is not telemetry" },
                { "[route telemetry]\nallow = a/#\n",
                  ":2: route telemetry.allow: means nothing where kind is not discovery" },
                { "[route telemetry]\nmax_points = 1\n", ":2: route telemetry.max_points" },
                { "[route telemetry]\nmax_devices = 1\n", ":2: route telemetry.max_devices" },
                { "[route telemetry]\nrebirth = on\n",
                  ":2: route telemetry.rebirth: means nothing where decode is not sparkplug_b" },
                { "[route telemetry]\neach_max = 5\n",
                  ":2: route telemetry.each_max: means nothing without each" },
                { "[route h]\ntopic = h/#\nkind = discovery\neach = /a\n",
                  ":4: route h.each: means nothing where kind is discovery" },
                { "[route h]\ntopic = h/#\nkind = discovery\nmerge = on\n", ":4: route h.merge" },
                { "[route h]\nuse = mavlink2rest\nkeep = named\n",
                  ":3: route h.keep: the profile has no route of this name" },
                { "[route h]\nuse = sparkplug-b\nrebirth = on\ntimezone = UTC\n", NULL },
                { "[route telemetry]\nwhen = /a = 'b\n",
                  ":2: route telemetry.when: a quote is not closed" },
                { "[route telemetry]\n[map telemetry]\na = /a | word x=1 y=1\n",
                  ":3: map telemetry.a: word x=1 y=1: a word stands twice" },
                { "[route telemetry]\nkeep = named\n[map telemetry]\ntime = /t\n",
                  ":2: route telemetry.keep: keeps nothing: no line of [map telemetry] gives a" },
                { "[route telemetry]\nignore = ems/#/set, ems/#/set/+\n", NULL },
                { "[route telemetry]\nignore = ems/#/set/#\n",
                  ":2: route telemetry.ignore: bad filter" },
                { "[map telemetry]\na = /a or 'b\n", ":2: map telemetry.a: a quote is not closed" },
                { "[route raw_log]\ntimezone = UTC\x01\n",
                  ":2: route raw_log.timezone: has a control" },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i) {
                char *said = complaint_of_file(rows[i].text, strlen(rows[i].text));

                if (rows[i].said)
                        assert_said(said, rows[i].said);
                else
                        assert_taken(said);
        }
}

static void test_a_journal_where_a_file_is(void **state) {
        char set[64];
        const char *sets[] = { set };
        FILE *saved = stderr;
        Config *config = NULL;
        char *said = NULL;
        size_t n_said = 0;

        (void)state;
        snprintf(set, sizeof(set), "journal.dir=%s", file_name);
        assert_int_equal(config_load(&config, &(ConfigSource){ .sets = sets, .n_sets = 1 }), 0);
        stderr = open_memstream(&said, &n_said);
        assert_non_null(stderr);
        assert_int_equal(config_check_files(config), CONFIG_E_INVALID);
        assert_int_equal(fclose(stderr), 0);
        stderr = saved;
        config_free(config);
        assert_said(said, "--set: journal.dir: ");
}

static int set_up(void **state) {
        int fd = mkstemp(file_name);

        (void)state;
        return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state) {
        (void)state;
        return unlink(file_name);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_no_key_takes_what_is_no_text),
                cmocka_unit_test(test_no_line_may_have_a_nul),
                cmocka_unit_test(test_no_key_is_given_twice_by_one_source),
                cmocka_unit_test(test_a_later_source_counts_and_so_does_the_last_set),
                cmocka_unit_test(test_a_number_is_one_in_its_range_and_unit),
                cmocka_unit_test(test_a_word_is_one_of_those_that_there_are),
                cmocka_unit_test(test_a_text_has_its_form),
                cmocka_unit_test(test_what_is_right_is_taken),
                cmocka_unit_test(test_keys_that_contradict_each_other),
                cmocka_unit_test(test_a_journal_where_a_file_is),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
