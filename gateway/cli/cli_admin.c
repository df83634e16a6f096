#include <stdio.h>
#include <strings.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/name.h"
#include "base/password/password.h"
#include "base/secret.h"
#include "base/text.h"
#include "db/conn.h"
#include "db/edit/admin.h"
#include "db/edit/listing.h"
#include "gateway/cli/cli_command.h"

#define CLI_PASSWORD_MIN 8
#define CLI_PASSWORD_MAX 1024
#define CLI_TTL_DEFAULT  3600
#define CLI_ID_MAX       999999999999999LL /* that JavaScript and doubles know exactly */
#define CLI_TTL_MAX      31536000

/* Of a user, who is one level of a topic, or of a device or vehicle. */
static int cli_check_name(const Cli *cli, const char *name, bool is_user) {
        Text text = text_of(name);
        const char *why = is_user ? name_user_refusal(text) : name_refusal(text);

        if (!why)
                return CLI_OK;
        if (!name_is_printable(text))
                return cli_usage_error(cli, "bad name: it %s", why);
        if (name_is_number(text))
                return cli_usage_error(cli,
                                       "bad name '%s': it %s; allowed: one with a letter, such as "
                                       "no-%s",
                                       name,
                                       why,
                                       strncasecmp(name, "id:", 3) == 0 ? name + 3 : name);
        return cli_usage_error(cli, "bad name '%s': it %s", name, why);
}

int cli_need(const Cli *cli, CliOption option, const char *name) {
        if (cli->values[option])
                return CLI_OK;
        return cli_usage_error(cli, "--%s is missing", name);
}

int cli_open(const Cli *cli, Config **ret_config, DbConn **ret_conn) {
        int r;

        r = cli_load(cli, ret_config);
        return r == CLI_OK ? cli_connect(cli, *ret_config, ret_conn) : r;
}

/* One line, not echoed where somebody types it. */
static bool cli_read_password(char ret_password[CLI_PASSWORD_MAX]) {
        struct termios saved, quiet;
        bool is_tty = tcgetattr(STDIN_FILENO, &saved) == 0;
        bool is_read;

        if (is_tty) {
                quiet = saved;
                quiet.c_lflag &= ~(tcflag_t)ECHO;
                fputs("Password: ", stderr);
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        }
        is_read = fgets(ret_password, CLI_PASSWORD_MAX, stdin) != NULL;
        if (is_tty) {
                (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
                fputc('\n', stderr);
        }
        if (is_read)
                ret_password[strcspn(ret_password, "\r\n")] = '\0';
        return is_read;
}

static int cli_hash_password(const Cli *cli, char ret_hash[PASSWORD_SIZE]) {
        char password[CLI_PASSWORD_MAX];
        int r;

        if (!cli_read_password(password))
                return cli_usage_error(cli, "no password on standard input");
        if (strlen(password) < CLI_PASSWORD_MIN) {
                secret_wipe(password, sizeof(password));
                return cli_usage_error(cli,
                                       "the password is too short: at least %d characters",
                                       CLI_PASSWORD_MIN);
        }
        r = password_hash(password, ret_hash);
        secret_wipe(password, sizeof(password));
        return r == 0 ? CLI_OK : cli_fault(cli, "the password cannot be hashed");
}

/* ---- users -------------------------------------------------------------------------------- */

int cli_user_add(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *role_text = cli->values[CLI_ROLE] ? cli->values[CLI_ROLE] : "user";
        char hash[PASSWORD_SIZE];
        int64_t id;
        Role role;
        int r;

        r = cli_check_name(cli, cli->operands[0], true);
        if (r == CLI_OK && !role_from_name(role_text, &role))
                r = cli_usage_error(cli, "bad role '%s': allowed: user, viewer, admin", role_text);
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r == CLI_OK)
                r = cli_hash_password(cli, hash);
        if (r != CLI_OK)
                return r;

        r = db_admin_user_add(conn, cli->operands[0], role, hash, &id);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("user %s: id %lld, role %s\n", cli->operands[0], (long long)id, role_name(role));
        return CLI_OK;
}

