#include <stdio.h>

#include "db/conn.h"
#include "db/edit/admin.h"
#include "gateway/cli/cli_command.h"

typedef int (*CliToUserFn)(DbConn *conn, const char *code, const char *user);

/* Does it with a thing and the user of --user; @done says what. */
static int cli_to_user(const Cli *cli, const char *kind, CliToUserFn change, const char *done) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        char what[2 * CLI_NAME_MAX];
        int r;

        r = cli_need(cli, CLI_USER, "user");
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;

        snprintf(what,
                 sizeof(what),
                 "%s %s or user %s",
                 kind,
                 cli->operands[0],
                 cli->values[CLI_USER]);
        r = change(conn, cli->operands[0], cli->values[CLI_USER]);
        if (r != 0 && r != DB_E_EXISTS) /* what is so already is so */
                return cli_db_result(cli, conn, r, what);
        printf("%s %s: %s %s\n", kind, cli->operands[0], done, cli->values[CLI_USER]);
        return CLI_OK;
}

int cli_device_assign(const Cli *cli) {
        return cli_to_user(cli, "device", db_admin_device_assign, "belongs to");
}

int cli_vehicle_assign(const Cli *cli) {
        return cli_to_user(cli, "vehicle", db_admin_vehicle_assign, "belongs to");
}

#define CLI_SHARING(kind, KIND)                                                           \
        static int cli_share_##kind(DbConn *conn, const char *name, const char *user) {   \
                return db_admin_share(conn, KIND, name, user);                            \
        }                                                                                 \
        static int cli_unshare_##kind(DbConn *conn, const char *name, const char *user) { \
                return db_admin_unshare(conn, KIND, name, user);                          \
        }                                                                                 \
        int cli_##kind##_share(const Cli *cli) {                                          \
                return cli_to_user(cli, #kind, cli_share_##kind, "shared with");          \
        }                                                                                 \
        int cli_##kind##_unshare(const Cli *cli) {                                        \
                return cli_to_user(cli, #kind, cli_unshare_##kind, "not shared with");    \
        }

CLI_SHARING(vehicle, DB_SHARED_VEHICLE)
CLI_SHARING(device, DB_SHARED_DEVICE)
CLI_SHARING(group, DB_SHARED_GROUP)
