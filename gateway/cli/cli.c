#include "gateway/cli/cli.h"
#include "base/err.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "db/conn.h"
#include "db/migrate.h"
#include "gateway/cli/cli_command.h"

#define CLI_CONFIG_DEFAULT "/etc/tidegate/tidegate.conf"
#define CLI_MAX_SETS       256
#define CLI_MAX_WORDS      3 /* of a command: device token rotate */
#define CLI_CONNECT_MS     10000
#define CLI_STATEMENT_MS   60000

typedef struct CliCommand CliCommand;

struct CliCommand {
        const char *words; /* "user add" */
        const char *usage; /* what follows them */
        const char *help;
        int (*run)(const Cli *cli);
        size_t least, most; /* operands */
        uint64_t options;   /* bits: of CliOption, besides those that all have */
};

#define BIT(option) (UINT64_C(1) << (option))
#define ANY         SIZE_MAX
#define COMMON      (BIT(CLI_CONFIG) | BIT(CLI_SET) | BIT(CLI_HELP) | BIT(CLI_VERSION))

#define WHICH                                                                                   \
        (BIT(CLI_REASON) | BIT(CLI_TOPIC) | BIT(CLI_ROUTE) | BIT(CLI_DEVICE) | BIT(CLI_SINCE) | \
         BIT(CLI_UNTIL))

static_assert(CLI_OPTION_COUNT <= 64, "one bit an option");

