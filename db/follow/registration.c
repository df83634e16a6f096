#include "db/follow/registration.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/err.h"
#include "base/json_out.h"
#include "db/follow/directory.h"
#include "db/trouble.h"

DEFINE_CLEANUP(char *, free);

enum {
        REGISTRATION_ID_SIZE = 24,
        REGISTRATION_TRIES = 2,
};

static char *registration_string(Text text) {
        return text.data ? strndup(text.data, text.n) : NULL;
}

/* Does the table take anybody? A copy of a device, as far as we fill one in, with a code of its
 * own; nothing of it stays. */
static int registration_try(DbConn *conn) {
        static const char *const steps[] = {
                "BEGIN",
                "SET CONSTRAINTS ALL IMMEDIATE",
                "INSERT INTO devices (code, user_id, name, device_type)"
                " SELECT coalesce(d.code, '') || trunc(random() * 1e15)::bigint, d.user_id, d.name,"
                " d.device_type FROM (SELECT 1) one LEFT JOIN LATERAL"
                " (SELECT * FROM devices ORDER BY length(code), id LIMIT 1) d ON true",
        };
        int r = 0, r_end;

        for (size_t i = 0; i < N_ELEMENTS(steps) && r == 0; ++i)
                r = db_conn_exec(conn, &(DbQuery){ .sql = steps[i] }, NULL);
        if (r == DB_E_OFFLINE || r < 0)
                return r < 0 ? err_up(r) : r;
        r_end = db_conn_exec(conn, &(DbQuery){ .sql = "ROLLBACK" }, NULL);
        if (r_end != 0)
                return r_end < 0 ? err_up(r_end) : r_end;
        return r;
}

/* A device was refused. It is the device's own fault only if another one is taken. */
static int registration_judge(DbConn *conn) {
        int r;

        if (!db_trouble_may_be_rows(db_trouble(db_conn_sqlstate(conn))))
                return DB_E_REFUSED;
        r = registration_try(conn);
        if (r == 0)
                return DB_E_REJECTED;
        if (r == DB_E_REJECTED)
                return DB_E_REFUSED;
        return r < 0 ? err_up(r) : r;
}

/* Whoever was faster is not in the way: it is there. */
static int registration_insert(DbConn *conn, const char *const args[]) {
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "INSERT INTO devices (code, user_id, name, device_type)"
                                     " VALUES ($1, $2::bigint, $3, $4)"
                                     " ON CONFLICT (code) DO NOTHING",
                                     4,
                                     args },
                         NULL);
        if (r == DB_E_REJECTED)
                r = registration_judge(conn);
        return r < 0 ? err_up(r) : r;
}

/* Between the two it may be deleted; then it may come anew. */
static int registration_make(DbConn *conn, const char *const args[], RegistryDelta **ret_delta) {
        int r = DB_E_NOT_FOUND;

        for (int i = 0; i < REGISTRATION_TRIES && r == DB_E_NOT_FOUND; ++i) {
                r = registration_insert(conn, args);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                r = db_directory_find(conn, args[0], ret_delta);
        }
        switch (r) {
        case DB_E_REJECTED: /* locked, or not ours to read for now */
                return DB_E_REFUSED;
        case DB_E_NOT_FOUND: /* not under its code: somebody wants it otherwise */
                return DB_E_REJECTED;
        default:
                return r < 0 ? err_up(r) : r;
        }
}

int db_register_device(DbConn *conn,
                       const DbRegistration *registration,
                       RegistryDelta **ret_delta) {
        CLEANUP(free) char *code = registration_string(registration->code);
        CLEANUP(free) char *name = registration_string(registration->name);
        char user[REGISTRATION_ID_SIZE];
        const char *args[] = {
                code, registration->user_id ? user : NULL, name, registration->device_type
        };
        int r;

        if (!code || (registration->name.data && !name))
                return err_new(-ENOMEM);
        snprintf(user, sizeof(user), "%lld", (long long)registration->user_id);
        r = registration_make(conn, args, ret_delta);
        return r < 0 ? err_up(r) : r;
}

void db_registration_add(Buf *list, const DbRegistration *registration) {
        JsonOut out = { .buf = list, .needs_comma = list->n > 0 };

        if (list->n == 0)
                json_out_array(&out, NULL);
        json_out_object(&out, NULL);
        json_out_text(&out, "code", registration->code);
        json_out_text(&out, "name", registration->name);
        if (registration->user_id != 0)
                json_out_int(&out, "user_id", registration->user_id);
        json_out_string(&out, "device_type", registration->device_type);
        json_out_object_end(&out);
}

int db_register_devices(DbConn *conn, const char *list, RegistryDelta **ret_delta) {
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ "INSERT INTO devices (code, user_id, name, device_type)"
                                     " SELECT code, user_id, name, device_type"
                                     " FROM json_to_recordset($1::json) AS x"
                                     " (code text, user_id bigint, name text, device_type text)"
                                     " ORDER BY code ON CONFLICT (code) DO NOTHING",
                                     1,
                                     &list },
                         NULL);
        if (r == 0)
                r = db_directory_find_all(conn, list, ret_delta);
        return r < 0 ? err_up(r) : r;
}
