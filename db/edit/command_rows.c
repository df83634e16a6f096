#include "db/edit/command_rows.h"

#include <libpq-fe.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "db/edit/command_rows_source.h"
#include "db/trouble.h"
#include "db/value.h"
#include "db/visible.h"
#include "model/event.h"

DEFINE_CLEANUP(PGresult *, PQclear);

enum {
        COMMANDS_PENDING_MAX = 1000, /* for one socket at a time */
};

#define IS_CANCELLING  "c.cancelled_at IS NOT NULL AND c." UNFINISHED
#define MICROS(column) "(extract(epoch FROM c." column ") * 1000000)::bigint"
#define BODY                                                                              \
        "c.command_id, CASE WHEN " IS_CANCELLING                                          \
        " THEN 'cancelled' ELSE c.state END, c.device_id,"                                \
        " (SELECT d.code FROM devices d WHERE d.id = c.device_id), c.user_id, c.action, " \
        "c.payload,"                                                                      \
        " CASE WHEN " IS_CANCELLING " THEN c.cancel_message ELSE c.message END, " MICROS( \
                "created_at") ", " MICROS("updated_at") ", " MICROS("expires_at")

#define COMMANDS_LEFT_MS_MAX INT64_C(315360000000)

/* ---- for the readers ---- */

/* The columns of BODY, which begin at @at, as the body of an answer. */
static int commands_answer(const PGresult *result, int at, Answer *answer) {
        Text payload = db_value_text(result, 0, at + 6);
        Text id = db_value_text(result, 0, at);
        Text state = db_value_text(result, 0, at + 1);
        Buf *buf = &answer->bodies[0];
        JsonOut out = { .buf = buf };

        assert(answer->n_bodies == 1);
        snprintf(answer->command_id, sizeof(answer->command_id), "%s", id.data);
        snprintf(answer->state, sizeof(answer->state), "%s", state.data);
        answer->device_id = db_value_int(result, 0, at + 2);

        json_out_object(&out, NULL);
        json_out_text(&out, "command_id", id);
        json_out_text(&out, "state", state);
        json_out_int(&out, "device_id", answer->device_id);
        json_out_text(&out, "device_code", db_value_text(result, 0, at + 3));
        json_out_raw(&out, "user_id", db_value_text(result, 0, at + 4)); /* a number, or null */
        json_out_text(&out, "action", db_value_text(result, 0, at + 5));
        json_out_raw(&out, "payload", payload.data ? payload : TEXT("{}"));
        json_out_text(&out, "message", db_value_text(result, 0, at + 7));
        json_out_time(&out, "created_at", db_value_int(result, 0, at + 8));
        json_out_time(&out, "updated_at", db_value_int(result, 0, at + 9));
        json_out_time(&out, "expires_at", db_value_int(result, 0, at + 10));
        json_out_object_end(&out);
        return buf_failed(buf) ? err_new(-ENOMEM) : 0;
}

/* One statement, so that of two who bring one key at once one inserts and the other sees it. */
static const char commands_insert[] =
        "WITH old AS (SELECT *, CASE WHEN command_id = $1 THEN 202 WHEN action = $4"
        " AND payload::jsonb IS NOT DISTINCT FROM $5::text::jsonb THEN 200 ELSE 409 END AS status"
        " FROM commands WHERE command_id = $1 OR (user_id = $2::bigint"
        " AND device_id = $3::bigint AND idempotency_key = $6)),"
        " made AS (INSERT INTO commands (command_id, user_id, device_id, action, payload,"
        " idempotency_key, expires_at)"
        " SELECT $1, $2::bigint, $3::bigint, $4,"
        " CASE WHEN $5::text::jsonb IS NOT NULL THEN $5::text::json END, $6,"
        " now() + $7::bigint * interval '1 millisecond'"
        " WHERE NOT EXISTS (SELECT FROM old) AND $8::bigint > (SELECT count(*) FROM"
        " (SELECT FROM commands WHERE device_id = $3::bigint AND " OPEN " LIMIT $8::bigint) o)"
        " AND $9::bigint > (SELECT count(*) FROM (SELECT FROM commands"
        " WHERE device_id = $3::bigint AND user_id = $2::bigint AND " OPEN " LIMIT $9::bigint) o)"
        " ON CONFLICT ON CONSTRAINT commands_idempotency DO NOTHING RETURNING *)"
        " SELECT 202, " BODY " FROM made c UNION ALL SELECT c.status, " BODY " FROM old c";

/* The server refused it: because of what is in it, or for reasons of its own. */
static int commands_refused(DbConn *conn, Answer *answer) {
        switch (db_trouble(db_conn_sqlstate(conn))) {
        case DB_TROUBLE_REFERENCE: /* deleted a moment ago */
                answer->status = 404;
                return 0;
        case DB_TROUBLE_VALUE:
                answer->status = 422;
                return 0;
        default:
                return DB_E_REJECTED;
        }
}