/* As `tidegate --help` shows them. */
/* clang-format off */
static const CliCommand cli_commands[] = {
        { "serve", "", "Run the gateway.", cli_serve, 0, 0, 0 },
        { "migrate", "", "Bring the schema of the database up to date.", cli_migrate, 0, 0, 0 },
        { "check-config", "[--example [PROFILE]]",
          "Check the configuration and print it.", cli_check_config, 0, 1, BIT(CLI_EXAMPLE) },
        { "user add", "NAME [--role user|viewer|admin]",
          "Add a user; the password is the first line of standard input.",
          cli_user_add, 1, 1, BIT(CLI_ROLE) },
        { "user token", "NAME [--ttl SECONDS]",
          "Print a token (JWT) of a user.", cli_user_token, 1, 1, BIT(CLI_TTL) },
        { "user disable", "NAME", "Shut a user out.", cli_user_disable, 1, 1, 0 },
        { "user enable", "NAME", "Let a user in again.", cli_user_enable, 1, 1, 0 },
        { "user identifier", "NAME [ID]",
          "What else a user is called in topics, such as an id of another system; without ID, nothing.",
          cli_user_identifier, 1, 2, 0 },
        { "user revoke", "NAME", "End every token, ticket and socket of a user.",
          cli_user_revoke, 1, 1, 0 },
        { "user password", "NAME",
          "Set a new password, the first line of standard input; ends every token.",
          cli_user_password, 1, 1, 0 },
        { "user delete", "NAME", "Delete a user; what was his is nobody's.",
          cli_user_delete, 1, 1, 0 },
        { "user list", "", "List the users.", cli_user_list, 0, 0, 0 },
        { "device add", "CODE --user NAME [--name N] [--type T]",
          "Add a device and print its token, which is shown this once.",
          cli_device_add, 1, 1, BIT(CLI_USER) | BIT(CLI_NAME) | BIT(CLI_TYPE) },
        { "device assign", "CODE --user NAME",
          "Give a device to a user, as one that has registered itself.",
          cli_device_assign, 1, 1, BIT(CLI_USER) },
        { "device delete", "CODE",
          "Delete a device, its token, shares and commands; what it has sent stays.",
          cli_device_delete, 1, 1, 0 },
        { "device share", "CODE --user NAME",
          "Let another user see a device and command it.", cli_device_share, 1, 1, BIT(CLI_USER) },
        { "device unshare", "CODE --user NAME",
          "Take that away again.", cli_device_unshare, 1, 1, BIT(CLI_USER) },
        { "device list", "", "List the devices.", cli_device_list, 0, 0, 0 },
        { "device token rotate", "CODE",
          "Print a new token; the old one ends.", cli_device_rotate, 1, 1, 0 },
        { "device token revoke", "CODE", "End the token of a device.", cli_device_revoke, 1, 1, 0 },
        { "device uplink", "CODE on|off",
          "Let a device, which is a gateway, bring what is its owner's; or not any more.",
          cli_device_uplink, 2, 2, 0 },
        { "vehicle add", "CODE --user NAME [--name N] [--id N]",
          "Add a vehicle.", cli_vehicle_add, 1, 1, BIT(CLI_USER) | BIT(CLI_NAME) | BIT(CLI_ID) },
        { "vehicle assign", "CODE --user NAME",
          "Give a vehicle to a user.", cli_vehicle_assign, 1, 1, BIT(CLI_USER) },
        { "vehicle share", "CODE --user NAME",
          "Let another user see a vehicle.", cli_vehicle_share, 1, 1, BIT(CLI_USER) },
        { "vehicle unshare", "CODE --user NAME",
          "Take that away again.", cli_vehicle_unshare, 1, 1, BIT(CLI_USER) },
        { "vehicle delete", "CODE", "Delete a vehicle and its shares; what it has sent stays.",
          cli_vehicle_delete, 1, 1, 0 },
        { "vehicle list", "", "List the vehicles.", cli_vehicle_list, 0, 0, 0 },
        { "group add", "NAME DEVICE...", "Put devices into a group.", cli_group_add, 2, ANY, 0 },
        { "group remove", "NAME DEVICE...", "Take devices out of a group.", cli_group_remove, 2, ANY, 0 },
        { "group share", "NAME --user NAME",
          "Let another user see the devices of a group and command them.",
          cli_group_share, 1, 1, BIT(CLI_USER) },
        { "group unshare", "NAME --user NAME",
          "Take that away again.", cli_group_unshare, 1, 1, BIT(CLI_USER) },
        { "group delete", "NAME", "Delete a group and its shares; its devices stay.",
          cli_group_delete, 1, 1, 0 },
        { "import", "[--dry-run] [--json] [--from SYSTEM] [--partial] FILE...",
          "Take users, devices, vehicles, groups and shares of another system, all or nothing.",
          cli_import, 1, ANY, BIT(CLI_DRY_RUN) | BIT(CLI_JSON) | BIT(CLI_FROM) | BIT(CLI_PARTIAL) },
        { "cluster status", "[--json]",
          "Print which gateways there are, who stores, and what is missing; 1: something, or someone.",
          cli_cluster_status, 0, 0, BIT(CLI_JSON) },
        { "cluster drain", "[NODE] [--undo]",
          "Have a gateway, or this one, let go of its slots and take none.",
          cli_cluster_drain, 0, 1, BIT(CLI_UNDO) },
        { "journal verify", "[--store] [--accept]",
          "Compare what the journal has with the tables, number by number; 1: something is missing.",
          cli_journal_verify, 0, 0, BIT(CLI_STORE) | BIT(CLI_ACCEPT) },
        { "journal adopt", "DIR",
          "Store what the journal of a dead node in DIR has left; 1: something of it is not stored.",
          cli_journal_adopt, 1, 1, 0 },
        { "journal forget", "JOURNAL",
          "Say that the disk with a journal that `cluster status` names is gone for good; it stays noted.",
          cli_journal_forget, 1, 1, 0 },
        { "route list", "[--json]", "Print the routes in force, in their order.",
          cli_route_list, 0, 0, BIT(CLI_JSON) },
        { "route explain", "[--json] TOPIC",
          "Which routes match a topic, what they take of it, and which comes first.",
          cli_route_explain, 1, 1, BIT(CLI_JSON) },
        { "route test", "[--json] TOPIC PAYLOAD|-|@FILE",
          "Print what becomes of a message, without broker and database; 1: it is a dead letter.",
          cli_route_test, 2, 2, BIT(CLI_JSON) },
        { "route unrouted", "[--json]",
          "Print what mqtt.explore has seen that no route takes, most first.",
          cli_route_unrouted, 0, 0, BIT(CLI_JSON) },
        { "route discovered", "[--json]",
          "Print what devices have announced, and what of it is not taken and why.",
          cli_route_discovered, 0, 0, BIT(CLI_JSON) },
        { "route profiles", "[--json] [NAME]",
          "List the profiles of devices, for `use` of a route; or print one.",
          cli_route_profiles, 0, 1, BIT(CLI_JSON) },
        { "dead-letters list", "[--reason R] [--topic F] [--route R] [--device D] [--since T] [--until T]"
          " [--by WHAT] [--limit N] [--cursor N] [--json]",
          "List what could not be used, the newest first, or in groups, most first.",
          cli_letters_list, 0, 0, WHICH | BIT(CLI_BY) | BIT(CLI_LIMIT) | BIT(CLI_CURSOR) | BIT(CLI_JSON) },
        { "dead-letters notes", "[as list; --by also member]",
          "List members that were set aside of messages that are stored, likewise.",
          cli_letters_notes, 0, 0, WHICH | BIT(CLI_BY) | BIT(CLI_LIMIT) | BIT(CLI_CURSOR) | BIT(CLI_JSON) },
        { "dead-letters summary", "[--reason R] [--limit N]",
          "Who makes them: by reason, topic and the name in the payload, most first.",
          cli_letters_summary, 0, 0, BIT(CLI_REASON) | BIT(CLI_LIMIT) },
        { "dead-letters show", "ID [--raw | --json]", "Print one with its payload.",
          cli_letters_show, 1, 1, BIT(CLI_RAW) | BIT(CLI_JSON) },
        { "dead-letters replay", "ID... | --reason R, --topic F ... as of list",
          "Let the gateway take them in again, and forget those that it stored.",
          cli_letters_replay, 0, ANY, WHICH },
        { "dead-letters discard", "ID... | --reason R, --topic F ... as of list",
          "Forget them.", cli_letters_discard, 0, ANY, WHICH },
        { "simulate", "[--vehicles N] [--devices N] [--rate R] [--replay FILE]",
          "Publish a moving fleet, or a recorded one.",
          cli_simulate, 0, 0, BIT(CLI_VEHICLES) | BIT(CLI_DEVICES) | BIT(CLI_RATE) |
          BIT(CLI_REPLAY) | BIT(CLI_SPEED) | BIT(CLI_PREFIX) | BIT(CLI_USER) | BIT(CLI_COUNT) | BIT(CLI_SEED) },
        { "version", "", "Print the version.", cli_version, 0, 0, 0 },
};
/* clang-format on */

