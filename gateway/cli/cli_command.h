#pragma once

/*
 * Cli: one command as it was asked for, and what the commands share.
 *
 * Private to cli*.c. Results go to standard output, everything else to standard error. Commands
 * return the exit code.
 */

#include "gateway/config/config.h"

#define CLI_OK    0
#define CLI_FAULT 1
#define CLI_USAGE 2

#define CLI_NAME_MAX 128

typedef struct Cli Cli;
typedef struct DbConn DbConn;

typedef enum CliOption {
        CLI_CONFIG,
        CLI_SET,
        CLI_HELP,
        CLI_VERSION,
        CLI_ACCEPT,
        CLI_BY,
        CLI_COUNT,
        CLI_CURSOR,
        CLI_DEVICE,
        CLI_DEVICES,
        CLI_DRY_RUN,
        CLI_EXAMPLE,
        CLI_FROM,
        CLI_ID,
        CLI_JSON,
        CLI_LIMIT,
        CLI_NAME,
        CLI_PARTIAL,
        CLI_PREFIX,
        CLI_RATE,
        CLI_RAW,
        CLI_REASON,
        CLI_REPLAY,
        CLI_ROLE,
        CLI_ROUTE,
        CLI_SEED,
        CLI_SINCE,
        CLI_SPEED,
        CLI_STORE,
        CLI_TOPIC,
        CLI_TTL,
        CLI_TYPE,
        CLI_UNDO,
        CLI_UNTIL,
        CLI_USER,
        CLI_VEHICLES,
        CLI_OPTION_COUNT
} CliOption;

struct Cli {
        const char *command; /* "user add" */
        ConfigSource source;
        const char *values[CLI_OPTION_COUNT]; /* NULL = not given; "" for a switch */
        char *const *operands;
        size_t n_operands;
};

/* A line on standard error, and the exit code to return. */
int cli_usage_error(const Cli *cli, const char *format, ...) PRINTF(2, 3);
int cli_fault(const Cli *cli, const char *format, ...) PRINTF(2, 3);

/* CLI_OK or the exit code, with the reason said. */
int cli_load(const Cli *cli, Config **ret_config);
int cli_connect(const Cli *cli,
                const Config *config,
                DbConn **ret_conn); /* and the schema is ours */
/* Both; the caller owns them, also when this fails. */
int cli_open(const Cli *cli, Config **ret_config, DbConn **ret_conn);
int cli_need(const Cli *cli, CliOption option, const char *name);
int cli_db_result(const Cli *cli, const DbConn *conn, int r, const char *what);
int cli_number(const Cli *cli,
               CliOption option,
               double least,
               double most,
               double *value); /* left alone if not given */

int cli_serve(const Cli *cli);
int cli_migrate(const Cli *cli);
int cli_check_config(const Cli *cli);
int cli_version(const Cli *cli);
int cli_simulate(const Cli *cli);

int cli_user_add(const Cli *cli);
int cli_user_identifier(const Cli *cli);
int cli_user_token(const Cli *cli);
int cli_user_revoke(const Cli *cli);
int cli_user_password(const Cli *cli);
int cli_user_delete(const Cli *cli);
int cli_user_enable(const Cli *cli);
int cli_user_disable(const Cli *cli);
int cli_user_list(const Cli *cli);
int cli_device_assign(const Cli *cli);
int cli_device_add(const Cli *cli);
int cli_device_delete(const Cli *cli);
int cli_device_list(const Cli *cli);
int cli_device_rotate(const Cli *cli);
int cli_device_revoke(const Cli *cli);
int cli_device_uplink(const Cli *cli);
int cli_device_share(const Cli *cli);
int cli_device_unshare(const Cli *cli);
int cli_vehicle_add(const Cli *cli);
int cli_vehicle_assign(const Cli *cli);
int cli_vehicle_share(const Cli *cli);
int cli_vehicle_unshare(const Cli *cli);
int cli_vehicle_delete(const Cli *cli);
int cli_vehicle_list(const Cli *cli);
int cli_group_add(const Cli *cli);
int cli_group_remove(const Cli *cli);
int cli_group_share(const Cli *cli);
int cli_group_unshare(const Cli *cli);
int cli_group_delete(const Cli *cli);

int cli_import(const Cli *cli);

int cli_cluster_status(const Cli *cli);
int cli_cluster_drain(const Cli *cli);

int cli_journal_adopt(const Cli *cli);
int cli_journal_forget(const Cli *cli);
int cli_journal_verify(const Cli *cli);

int cli_route_list(const Cli *cli);
int cli_route_unrouted(const Cli *cli);
int cli_route_discovered(const Cli *cli);
int cli_route_explain(const Cli *cli);
int cli_route_test(const Cli *cli);
int cli_route_profiles(const Cli *cli);

int cli_letters_list(const Cli *cli);
int cli_letters_notes(const Cli *cli);
int cli_letters_summary(const Cli *cli);
int cli_letters_show(const Cli *cli);
int cli_letters_replay(const Cli *cli);
int cli_letters_discard(const Cli *cli);
