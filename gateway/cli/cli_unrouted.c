#include <limits.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "gateway/cli/cli_command.h"
#include "gateway/decode/json_tree.h"
#include "gateway/explorer.h"

#define UNROUTED_BLOCK ((size_t)16 * 1024)

typedef struct Unrouted Unrouted;

struct Unrouted {
        Config *config;
        Buf text;
        JsonTree tree;
        Arena *arena;
};

static void unrouted_done(Unrouted *unrouted) {
        json_tree_done(&unrouted->tree);
        arena_free(unrouted->arena);
        buf_done(&unrouted->text);
        config_free(unrouted->config);
}

static bool unrouted_read(Buf *buf, const char *path) {
        char block[UNROUTED_BLOCK];
        FILE *file = fopen(path, "re");
        size_t n;

        if (!file)
                return false;
        while ((n = fread(block, 1, sizeof(block), file)) > 0)
                buf_append(buf, block, n);
        (void)fclose(file);
        return !buf_failed(buf) && buf->n > 0;
}

/* A string of the file, in which all of others is escaped already; "" if there is none. */
static Text unrouted_text(Unrouted *unrouted, const JsonNode *object, Text name) {
        const JsonNode *value = json_member(&unrouted->tree, object, name);
        Text text = { 0 };

        if (!value || value->type == JSON_NULL)
                return TEXT("");
        if (value->type != JSON_STRING)
                return json_text(&unrouted->tree, value);
        return json_content(&unrouted->tree, value, unrouted->arena, &text) == 0 && text.data
                       ? text
                       : TEXT("");
}

#define SHOWN(name)                                      \
        (int)unrouted_text(unrouted, one, TEXT(name)).n, \
                unrouted_text(unrouted, one, TEXT(name)).data

static void unrouted_print_route(Text route) {
        while (route.n > 0) {
                const char *end = memchr(route.data, '\n', route.n);
                size_t n = end ? (size_t)(end - route.data) : route.n;

                printf("    %.*s\n", (int)n, route.data);
                n += end ? 1 : 0;
                route = (Text){ .data = route.data + n, .n = route.n - n };
        }
}

static void unrouted_print_one(Unrouted *unrouted, const JsonNode *one) {
        printf("%.*s\n  %.*s messages, %.*s in a minute, last %.*s, as %.*s\n  %.*s, %.*s bytes: "
               "%.*s\n",
               SHOWN("topic"),
               SHOWN("messages"),
               SHOWN("per_minute"),
               SHOWN("last_seen"),
               SHOWN("example"),
               SHOWN("form"),
               SHOWN("bytes"),
               SHOWN("sample"));
        unrouted_print_route(unrouted_text(unrouted, one, TEXT("route")));
}

static void unrouted_print(Unrouted *unrouted) {
        const JsonNode *one = json_root(&unrouted->tree);
        const JsonNode *list = json_member(&unrouted->tree, one, TEXT("unrouted"));

        printf("as of %.*s: %.*s messages, %.*s shapes of topics, %.*s forgotten for others\n",
               SHOWN("at"),
               SHOWN("messages"),
               SHOWN("shapes"),
               SHOWN("displaced"));
        for (size_t i = 0; list && i < list->n; ++i)
                unrouted_print_one(unrouted, json_element(list, i));
}

int cli_route_unrouted(const Cli *cli) {
        __attribute__((cleanup(unrouted_done))) Unrouted unrouted = { 0 };
        char path[PATH_MAX];
        JsonFault fault;
        int r = cli_load(cli, &unrouted.config);

        if (r != CLI_OK)
                return r;
        if (!unrouted.config->mqtt_explore)
                return cli_fault(cli, "mqtt.explore is not set: nothing is looked at");
        snprintf(path, sizeof(path), "%s/" EXPLORER_FILE, unrouted.config->journal.dir);
        if (!unrouted_read(&unrouted.text, path))
                return cli_fault(cli,
                                 "%s is not there: no gateway with this configuration has seen "
                                 "anything yet, or you may not read it",
                                 path);
        if (cli->values[CLI_JSON]) {
                printf("%.*s\n", (int)unrouted.text.n, unrouted.text.data);
                return CLI_OK;
        }
        r = arena_new(&unrouted.arena, UNROUTED_BLOCK);
        if (r == 0)
                r = json_tree_read(&unrouted.tree, buf_text(&unrouted.text), &fault);
        if (r != 0)
                return cli_fault(cli, "%s cannot be read", path);
        unrouted_print(&unrouted);
        return CLI_OK;
}