static const struct {
        const char *name, *value, *help;
} cli_options[CLI_OPTION_COUNT] = {
        [CLI_CONFIG] = { "config", "FILE", "configuration (" CLI_CONFIG_DEFAULT " if it exists)" },
        [CLI_SET] = { "set", "KEY=VALUE", "section.key=value, after file and environment" },
        [CLI_HELP] = { "help", NULL, "this text" },
        [CLI_VERSION] = { "version", NULL, "print the version" },
        [CLI_ACCEPT] = { "accept", NULL, "give up what is noted as missing" },
        [CLI_BY] = { "by", "WHAT", "groups: reason, route, device, topic, detail, with commas" },
        [CLI_COUNT] = { "count", "N", "stop after N messages (0: go on)" },
        [CLI_CURSOR] = { "cursor", "N", "go on where the last page ended" },
        [CLI_DEVICE] = { "device", "CODE", "those about this device, camera or vehicle" },
        [CLI_DEVICES] = { "devices", "N", "devices in the fleet (5)" },
        [CLI_ID] = { "id", "N", "with this id, which clients have in their code" },
        [CLI_DRY_RUN] = { "dry-run", NULL, "do all of it, report, and take it back" },
        [CLI_EXAMPLE] = { "example", NULL, "print a file with every key, or a profile's" },
        [CLI_FROM] = { "from", "SYSTEM", "whose columns the files have, such as vehicles" },
        [CLI_JSON] = { "json", NULL, "as JSON" },
        [CLI_LIMIT] = { "limit", "N", "at most so many lines (50)" },
        [CLI_NAME] = { "name", "NAME", "for people" },
        [CLI_PARTIAL] = { "partial", NULL, "take the others where some are refused" },
        [CLI_PREFIX] = { "prefix", "TEXT", "of a recording: before each code, such as mmsi-" },
        [CLI_RATE] = { "rate", "R", "messages a second, all together (20; 0: as fast as it goes)" },
        [CLI_RAW] = { "raw", NULL, "the bytes of the payload and nothing else" },
        [CLI_REASON] = { "reason", "CODE", "such as bad_json; several with commas" },
        [CLI_REPLAY] = { "replay", "FILE", "a recording: CSV, also .gz" },
        [CLI_ROLE] = { "role", "ROLE", "user, viewer or admin (user)" },
        [CLI_ROUTE] = { "route", "NAME", "those that this route took; '': none" },
        [CLI_SEED] = { "seed", "N", "same seed, same fleet (1)" },
        [CLI_SINCE] = { "since", "TIME", "received since then, or so long ago: 90s 5m 2h 7d" },
        [CLI_SPEED] = { "speed", "X", "of a recording: 1 as recorded, 0 as fast as it goes (1)" },
        [CLI_STORE] = { "store", NULL, "store what is missing, once, with its number and time" },
        [CLI_TOPIC] = { "topic", "FILTER", "an MQTT filter, such as ems/+/telemetry or seano/#" },
        [CLI_TTL] = { "ttl", "SECONDS", "how long the token is good for (3600)" },
        [CLI_TYPE] = { "type", "TYPE", "kind of device" },
        [CLI_UNDO] = { "undo", NULL, "it may have some again" },
        [CLI_UNTIL] = { "until", "TIME", "received before then" },
        [CLI_USER] = { "user", "NAME", "whose it is, or who may see it" },
        [CLI_VEHICLES] = { "vehicles", "N", "vehicles in the fleet (5)" },
};

