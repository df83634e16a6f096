#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "db/admin.h"
#include "db/conn.h"
#include "gateway/base/clock.h"
#include "gateway/base/secret.h"
#include "gateway/cli_command.h"
#include "mqtt/publisher.h"

DEFINE_CLEANUP(char *, free);

#define LETTERS_SHOWN   50
#define LETTERS_MAX     10000 /* in one go: their payloads are in memory */
#define LETTERS_WINDOW  100   /* published before we wait for the broker's word */
#define LETTERS_WAIT_MS 30000

typedef struct Letters Letters;

/* The dead letters that a command is about. */
struct Letters {
        const Cli *cli;
        Config *config;
        DbConn *conn;
        int64_t *ids;
        size_t n_ids, n_allocated;
        bool no_memory;

        MqttPublisher *publisher;
        int published; /* of the letter under way: what the publisher answered */
};

static void letters_done(Letters *letters) {
        mqtt_publisher_free(letters->publisher);
        db_conn_free(letters->conn);
        config_free(letters->config);
        free(letters->ids);
}

static int letters_open(Letters *letters) {
        int r;

        r = cli_load(letters->cli, &letters->config);
        return r == CLI_OK ? cli_connect(letters->cli, letters->config, &letters->conn) : r;
}

static bool letters_parse_id(const char *text, int64_t *ret_id) {
        char *end = NULL;

        errno = 0;
        *ret_id = strtoll(text, &end, 10);
        return isdigit((unsigned char)*text) && *end == '\0' && errno == 0 && *ret_id > 0;
}

static void letters_add(Letters *letters, int64_t id) {
        if (letters->n_ids == letters->n_allocated) {
                size_t n = letters->n_allocated ? letters->n_allocated * 2 : 64;
                int64_t *ids = reallocarray(letters->ids, n, sizeof(*ids));

                if (!ids) {
                        letters->no_memory = true;
                        return;
                }
                letters->ids = ids;
                letters->n_allocated = n;
        }
        letters->ids[letters->n_ids++] = id;
}

static void letters_add_letter(void *arg, const DbDeadLetter *letter) {
        letters_add(arg, letter->id);
}

/*
 * The ids of the operands, or all of one reason. They are settled before anything is done: a letter
 * that is replayed and comes back gets a new id and is not taken again.
 */
static int letters_collect(Letters *letters) {
        const Cli *cli = letters->cli;
        const char *reason = cli->values[CLI_REASON];
        int r;

        if ((reason != NULL) == (cli->n_operands > 0))
                return cli_usage_error(cli, "name either IDs or --reason");
        for (size_t i = 0; i < cli->n_operands; ++i) {
                int64_t id;

                if (!letters_parse_id(cli->operands[i], &id))
                        return cli_usage_error(cli, "bad ID '%s'", cli->operands[i]);
                letters_add(letters, id);
        }
        r = letters_open(letters);
        if (r != CLI_OK)
                return r;
        if (reason) {
                r = db_admin_dead_letters(letters->conn,
                                          reason,
                                          LETTERS_MAX,
                                          letters_add_letter,
                                          letters);
                if (r != 0)
                        return cli_db_result(cli, letters->conn, r, "list");
        }
        return letters->no_memory ? cli_fault(cli, "out of memory") : CLI_OK;
}

/* Text of others on a terminal: control characters must not reach it. */
static void letters_print_text(const char *text, size_t n) {
        for (size_t i = 0; i < n; ++i)
                putchar((unsigned char)text[i] < ' ' || text[i] == 127 ? '?' : text[i]);
}

static void letters_print_line(void *arg, const DbDeadLetter *letter) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(letter->received_us, time);
        printf("%-8lld %s  %-16s %8zu  ",
               (long long)letter->id,
               time,
               letter->reason,
               letter->payload.n);
        letters_print_text(letter->topic, strlen(letter->topic));
        if (*letter->detail) {
                fputs("  ", stdout);
                letters_print_text(letter->detail, strlen(letter->detail));
        }
        putchar('\n');
}

int cli_letters_list(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        double limit = LETTERS_SHOWN;
        int r;

        r = cli_number(cli, CLI_LIMIT, 1, LETTERS_MAX, &limit);
        if (r == CLI_OK)
                r = letters_open(&letters);
        if (r != CLI_OK)
                return r;

        printf("%-8s %-24s  %-16s %8s  %s\n", "ID", "RECEIVED", "REASON", "BYTES", "TOPIC  DETAIL");
        r = db_admin_dead_letters(letters.conn,
                                  cli->values[CLI_REASON],
                                  (int)limit,
                                  letters_print_line,
                                  NULL);
        return cli_db_result(cli, letters.conn, r, "list");
}

/* To a file or a pipe the payload goes as it came. */
static void letters_print_whole(void *arg, const DbDeadLetter *letter) {
        char time[CLOCK_TEXT_SIZE];

        (void)arg;
        clock_format(letter->received_us, time);
        printf("id: %lld\nreceived: %s\nreason: %s\ndetail: ",
               (long long)letter->id,
               time,
               letter->reason);
        letters_print_text(letter->detail, strlen(letter->detail));
        fputs("\ntopic: ", stdout);
        letters_print_text(letter->topic, strlen(letter->topic));
        printf("\nbytes: %zu\n\n", letter->payload.n);
        if (isatty(STDOUT_FILENO))
                letters_print_text(letter->payload.data, letter->payload.n);
        else
                (void)fwrite(letter->payload.data, 1, letter->payload.n, stdout);
        putchar('\n');
}

