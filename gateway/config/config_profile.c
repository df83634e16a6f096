#include "gateway/config/config_profile.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"

#define PROFILE_BROKER                                                                   \
        {                                                                                \
                "mqtt", "url", "mqtt://127.0.0.1:1883",                                  \
                        "The broker beside us; its user and password are mqtt.username " \
                        "and mqtt.password_file."                                        \
        }

/* Those of a page that is opened from a file, and of the development servers of Vite, of Create
 * React App, and of `python3 -m http.server`. */
#define PROFILE_ORIGINS                                        \
        "null, http://localhost:5173, http://127.0.0.1:5173, " \
        "http://localhost:3000, http://127.0.0.1:3000, "       \
        "http://localhost:8080, http://127.0.0.1:8080"
#define PROFILE_ORIGINS_HELP                                                               \
        "Opens: to pages from a file (null, which frames of any site can be made to say) " \
        "and from development servers on the machine of who looks, what their users may "  \
        "see. Add the address that your page is served from, unless it is the gateway's."

/* Of profiles that have devices which are nobody's to read, beside one whose list everybody reads.
 */
#define PROFILE_SCANNERS_ALONE                                                              \
        {                                                                                   \
                "pages", "scanners_alone", "on",                                            \
                        "Beside the people counter: its open list shows its scanners, and " \
                        "nothing of these devices."                                         \
        }

typedef struct ConfigProfile ConfigProfile;
typedef struct ConfigProfileLine ConfigProfileLine;

struct ConfigProfileLine {
        const char *section, *name, *value;
        const char *help; /* NULL: that of the line before it holds */
};

struct ConfigProfile {
        const char *name;
        const char *about; /* whose clients these are, and what is opened to whom */
        const ConfigProfileLine *lines;
        size_t n_lines;
};

static const ConfigProfileLine profile_people_counter[] = {
        PROFILE_BROKER,
        { "http", "allowed_origins", PROFILE_ORIGINS, PROFILE_ORIGINS_HELP },
        { "auth",
          "anonymous",
          "/, /ws, /api/v1/devices*, /api/v1/statistics/*, /api/v1/detections*, /api/v1/export/*, "
          "/api/v1/settings/thresholds",
          "Opens: to everybody who reaches the gateway, to read, the counts, the zones, the hashed "
          "detections, and all devices, with code, name, place and when they were heard of (its "
          "page "
          "has no sign-in); beside another profile that has devices, scanners alone. Nobody may "
          "write without a token." },
        { "ws", "stats_interval", "5s", "Statistics go out as often, when they have changed." },
        { "ws",
          "detection_interval",
          "1s",
          "Of a scanner's detections its page is told at once, then as often, in sums: it loads "
          "anew "
          "with each." },
        { "pages", "timezone", "Europe/Madrid", "Whose hours and days its statistics have." },
        { "pages",
          "zones_apart",
          "on",
          "Totals are the sums of the zones, as its own server has them." },
        { "pages",
          "live_by_time",
          "on",
          "Its live numbers go by the time of what was heard, as its own server's do." },
        { "route ble_detections",
          "timezone",
          "Europe/Madrid",
          "Times of scanners that say no offset." },
        { "route ble_detections",
          "auto_register",
          "on",
          "Opens: to whoever may publish on this topic, that scanners register themselves. They "
          "are nobody's until `tidegate device assign`." },
};

static const ConfigProfileLine profile_energy[] = {
        PROFILE_BROKER,
        { "http", "allowed_origins", PROFILE_ORIGINS, PROFILE_ORIGINS_HELP },
        { "auth",
          "anonymous",
          "/ws/device/*, /ws/dashboard/*",
          "Opens: to everybody who reaches the gateway, to read, the telemetry of every device, by "
          "its code or id (its dashboards have no sign-in). A device still needs its token: "
          "telemetry without one closes the socket." },
        PROFILE_SCANNERS_ALONE,
};

static const ConfigProfileLine profile_device_hub[] = {
        PROFILE_BROKER,
        { "http", "allowed_origins", PROFILE_ORIGINS, PROFILE_ORIGINS_HELP },
        { "auth",
          "query_token",
          "on",
          "Opens: to nobody new; its page says who its user is by ?token= in the address. Logs of "
          "proxies may hold such addresses: ours mask them." },
        { "auth", "token_ttl", "24h", "Its page signs in once a day." },
        { "auth", "session_max", "30d", "A page that renews its token stays for so long." },
        PROFILE_SCANNERS_ALONE,
        { "route user_status_by_code",
          "topic",
          "users/{user}/devices/status",
          "Devices that name themselves in the payload alone (device_code); the user in the topic "
          "must own them." },
        { "route user_status_by_code", "kind", "device_status", NULL },
        { "route status_by_code",
          "topic",
          "devices/status",
          "The same without a user. Opens: to whoever may publish on this topic, the state of any "
          "device: let the broker say who that is." },
        { "route status_by_code", "kind", "device_status", NULL },
};

