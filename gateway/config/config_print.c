#include <stdio.h>

#include "gateway/config/config_table.h"

/* The password of a URL, or of a key=value connection string, as asterisks. */
static void config_print_masked(FILE *out, const char *text) {
        const char *scheme = strstr(text, "://");
        const char *at = scheme ? strchr(scheme + 3, '@') : NULL;
        const char *colon = at ? memchr(scheme + 3, ':', (size_t)(at - scheme - 3)) : NULL;
        const char *password = strstr(text, "password=");

        if (colon) {
                fprintf(out, "%.*s:***", (int)(colon - text), text);
                text = at;
                password = strstr(text, "password=");
        }
        if (password) {
                fprintf(out, "%.*spassword=***", (int)(password - text), text);
                text = password + strcspn(password, scheme ? "&" : " ");
        }
        fputs(text, out);
}

void config_print(const Config *config, FILE *out) {
        if (config->texts->profiles.text && *config->texts->profiles.text)
                fprintf(out, "use_profile = %s\n", config->texts->profiles.text);
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];
                const char *text = config->texts->keys[i].text;

                if (!text)
                        text = key->fallback ? key->fallback : "";
                fprintf(out, "%s.%s = ", key->section, key->name);
                if (key->offset == offsetof(Config, journal.segment_bytes))
                        fprintf(out, "%llu", (unsigned long long)config->journal.segment_bytes);
                else if (key->offset == offsetof(Config, journal.reserve_bytes))
                        fprintf(out, "%llu", (unsigned long long)config->journal.reserve_bytes);
                else
                        config_print_masked(out, text);
                fputc('\n', out);
        }
        config_routes_print(config->texts, out);
}

void config_print_wrapped(FILE *out, const char *text) {
        size_t column = 0;

        while (*text) {
                size_t n = strcspn(text, " ");

                if (column > 0 && column + 1 + n > 96) {
                        fputc('\n', out);
                        column = 0;
                }
                column += (size_t)fprintf(out, "%s%.*s", column ? " " : "# ", (int)n, text);
                text += n + (text[n] == ' ');
        }
        fputc('\n', out);
}

void config_print_example(FILE *out) {
        const char *section = "";

        fputs("# Tidegate: every key with its default. Made by `tidegate check-config --example`.\n"
              "#\n"
              "# The environment comes after this file (TIDEGATE_HTTP_LISTEN for http.listen), "
              "then\n"
              "# --set http.listen=... Sizes take K, M, G; times ms, s, m, h, d. [reload]: SIGHUP "
              "is\n"
              "# enough for a change; the others need a restart.\n"
              "\n"
              "# Settings under which the clients of a system that was there before work, in place "
              "of\n"
              "# defaults; `tidegate check-config --example NAME` prints what one says and opens. "
              "Of\n"
              "# " CONFIG_PROFILE_NAMES ", with commas between. [reload]\n"
              "#use_profile =\n",
              out);
        for (size_t i = 0; i < config_n_keys; ++i) {
                const ConfigKey *key = &config_keys[i];

                if (strcmp(section, key->section) != 0) {
                        section = key->section;
                        fprintf(out, "\n[%s]\n", section);
                }
                if (key->help) {
                        char help[256];

                        snprintf(help,
                                 sizeof(help),
                                 "%s%s",
                                 key->help,
                                 key->reloads ? " [reload]" : "");
                        config_print_wrapped(out, help);
                }
                fprintf(out,
                        "#%s =%s%s\n",
                        key->name,
                        key->fallback ? " " : "",
                        key->fallback ? key->fallback : "");
        }
        config_routes_print_example(out);
}
