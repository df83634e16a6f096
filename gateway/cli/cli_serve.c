#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/secret.h"
#include "db/conn.h"
#include "db/migrate.h"
#include "gateway/cli/cli_command.h"
#include "gateway/decode/route.h"
#include "gateway/gateway.h"
#include "gateway/signals.h"
#include "gateway/sim/simulate.h"
#include "gateway/uplink/edge.h"
#include "model/topic_filter.h"

#define CLI_MAX_OVERLAPS    100 /* that are told one by one */
#define SIMULATE_MAX_THINGS 1000000
#define SIMULATE_MAX_RATE   1e6
#define CLIENT_ID_SIZE      (sizeof("tidegate-simulate-") + SECRET_ID_SIZE)

DEFINE_CLEANUP(uint32_t *, free);

/* Each socket is a descriptor: take all that we may have. */
static void cli_raise_descriptors(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
                log_warning("descriptors_not_raised");
}

static int cli_serve_edge(Config *config) {
        CLEANUP(uplink_edge_free) UplinkEdge *edge = NULL;
        int r = uplink_edge_new(&edge, config);

        if (r == 0)
                r = uplink_edge_run(edge);
        return r == 0 ? CLI_OK : CLI_FAULT;
}

int cli_serve(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(gateway_free) Gateway *gateway = NULL;
        int r;

        signals_expect();
        r = cli_load(cli, &config);
        if (r != CLI_OK)
                return r;
        r = config_check_files(config);
        if (r != 0)
                return r == CONFIG_E_INVALID ? CLI_USAGE : CLI_FAULT;

        cli_raise_descriptors();
        if (config->uplink_url)
                return cli_serve_edge(config);
        r = gateway_new(&gateway, config, &cli->source);
        if (r == 0)
                r = gateway_run(gateway);
        return r == 0 ? CLI_OK : CLI_FAULT;
}

int cli_migrate(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int from, to;
        int r;

        r = cli_load(cli, &config);
        if (r == CLI_OK)
                r = cli_connect(cli, config, &conn);
        if (r != CLI_OK)
                return r;

        r = db_migrate_up(conn, &from, &to);
        if (r == DB_E_SCHEMA)
                return cli_fault(cli,
                                 "the schema is newer than this program (it knows up to %d), or a "
                                 "migration that was applied has changed",
                                 db_migrate_latest());
        if (r != 0)
                return cli_db_result(cli, conn, r, "migration");
        if (from == to)
                printf("schema %d: up to date\n", to);
        else
                printf("schema %d: migrated from %d\n", to, from);
        return CLI_OK;
}

static void cli_warn_of_overlap(const Route *first, const Route *second) {
        const char *a = topic_template_filter(first->topic);
        const char *b = topic_template_filter(second->topic);
        const char *origin = second->origin ? second->origin : first->origin;
        char *join = NULL;

        fprintf(stderr,
                "%s%swarning: route %s (%s) and route %s (%s) take the same topics: what both take "
                "is %s's%s%s%s%s%s",
                origin ? origin : "",
                origin ? ": " : "",
                first->name,
                topic_template_text(first->topic),
                second->name,
                topic_template_text(second->topic),
                first->name,
                first->when ? " where " : "",
                first->when ? condition_text(first->when) : "",
                first->when ? ", else " : "",
                first->when ? second->name : "",
                first->when ? "'s" : "");
        if (!topic_filter_covers(a, b) && !topic_filter_covers(b, a) &&
            topic_filter_join(a, b, &join) == 0)
                fprintf(stderr,
                        "; %s is subscribed to, so that no broker sends that twice, and what no "
                        "route takes of it is left at the door",
                        join);
        fprintf(stderr, "\n");
        free(join);
}

/* What both take goes to the first; nothing is wrong with that, but it should be meant: in a
 * profile it is. */
static void cli_warn_of_overlaps(const Routes *routes, uint32_t places[]) {
        size_t n_found = 0;

        for (size_t i = 0; i < routes_length(routes); ++i) {
                const Route *first = routes_get(routes, i);
                size_t n = routes_meeting(routes, i, places);

                for (size_t k = 0; k < n; ++k) {
                        const Route *second = routes_get(routes, places[k]);

                        if (places[k] < i || (first->use != 0 && first->use == second->use))
                                continue;
                        if (n_found++ < CLI_MAX_OVERLAPS)
                                cli_warn_of_overlap(first, second);
                }
        }
        if (n_found > CLI_MAX_OVERLAPS)
                fprintf(stderr,
                        "warning: %zu more pairs of routes take the same topics: tidegate route "
                        "list\n",
                        n_found - CLI_MAX_OVERLAPS);
}

