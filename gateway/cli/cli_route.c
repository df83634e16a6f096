#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "gateway/cli/cli_command.h"
#include "gateway/cli/cli_row.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/resolve.h"
#include "gateway/decode/route.h"
#include "model/topic_filter.h"

#define ROUTE_PAYLOAD_MAX ((size_t)16 * 1024 * 1024)
#define ROUTE_BLOCK       ((size_t)64 * 1024)
#define ROUTE_EACH_SIZE   256 /* of a pointer that is shown */

typedef struct RouteTest RouteTest;

struct RouteTest {
        const Cli *cli;
        Config *config;
        Arena *arena;
        View view;
        Buf payload;
        Record envelope;
        bool has_payload;
        Parsed parsed;       /* the payload, for the conditions */
        const Route *winner; /* NULL: none yet, */
        bool is_sure;        /* and no condition leaves that open */
        bool is_ignored;
        size_t n_asked;
};

static void test_done(RouteTest *test) {
        view_done(&test->view);
        parsed_done(&test->parsed);
        arena_free(test->arena);
        buf_done(&test->payload);
        config_free(test->config);
}

#define CLEANUP_TEST __attribute__((cleanup(test_done)))
DEFINE_CLEANUP(uint32_t *, free);

static int test_finish(RouteTest *test, int result) {
        int r = view_print(&test->view, stdout);

        return r == 0 ? result : cli_fault(test->cli, "%s", err_text(r));
}

/* ---- routes ---- */

static void show_origin(View *view, const Route *route) {
        view_string(view, "origin", route->origin ? route->origin : "default");
}

static void show_head(View *view, const Route *route) {
        view_string(view, "name", route->name);
        view_string(view, "topic", topic_template_text(route->topic));
        if (strcmp(topic_template_filter(route->topic), topic_template_pattern(route->topic)) != 0)
                view_string(view, "subscribed", topic_template_filter(route->topic));
        view_string(view, "kind", kind_name(route->kind));
}

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
        show_origin(view, route);
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
        view_init(&test.view, cli->values[CLI_JSON] != NULL);
        view_array(&test.view, "routes");
        for (size_t i = 0; i < routes_length(routes); ++i) {
                view_object(&test.view, NULL);
                show_head(&test.view, routes_get(routes, i));
                show_rules(&test.view, routes_get(routes, i));
                show_overlaps(&test.view, routes, i, places);
                view_object_end(&test.view);
        }
        view_array_end(&test.view);
        return test_finish(&test, CLI_OK);
}

/* ---- one topic ---- */

static Text name_taken(const Route *route, const TopicMatch *match, Text name) {
        int other = topic_template_other(route->topic, name);

        if (other >= 0)
                return match->others[other];
        if (text_equal(name, TEXT("user")))
                return match->user;
        return text_equal(name, TEXT("vehicle")) ? match->vehicle : match->device;
}

/* What the names of the template take, in its order. */
static void show_taken(View *view, const Route *route, const TopicMatch *match) {
        const char *at = topic_template_text(route->topic);

        view_object(view, "captures");
        while ((at = strchr(at, '{')) != NULL) {
                size_t n = strcspn(++at, ".}");
                char name[64];

                snprintf(name, sizeof(name), "%.*s", (int)n, at);
                view_text(view, name, name_taken(route, match, text_of(name)));
        }
        view_object_end(view);
}

/* Whether the route takes it, in one word; -ENOMEM. */
static int judge(RouteTest *test, const Route *route, const char **ret_word) {
        bool is_held = true;
        int r = 0;

        if (test->n_asked > ROUTES_MAX_TAKING) {
                *ret_word = "not_asked";
                return 0;
        }
        if (route_ignores(route, test->envelope.topic)) {
                test->is_ignored = true;
                *ret_word = "ignores";
                return 0;
        }
        if (test->winner && test->is_sure) {
                *ret_word = "later";
                return 0;
        }
        if (test->has_payload)
                r = decode_holds(test->arena, route, &test->envelope, &test->parsed, &is_held);
        if (r != 0)
                return err_up(r);
        *ret_word = !is_held ? "condition" : route->when && !test->has_payload ? "if" : "takes";
        if (is_held && !test->winner)
                test->winner = route;
        test->is_sure = test->is_sure || (is_held && (test->has_payload || !route->when));
        return 0;
}

static int show_matches(RouteTest *test) {
        const Routes *routes = test->config->routes;
        View *view = &test->view;
        int r = 0;

        view_array(view, "routes");
        for (size_t i = 0; r == 0 && i < routes_length(routes); ++i) {
                const Route *route = routes_get(routes, i);
                const char *word = NULL;
                TopicMatch match = { 0 };

                /* also one that then does not match, as a name would be empty */
                test->n_asked += topic_filter_takes(topic_template_pattern(route->topic),
                                                    test->envelope.topic);
                if (!topic_template_match(route->topic, test->envelope.topic, &match))
                        continue;
                r = judge(test, route, &word);
                view_object(view, NULL);
                show_head(view, route);
                view_string(view, "verdict", word);
                if (route->when)
                        view_string(view, "when", condition_text(route->when));
                show_taken(view, route, &match);
                show_origin(view, route);
                view_object_end(view);
        }
        view_array_end(view);
        return r;
}