int cli_usage_error(const Cli *cli, const char *format, ...) {
        va_list args;

        fprintf(stderr, "tidegate %s: ", cli->command);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fprintf(stderr, "\nsee tidegate %s --help\n", cli->command);
        return CLI_USAGE;
}

int cli_fault(const Cli *cli, const char *format, ...) {
        va_list args;

        fprintf(stderr, "tidegate %s: ", cli->command);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        return CLI_FAULT;
}

int cli_load(const Cli *cli, Config **ret_config) {
        int r;

        r = config_load(ret_config, &cli->source);
        if (r == CONFIG_E_INVALID)
                return CLI_USAGE;
        if (r != 0)
                return cli_fault(cli, "configuration: %s", err_text(r));
        log_set_level((*ret_config)->log_level);
        return CLI_OK;
}

int cli_db_result(const Cli *cli, const DbConn *conn, int r, const char *what) {
        switch (r) {
        case 0:
                return CLI_OK;
        case DB_E_OFFLINE:
                return cli_fault(cli,
                                 "the connection to the database broke: %s; what was under way may "
                                 "have been done: look, or do it again",
                                 db_conn_error(conn));
        case DB_E_REJECTED:
                return cli_fault(cli, "the database refused: %s", db_conn_error(conn));
        case DB_E_NOT_FOUND:
                return cli_fault(cli, "%s: there is none", what);
        case DB_E_EXISTS:
                return cli_fault(cli, "%s: there is one already", what);
        case DB_E_SCHEMA:
                return cli_fault(cli, "the schema is not that of this program: tidegate migrate");
        default:
                return cli_fault(cli, "%s: %s", what, r < 0 ? err_text(r) : "unexpected answer");
        }
}

int cli_connect(const Cli *cli, const Config *config, DbConn **ret_conn) {
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const DbConnOptions options = {
                .url = config->database_url,
                .name = "cli",
                .connect_timeout_ms = CLI_CONNECT_MS,
                .statement_timeout_ms = CLI_STATEMENT_MS,
        };
        bool migrates = strcmp(cli->command, "migrate") == 0;
        int r;

        if (config->uplink_url)
                return cli_usage_error(cli,
                                       "a gateway at the edge (uplink.url) has no database, and no "
                                       "users, devices and dead letters: ask the central one");
        r = db_conn_new(&conn, &options);
        if (r != 0)
                return cli_fault(cli, "database.url cannot be used");
        r = db_conn_connect_wait(conn, CLI_CONNECT_MS);
        if (r == DB_E_OFFLINE)
                return cli_fault(cli, "the database does not answer: %s", db_conn_error(conn));
        if (r == 0 && !migrates)
                r = db_migrate_check(conn);
        if (r != 0)
                return cli_db_result(cli, conn, r, "database");

        *ret_conn = TAKE(&conn);
        return CLI_OK;
}