int cli_letters_show(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        int64_t id;
        int r;

        if (!letters_parse_id(cli->operands[0], &id))
                return cli_usage_error(cli, "bad ID '%s'", cli->operands[0]);
        r = letters_open(&letters);
        if (r != CLI_OK)
                return r;
        r = db_admin_dead_letter(letters.conn, id, letters_print_whole, NULL);
        return cli_db_result(cli, letters.conn, r, cli->operands[0]);
}

/* One that is gone already does not keep the others. An id of 0 was found to be none before. */
static int letters_delete(Letters *letters, const int64_t ids[], size_t n, size_t *n_deleted) {
        int result = CLI_OK;

        for (size_t i = 0; i < n; ++i) {
                int r = ids[i] ? db_admin_dead_letter_delete(letters->conn, ids[i]) : 0;

                if (r == DB_E_NOT_FOUND) {
                        fprintf(stderr, "%lld: there is none\n", (long long)ids[i]);
                        result = CLI_FAULT;
                } else if (r != 0) {
                        return cli_db_result(letters->cli, letters->conn, r, "dead letter");
                } else if (ids[i]) {
                        ++*n_deleted;
                }
        }
        return result;
}

int cli_letters_discard(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        size_t n_deleted = 0;
        int r;

        r = letters_collect(&letters);
        if (r != CLI_OK)
                return r;
        r = letters_delete(&letters, letters.ids, letters.n_ids, &n_deleted);
        printf("discarded %zu\n", n_deleted);
        return r;
}

/* Where a letter goes in again: what came by another door is given a topic of its kind. NULL:
 * nowhere. */
static char *letters_topic(const Letters *letters, const char *came_by) {
        static const char device[] = "ws/device/", detections[] = "api/v1/detections";
        bool is_device = strncmp(came_by, device, sizeof(device) - 1) == 0;
        const Route *route;
        TopicMatch match = { .device = is_device ? text_of(came_by + sizeof(device) - 1)
                                                 : (Text){ 0 } };
        char *topic = NULL;

        if (!is_device && strcmp(came_by, detections) != 0)
                return strdup(came_by);
        route = routes_by_kind(letters->config->routes,
                               is_device ? KIND_TELEMETRY : KIND_BLE_DETECTIONS);
        return route && topic_template_expand(route->topic, &match, &topic) == 0 ? topic : NULL;
}

static void letters_publish(void *arg, const DbDeadLetter *letter) {
        Letters *letters = arg;
        CLEANUP(free) char *topic = letters_topic(letters, letter->topic);

        letters->published = MQTT_PUBLISHER_E_REFUSED;
        if (!topic)
                return;
        letters->published =
                mqtt_publisher_publish(letters->publisher, topic, letter->payload, 1, false);
}

static int letters_connect_broker(Letters *letters) {
        MqttOptions options;
        char id[SECRET_ID_SIZE], client_id[sizeof("tidegate-replay-") + SECRET_ID_SIZE];
        int r;

        assert(letters->config);
        options = letters->config->mqtt;
        if (!letters->config->mqtt_enabled)
                return cli_usage_error(letters->cli, "mqtt.url is not set");
        if (secret_id(id) != 0)
                return cli_fault(letters->cli, "no random numbers");
        /* Never the gateway's own name: the broker would throw one of the two out. */
        snprintf(client_id, sizeof(client_id), "tidegate-replay-%s", id);
        options.client_id = client_id;
        (void)signal(SIGPIPE, SIG_IGN);
        r = mqtt_publisher_new(&letters->publisher, &options, LETTERS_WINDOW);
        if (r == 0)
                r = mqtt_publisher_connect(letters->publisher);
        if (r == MQTT_PUBLISHER_E_REFUSED)
                return cli_fault(letters->cli, "the broker refused us");
        return r == 0 ? CLI_OK : cli_fault(letters->cli, "no broker at %s", options.url);
}

/* One window: published, acknowledged, and only then forgotten. */
static int letters_replay_some(Letters *letters, int64_t ids[], size_t n, size_t *n_replayed) {
        const Cli *cli = letters->cli;
        int r;

        for (size_t i = 0; i < n; ++i) {
                r = db_admin_dead_letter(letters->conn, ids[i], letters_publish, letters);
                if (r == DB_E_NOT_FOUND) {
                        fprintf(stderr, "%lld: there is none\n", (long long)ids[i]);
                        ids[i] = 0;
                        continue;
                }
                if (r != 0)
                        return cli_db_result(cli, letters->conn, r, "read");
                if (letters->published != 0)
                        return cli_fault(cli,
                                         "%lld: the broker did not take it",
                                         (long long)ids[i]);
        }
        if (mqtt_publisher_flush(letters->publisher, LETTERS_WAIT_MS) != 0)
                return cli_fault(cli, "the broker did not acknowledge: nothing of this is deleted");
        return letters_delete(letters, ids, n, n_replayed);
}

int cli_letters_replay(const Cli *cli) {
        __attribute__((cleanup(letters_done))) Letters letters = { .cli = cli };
        size_t n_replayed = 0;
        int r;

        r = letters_collect(&letters);
        if (r == CLI_OK)
                r = letters_connect_broker(&letters);
        for (size_t i = 0; r == CLI_OK && i < letters.n_ids; i += LETTERS_WINDOW) {
                size_t n = letters.n_ids - i < LETTERS_WINDOW ? letters.n_ids - i : LETTERS_WINDOW;

                r = letters_replay_some(&letters, letters.ids + i, n, &n_replayed);
        }
        if (letters.publisher)
                printf("replayed %zu\n", n_replayed);
        if (r == CLI_OK && n_replayed == 0 && letters.n_ids > 0)
                return CLI_FAULT;
        return r;
}