/* Nothing was made: is it for what this user has open already? */
static int commands_full(DbConn *conn, const Query *query, Answer *answer) {
        static const char sql[] = "SELECT count(*) FROM commands WHERE device_id = $2::bigint"
                                  " AND user_id = $1::bigint AND " OPEN;
        CLEANUP(PQclear) PGresult *result = NULL;
        char user[COMMANDS_ARG_SIZE], device[COMMANDS_ARG_SIZE];
        const char *args[] = { user, device };
        int r;

        snprintf(user, sizeof(user), "%lld", (long long)query->user_ids[0]);
        snprintf(device, sizeof(device), "%lld", (long long)query->device_id);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        answer->status = 429;
        answer->is_own =
                query->max_own < query->max_pending && db_value_int(result, 0, 0) >= query->max_own;
        return 0;
}

int db_command_rows_add(DbConn *conn, const Query *query, Answer *answer) {
        char user[COMMANDS_ARG_SIZE], device[COMMANDS_ARG_SIZE], timeout[COMMANDS_ARG_SIZE],
                pending[COMMANDS_ARG_SIZE], own[COMMANDS_ARG_SIZE];
        const char *args[] = { query->command_id, user,           device,
                               query->action,     query->payload, query->idempotency_key,
                               timeout,           pending,        own };
        int r;

        snprintf(user, sizeof(user), "%lld", (long long)query->user_ids[0]);
        snprintf(device, sizeof(device), "%lld", (long long)query->device_id);
        snprintf(timeout, sizeof(timeout), "%d", query->timeout_ms);
        snprintf(pending, sizeof(pending), "%d", query->max_pending);
        snprintf(own, sizeof(own), "%d", query->max_own);

        for (int i = 0; i < 2; ++i) { /* again where somebody else was a moment faster */
                CLEANUP(PQclear) PGresult *result = NULL;

                r = db_conn_exec(conn,
                                 &(DbQuery){ commands_insert, N_ELEMENTS(args), args },
                                 &result);
                if (r != 0)
                        answer->status = 503;
                if (r == DB_E_REJECTED)
                        return commands_refused(conn, answer);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                if (PQntuples(result) == 0)
                        continue;
                answer->status = (int)db_value_int(result, 0, 0);
                return commands_answer(result, 1, answer);
        }
        r = commands_full(conn, query, answer);
        return r < 0 ? err_up(r) : r;
}

#define BY_ADMIN "EXISTS (SELECT FROM users u WHERE u.id = $2::bigint AND u.role = 'admin')"
#define BY_OWNER \
        "EXISTS (SELECT FROM devices d WHERE d.id = c.device_id AND d.user_id = $2::bigint)"
/* Who sent it also learns that it was cancelled as he lost the right, but nothing of the device. */
#define SEEN                                                                               \
        "(" DB_SEES_ALL("$2::bigint") " OR " DB_SEES_DEVICE(                               \
                "$2::bigint", "c.device_id") " OR (c.user_id = $2::bigint AND c.state IN " \
                                             "('accepted', 'published', 'cancelled')))"
#define MAY_CANCEL                                       \
        "(tidegate_may_command($2::bigint, c.device_id)" \
        " AND (c.user_id = $2::bigint OR " BY_OWNER " OR " BY_ADMIN "))"
static const char commands_select[] =
        "SELECT " BODY " FROM commands c WHERE c.command_id = $1 AND " SEEN;

