#include <stdio.h>

#include "base/err.h"
#include "gateway/cli/cli_command.h"
#include "gateway/config/bases.h"
#include "gateway/config/config_use.h"
#include "gateway/config/shipped.h"
#include "gateway/trial/view.h"

typedef struct Profiles Profiles;

struct Profiles {
        Config *config;
        char **names;
        size_t n;
        View view;
        int n_errors;
};

static void profiles_done(Profiles *profiles) {
        view_done(&profiles->view);
        shipped_names_free(profiles->names, profiles->n);
        config_free(profiles->config);
}

#define CLEANUP_PROFILES __attribute__((cleanup(profiles_done)))

static bool is_shown_before(const ConfigTexts *texts, size_t at) {
        const char *topic = texts->routes[at].texts[ROUTE_TOPIC].text;

        for (size_t i = 0; i < at; ++i) {
                const char *other = texts->routes[i].texts[ROUTE_TOPIC].text;

                if (topic && other && strcmp(topic, other) == 0)
                        return true;
        }
        return !topic;
}

static void show_topics(View *view, const ConfigTexts *texts, Bases *bases) {
        view_array(view, "topics");
        for (size_t i = 0; i < texts->n_routes; ++i) {
                const char *topic = texts->routes[i].texts[ROUTE_TOPIC].text;
                CLEANUP_BUF Buf shown = { 0 };

                if (is_shown_before(texts, i))
                        continue;
                bases_fill(bases, topic, &shown);
                view_text(view, NULL, buf_text(&shown));
        }
        view_array_end(view);
}

/* @text: all of it, of one that is asked for alone; absent: one of a list. */
static int show_profile(Profiles *profiles, const char *name, Text text) {
        CLEANUP_PROFILE_FILE ConfigProfileFile file;
        CLEANUP_BASES Bases bases = { 0 };
        View *view = &profiles->view;
        int r = config_profile_file_read(&file, profiles->config->route_profiles, name);

        if (r == SHIPPED_E_NONE) /* it was there a moment ago */
                return 0;
        if (r != 0)
                return err_up(r);
        profiles->n_errors += file.loader.n_errors;
        r = bases_read(&bases, file.base.text, NULL);
        if (r < 0)
                return err_up(r);
        if (!text.data)
                view_object(view, NULL);
        view_string(view, "name", name);
        view_string(view, "about", file.about.text);
        view_string(view, "base", file.base.text);
        show_topics(view, file.config->texts, &bases);
        if (text.data)
                view_text(view, "text", text);
        else
                view_object_end(view);
        return 0;
}

static int profiles_show(const Cli *cli, Profiles *profiles, int r) {
        if (r == 0)
                r = view_print(&profiles->view, stdout);
        if (r != 0)
                return cli_fault(cli, "%s", err_text(r));
        return profiles->n_errors == 0 ? CLI_OK : CLI_USAGE;
}

static int profiles_list(const Cli *cli, Profiles *profiles) {
        int r = 0;

        view_array(&profiles->view, "profiles");
        for (size_t i = 0; r == 0 && i < profiles->n; ++i)
                r = show_profile(profiles, profiles->names[i], (Text){ 0 });
        view_array_end(&profiles->view);
        return profiles_show(cli, profiles, r);
}

static int profiles_print(const Cli *cli, Profiles *profiles, const char *name) {
        CLEANUP_BUF Buf text = { 0 }, where = { 0 }, known = { 0 };
        int r = shipped_read(profiles->config->route_profiles, name, &text, &where);

        if (r < 0)
                return cli_fault(cli, "%s: %s", name, err_text(r));
        if (r == 0 && cli->values[CLI_JSON])
                return profiles_show(cli, profiles, show_profile(profiles, name, buf_text(&text)));
        if (r == 0) {
                (void)fwrite(buf_text(&text).data, 1, text.n, stdout);
                return CLI_OK;
        }
        for (size_t i = 0; i < profiles->n; ++i)
                buf_printf(&known, "%s%s", i > 0 ? ", " : "", profiles->names[i]);
        return cli_usage_error(cli,
                               "there is no profile '%s'; allowed: %s",
                               name,
                               buf_text(&known).data);
}

int cli_route_profiles(const Cli *cli) {
        CLEANUP_PROFILES Profiles profiles = { 0 };
        int r = cli_load(cli, &profiles.config);

        if (r != CLI_OK)
                return r;
        view_init(&profiles.view, cli->values[CLI_JSON] != NULL);
        r = shipped_names(profiles.config->route_profiles, &profiles.names, &profiles.n);
        if (r != 0)
                return cli_fault(cli, "routes.profiles: %s", err_text(r));
        return cli->n_operands == 0 ? profiles_list(cli, &profiles)
                                    : profiles_print(cli, &profiles, cli->operands[0]);
}