static const ConfigProfileLine profile_vehicles[] = {
        PROFILE_BROKER,
        { "http", "allowed_origins", PROFILE_ORIGINS, PROFILE_ORIGINS_HELP },
        { "auth",
          "anonymous",
          "/api/ws, /api/ws/vehicle/*, /api/ws/stats, /api/vehicles*, /vehicles*, /vehicle-logs*, "
          "/sensor-logs*, /raw-logs*, /sensors/status, /mqtt/status, /api/mqtt/status",
          "Opens: to everybody who reaches the gateway, to read, the live data of all vehicles, "
          "who is connected, whether the broker is there, and the vehicles with their owners' ids, "
          "sensors, logs and alerts (most of its page asks for them without a sign-in). "
          "Without this line each user sees his own." },
        { "auth",
          "query_token",
          "on",
          "Opens: to nobody new; its page may say who its user is by ?token= in the address." },
        { "auth", "token_ttl", "24h", "Its page signs in once a day." },
        { "auth", "session_max", "30d", "A page that renews its token stays for so long." },
        { "auth",
          "subject_type",
          "id",
          "Tokens of its server name their user by his id; ours say both, whatever stands here." },
        { "ws",
          "welcome",
          "Connected to SEANO real-time data stream",
          "What its page is greeted with." },
        { "route raw_log",
          "timezone",
          "Asia/Jakarta",
          "Its vehicles say local times without an offset." },
        { "route sensor_log", "timezone", "Asia/Jakarta", NULL },
        { "route vehicle_log", "timezone", "Asia/Jakarta", NULL },
        { "route vehicle_alert", "timezone", "Asia/Jakarta", NULL },
};

static const ConfigProfileLine profile_cameras[] = {
        PROFILE_BROKER,
        { "http", "allowed_origins", PROFILE_ORIGINS, PROFILE_ORIGINS_HELP },
        { "auth",
          "query_token",
          "on",
          "Opens: to nobody new; its page says who its user is by ?token= in the address. Logs of "
          "proxies may hold such addresses: ours mask them." },
        { "auth",
          "token_ttl",
          "30d",
          "A display on a wall keeps its token for so long. `tidegate user revoke` ends it at "
          "once." },
        { "auth", "session_max", "365d", "One that renews it stays for so long." },
        { "ws", "max_connections_per_user", "5", "As there; the sixth is refused with 429." },
        { "ws", "stats_interval", "5s", "Statistics go out as often, when they have changed," },
        { "ws",
          "stats_refresh",
          "5s",
          "and when they have not: its scripts wait no longer than 10 s." },
        PROFILE_SCANNERS_ALONE,
        { "route camera_event",
          "person",
          "face_name, person_name",
          "Which member of data names somebody whom the camera knows." },
        { "route camera_event",
          "auto_register",
          "on",
          "Opens: to whoever may publish on this topic, that cameras register themselves. They "
          "are nobody's until `tidegate device assign`." },
};

#define PROFILE(lines) lines, N_ELEMENTS(lines)

static const ConfigProfile config_profiles[] = {
        { "people-counter",
          "The BLE people counter: its page and its scanners, unmodified. Everybody who reaches "
          "the gateway may read the counts.",
          PROFILE(profile_people_counter) },
        { "energy",
          "Energy devices at the edge, and their dashboards, unmodified. Everybody who reaches the "
          "gateway may read the telemetry of every device.",
          PROFILE(profile_energy) },
        { "device-hub",
          "The device hub: devices, and a page for each user, unmodified. Nothing is open without "
          "a sign-in.",
          PROFILE(profile_device_hub) },
        { "vehicles",
          "The stream of vehicles: vehicles and their page, unmodified. Everybody who reaches the "
          "gateway may read the live data and the logs.",
          PROFILE(profile_vehicles) },
        { "cameras",
          "The camera dashboard: its publisher and its page, unmodified. Nothing is open without a "
          "sign-in.",
          PROFILE(profile_cameras) },
};

static const ConfigProfile *config_profile_find(Text name) {
        for (size_t i = 0; i < N_ELEMENTS(config_profiles); ++i)
                if (text_equal(name, text_of(config_profiles[i].name)))
                        return &config_profiles[i];
        return NULL;
}

/* The next of a list with commas between, without the blanks around it; false: there is none. */
static bool config_profile_next(const char **at, Text *ret_item) {
        size_t n = strcspn(*at, ",");

        if (**at == '\0')
                return false;
        *ret_item = text_trim((Text){ .data = *at, .n = n });
        *at += n + ((*at)[n] == ',');
        return true;
}