int db_command_rows_get(DbConn *conn, const Query *query, Answer *answer) {
        CLEANUP(PQclear) PGresult *result = NULL;
        char user[COMMANDS_ARG_SIZE];
        const char *args[] = { query->command_id, user };
        int r;

        snprintf(user, sizeof(user), "%lld", (long long)query->user_ids[0]);
        r = db_conn_exec(conn, &(DbQuery){ commands_select, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        answer->status = PQntuples(result) == 0 ? 404 : 200;
        return answer->status == 200 ? commands_answer(result, 0, answer) : 0;
}

static const char commands_cancel[] =
        "UPDATE commands c SET cancelled_at = now(), updated_at = now(), expiry_noted_at = NULL,"
        " cancel_message = CASE WHEN c.user_id = $2::bigint THEN 'cancelled by who sent it'"
        " WHEN " BY_OWNER " THEN 'cancelled by the owner of the device'"
        " ELSE 'cancelled by an admin' END" ON_ITS_WAY " WHERE c.command_id = $1 AND " UNPROVEN
        " AND c.expires_at > now() AND " MAY_CANCEL " RETURNING 200, " BODY;

static const char commands_uncancelled[] =
        "SELECT CASE WHEN NOT " MAY_CANCEL " THEN 403"
        " WHEN c.state = 'cancelled' OR " IS_CANCELLING " THEN 200 ELSE 409 END, " BODY
        " FROM commands c WHERE c.command_id = $1 AND " SEEN;

/* The row is marked, in one statement; or it is not, and then why. */
int db_command_rows_cancel(DbConn *conn, const Query *query, Answer *answer) {
        static const char *const sql[] = { commands_cancel, commands_uncancelled };
        char user[COMMANDS_ARG_SIZE];
        const char *args[] = { query->command_id, user };

        snprintf(user, sizeof(user), "%lld", (long long)query->user_ids[0]);
        for (size_t i = 0; i < N_ELEMENTS(sql); ++i) {
                CLEANUP(PQclear) PGresult *result = NULL;
                int r;

                r = db_conn_exec(conn, &(DbQuery){ sql[i], N_ELEMENTS(args), args }, &result);
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                if (PQntuples(result) == 0)
                        continue;
                answer->status = (int)db_value_int(result, 0, 0);
                return commands_answer(result, 1, answer);
        }
        answer->status = 404;
        return 0;
}

void db_command_rows_format(const DbCommand *command, Buf *buf) {
        JsonOut out = { .buf = buf };

        json_out_object(&out, NULL);
        json_out_string(&out, "command_id", command->command_id);
        json_out_string(&out, "action", command->action);
        json_out_raw(&out, "payload", text_of(command->payload ? command->payload : "{}"));
        json_out_object_end(&out);
}

/* Row @i of COLUMNS. */
/* A row that somebody altered may say any time; 10 years are as good as for ever. */
static int64_t commands_left_ms(const PGresult *result, int row, int column) {
        int64_t left_ms = db_value_int(result, row, column);

        if (left_ms < 0)
                return 0;
        return left_ms < COMMANDS_LEFT_MS_MAX ? left_ms : COMMANDS_LEFT_MS_MAX;
}

void db_command_rows_row(const PGresult *result, int i, DbCommand *ret_command) {
        *ret_command = (DbCommand){
                .command_id = PQgetvalue(result, i, 0),
                .action = PQgetvalue(result, i, 1),
                .payload = db_value_text(result, i, 2).data,
                .device_id = db_value_int(result, i, 3),
                .device_code = db_value_text(result, i, 4).data,
                .user_name = db_value_text(result, i, 5).data,
                .left_ms = commands_left_ms(result, i, 6),
                .cancel_message = db_value_text(result, i, 7).data,
        };
}

static int commands_event(const DbCommand *command, Event **ret_event) {
        CLEANUP_BUF Buf buf = { 0 };
        int r;

        db_command_rows_format(command, &buf);
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        r = event_new_command(ret_event,
                              command->device_id,
                              clock_now_us() + command->left_ms * 1000,
                              text_of(command->command_id),
                              buf_text(&buf));
        return r == 0 ? 0 : err_up(r);
}

int db_command_rows_pending(DbConn *conn, const Query *query, Answer *answer) {
        static const char sql[] =
                "SELECT " COLUMNS " FROM commands c WHERE (c.device_id = $1::bigint OR"
                " ($1 = '0' AND c.device_id IN (SELECT id FROM devices WHERE user_id = "
                "$3::bigint)))"
                " AND " WANTED " ORDER BY c.created_at, c.command_id"
                " LIMIT $2::bigint";
        CLEANUP(PQclear) PGresult *result = NULL;
        char device[COMMANDS_ARG_SIZE], limit[COMMANDS_ARG_SIZE], owner[COMMANDS_ARG_SIZE];
        const char *args[] = { device, limit, owner };
        int r;

        snprintf(owner, sizeof(owner), "%lld", (long long)query->owner_id);
        snprintf(device, sizeof(device), "%lld", (long long)query->device_id);
        snprintf(limit, sizeof(limit), "%d", COMMANDS_PENDING_MAX);
        r = db_conn_exec(conn, &(DbQuery){ sql, N_ELEMENTS(args), args }, &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        answer->events = calloc((size_t)PQntuples(result) + 1, sizeof(*answer->events));
        if (!answer->events)
                return err_new(-ENOMEM);
        for (int i = 0; i < PQntuples(result); ++i) {
                DbCommand command;

                db_command_rows_row(result, i, &command);
                r = commands_event(&command, &answer->events[answer->n_events]);
                if (r != 0)
                        return err_up(r);
                ++answer->n_events;
        }
        answer->is_cut = answer->n_events == COMMANDS_PENDING_MAX;
        answer->status = 200;
        return 0;
}