static int cli_example(const Cli *cli) {
        if (cli->n_operands == 0)
                config_print_example(stdout);
        else if (!config_print_profile(cli->operands[0], stdout))
                return cli_usage_error(cli,
                                       "there is no profile '%s'; allowed: " CONFIG_PROFILE_NAMES,
                                       cli->operands[0]);
        return CLI_OK;
}

int cli_check_config(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(free) uint32_t *places = NULL;
        int r;

        if (cli->values[CLI_EXAMPLE])
                return cli_example(cli);
        if (cli->n_operands > 0)
                return cli_usage_error(cli, "PROFILE is for --example");
        r = cli_load(cli, &config);
        if (r != CLI_OK)
                return r;
        r = config_check_files(config);
        if (r != 0)
                return r == CONFIG_E_INVALID ? CLI_USAGE : CLI_FAULT;

        places = calloc(routes_length(config->routes) + 1, sizeof(*places));
        if (!places)
                return cli_fault(cli, "out of memory");
        cli_warn_of_overlaps(config->routes, places);
        printf("ok\n");
        config_print(config, stdout);
        return CLI_OK;
}

int cli_version(const Cli *cli) {
        (void)cli;
        printf("tidegate %s\n", TIDEGATE_VERSION);
        return CLI_OK;
}

static volatile bool cli_stop;

static void cli_on_signal(int signo) {
        (void)signo;
        cli_stop = true;
}

static int cli_simulate_options(const Cli *cli, SimulateOptions *options) {
        double vehicles = 5, devices = 5, count = 0, seed = 1;
        int r;

        options->rate = 20;
        options->speed = 1;
        options->user = cli->values[CLI_USER];
        options->replay = cli->values[CLI_REPLAY];
        options->prefix = cli->values[CLI_PREFIX];
        if (!options->replay && (cli->values[CLI_SPEED] || options->prefix))
                return cli_usage_error(cli, "--speed and --prefix are for --replay");
        r = cli_number(cli, CLI_VEHICLES, 0, SIMULATE_MAX_THINGS, &vehicles);
        if (r == CLI_OK)
                r = cli_number(cli, CLI_DEVICES, 0, SIMULATE_MAX_THINGS, &devices);
        if (r == CLI_OK)
                r = cli_number(cli, CLI_COUNT, 0, 1e15, &count);
        if (r == CLI_OK)
                r = cli_number(cli, CLI_SEED, 0, 1e15, &seed);
        if (r == CLI_OK)
                r = cli_number(cli, CLI_RATE, 0, SIMULATE_MAX_RATE, &options->rate);
        if (r == CLI_OK)
                r = cli_number(cli, CLI_SPEED, 0, 1e6, &options->speed);
        if (r == CLI_OK && vehicles + devices < 1 && !options->replay)
                r = cli_usage_error(cli, "a fleet of nothing: --vehicles or --devices");
        options->n_vehicles = (int)vehicles;
        options->n_devices = (int)devices;
        options->n_messages = (int64_t)count;
        options->seed = (uint64_t)seed;
        return r;
}

int cli_simulate(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        const struct sigaction action = { .sa_handler = cli_on_signal };
        SimulateOptions options = { 0 };
        char id[SECRET_ID_SIZE], client_id[CLIENT_ID_SIZE];
        int r;

        r = cli_simulate_options(cli, &options);
        if (r == CLI_OK)
                r = cli_load(cli, &config);
        if (r != CLI_OK)
                return r;
        if (!config->mqtt_enabled)
                return cli_usage_error(cli, "mqtt.url is not set");
        if (secret_id(id) != 0)
                return cli_fault(cli, "no random numbers");

        /* Never the gateway's own name: the broker would throw one of the two out. */
        snprintf(client_id, sizeof(client_id), "tidegate-simulate-%s", id);
        options.mqtt = config->mqtt;
        options.mqtt.client_id = client_id;
        options.routes = config->routes;
        MUST(sigaction(SIGINT, &action, NULL));
        MUST(sigaction(SIGTERM, &action, NULL));
        (void)signal(SIGPIPE, SIG_IGN);
        r = simulate_run(&options, &cli_stop);
        if (r != 0)
                return cli_fault(cli,
                                 "ended early%s%s",
                                 r < 0 ? ": " : "",
                                 r < 0 ? err_text(r) : "");
        return CLI_OK;
}