/* A topic that a device may publish to. */
static int test_topic(RouteTest *test, const char *topic) {
        Text text = text_of(topic);

        if (text.n == 0 || text.n > 65535 || strpbrk(topic, "+#") ||
            json_check_text(text) != REASON_NONE)
                return cli_usage_error(test->cli,
                                       "no topic to publish to: 1 to 65535 bytes of UTF-8 without "
                                       "+ "
                                       "and #");
        test->envelope.topic = text;
        test->envelope.received_us = test->envelope.time_us = clock_now_us();
        return CLI_OK;
}

static int test_begin(RouteTest *test) {
        const Cli *cli = test->cli;
        int r = test_topic(test, cli->operands[0]);

        if (r == CLI_OK)
                r = cli_load(cli, &test->config);
        if (r != CLI_OK)
                return r;
        r = arena_new(&test->arena, ROUTE_BLOCK);
        if (r != 0)
                return cli_fault(cli, "%s", err_text(r));
        view_init(&test->view, cli->values[CLI_JSON] != NULL);
        view_text(&test->view, "topic", test->envelope.topic);
        return CLI_OK;
}

int cli_route_explain(const Cli *cli) {
        CLEANUP_TEST RouteTest test = { .cli = cli };
        int r = test_begin(&test);

        if (r != CLI_OK)
                return r;
        r = show_matches(&test);
        if (r != 0)
                return cli_fault(cli, "%s", err_text(r));
        if (!test.winner)
                view_string(&test.view, "result", test.is_ignored ? "ignored" : "no_route");
        return test_finish(&test, test.winner || test.is_ignored ? CLI_OK : CLI_FAULT);
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
        if (r == CLI_OK && buf_failed(&test->payload))
                r = cli_fault(test->cli, "out of memory");
        test->envelope.payload = buf_text(&test->payload);
        test->has_payload = true;
        return r;
}

/* What of many may be left of is none, where none is. */
static bool is_row(const Record *record) {
        return record->reason == REASON_NONE &&
               !(record->kind == KIND_BLE_DETECTIONS && record->detections.n_items == 0 &&
                 record->detections.n_set_aside > 0);
}

static int show_letter(View *view, Reason reason, Text detail) {
        view_string(view, "result", "dead_letter");
        view_string(view, "reason", reason_name(reason));
        view_text(view, "detail", detail);
        return CLI_FAULT;
}

static int show_record(View *view, Record *record) {
        if (record->ignored) {
                view_string(view, "result", "ignored");
                return CLI_OK;
        }
        if (record->reason == REASON_NONE)
                resolve_subject(record);
        if (record->reason != REASON_NONE)
                return show_letter(view, record->reason, record->detail);
        view_string(view, "result", is_row(record) ? "row" : "dead_letter");
        cli_row_show(view, record);
        return is_row(record) ? CLI_OK : CLI_FAULT;
}

/* Each as if it had come alone; *ret_code says whether all of them are rows. */
static int show_elements(RouteTest *test, Elements *elements, int *ret_code) {
        View *view = &test->view;
        Record record;
        int r = 0;

        *ret_code = CLI_OK;
        view_array(view, "elements");
        for (uint32_t i = 0; r == 0 && i < elements_count(elements); ++i) {
                r = elements_decode(elements, test->arena, i, &test->envelope, &record);
                if (r != 0)
                        break;
                view_object(view, NULL);
                if (record.element > 0)
                        view_int(view, "index", record.element - 1);
                if (show_record(view, &record) != CLI_OK)
                        *ret_code = CLI_FAULT;
                view_object_end(view);
        }
        view_array_end(view);
        return r == 0 ? 0 : err_up(r);
}

static int show_winner(RouteTest *test, int *ret_code) {
        Elements elements = { 0 };
        TopicMatch match = { 0 };
        Record record;
        bool is_list;
        int r;

        (void)topic_template_match(test->winner->topic, test->envelope.topic, &match);
        if (test->winner->each) {
                r = elements_open(&elements,
                                  test->arena,
                                  test->winner,
                                  &match,
                                  &test->envelope,
                                  NULL);
                is_list = r == 0 && elements.n > 0 && elements.whole.reason == REASON_NONE;
                if (is_list)
                        r = show_elements(test, &elements, ret_code);
                elements_done(&elements);
                if (r != 0 || is_list)
                        return err_up(r);
        }
        r = decode(test->arena, test->winner, &match, &test->envelope, &record);
        if (r == 0)
                *ret_code = show_record(&test->view, &record);
        return r == 0 ? 0 : err_up(r);
}

/* *ret_code: the exit code. */
static int show_result(RouteTest *test, int *ret_code) {
        View *view = &test->view;
        int r;

        view_string(view, "route", test->winner ? test->winner->name : NULL);
        if (test->winner) {
                r = show_winner(test, ret_code);
                if (r != 0)
                        return err_up(r);
        } else if (test->is_ignored) {
                view_string(view, "result", "ignored");
                *ret_code = CLI_OK;
        } else {
                *ret_code = show_letter(view, REASON_NO_ROUTE, (Text){ 0 });
        }
        return 0;
}

int cli_route_test(const Cli *cli) {
        CLEANUP_TEST RouteTest test = { .cli = cli };
        int code = CLI_FAULT;
        int r = test_begin(&test);

        if (r == CLI_OK)
                r = read_payload(&test);
        if (r != CLI_OK)
                return r;
        r = show_matches(&test);
        if (r == 0)
                r = show_result(&test, &code);
        if (r != 0)
                return cli_fault(cli, "%s", err_text(r));
        return test_finish(&test, code);
}
