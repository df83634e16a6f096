#include "gateway/move/columns.h"

#include <stdio.h>
#include <strings.h>

#include "base/name.h"
#include "base/password/password.h"
#include "base/secret.h"
#include "base/text.h"
#include "model/account.h"

#define COLUMNS_ID_MAX UINT64_C(999999999999999) /* that JavaScript and doubles know exactly */
#define COLUMNS_LOCKED "!"                       /* a hash that no password has */

typedef struct Column Column;
typedef int (*ColumnFn)(Columns *columns, DbImportValue to, const RowCell *cell);

struct Column {
        unsigned kinds; /* bits: 1 << RowKind */
        const char *name;
        DbImportValue to;
        ColumnFn take;
};

/* ---- values ------------------------------------------------------------------------------- */

static int columns_say(Columns *columns, int r, const char *column, const char *why) {
        columns->column = column;
        columns->why = why;
        return r;
}

static int columns_set(Columns *columns, DbImportValue to, const char *text) {
        snprintf(columns->texts[to], COLUMN_TEXT_MAX, "%s", text);
        columns->values[to] = columns->texts[to];
        return 0;
}

static int columns_refuse(Columns *columns, const RowCell *cell, const char *why) {
        return columns_say(columns, COLUMNS_E_REFUSED, cell->column, why);
}

/* `user` may say an id as well, `id:7`, beside `user_id`. */
static int columns_set_id(Columns *columns, DbImportValue to, const RowCell *cell, const char *id) {
        if (columns->values[to] && strcmp(columns->values[to], id) != 0)
                return columns_refuse(columns, cell, "is another id than the other column says");
        return columns_set(columns, to, id);
}

static int column_id(Columns *columns, DbImportValue to, const RowCell *cell) {
        uint64_t id;

        if (!text_to_number(text_of(cell->value), COLUMNS_ID_MAX, &id) || id == 0 ||
            *cell->value == '0')
                return columns_refuse(columns, cell, "is no id: allowed are 1 to 999999999999999");
        return columns_set_id(columns, to, cell, cell->value);
}

/* Columns of one thing may both say what it is called, and then have to say the same. */
static int columns_set_called(Columns *columns, DbImportValue to, const RowCell *cell) {
        assert(cell->value);
        if (columns->values[to] && strcmp(columns->values[to], cell->value) != 0)
                return columns_refuse(columns, cell, "is not what the other column says");
        return columns_set(columns, to, cell->value);
}

static int column_called(Columns *columns, DbImportValue to, const RowCell *cell, const char *why) {
        return why ? columns_refuse(columns, cell, why) : columns_set_called(columns, to, cell);
}

static int column_name(Columns *columns, DbImportValue to, const RowCell *cell) {
        return column_called(columns, to, cell, name_refusal(text_of(cell->value)));
}

static int column_user_name(Columns *columns, DbImportValue to, const RowCell *cell) {
        return column_called(columns, to, cell, name_user_refusal(text_of(cell->value)));
}

static int column_label(Columns *columns, DbImportValue to, const RowCell *cell) {
        if (strlen(cell->value) > COLUMN_LABEL_MAX)
                return columns_refuse(columns, cell, "is longer than 256 bytes");
        if (!name_is_printable(text_of(cell->value)))
                return columns_refuse(columns, cell, "has control characters");
        return columns_set(columns, to, cell->value);
}

static bool column_is_uuid(const RowCell *cell) {
        bool is_one = strlen(cell->value) == 36;

        for (size_t i = 0; is_one && i < 36; ++i)
                is_one = i == 8 || i == 13 || i == 18 || i == 23
                                 ? cell->value[i] == '-'
                                 : text_hex_digit(cell->value[i]) >= 0;
        return is_one;
}

/* An id that is a UUID is none of ours: it is what its user is called in topics. */
static int column_user_id(Columns *columns, DbImportValue to, const RowCell *cell) {
        return column_is_uuid(cell) ? columns_set_called(columns, DB_IMPORT_IDENTIFIER, cell)
                                    : column_id(columns, to, cell);
}

static int column_owner_id(Columns *columns, DbImportValue to, const RowCell *cell) {
        return column_is_uuid(cell) ? columns_set_called(columns, DB_IMPORT_USER_NAME, cell)
                                    : column_id(columns, to, cell);
}