int cli_number(const Cli *cli, CliOption option, double least, double most, double *value) {
        const char *text = cli->values[option];
        char *end = NULL;
        double number;

        if (!text)
                return CLI_OK;
        number = strtod(text, &end);
        if (end == text || *end != '\0' || !(number >= least && number <= most))
                return cli_usage_error(cli,
                                       "--%s '%s': allowed: %.15g to %.15g",
                                       cli_options[option].name,
                                       text,
                                       least,
                                       most);
        *value = number;
        return CLI_OK;
}

/* ---- help --------------------------------------------------------------------------------- */

/* @prefix: the words that were given; "" = all. */
static size_t cli_print_commands(const char *prefix) {
        size_t n = strlen(prefix);
        size_t n_found = 0;

        for (size_t i = 0; i < N_ELEMENTS(cli_commands); ++i) {
                const CliCommand *command = &cli_commands[i];

                if (strncmp(command->words, prefix, n) != 0 ||
                    (n > 0 && command->words[n] != ' ' && command->words[n] != '\0'))
                        continue;
                printf("  tidegate %s%s%s\n        %s\n",
                       command->words,
                       *command->usage ? " " : "",
                       command->usage,
                       command->help);
                ++n_found;
        }
        return n_found;
}

static void cli_print_options(uint64_t options) {
        for (size_t i = 0; i < CLI_OPTION_COUNT; ++i) {
                char text[32];

                if (!(options & BIT(i)))
                        continue;
                snprintf(text,
                         sizeof(text),
                         "--%s%s%s",
                         cli_options[i].name,
                         cli_options[i].value ? " " : "",
                         cli_options[i].value ? cli_options[i].value : "");
                printf("  %-18s %s\n", text, cli_options[i].help);
        }
}

static int cli_help_command(const CliCommand *command) {
        printf("usage: tidegate %s %s%s[--config FILE] [--set section.key=value]...\n\n%s\n\n",
               command->words,
               command->usage,
               *command->usage ? " " : "",
               command->help);
        cli_print_options(command->options | COMMON);
        return CLI_OK;
}

static int cli_help(const char *prefix) {
        printf("Tidegate %s: MQTT in, PostgreSQL and WebSocket out.\n\nusage:\n", TIDEGATE_VERSION);
        (void)cli_print_commands(prefix);
        printf("\noptions of every command:\n");
        cli_print_options(COMMON);
        printf("\nEach command has a --help of its own. Exit codes: 0 clean, 1 fault, 2 usage or\n"
               "configuration.\n");
        return CLI_OK;
}

/* ---- parsing ------------------------------------------------------------------------------ */

static int cli_parse_options(Cli *cli, int argc, char *argv[], const char *sets[]) {
        struct option options[CLI_OPTION_COUNT + 1] = { 0 };
        int option;

        for (int i = 0; i < CLI_OPTION_COUNT; ++i)
                options[i] = (struct option){
                        .name = cli_options[i].name,
                        .has_arg = cli_options[i].value ? required_argument : no_argument,
                        .val = 256 + i,
                };

        opterr = 0;
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): no threads yet */
        while ((option = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
                if (option == '?' || option == ':') {
                        fprintf(stderr,
                                "tidegate: option '%s' %s\nsee tidegate --help\n",
                                argv[optind - 1],
                                option == ':' ? "needs a value" : "is not known");
                        return CLI_USAGE;
                }
                option = option == 'h' ? CLI_HELP : option - 256;
                if (option == CLI_SET && cli->source.n_sets == CLI_MAX_SETS)
                        return cli_usage_error(cli, "more than %d --set", CLI_MAX_SETS);
                if (option == CLI_SET)
                        sets[cli->source.n_sets++] = optarg;
                cli->values[option] = optarg ? optarg : "";
        }
        return CLI_OK;
}