int cli_user_token(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        CLEANUP(ws_auth_free) WsAuth *auth = NULL;
        CLEANUP(secret_free) char *jwt = NULL;
        const char *name = cli->operands[0];
        double ttl = CLI_TTL_DEFAULT;
        DbUser user;
        int r;

        r = cli_number(cli, CLI_TTL, 1, CLI_TTL_MAX, &ttl);
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;

        r = db_admin_user_get(conn, name, &user);
        if (r != 0)
                return cli_db_result(cli, conn, r, name);
        if (!user.is_active)
                return cli_fault(cli, "%s: is disabled", name);
        r = ws_auth_new(&auth, &config->auth);
        if (r == 0)
                r = ws_auth_mint(auth,
                                 &(WsSubject){ .name = name,
                                               .id = user.id,
                                               .generation = user.generation },
                                 clock_now_us(),
                                 (int)ttl,
                                 &jwt);
        if (r > 0)
                return cli_usage_error(cli,
                                       "needs auth.jwt_secret_file, and HS256 among "
                                       "auth.algorithms");
        if (r < 0)
                return cli_fault(cli, "%s", err_text(r));
        printf("%s\n", jwt);
        return CLI_OK;
}

static int cli_user_set_active(const Cli *cli, bool is_active) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_listing_user_active(conn, cli->operands[0], is_active);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("user %s: %s\n", cli->operands[0], is_active ? "enabled" : "disabled");
        return CLI_OK;
}

int cli_user_identifier(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *identifier = cli->n_operands > 1 ? cli->operands[1] : NULL;
        int r = CLI_OK;

        if (identifier)
                r = cli_check_name(cli, identifier, true);
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_admin_user_identifier(conn, cli->operands[0], identifier);
        if (r != 0)
                return cli_db_result(cli,
                                     conn,
                                     r,
                                     r == DB_E_EXISTS ? identifier : cli->operands[0]);
        printf("user %s: %s%s\n",
               cli->operands[0],
               identifier ? "identifier " : "no identifier",
               identifier ? identifier : "");
        return CLI_OK;
}

int cli_user_enable(const Cli *cli) {
        return cli_user_set_active(cli, true);
}

int cli_user_disable(const Cli *cli) {
        return cli_user_set_active(cli, false);
}

typedef int (*CliToOneFn)(DbConn *conn, const char *name);

/* Does it to the one that is named; @done says what. */
static int cli_to_one(const Cli *cli, const char *kind, CliToOneFn change, const char *done) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = change(conn, cli->operands[0]);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("%s %s: %s\n", kind, cli->operands[0], done);
        return CLI_OK;
}

int cli_user_revoke(const Cli *cli) {
        return cli_to_one(cli, "user", db_admin_user_revoke, "every token ended");
}

int cli_user_delete(const Cli *cli) {
        return cli_to_one(cli, "user", db_admin_user_delete, "deleted");
}

int cli_device_delete(const Cli *cli) {
        return cli_to_one(cli, "device", db_admin_device_delete, "deleted");
}

int cli_vehicle_delete(const Cli *cli) {
        return cli_to_one(cli, "vehicle", db_admin_vehicle_delete, "deleted");
}

int cli_group_delete(const Cli *cli) {
        return cli_to_one(cli, "group", db_admin_group_delete, "deleted");
}

int cli_user_password(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        char hash[PASSWORD_SIZE];
        int r;

        r = cli_open(cli, &config, &conn);
        if (r == CLI_OK)
                r = cli_hash_password(cli, hash);
        if (r != CLI_OK)
                return r;
        r = db_admin_user_password(conn, cli->operands[0], hash);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("user %s: password changed, every token ended\n", cli->operands[0]);
        return CLI_OK;
}

/* ---- lists -------------------------------------------------------------------------------- */

static void cli_print_row(void *arg, const char *const fields[], size_t n_fields) {
        (void)arg;
        for (size_t i = 0; i < n_fields; ++i)
                printf("%s%s", i ? "\t" : "", *fields[i] ? fields[i] : "-");
        putchar('\n');
}

