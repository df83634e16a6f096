#include "gateway/read/answer_once.h"

#include "base/clock.h"
#include "base/err.h"
#include "db/edit/command_rows.h"
#include "db/read/missed.h"
#include "db/read/pages.h"
#include "db/read/statistics.h"
#include "gateway/read/login_cache.h"
#include "gateway/read/reader.h"
#include "model/event.h"

DEFINE_CLEANUP(char *, free);

/* An unknown user costs as much as a wrong password. */
static int answer_once_login(DbConn *conn, LoginCache *cache, const Query *query, Answer *answer) {
        CLEANUP(free) char *hash = NULL;
        int64_t user_id = 0, generation = 0;
        int r;

        r = db_history_login(conn, query->username, &user_id, &generation, &hash);
        if (r != 0 && r != DB_E_NOT_FOUND)
                return r < 0 ? err_up(r) : r;

        if (login_cache_verify(cache, user_id, query->password, hash, clock_mono_us())) {
                answer->user_id = user_id;
                answer->generation = generation;
                answer->status = 200;
        } else {
                answer->status = 401;
        }
        return 0;
}

/* Keeps one event of the page: its arg is the answer, which has room for all. */
static int answer_once_on_missed(void *arg, const Record *record, const DeviceState *state) {
        Answer *answer = arg;
        int r;

        r = event_new_message(&answer->events[answer->n_events], record, state, true);
        if (r < 0)
                return err_up(r);
        ++answer->n_events;
        return 0;
}

static int answer_once_replay(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        while (answer->n_events > 0) /* of a try that was cut off */
                event_unref(answer->events[--answer->n_events]);
        free(answer->events);
        answer->events = calloc((size_t)query->replay->limit + 1, sizeof(*answer->events));
        if (!answer->events)
                return err_new(-ENOMEM);

        r = db_missed(conn, query->replay, answer_once_on_missed, answer, &answer->upto_seq);
        switch (r) {
        case 0:
                answer->status = 200;
                return 0;
        case DB_E_NOT_FOUND:
                answer->status = 404;
                return 0;
        case DB_E_EXISTS:
                answer->status = 410;
                return 0;
        default:
                return r < 0 ? err_up(r) : r;
        }
}

static int answer_once_page(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        buf_reset(&answer->bodies[0]); /* of a try that was cut off */
        r = db_page(conn, query->page, &answer->bodies[0]);
        switch (r) {
        case 0:
                answer->status = 200;
                return 0;
        case DB_E_NOT_FOUND:
                answer->status = 404;
                return 0;
        default:
                return r < 0 ? err_up(r) : r;
        }
}

int answer_once_ask(DbConn *conn, LoginCache *logins, const Query *query, Answer *answer) {
        int r;

        switch (query->kind) {
        case QUERY_LOGIN:
                return answer_once_login(conn, logins, query, answer);
        case QUERY_DETECTION_STATS:
                r = db_history_detection_stats(conn,
                                               query->user_ids,
                                               query->n_user_ids,
                                               query->minutes,
                                               query->device_id,
                                               answer->bodies);
                break;
        case QUERY_CAMERA_STATS:
                r = db_history_camera_stats(conn,
                                            query->user_ids,
                                            query->n_user_ids,
                                            answer->bodies);
                break;
        case QUERY_COMMAND:
                return db_command_rows_add(conn, query, answer);
        case QUERY_COMMAND_GET:
                return db_command_rows_get(conn, query, answer);
        case QUERY_COMMAND_CANCEL:
                return db_command_rows_cancel(conn, query, answer);
        case QUERY_PENDING_COMMANDS:
                return db_command_rows_pending(conn, query, answer);
        case QUERY_PAGE:
                return answer_once_page(conn, query, answer);
        case QUERY_REPLAY:
                return answer_once_replay(conn, query, answer);
        default:
                return 0;
        }
        if (r == 0)
                answer->status = 200;
        return r;
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int answer_once_compute(Reader *reader, const Query *query, Answer *answer) {
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE; ++i) {
                r = reader_connect(reader);
                if (r == READER_E_AWAY)
                        return 0; /* the answer says 503 already */
                if (r == 0)
                        r = answer_once_ask(reader->conn, reader->options.logins, query, answer);
        }
        switch (r) {
        case DB_E_REJECTED:
                if (strcmp(db_conn_sqlstate(reader->conn), "57014") == 0)
                        answer->status = 504; /* the statement time-out */
                else
                        reader_say_refused(reader);
                return 0;
        case DB_E_OFFLINE:
                return 0;
        default:
                return err_up(r);
        }
}

int answer_once(Reader *reader, const Query *query) {
        CLEANUP(answer_free) Answer *answer = NULL;
        int r;

        if (query->deadline_us != 0 && clock_mono_us() > query->deadline_us)
                return 0; /* who asked has been told so: the work is for those who still wait */
        r = answer_new(&answer, query);
        if (r == 0)
                r = answer_once_compute(reader, query, answer);
        if (r == 0)
                r = reader_send(reader, &answer);
        return r == READER_E_LOST ? 0 : err_up(r);
}
