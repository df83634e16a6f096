#include "db/follow/changes.h"

#include "base/buf.h"

/* As they are called in notifications; NULL: nobody tells of its rows. */
static const char *const change_tables[REGISTRY_TABLE_COUNT] = {
        [REGISTRY_USER] = "users",
        [REGISTRY_DEVICE] = "devices",
        [REGISTRY_VEHICLE] = "vehicles",
        [REGISTRY_GROUP] = "groups",
        [REGISTRY_DEVICE_GROUP] = "device_groups",
        [REGISTRY_SHARE] = "shares",
        [REGISTRY_ZONES] = "zones",
};

void db_changes_reset(DbChanges *changes) {
        changes->n = 0;
        changes->too_many = false;
}

/* "<table> <op> <id> [<id>]" */
static bool change_parse(const char *text, DbChange *ret_change) {
        for (RegistryTable table = 0; table < REGISTRY_TABLE_COUNT; ++table) {
                size_t n = change_tables[table] ? strlen(change_tables[table]) : 0;
                const char *op_end;
                char *id_end;

                if (n == 0 || strncmp(text, change_tables[table], n) != 0 || text[n] != ' ')
                        continue;
                op_end = strchr(text + n + 1, ' ');
                if (!op_end)
                        return false;
                ret_change->table = table;
                ret_change->id = strtoll(op_end, &id_end, 10);
                ret_change->other_id = strtoll(id_end, NULL, 10);
                return id_end != op_end;
        }
        return false;
}

static bool changes_have(const DbChanges *changes, const DbChange *change) {
        for (size_t i = 0; i < changes->n; ++i)
                if (changes->items[i].table == change->table &&
                    changes->items[i].id == change->id &&
                    changes->items[i].other_id == change->other_id)
                        return true;
        return false;
}

void db_changes_hear(DbChanges *changes, const char *text) {
        DbChange change = { .table = REGISTRY_USER };
        bool is_clear = change_parse(text, &change);

        if (is_clear && (changes->too_many || changes_have(changes, &change)))
                return;
        if (is_clear && changes->n < DB_CHANGES_MAX)
                changes->items[changes->n++] = change;
        else
                changes->too_many = true;
}

void db_changes_settle(DbChanges *changes, RegistryTable table) {
        size_t n = 0;

        for (size_t i = 0; i < changes->n; ++i)
                if (changes->items[i].table != table)
                        changes->items[n++] = changes->items[i];
        changes->n = n;
}

bool db_changes_ids(const DbChanges *changes, RegistryTable table, Buf *ret_ids) {
        buf_append_char(ret_ids, '{');
        for (size_t i = 0; i < changes->n; ++i) {
                if (changes->items[i].table != table)
                        continue;
                if (ret_ids->n > 1)
                        buf_append_char(ret_ids, ',');
                buf_json_int(ret_ids, changes->items[i].id);
        }
        buf_append_char(ret_ids, '}');
        return ret_ids->n > 2;
}