/* By name, or by id: the value behind it. */
static int column_ref(Columns *columns, DbImportValue to, const RowCell *cell) {
        Text text = text_of(cell->value);
        int64_t id = name_said_id(text) != 0 ? name_said_id(text) : name_spelt_id(text);
        char digits[24];

        if (id == 0)
                return columns_set_called(columns, to, cell);
        snprintf(digits, sizeof(digits), "%lld", (long long)id);
        return columns_set_id(columns, to + 1, cell, digits);
}

static int column_role(Columns *columns, DbImportValue to, const RowCell *cell) {
        for (Role role = ROLE_VIEWER; role <= ROLE_ADMIN; ++role)
                if (strcasecmp(cell->value, role_name(role)) == 0) /* enums of others: ADMIN */
                        return columns_set(columns, to, role_name(role));
        return columns_refuse(columns, cell, "is no role: allowed are user, viewer, admin");
}

static int column_bool(Columns *columns, DbImportValue to, const RowCell *cell) {
        static const char *const words[][2] = {
                { "true", "false" }, { "t", "f" }, { "1", "0" }, { "yes", "no" }, { "on", "off" },
        };

        for (size_t i = 0; i < N_ELEMENTS(words); ++i)
                for (size_t k = 0; k < 2; ++k)
                        if (strcasecmp(cell->value, words[i][k]) == 0)
                                return columns_set(columns, to, k == 0 ? "true" : "false");
        return columns_refuse(columns, cell, "is neither true nor false");
}

static int column_uuid(Columns *columns, DbImportValue to, const RowCell *cell) {
        return column_is_uuid(cell) ? columns_set(columns, to, cell->value)
                                    : columns_refuse(columns, cell, "is no UUID");
}

/* ---- secrets: never said ------------------------------------------------------------------ */

static const char *column_hash_why(int r) {
        switch (r) {
        case PASSWORD_E_BROKEN:
                return "is malformed; taken without a password";
        case PASSWORD_E_COSTLY:
                return "asks for more memory or time than is allowed; taken without a password";
        case PASSWORD_E_ABSENT:
                return "needs libargon2, which is not built in; taken without a password";
        default:
                return "is of no form that can be checked; taken without a password";
        }
}

static int column_hash(Columns *columns, DbImportValue to, const RowCell *cell) {
        int r = password_look(text_of(cell->value), NULL);

        (void)columns_set(columns, to, r == 0 ? cell->value : COLUMNS_LOCKED);
        return r == 0 ? 0 : columns_say(columns, COLUMNS_E_NOTED, cell->column, column_hash_why(r));
}

/* What cannot be looked up: found by the name of its device. */
static int column_token_bcrypt(Columns *columns, DbImportValue to, const RowCell *cell) {
        char hex[2 + SECRET_SHA256_SIZE] = "\\x";
        int r = password_look(text_of(cell->value), NULL);

        if (r == PASSWORD_E_COSTLY)
                return columns_say(columns,
                                   COLUMNS_E_NOTED,
                                   cell->column,
                                   "asks for more time than is allowed; taken without a token");
        if (r != 0 || secret_sha256_hex(text_of(cell->value), hex + 2) != 0)
                return columns_say(columns,
                                   COLUMNS_E_NOTED,
                                   cell->column,
                                   "is malformed; taken without a token");
        (void)columns_set(columns, DB_IMPORT_TOKEN_FORM, "bcrypt");
        (void)columns_set(columns, DB_IMPORT_TOKEN_TEXT, cell->value);
        return columns_set(columns, to, hex);
}

static int column_token(Columns *columns, DbImportValue to, const RowCell *cell) {
        char hex[2 + 64 + 1] = "\\x";
        size_t n = 0;

        if (strncmp(cell->value, "$2", 2) == 0)
                return column_token_bcrypt(columns, to, cell);

        while (text_hex_digit(cell->value[n]) >= 0)
                ++n;
        if (n != 64 || cell->value[n] != '\0')
                return columns_say(columns,
                                   COLUMNS_E_NOTED,
                                   cell->column,
                                   "is neither a SHA-256 in hex nor a bcrypt; taken without a "
                                   "token");
        for (size_t i = 0; i < n; ++i) /* one form, as two that are the same have to be found */
                hex[2 + i] = "0123456789abcdef"[text_hex_digit(cell->value[i])];
        hex[2 + 64] = '\0';
        (void)columns_set(columns, DB_IMPORT_TOKEN_FORM, "sha256");
        return columns_set(columns, to, hex);
}

/* ---- columns ------------------------------------------------------------------------------ */