static int cli_list(const Cli *cli, DbListing listing) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_listing(conn, listing, cli_print_row, NULL);
        return cli_db_result(cli, conn, r, "list");
}

int cli_user_list(const Cli *cli) {
        return cli_list(cli, DB_LISTING_USERS);
}

int cli_device_list(const Cli *cli) {
        return cli_list(cli, DB_LISTING_DEVICES);
}

int cli_vehicle_list(const Cli *cli) {
        return cli_list(cli, DB_LISTING_VEHICLES);
}

/* ---- devices ------------------------------------------------------------------------------ */

static int cli_read_pepper(const Cli *cli, const Config *config, char **ret_pepper) {
        const char *file = config->auth.token_pepper_file;
        int r;

        if (!file)
                return cli_usage_error(cli,
                                       "auth.token_pepper_file is not set: device tokens are "
                                       "hashed with it");
        r = secret_read_file(file, ret_pepper);
        if (r == SECRET_E_MISSING)
                return cli_usage_error(cli, "auth.token_pepper_file %s: cannot be read", file);
        if (r == SECRET_E_INVALID)
                return cli_usage_error(cli,
                                       "auth.token_pepper_file %s: empty, too large, or readable "
                                       "by others (chmod 600)",
                                       file);
        return r == 0 ? CLI_OK : cli_fault(cli, "%s: %s", file, err_text(r));
}

static int cli_make_token(const Cli *cli,
                          const Config *config,
                          char ret_token[SECRET_TOKEN_SIZE],
                          uint8_t ret_hash[SECRET_HASH_SIZE]) {
        CLEANUP(secret_free) char *pepper = NULL;
        int r;

        r = cli_read_pepper(cli, config, &pepper);
        if (r != CLI_OK)
                return r;
        r = secret_token_new(ret_token);
        if (r == 0)
                r = secret_token_hash(text_of(pepper), text_of(ret_token), ret_hash);
        return r == 0 ? CLI_OK : cli_fault(cli, "no token can be made");
}

int cli_device_add(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        char token[SECRET_TOKEN_SIZE];
        uint8_t hash[SECRET_HASH_SIZE];
        DbDeviceNew device = { 0 };
        int64_t id;
        int r;

        r = cli_check_name(cli, cli->operands[0], false);
        if (r == CLI_OK)
                r = cli_need(cli, CLI_USER, "user");
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r == CLI_OK)
                r = cli_make_token(cli, config, token, hash);
        if (r != CLI_OK)
                return r;

        device.code = cli->operands[0];
        device.user = cli->values[CLI_USER];
        device.name = cli->values[CLI_NAME];
        device.type = cli->values[CLI_TYPE];
        device.token_hash = hash;
        r = db_admin_device_add(conn, &device, &id);
        if (r == DB_E_NOT_FOUND)
                return cli_db_result(cli, conn, r, cli->values[CLI_USER]);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("%s\n", token);
        secret_wipe(token, sizeof(token));
        return CLI_OK;
}

int cli_device_rotate(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        char token[SECRET_TOKEN_SIZE];
        uint8_t hash[SECRET_HASH_SIZE];
        int r;

        r = cli_open(cli, &config, &conn);
        if (r == CLI_OK)
                r = cli_make_token(cli, config, token, hash);
        if (r != CLI_OK)
                return r;

        r = db_admin_device_token(conn, cli->operands[0], hash);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("%s\n", token);
        secret_wipe(token, sizeof(token));
        return CLI_OK;
}

int cli_device_uplink(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *word = cli->operands[1];
        bool may = strcmp(word, "on") == 0;
        int r;

        if (!may && strcmp(word, "off") != 0)
                return cli_usage_error(cli, "%s: neither on nor off", word);
        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_admin_device_uplink(conn, cli->operands[0], may);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("device %s: uplink %s\n", cli->operands[0], word);
        return CLI_OK;
}

