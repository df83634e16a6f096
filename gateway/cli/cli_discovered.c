#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/escape.h"
#include "gateway/cli/cli_command.h"
#include "gateway/discover/notices.h"
#include "gateway/discover/points.h"
#include "gateway/discovery.h"

#define DISCOVERED_SHOWN 1024 /* bytes of a text, escaped */

/* It is of others. */
static void discovered_show(const char *before, Text text, const char *after) {
        char shown[DISCOVERED_SHOWN];

        if (text.n == 0)
                return;
        (void)escape_text(text, shown, sizeof(shown));
        printf("%s%s%s", before, shown, after);
}

static void discovered_print_points(const FoundTopic *topic) {
        for (const FoundPoint *at = topic->points; at; at = at->next) {
                discovered_show("    ", at->name, "");
                discovered_show(" = ", at->line, "");
                discovered_show("  [", at->unit, "]");
                printf(at->is_missing ? "  (not announced any more)\n" : "\n");
        }
}

/* Topics that say whether it is there: each for itself, or all of them together. */
static void discovered_print_sources(const FoundDevice *device) {
        static const char *const how[] = { "status", "status: all", "status: any" };
        RouteMode mode = device->n_sources > 1 ? device->mode : ROUTE_LATEST;

        for (size_t i = 0; i < device->n_sources; ++i) {
                discovered_show("  ", device->sources[i]->topic, "");
                printf("  (%s%s)\n",
                       how[mode],
                       device->sources[i]->n_sharers > 1 ? ", shared" : "");
                discovered_print_points(device->sources[i]);
        }
}

static void discovered_print_device(const FoundDevice *device) {
        discovered_show("", device->code, "");
        discovered_show("  ", device->name, "");
        discovered_show(", ", device->manufacturer, "");
        discovered_show(" ", device->model, "");
        discovered_show(", in ", device->area, "");
        discovered_show(", of ", device->user, "");
        printf("\n");
        for (const FoundTopic *topic = device->topics; topic; topic = topic->sibling) {
                if (topic->is_status)
                        continue;
                discovered_show("  ", topic->topic, "\n");
                discovered_print_points(topic);
        }
        discovered_print_sources(device);
}

static void discovered_print(const Findings *findings) {
        printf("%zu devices, %zu points, %zu not taken\n",
               findings_n_devices(findings),
               findings_n_points(findings),
               findings_n_refused(findings));
        for (const FoundDevice *at = findings_devices(findings); at; at = at->next)
                discovered_print_device(at);
        if (findings_refused(findings))
                printf("not taken:\n");
        for (const FoundRefusal *at = findings_refused(findings); at; at = at->next) {
                discovered_show("  ", at->config, "");
                discovered_show(" ", at->name, "");
                printf(": %s", at->why);
                discovered_show(": ", at->text, "");
                printf("\n");
        }
}

static void discovered_print_json(const Findings *findings) {
        CLEANUP_BUF Buf buf = { 0 };

        points_write(findings, clock_now_us(), &buf);
        printf("%.*s\n", (int)buf.n, buf_text(&buf).data);
}

static int discovered_read(const Cli *cli, const Config *config, Findings **ret_findings) {
        CLEANUP(notices_free) Notices *notices = NULL;
        char path[PATH_MAX];
        int r = notices_new(&notices, config->announced_bytes);

        if (r != 0)
                return cli_fault(cli, "out of memory");
        snprintf(path, sizeof(path), "%s/" DISCOVERY_FILE, config->journal.dir);
        notices_set_rules(notices, config->discover, config->n_discover);
        r = notices_load(notices, path);
        if (r == 0)
                r = notices_read(notices, config->routes, ret_findings);
        return r == 0 ? CLI_OK : cli_fault(cli, "%s cannot be read", path);
}

int cli_route_discovered(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(findings_free) Findings *findings = NULL;
        int r = cli_load(cli, &config);

        if (r != CLI_OK)
                return r;
        if (config->n_discover == 0)
                return cli_fault(cli, "no route has kind = discovery: nothing is listened to");
        r = discovered_read(cli, config, &findings);
        if (r != CLI_OK)
                return r;
        if (cli->values[CLI_JSON])
                discovered_print_json(findings);
        else
                discovered_print(findings);
        return CLI_OK;
}