#define USERS    (1U << ROW_USERS)
#define DEVICES  (1U << ROW_DEVICES)
#define VEHICLES (1U << ROW_VEHICLES)
#define GROUPS   (1U << ROW_GROUPS)
#define SHARES   (1U << ROW_SHARES)

/* clang-format off */
static const Column columns_ours[] = {
        { USERS, "id", DB_IMPORT_ID, column_user_id },
        { DEVICES | VEHICLES | GROUPS, "id", DB_IMPORT_ID, column_id },
        { USERS, "username", DB_IMPORT_NAME, column_user_name },
        { USERS, "password_hash", DB_IMPORT_HASH, column_hash },
        { USERS, "role", DB_IMPORT_ROLE, column_role },
        { USERS, "identifier", DB_IMPORT_IDENTIFIER, column_user_name },
        { DEVICES | VEHICLES, "code", DB_IMPORT_NAME, column_name },
        { DEVICES | VEHICLES | SHARES, "user", DB_IMPORT_USER_NAME, column_ref },
        { DEVICES | VEHICLES | SHARES, "user_id", DB_IMPORT_USER_ID, column_owner_id },
        { DEVICES | VEHICLES, "name", DB_IMPORT_LABEL, column_label },
        { DEVICES, "product_type", DB_IMPORT_PRODUCT, column_label },
        { DEVICES, "device_type", DB_IMPORT_TYPE, column_label },
        { DEVICES, "firmware_version", DB_IMPORT_FIRMWARE, column_label },
        { DEVICES, "location", DB_IMPORT_LOCATION, column_label },
        { DEVICES, "token_hash", DB_IMPORT_TOKEN, column_token },
        { DEVICES, "key", DB_IMPORT_KEY, column_uuid },
        { USERS | DEVICES | VEHICLES, "is_active", DB_IMPORT_ACTIVE, column_bool },
        { GROUPS, "name", DB_IMPORT_NAME, column_label },
        { GROUPS | SHARES, "device", DB_IMPORT_DEVICE_CODE, column_ref },
        { GROUPS | SHARES, "device_id", DB_IMPORT_DEVICE_ID, column_id },
        { SHARES, "vehicle", DB_IMPORT_VEHICLE_CODE, column_ref },
        { SHARES, "vehicle_id", DB_IMPORT_VEHICLE_ID, column_id },
        { SHARES, "group", DB_IMPORT_GROUP_NAME, column_ref },
        { SHARES, "group_id", DB_IMPORT_GROUP_ID, column_id },
};

_Static_assert(N_ELEMENTS(columns_ours) <= COLUMNS_MAX, "each of ours has a place");

/* What the tables of other systems call it. */
static const struct {
        const char *from;
        unsigned kinds;
        const char *theirs, *ours;
} columns_theirs[] = {
        { "people-counter", DEVICES, "device_id", "code" },
        { "energy", DEVICES, "device_id", "code" },
        { "energy", DEVICES, "device_token_hash", "token_hash" },
        { "energy", USERS, "hashed_password", "password_hash" },
        { "device-hub", DEVICES, "device_code", "code" },
        { "device-hub", USERS, "hashed_password", "password_hash" },
        { "device-hub", USERS, "user_identifier", "identifier" },
        { "vehicles", USERS, "email", "username" },
        { "vehicles", VEHICLES, "registration_code", "code" },
        { "cameras", USERS, "hashed_password", "password_hash" },
        { "cameras", DEVICES, "camera_id", "code" },
        { "cameras", DEVICES, "camera_type", "product_type" },
};
/* clang-format on */

bool columns_know(const char *from) {
        for (size_t i = 0; i < N_ELEMENTS(columns_theirs); ++i)
                if (strcmp(columns_theirs[i].from, from) == 0)
                        return true;
        return false;
}

static const char *columns_name(const char *from, RowKind kind, const char *theirs) {
        for (size_t i = 0; from && i < N_ELEMENTS(columns_theirs); ++i)
                if (strcmp(columns_theirs[i].from, from) == 0 &&
                    columns_theirs[i].kinds & 1U << kind &&
                    strcmp(columns_theirs[i].theirs, theirs) == 0)
                        return columns_theirs[i].ours;
        return theirs;
}

void columns_begin(Columns *columns) {
        for (size_t i = 0; i < DB_IMPORT_VALUE_COUNT; ++i)
                columns->values[i] = NULL;
        for (size_t i = 0; i < COLUMNS_MAX; ++i)
                columns->said[i] = NULL;
        columns->column = columns->why = "";
}

