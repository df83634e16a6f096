#include <stdio.h>

#include "base/err.h"
#include "gateway/cli/cli_command.h"
#include "gateway/trial/trial.h"

#define ROUTE_PAYLOAD_MAX ((size_t)16 * 1024 * 1024)
#define ROUTE_EACH_SIZE   256 /* of a pointer that is shown */

typedef struct RouteTest RouteTest;

struct RouteTest {
        const Cli *cli;
        Config *config;
        Buf payload;
        Trial trial;
};

static void test_done(RouteTest *test) {
        trial_done(&test->trial);
        buf_done(&test->payload);
        config_free(test->config);
}

#define CLEANUP_TEST __attribute__((cleanup(test_done)))
DEFINE_CLEANUP(uint32_t *, free);

static int test_finish(RouteTest *test, int result) {
        int r = view_print(&test->trial.view, stdout);

        return r == 0 ? result : cli_fault(test->cli, "%s", err_text(r));
}

/* ---- routes ---- */

static void show_map(View *view, const Map *map) {
        CLEANUP_BUF Buf line = { 0 };

        view_array(view, "map");
        for (size_t i = 0; map && i < map_length(map); ++i) {
                const MapAssignment *assignment = map_get(map, i);

                buf_reset(&line);
                buf_append_text(&line, assignment->line[0]);
                buf_append_string(&line, " = ");
                buf_append_text(&line, assignment->line[1]);
                view_text(view, NULL, buf_text(&line));
        }
        view_array_end(view);
}

static void show_rules(View *view, const Route *route) {
        char format[FORMAT_NAME_SIZE], each[ROUTE_EACH_SIZE];

        if (route->format.kind != FORMAT_AS_IT_IS || route->format.is_base64)
                view_string(view, "decode", format_name(route->format, format));
        if (route->when)
                view_string(view, "when", condition_text(route->when));
        if (route->each) {
                snprintf(each,
                         sizeof(each),
                         "%s%s",
                         json_path_text(route->each),
                         !route->each_members             ? ""
                         : json_path_text(route->each)[1] ? "/*"
                                                          : "*");
                view_string(view, "each", each);
                view_int(view, "each_max", route->each_max);
        }
        view_array(view, "ignore");
        for (size_t i = 0; i < route->n_ignore; ++i)
                view_string(view, NULL, route->ignore[i]);
        view_array_end(view);
        if (route->map)
                view_string(view, "keep", route->keeps_named ? "named" : "all");
        show_map(view, route->map);
        if (route->merges)
                view_bool(view, "merge", true);
        view_bool(view, "auto_register", route->auto_register);
        if (route->zone)
                view_string(view, "timezone", zone_name(route->zone));
        view_int(view, "max_bytes", (int64_t)route->max_bytes);
        trial_show_origin(view, route);
}

static void show_overlaps(View *view, const Routes *routes, size_t at, uint32_t places[]) {
        const Route *route = routes_get(routes, at);
        size_t n = routes_meeting(routes, at, places);

        view_array(view, "overlaps");
        for (size_t i = 0; i < n; ++i) {
                const Route *other = routes_get(routes, places[i]);
                const Route *first = places[i] < at ? other : route;

                view_object(view, NULL);
                view_string(view, "with", other->name);
                view_string(view, "first", first->name);
                if (first->when)
                        view_string(view, "where", condition_text(first->when));
                view_object_end(view);
        }
        view_array_end(view);
}

int cli_route_list(const Cli *cli) {
        CLEANUP_TEST RouteTest test = { .cli = cli };
        CLEANUP(free) uint32_t *places = NULL;
        const Routes *routes;
        int r = cli_load(cli, &test.config);

        if (r != CLI_OK)
                return r;
        routes = test.config->routes;
        places = calloc(routes_length(routes) + 1, sizeof(*places));
        if (!places)
                return cli_fault(cli, "out of memory");
        view_init(&test.trial.view, cli->values[CLI_JSON] != NULL);
        view_array(&test.trial.view, "routes");
        for (size_t i = 0; i < routes_length(routes); ++i) {
                view_object(&test.trial.view, NULL);
                trial_show_head(&test.trial.view, routes_get(routes, i));
                show_rules(&test.trial.view, routes_get(routes, i));
                show_overlaps(&test.trial.view, routes, i, places);
                view_object_end(&test.trial.view);
        }
        view_array_end(&test.trial.view);
        return test_finish(&test, CLI_OK);
}

/* ---- one topic ---- */

static int test_begin(RouteTest *test) {
        const Cli *cli = test->cli;
        Text topic = text_of(cli->operands[0]);
        int r;

        if (!trial_is_topic(topic))
                return cli_usage_error(cli, "no topic to publish to: " TRIAL_TOPIC_RULE);
        r = cli_load(cli, &test->config);
        if (r != CLI_OK)
                return r;
        test->trial.routes = test->config->routes;
        r = trial_begin(&test->trial, topic, cli->values[CLI_JSON] != NULL);
        return r == 0 ? CLI_OK : cli_fault(cli, "%s", err_text(r));
}

/* @r, or whether it is taken, as the exit code. */
static int test_end(RouteTest *test, int r, bool is_taken) {
        if (r != 0)
                return cli_fault(test->cli, "%s", err_text(r));
        return test_finish(test, is_taken ? CLI_OK : CLI_FAULT);
}

int cli_route_explain(const Cli *cli) {
        CLEANUP_TEST RouteTest test = { .cli = cli };
        bool is_taken = false;
        int r = test_begin(&test);

        if (r != CLI_OK)
                return r;
        r = trial_explain(&test.trial, &is_taken);
        return test_end(&test, r, is_taken);
}

/* ---- one message ---- */

static int read_stream(RouteTest *test, FILE *stream, const char *name) {
        char piece[16384];
        size_t n;

        while ((n = fread(piece, 1, sizeof(piece), stream)) > 0 &&
               test->payload.n <= ROUTE_PAYLOAD_MAX)
                buf_append(&test->payload, piece, n);
        if (ferror(stream))
                return cli_usage_error(test->cli, "%s: cannot be read", name);
        if (test->payload.n > ROUTE_PAYLOAD_MAX)
                return cli_usage_error(test->cli, "%s: more than 16 MiB", name);
        return CLI_OK;
}

static int read_file(RouteTest *test, const char *name) {
        FILE *stream = fopen(name, "re");
        int r;

        if (!stream)
                return cli_usage_error(test->cli, "%s: cannot be read: %s", name, err_text(errno));
        r = read_stream(test, stream, name);
        (void)fclose(stream);
        return r;
}

static int read_payload(RouteTest *test) {
        const char *operand = test->cli->operands[1];
        int r = CLI_OK;

        if (strcmp(operand, "-") == 0)
                r = read_stream(test, stdin, "standard input");
        else if (*operand == '@')
                r = read_file(test, operand + 1);
        else
                buf_append_string(&test->payload, operand);
        return r == CLI_OK && buf_failed(&test->payload) ? cli_fault(test->cli, "out of memory")
                                                         : r;
}

int cli_route_test(const Cli *cli) {
        CLEANUP_TEST RouteTest test = { .cli = cli };
        bool is_taken = false;
        int r = test_begin(&test);

        if (r == CLI_OK)
                r = read_payload(&test);
        if (r != CLI_OK)
                return r;
        r = trial_run(&test.trial, buf_text(&test.payload), &is_taken);
        return test_end(&test, r, is_taken);
}