int config_profile_use(ConfigLoader *loader, const char *names) {
        const ConfigKey key = { .section = CONFIG_PROFILE_KEY, .type = CONFIG_TEXT };
        const char *at = names;
        bool is_taken;
        Text name;

        while (config_profile_next(&at, &name))
                if (!config_profile_find(name)) {
                        config_error(loader,
                                     CONFIG_PROFILE_KEY,
                                     NULL,
                                     "there is no profile '%.*s'; allowed: " CONFIG_PROFILE_NAMES
                                     ", with commas between",
                                     (int)name.n,
                                     name.data);
                        return 0;
                }
        return err_up(
                config_text_take(loader, &key, &loader->config->texts->profiles, names, &is_taken));
}

static bool config_profile_is_list(ConfigType type) {
        return type == CONFIG_ORIGINS || type == CONFIG_PATHS;
}

static bool config_profile_has_item(const char *list, Text wanted) {
        Text item;

        while (config_profile_next(&list, &item))
                if (text_equal(item, wanted))
                        return true;
        return false;
}

/* @list and what of @more it does not have. */
static void config_profile_join(Buf *ret_list, const char *list, const char *more) {
        Text item;

        buf_append_string(ret_list, list);
        while (config_profile_next(&more, &item)) {
                if (config_profile_has_item(list, item))
                        continue;
                buf_append_string(ret_list, ", ");
                buf_append_text(ret_list, item);
        }
}

static int config_profile_apply_key(ConfigLoader *loader, const ConfigProfileLine *line) {
        const ConfigKey *key = config_find(line->section, line->name);
        ConfigText *text = &loader->config->texts->keys[key - config_keys];
        CLEANUP_BUF Buf joined = { 0 };
        int r;

        if (text->text && text->from != CONFIG_FROM_PROFILE)
                return 0;
        if (text->text && config_profile_is_list(key->type))
                config_profile_join(&joined, text->text, line->value);
        else
                buf_append_string(&joined, line->value);
        if (buf_failed(&joined))
                return err_new(-ENOMEM);
        r = config_text_set(text, buf_text(&joined).data, loader->origin);
        if (r < 0)
                return err_up(r);
        text->from = CONFIG_FROM_PROFILE;
        config_read(loader, key, text->text);
        return 0;
}

static int config_profile_apply_one(ConfigLoader *loader, const ConfigProfile *profile) {
        char origin[64];
        int r = 0;

        snprintf(origin, sizeof(origin), "profile %s", profile->name);
        loader->origin = origin;
        for (size_t i = 0; r == 0 && i < profile->n_lines; ++i) {
                const ConfigProfileLine *line = &profile->lines[i];

                if (strncmp(line->section, "route ", 6) == 0)
                        r = config_routes_fill(loader, line->section + 6, line->name, line->value);
                else
                        r = config_profile_apply_key(loader, line);
        }
        loader->origin = NULL;
        return err_up(r);
}

int config_profile_apply(ConfigLoader *loader) {
        const char *at = loader->config->texts->profiles.text;
        int r = 0;
        Text name;

        loader->from = CONFIG_FROM_PROFILE;
        while (r == 0 && at && config_profile_next(&at, &name)) {
                const ConfigProfile *profile = config_profile_find(name);

                if (profile) /* another one was refused when it was named */
                        r = config_profile_apply_one(loader, profile);
        }
        return err_up(r);
}

/* What a site has to say itself, and no profile can. */
static void config_profile_print_site(FILE *out) {
        fputs("\n"
              "# Yours to say, where the defaults do not fit (`tidegate check-config --example` "
              "has "
              "all keys):\n"
              "#http.listen, of which 127.0.0.1:8000 is the default: 0.0.0.0:8000 without a proxy\n"
              "#database.url, postgresql:///tidegate\n"
              "#journal.dir, /var/lib/tidegate/journal\n"
              "#auth.jwt_secret_file: the key that signs user tokens. The one of the server that "
              "was there\n"
              "#  before, in a file, lets its tokens in\n"
              "#auth.token_pepper_file: the key under which device tokens are hashed\n",
              out);
}

bool config_print_profile(const char *name, FILE *out) {
        const ConfigProfile *profile = config_profile_find(text_of(name));
        const char *section = "";

        if (!profile)
                return false;
        fprintf(out,
                "# Tidegate, profile %s. Made by `tidegate check-config --example %s`;\n"
                "# `" CONFIG_PROFILE_KEY
                " = %s` says the same in one line. docs/migrate/%s.md\n#\n",
                name,
                name,
                name,
                name);
        config_print_wrapped(out, profile->about);
        config_profile_print_site(out);
        for (size_t i = 0; i < profile->n_lines; ++i) {
                const ConfigProfileLine *line = &profile->lines[i];

                if (strcmp(section, line->section) != 0)
                        fprintf(out, "\n[%s]\n", line->section);
                section = line->section;
                if (line->help)
                        config_print_wrapped(out, line->help);
                fprintf(out, "%s = %s\n", line->name, line->value);
        }
        return true;
}