static const Column *columns_find(const char *from, RowKind kind, const char *theirs) {
        const char *name = columns_name(from, kind, theirs);

        for (size_t i = 0; i < N_ELEMENTS(columns_ours); ++i)
                if (columns_ours[i].kinds & 1U << kind && strcmp(columns_ours[i].name, name) == 0)
                        return &columns_ours[i];
        return NULL;
}

bool columns_want(const char *from, RowKind kind, const char *column) {
        return columns_find(from, kind, column) != NULL;
}

int columns_put(Columns *columns, const char *from, RowKind kind, const RowCell *cell) {
        const Column *column = columns_find(from, kind, cell->column);
        const char **said;

        if (!column)
                return columns_say(columns, COLUMNS_E_UNKNOWN, cell->column, "is not taken");
        said = &columns->said[column - columns_ours];
        if (*said) {
                snprintf(columns->reason,
                         sizeof(columns->reason),
                         "is for the same thing as the column %s: one of them is wanted",
                         *said);
                return columns_refuse(columns, cell, columns->reason);
        }
        *said = cell->column;
        return column->take(columns, column->to, cell);
}

/* ---- what a row needs --------------------------------------------------------------------- */

static void columns_default(Columns *columns, DbImportValue to, const char *text) {
        if (!columns->values[to])
                (void)columns_set(columns, to, text);
}

/* What that system has of each is a camera, whatever kind of one, or a scanner: as one that
 * registers itself. */
static void columns_default_type(Columns *columns, const char *from, RowKind kind) {
        if (kind != ROW_DEVICES || !from)
                return;
        if (strcmp(from, "cameras") == 0)
                columns_default(columns, DB_IMPORT_TYPE, "camera");
        else if (strcmp(from, "people-counter") == 0)
                columns_default(columns, DB_IMPORT_TYPE, "ble_scanner");
}

static bool columns_has(const Columns *columns, DbImportValue name, DbImportValue id) {
        return columns->values[name] || columns->values[id];
}

static int columns_end_share(Columns *columns) {
        int n = columns_has(columns, DB_IMPORT_VEHICLE_CODE, DB_IMPORT_VEHICLE_ID) +
                columns_has(columns, DB_IMPORT_DEVICE_CODE, DB_IMPORT_DEVICE_ID) +
                columns_has(columns, DB_IMPORT_GROUP_NAME, DB_IMPORT_GROUP_ID);

        if (!columns_has(columns, DB_IMPORT_USER_NAME, DB_IMPORT_USER_ID))
                return columns_say(columns, COLUMNS_E_REFUSED, "user", "is missing");
        if (n != 1)
                return columns_say(columns,
                                   COLUMNS_E_REFUSED,
                                   "",
                                   "wants one of vehicle, device and group");
        return 0;
}

int columns_end(Columns *columns, const char *from, RowKind kind) {
        static const char *const names[] = { [ROW_USERS] = "username",
                                             [ROW_DEVICES] = "code",
                                             [ROW_VEHICLES] = "code",
                                             [ROW_GROUPS] = "name" };

        if (kind == ROW_SHARES)
                return columns_end_share(columns);
        /* That system knows vehicles by their ids alone, and so do its clients. */
        if (kind == ROW_VEHICLES && from && strcmp(from, "vehicles") == 0 &&
            !columns->values[DB_IMPORT_NAME] && columns->values[DB_IMPORT_ID]) {
                snprintf(columns->texts[DB_IMPORT_NAME],
                         COLUMN_TEXT_MAX,
                         "vehicle-%s",
                         columns->values[DB_IMPORT_ID]);
                columns->values[DB_IMPORT_NAME] = columns->texts[DB_IMPORT_NAME];
        }
        if (!columns->values[DB_IMPORT_NAME])
                return columns_say(columns, COLUMNS_E_REFUSED, names[kind], "is missing");
        columns_default_type(columns, from, kind);
        columns_default(columns, DB_IMPORT_ROLE, "user");
        columns_default(columns, DB_IMPORT_ACTIVE, "true");
        columns_default(columns, DB_IMPORT_TOKEN_FORM, "keyed");
        if (kind == ROW_USERS && !columns->values[DB_IMPORT_HASH]) {
                columns_default(columns, DB_IMPORT_HASH, COLUMNS_LOCKED);
                return columns_say(columns,
                                   COLUMNS_E_NOTED,
                                   "password_hash",
                                   "is missing; taken without a password");
        }
        return 0;
}