/* The command whose words begin the operands; of several the one with most words. */
static const CliCommand *cli_find(char *const operands[], size_t n, size_t *ret_n_words) {
        const CliCommand *found = NULL;

        for (size_t n_words = 1; n_words <= CLI_MAX_WORDS && n_words <= n; ++n_words) {
                char words[128] = "";

                for (size_t i = 0; i < n_words; ++i) {
                        size_t used = strlen(words);

                        snprintf(words + used,
                                 sizeof(words) - used,
                                 "%s%s",
                                 i ? " " : "",
                                 operands[i]);
                }
                for (size_t i = 0; i < N_ELEMENTS(cli_commands); ++i)
                        if (strcmp(cli_commands[i].words, words) == 0) {
                                found = &cli_commands[i];
                                *ret_n_words = n_words;
                        }
        }
        return found;
}

/* `tidegate`, `tidegate user`, `tidegate usr`: help if asked for, else what there is. */
static int cli_no_command(const Cli *cli, char *const operands[], size_t n) {
        size_t n_first = n > 0 ? strlen(operands[0]) : 0;
        bool is_family = n == 0;

        for (size_t i = 0; i < N_ELEMENTS(cli_commands); ++i)
                is_family |= n > 0 && strncmp(cli_commands[i].words, operands[0], n_first) == 0 &&
                             cli_commands[i].words[n_first] == ' ';
        if (is_family && cli->values[CLI_HELP])
                return cli_help(n > 0 ? operands[0] : "");

        if (n == 0)
                fprintf(stderr, "tidegate: no command\n");
        else if (is_family)
                fprintf(stderr, "tidegate %s: no such command\n", operands[0]);
        else
                fprintf(stderr, "tidegate: unknown command '%s'\n", operands[0]);
        fprintf(stderr,
                "see tidegate%s%s --help\n",
                n && is_family ? " " : "",
                n && is_family ? operands[0] : "");
        return CLI_USAGE;
}

static int cli_check_use(const Cli *cli, const CliCommand *command) {
        for (int i = 0; i < CLI_OPTION_COUNT; ++i)
                if (cli->values[i] && !((command->options | COMMON) & BIT(i)))
                        return cli_usage_error(cli, "--%s is not for this", cli_options[i].name);
        if (cli->n_operands < command->least || cli->n_operands > command->most)
                return cli_usage_error(cli,
                                       "%s",
                                       cli->n_operands < command->least ? "an operand is missing"
                                                                        : "too many operands");
        return CLI_OK;
}

/* --config, TIDEGATE_CONFIG, or the usual place if there is something. */
static const char *cli_config_file(const Cli *cli) {
        const char *file = cli->values[CLI_CONFIG];

        if (!file)
                file = getenv("TIDEGATE_CONFIG"); /* NOLINT(concurrency-mt-unsafe): no threads */
        if (file && *file)
                return file;
        return access(CLI_CONFIG_DEFAULT, F_OK) == 0 ? CLI_CONFIG_DEFAULT : NULL;
}

/* What was printed may be all that there is of it, such as the token of a device. */
static int cli_finish(int result) {
        bool had_failed = ferror(stdout) != 0;

        if (fflush(stdout) == 0 && !had_failed)
                return result;
        fprintf(stderr,
                "tidegate: what was printed is not whole: %s\n",
                had_failed ? "standard output failed" : err_text(errno));
        return CLI_FAULT;
}

static int cli_run(int argc, char *argv[]) {
        const char *sets[CLI_MAX_SETS];
        Cli cli = { .command = "", .source = { .sets = sets, .environment = environ } };
        const CliCommand *command;
        size_t n_words = 0;
        int r;

        r = cli_parse_options(&cli, argc, argv, sets);
        if (r != CLI_OK)
                return r;
        if (cli.values[CLI_VERSION])
                return cli_version(&cli);

        cli.operands = argv + optind;
        cli.n_operands = (size_t)(argc - optind);
        command = cli_find(cli.operands, cli.n_operands, &n_words);
        if (!command)
                return cli_no_command(&cli, cli.operands, cli.n_operands);
        if (cli.values[CLI_HELP])
                return cli_help_command(command);

        cli.command = command->words;
        cli.operands += n_words;
        cli.n_operands -= n_words;
        cli.source.file = cli_config_file(&cli);
        r = cli_check_use(&cli, command);
        return r == CLI_OK ? command->run(&cli) : r;
}

int cli_main(int argc, char *argv[]) {
        return cli_finish(cli_run(argc, argv));
}
