#include <stdarg.h>
#include <stdio.h>

#include "gateway/config/config_form.h"
#include "gateway/config/config_table.h"

#define CONFIG_ERROR_SIZE 512

/* Of a file that somebody tries. */
static void config_tell(const ConfigLoader *loader,
                        const char *section,
                        const char *name,
                        const char *text) {
        const char *colon = loader->origin ? strrchr(loader->origin, ':') : NULL;
        CLEANUP_BUF Buf said = { 0 };

        buf_printf(&said, "%s%s%s: %s", section, name ? "." : "", name ? name : "", text);
        if (!buf_failed(&said))
                loader->say(loader->say_arg,
                            colon ? (int)strtol(colon + 1, NULL, 10) : 0,
                            buf_text(&said).data);
}

PRINTF(5, 0)
static void config_say(const ConfigLoader *loader,
                       const char *what,
                       const char *section,
                       const char *name,
                       const char *format,
                       va_list args) {
        char text[CONFIG_ERROR_SIZE];

        vsnprintf(text, sizeof(text), format, args);
        if (loader->say) {
                if (!*what && loader->n_errors < CONFIG_TRY_ERRORS)
                        config_tell(loader, section, name, text);
                return;
        }
        fprintf(stderr,
                "%s: %s%s%s%s: %s\n",
                loader->origin ? loader->origin : "default",
                what,
                section,
                name ? "." : "",
                name ? name : "",
                text);
}

void config_error(ConfigLoader *loader,
                  const char *section,
                  const char *name,
                  const char *format,
                  ...) {
        va_list args;

        va_start(args, format);
        config_say(loader, "", section, name, format, args);
        va_end(args);
        ++loader->n_errors;
}

void config_warning(const ConfigLoader *loader,
                    const char *section,
                    const char *name,
                    const char *format,
                    ...) {
        va_list args;

        va_start(args, format);
        config_say(loader, "warning: ", section, name, format, args);
        va_end(args);
}

/* Decimal digits, then a suffix; @ret_suffix points behind the digits. */
static bool config_parse_digits(const char *text, int64_t *ret_value, const char **ret_suffix) {
        int64_t value = 0;
        const char *p = text;

        for (; *p >= '0' && *p <= '9'; ++p)
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, *p - '0', &value))
                        return false;
        if (p == text)
                return false;
        *ret_value = value;
        *ret_suffix = p;
        return true;
}

/* How often 1024 is taken: K once, M twice, G three times; -1 = no such suffix. */
static int config_size_power(const char *suffix) {
        static const char suffixes[] = "kmgKMG";
        const char *found;

        if (*suffix == '\0')
                return 0;
        found = strchr(suffixes, *suffix);
        return found && suffix[1] == '\0' ? (int)(found - suffixes) % 3 + 1 : -1;
}

bool config_parse_size(const char *text, int64_t *ret_value) {
        const char *suffix;
        int64_t value;
        int power;

        if (!config_parse_digits(text, &value, &suffix))
                return false;
        power = config_size_power(suffix);
        if (power < 0)
                return false;
        for (int i = 0; i < power; ++i)
                if (__builtin_mul_overflow(value, 1024, &value))
                        return false;
        *ret_value = value;
        return true;
}

static int64_t config_unit_ms(ConfigType type) {
        switch (type) {
        case CONFIG_DAYS:
                return 86400000;
        case CONFIG_SECONDS:
                return 1000;
        default:
                return 1;
        }
}