int cli_device_revoke(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_admin_device_token(conn, cli->operands[0], NULL);
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("device %s: token revoked\n", cli->operands[0]);
        return CLI_OK;
}

/* ---- vehicles and groups ------------------------------------------------------------------ */

static int cli_vehicle_add_as(const Cli *cli, DbConn *conn, int64_t id) {
        DbTaken taken;
        int r;

        r = db_admin_vehicle_add_as(conn,
                                    cli->operands[0],
                                    cli->values[CLI_USER],
                                    cli->values[CLI_NAME],
                                    id,
                                    &taken);
        if (r == DB_E_EXISTS && taken == DB_TAKEN_ID)
                return cli_fault(cli,
                                 "id %lld: another vehicle has it: tidegate vehicle list",
                                 (long long)id);
        if (r == DB_E_EXISTS && taken == DB_TAKEN_HISTORY)
                return cli_fault(cli,
                                 "id %lld: there is history of a vehicle that had it, which would "
                                 "be this one's",
                                 (long long)id);
        return cli_db_result(cli,
                             conn,
                             r,
                             r == DB_E_NOT_FOUND ? cli->values[CLI_USER] : cli->operands[0]);
}

int cli_vehicle_add(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *code = cli->operands[0];
        const char *wanted = cli->values[CLI_ID];
        uint64_t number = 0;
        int64_t id;
        int r;

        r = cli_check_name(cli, code, false);
        if (r == CLI_OK)
                r = cli_need(cli, CLI_USER, "user");
        if (r == CLI_OK && wanted &&
            (!text_to_number(text_of(wanted), CLI_ID_MAX, &number) || number == 0))
                r = cli_usage_error(cli, "--id '%s': allowed: 1 to %lld", wanted, CLI_ID_MAX);
        if (r == CLI_OK)
                r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;

        if (wanted) {
                r = cli_vehicle_add_as(cli, conn, (int64_t)number);
                if (r == CLI_OK)
                        printf("vehicle %s: id %s\n", code, wanted);
                return r;
        }
        r = db_admin_vehicle_add(conn, code, cli->values[CLI_USER], cli->values[CLI_NAME], &id);
        if (r == DB_E_NOT_FOUND)
                return cli_db_result(cli, conn, r, cli->values[CLI_USER]);
        if (r != 0)
                return cli_db_result(cli, conn, r, code);
        printf("vehicle %s: id %lld\n", code, (long long)id);
        return CLI_OK;
}

int cli_group_add(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *const *devices = (const char *const *)cli->operands + 1;
        int64_t id;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        r = db_admin_group_add(conn, cli->operands[0], devices, cli->n_operands - 1, &id);
        if (r == DB_E_NOT_FOUND)
                return cli_db_result(cli, conn, r, "one of the devices");
        if (r == DB_E_EXISTS) {
                printf("group %s: has them already\n", cli->operands[0]);
                return CLI_OK;
        }
        if (r != 0)
                return cli_db_result(cli, conn, r, cli->operands[0]);
        printf("group %s: id %lld, %zu devices\n",
               cli->operands[0],
               (long long)id,
               cli->n_operands - 1);
        return CLI_OK;
}

int cli_group_remove(const Cli *cli) {
        CLEANUP(config_free) Config *config = NULL;
        CLEANUP(db_conn_free) DbConn *conn = NULL;
        const char *const *devices = (const char *const *)cli->operands + 1;
        const char *name = cli->operands[0];
        char what[2 * CLI_NAME_MAX];
        size_t n = 0;
        int r;

        r = cli_open(cli, &config, &conn);
        if (r != CLI_OK)
                return r;
        snprintf(what, sizeof(what), "group %s or one of the devices", name);
        r = db_admin_group_remove(conn, name, devices, cli->n_operands - 1, &n);
        if (r != 0)
                return cli_db_result(cli, conn, r, what);
        if (n == 0)
                printf("group %s: has none of them\n", name);
        else
                printf("group %s: %zu taken out\n", name, n);
        return CLI_OK;
}