/* A number in @unit, or one with a suffix that makes a whole number of them. */
bool config_parse_time(const char *text, ConfigType unit, int64_t *ret_value) {
        static const struct {
                const char *suffix;
                int64_t ms;
        } suffixes[] = {
                { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
        };
        int64_t unit_ms = config_unit_ms(unit);
        const char *suffix;
        int64_t value;

        if (!config_parse_digits(text, &value, &suffix))
                return false;
        if (*suffix == '\0') {
                *ret_value = value;
                return true;
        }
        for (size_t i = 0; i < N_ELEMENTS(suffixes); ++i) {
                if (strcmp(suffix, suffixes[i].suffix) != 0)
                        continue;
                if (__builtin_mul_overflow(value, suffixes[i].ms, &value) || value % unit_ms != 0)
                        return false;
                *ret_value = value / unit_ms;
                return true;
        }
        return false;
}

bool config_parse_flag(const char *text, bool *ret_value) {
        static const struct {
                const char *text;
                bool value;
        } words[] = {
                { "on", true },   { "true", true },   { "yes", true }, { "1", true },
                { "off", false }, { "false", false }, { "no", false }, { "0", false },
        };

        for (size_t i = 0; i < N_ELEMENTS(words); ++i)
                if (strcasecmp(text, words[i].text) == 0) {
                        *ret_value = words[i].value;
                        return true;
                }
        return false;
}

static void config_format_size(int64_t value, char *ret_text, size_t n) {
        static const char *const suffixes[] = { "", "K", "M", "G" };
        size_t i = 0;

        while (value > 0 && value % 1024 == 0 && i + 1 < N_ELEMENTS(suffixes)) {
                value /= 1024;
                ++i;
        }
        snprintf(ret_text, n, "%lld%s", (long long)value, suffixes[i]);
}

static void config_read_size(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        char *member = (char *)loader->config + key->offset;
        char least[32], most[32];
        int64_t value;

        if (!config_parse_size(text, &value) || value < key->min || value > key->max) {
                config_format_size(key->min, least, sizeof(least));
                config_format_size(key->max, most, sizeof(most));
                config_error(loader,
                             key->section,
                             key->name,
                             "bad size '%s'; allowed: %s to %s (bytes, or with K, M, G)",
                             text,
                             least,
                             most);
        } else {
                *(uint64_t *)(void *)member = (uint64_t)value;
        }
}

static void config_read_int(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        int64_t value;
        const char *rest;

        if (!config_parse_digits(text, &value, &rest) || *rest != '\0' || value < key->min ||
            value > key->max)
                config_error(loader,
                             key->section,
                             key->name,
                             "bad number '%s'; allowed: %lld to %lld",
                             text,
                             (long long)key->min,
                             (long long)key->max);
        else
                *(int *)(void *)((char *)loader->config + key->offset) = (int)value;
}

static void config_read_number(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        char *end = NULL;
        double value = strtod(text, &end);

        if (*text == '\0' || text[strspn(text, "0123456789.")] != '\0' || *end != '\0' ||
            !(value >= (double)key->min && value <= (double)key->max))
                config_error(loader,
                             key->section,
                             key->name,
                             "bad number '%s'; allowed: %lld to %lld, as 1.5",
                             text,
                             (long long)key->min,
                             (long long)key->max);
        else
                *(double *)(void *)((char *)loader->config + key->offset) = value;
}

static const char *config_unit_name(ConfigType type) {
        switch (type) {
        case CONFIG_DAYS:
                return "d";
        case CONFIG_SECONDS:
                return "s";
        default:
                return "ms";
        }
}

static void config_read_time(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        const char *unit = config_unit_name(key->type);
        int64_t value;

        if (!config_parse_time(text, key->type, &value) || value < key->min || value > key->max)
                config_error(loader,
                             key->section,
                             key->name,
                             "bad time '%s'; allowed: %lld%s to %lld%s (a whole number of %s, or "
                             "with ms, s, m, h, d)",
                             text,
                             (long long)key->min,
                             unit,
                             (long long)key->max,
                             unit,
                             unit);
        else
                *(int *)(void *)((char *)loader->config + key->offset) = (int)value;
}

static void config_read_flag(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        if (!config_parse_flag(text, (bool *)(void *)((char *)loader->config + key->offset)))
                config_error(loader,
                             key->section,
                             key->name,
                             "bad switch '%s'; allowed: on, off",
                             text);
}

static void config_read_fsync(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        JournalOptions *journal = &loader->config->journal;
        int64_t ms;

        if (strcmp(text, "always") == 0) {
                journal->fsync = JOURNAL_FSYNC_ALWAYS;
        } else if (strcmp(text, "never") == 0) {
                journal->fsync = JOURNAL_FSYNC_NEVER;
        } else if (config_parse_time(text, CONFIG_MS, &ms) && ms >= key->min && ms <= key->max) {
                journal->fsync = JOURNAL_FSYNC_INTERVAL;
                journal->fsync_interval_ms = (int)ms;
        } else {
                config_error(loader,
                             key->section,
                             key->name,
                             "bad value '%s'; allowed: always, never, or %lldms to %lldms",
                             text,
                             (long long)key->min,
                             (long long)key->max);
        }
}

static void config_read_preface(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        bool *member = (bool *)(void *)((char *)loader->config + key->offset);

        if (strcmp(text, "v2") == 0)
                *member = true;
        else if (strcmp(text, "off") == 0)
                *member = false;
        else
                config_error(loader,
                             key->section,
                             key->name,
                             "bad version '%s'; allowed: off, v2",
                             text);
}

static void config_read_version(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        int *member = (int *)(void *)((char *)loader->config + key->offset);

        if (strcmp(text, "3.1.1") == 0 || strcmp(text, "4") == 0)
                *member = 4;
        else if (strcmp(text, "5") == 0 || strcmp(text, "5.0") == 0)
                *member = 5;
        else if (strcmp(text, "auto") == 0)
                *member = 0;
        else
                config_error(loader,
                             key->section,
                             key->name,
                             "bad version '%s'; allowed: auto, 3.1.1, 5",
                             text);
}

static void config_read_level(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        static const char *const names[] = {
                [LOG_LEVEL_ERROR] = "error",
                [LOG_LEVEL_WARNING] = "warning",
                [LOG_LEVEL_INFO] = "info",
                [LOG_LEVEL_DEBUG] = "debug",
        };

        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (strcmp(text, names[i]) == 0) {
                        loader->config->log_level = (LogLevel)i;
                        return;
                }
        config_error(loader,
                     key->section,
                     key->name,
                     "bad level '%s'; allowed: error, warning, info, debug",
                     text);
}

static void config_read_string(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        const char **member = (const char **)(void *)((char *)loader->config + key->offset);
        bool may_be_empty = !key->fallback || key->type == CONFIG_TOPICS ||
                            key->type == CONFIG_TOPIC ||
                            key->offset == offsetof(Config, ws.dashboard);
        const char *allowed = *text ? config_form_fault(key->type, text) : NULL;

        if (*text == '\0' && !may_be_empty)
                config_error(loader, key->section, key->name, "is empty; allowed: a text");
        else if (allowed)
                config_error(loader,
                             key->section,
                             key->name,
                             "bad value '%s'; allowed: %s",
                             key->type == CONFIG_DB_URL || strchr(text, '@')
                                     ? "..."
                                     : text, /* no password */
                             allowed);
        else
                *member = *text ? text : NULL;
}

void config_read(ConfigLoader *loader, const ConfigKey *key, const char *text) {
        switch (key->type) {
        case CONFIG_FLAG:
                config_read_flag(loader, key, text);
                break;
        case CONFIG_INT:
                config_read_int(loader, key, text);
                break;
        case CONFIG_NUMBER:
                config_read_number(loader, key, text);
                break;
        case CONFIG_SIZE:
                config_read_size(loader, key, text);
                break;
        case CONFIG_MS:
        case CONFIG_SECONDS:
        case CONFIG_DAYS:
                config_read_time(loader, key, text);
                break;
        case CONFIG_FSYNC:
                config_read_fsync(loader, key, text);
                break;
        case CONFIG_MQTT_VERSION:
                config_read_version(loader, key, text);
                break;
        case CONFIG_PREFACE:
                config_read_preface(loader, key, text);
                break;
        case CONFIG_LEVEL:
                config_read_level(loader, key, text);
                break;
        case CONFIG_TEXT:
        case CONFIG_TOPIC:
        case CONFIG_TOPICS:
        case CONFIG_FILTERS:
        case CONFIG_LISTEN:
        case CONFIG_PROXIES:
        case CONFIG_ORIGINS:
        case CONFIG_PATH:
        case CONFIG_PATHS:
        case CONFIG_FILES:
        case CONFIG_MQTT_URL:
        case CONFIG_DB_URL:
        case CONFIG_ALGORITHMS:
        case CONFIG_ZONE:
                config_read_string(loader, key, text);
                break;
        }
}
