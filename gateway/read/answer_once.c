#include "gateway/read/answer_once.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/password/password.h"
#include "base/secret.h"
#include "db/edit/command_rows.h"
#include "db/edit/letters.h"
#include "db/edit/login.h"
#include "db/edit/owner.h"
#include "db/read/letter_rows.h"
#include "db/read/missed.h"
#include "db/read/nodes.h"
#include "db/read/pages.h"
#include "db/read/statistics.h"
#include "db/trouble.h"
#include "db/uplinks.h"
#include "gateway/read/answer_manage.h"
#include "gateway/read/login_cache.h"
#include "gateway/read/reader.h"
#include "model/event.h"
#include "model/metrics.h"

DEFINE_CLEANUP(char *, free);

/* The password was right: let its hash be one of ours from now on. Who logs in does not depend on
 * it, so what stands in the way is said, and tried again at the next log-in. */
static int answer_once_rehash(DbConn *conn, const DbLogin *login, const char *password) {
        static LogPace said;
        char hash[PASSWORD_SIZE];
        unsigned long long n_more;
        int r;

        if (password_is_ours(login->hash) || !password_counts_whole(password, login->hash))
                return 0;
        r = password_hash(password, hash);
        if (r == 0)
                r = db_login_rehash(conn, login->user_id, login->hash, hash);
        if (r < 0)
                return err_up(r);
        if (r == 0)
                metric_add(METRIC_LOGIN_REHASHED, 1);
        else if (r == DB_E_REJECTED && log_may(&said, &n_more))
                log_warning("login_rehash_refused sqlstate=%s error=\"%s\" more=%llu",
                            db_conn_sqlstate(conn),
                            db_conn_error(conn),
                            n_more);
        return 0;
}

/* A name that is nobody's costs as much as a wrong password. */
static int answer_once_login(DbConn *conn, LoginCache *cache, const Query *query, Answer *answer) {
        CLEANUP_LOGIN DbLogin login = { 0 };
        int r;

        r = db_login_find(conn, query->username, &login);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (!login_cache_verify(cache,
                                login.user_id,
                                query->password,
                                login.hash,
                                clock_mono_us())) {
                answer->status = 401;
                return 0;
        }
        answer->user_id = login.user_id;
        answer->generation = login.generation;
        answer->status = 200;
        r = answer_once_rehash(conn, &login, query->password);
        return err_up(r);
}

/* Is it the token of which there is a bcrypt? 200, 401. */
static int answer_once_prove(DbConn *conn, const Query *query, int *ret_status) {
        CLEANUP(free) char *text = NULL;
        bool is_ours = false;
        int r;

        r = db_login_token(conn, query->device_id, query->token_anew, &text, &is_ours);
        if (r != 0 && r != DB_E_NOT_FOUND)
                return r < 0 ? err_up(r) : r;
        is_ours = is_ours && query->has_token_anew;
        /* Of one that is longer bcrypt does not say whether it is all of it (see WsGate). */
        *ret_status = is_ours || (strlen(query->password) < SECRET_BCRYPT_BYTES &&
                                  password_verify(query->password, text))
                              ? 200
                              : 401;
        return 0;
}

static int answer_once_device_token(DbConn *conn, const Query *query, Answer *answer) {
        int status = 200;
        int r = 0;

        if (query->password)
                r = answer_once_prove(conn, query, &status);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        answer->status = status;
        if (status != 200 || !query->has_token_anew)
                return 0;
        r = db_login_rehash_token(conn, query->device_id, query->token_checked, query->token_anew);
        if (r < 0)
                return err_up(r);
        if (r == 0)
                metric_add(METRIC_TOKENS_REHASHED, 1);
        return 0; /* else it is tried again at the next use */
}

/* What the database answered, as a status; else the answer is its caller's. */
static int answer_once_status(int r, Answer *answer) {
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
                return r;
        }
}

/* Keeps one event of the page: its arg is the answer, which has room for all. */
static int answer_once_on_missed(void *arg,
                                 size_t slot,
                                 const Record *record,
                                 const DeviceState *state) {
        Answer *answer = arg;
        int r;

        r = event_new_message(&answer->events[answer->n_events], record, state, true);
        if (r < 0)
                return err_up(r);
        answer->events[answer->n_events++]->slot = (uint16_t)slot;
        return 0;
}

static int answer_once_replay_several(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        free(answer->upto);
        answer->upto = calloc(query->replay->n_parts, sizeof(*answer->upto));
        if (!answer->upto)
                return err_new(-ENOMEM);
        answer->n_upto = query->replay->n_parts;
        r = answer_once_status(db_missed_several(conn,
                                                 query->replay,
                                                 answer_once_on_missed,
                                                 answer,
                                                 answer->upto,
                                                 &answer->is_cut),
                               answer);
        return r < 0 ? err_up(r) : r;
}

static int answer_once_replay(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        while (answer->n_events > 0) /* of a try that was cut off */
                event_unref(answer->events[--answer->n_events]);
        free(answer->events);
        answer->events = calloc((size_t)query->replay->limit + 1, sizeof(*answer->events));
        if (!answer->events)
                return err_new(-ENOMEM);

        if (query->replay->n_parts > 0)
                return answer_once_replay_several(conn, query, answer);
        r = answer_once_status(db_missed(conn,
                                         query->replay,
                                         answer_once_on_missed,
                                         answer,
                                         &answer->upto_seq),
                               answer);
        return r < 0 ? err_up(r) : r;
}

static int answer_once_letters(DbConn *conn, const Query *query, Answer *answer) {
        Buf *body = &answer->bodies[0];
        int r;

        buf_reset(body); /* of a try that was cut off */
        r = query->letter_id != 0 ? db_letter_row_json(conn, query->letter_id, body)
                                  : db_letter_rows_json(conn, query->letters, body);
        r = answer_once_status(r, answer);
        return r < 0 ? err_up(r) : r;
}

static void answer_once_add_id(void *arg, const DbLetterRow *row) {
        Buf *ids = arg;

        buf_printf(ids, "%s%lld", ids->n > 1 ? "," : "", (long long)row->id);
}

/* Who has something forgotten is told in the log, as who manages. */
static void answer_once_log_discard(const Query *query, const Answer *answer) {
        if (query->is_discard && answer->status != 404)
                log_info("managed action=%s id=%lld by=%lld status=%d",
                         query->kind == QUERY_LETTER_ASK ? "letter_discard" : "letters_discard",
                         (long long)query->letter_id,
                         (long long)query->user_ids[0],
                         answer->status);
}

static int answer_once_letter_ask(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        r = db_letters_ask(conn, query, answer);
        if (r == 0)
                answer_once_log_discard(query, answer);
        return r < 0 ? err_up(r) : r;
}

static int answer_once_letters_ask(DbConn *conn, const Query *query, Answer *answer) {
        CLEANUP_BUF Buf ids = { 0 };
        int64_t cursor = 0;
        int r;

        buf_append_char(&ids, '{');
        r = db_letter_rows(conn, query->letters, answer_once_add_id, &ids, &cursor);
        buf_append(&ids, "}", sizeof("}"));
        if (buf_failed(&ids))
                return err_new(-ENOMEM);
        if (r == 0)
                r = db_letters_ask_these(conn, query, ids.data, cursor, answer);
        if (r == 0)
                answer_once_log_discard(query, answer);
        return r < 0 ? err_up(r) : r;
}

static int answer_once_page(DbConn *conn, const Query *query, Answer *answer) {
        int r;

        buf_reset(&answer->bodies[0]); /* of a try that was cut off */
        r = answer_once_status(db_page(conn, query->page, &answer->bodies[0]), answer);
        return r < 0 ? err_up(r) : r;
}

static int answer_once_uplink(DbConn *conn, const Query *query, Answer *answer) {
        int r = db_uplinks_position(conn,
                                    query->device_id,
                                    query->runs,
                                    &answer->upto_seq,
                                    &answer->is_copied);

        if (r == 0)
                answer->status = 200;
        return r < 0 ? err_up(r) : r;
}

static int answer_once_nodes(DbConn *conn, const Query *query, Answer *answer) {
        int r = db_nodes_read(conn, query->cluster, &answer->bodies[0]);

        if (r == 0)
                answer->status = 200;
        return r < 0 ? err_up(r) : r;
}

int answer_once_ask(DbConn *conn, LoginCache *logins, const Query *query, Answer *answer) {
        int r;

        switch (query->kind) {
        case QUERY_LOGIN:
                return answer_once_login(conn, logins, query, answer);
        case QUERY_DEVICE_TOKEN:
                return answer_once_device_token(conn, query, answer);
        case QUERY_DETECTION_STATS:
                r = db_history_detection_stats(conn,
                                               query->user_ids,
                                               query->n_user_ids,
                                               &(DbDetectionWindow){ query->minutes,
                                                                     query->device_id,
                                                                     query->style },
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
        case QUERY_MANAGE:
                return answer_manage(conn, query, answer);
        case QUERY_OWNER:
                return db_owner_give(conn, query, answer);
        case QUERY_PENDING_COMMANDS:
                return db_command_rows_pending(conn, query, answer);
        case QUERY_UPLINK:
                return answer_once_uplink(conn, query, answer);
        case QUERY_NODES:
                return answer_once_nodes(conn, query, answer);
        case QUERY_PAGE:
                return answer_once_page(conn, query, answer);
        case QUERY_LETTER_ASK:
                return answer_once_letter_ask(conn, query, answer);
        case QUERY_LETTERS_ASK:
                return answer_once_letters_ask(conn, query, answer);
        case QUERY_LETTERS_STATE:
                return db_letters_states(conn, answer);
        case QUERY_LETTER_STATE:
                return db_letters_state(conn, query, answer);
        case QUERY_LETTERS:
                return answer_once_letters(conn, query, answer);
        case QUERY_REPLAY:
                return answer_once_replay(conn, query, answer);
        default:
                return 0;
        }
        if (r == 0)
                answer->status = 200;
        return r;
}

/* A change whose answer was lost may have been made, and the answer to a second try would say that
 * it was not. */
static bool answer_once_is_single(const Query *query) {
        switch (query->kind) {
        case QUERY_MANAGE:
                return manage_kind_is_single(query->manage->kind);
        case QUERY_LETTER_ASK:
        case QUERY_LETTERS_ASK:
                return query->is_discard;
        default:
                return false;
        }
}

/* *@ret_is_over: nothing is to be asked again, whatever became of it. */
static int answer_once_try(Reader *reader, const Query *query, Answer *answer, bool *ret_is_over) {
        int r;

        *ret_is_over = false;
        r = reader_connect(reader);
        if (r == 0 && answer_once_is_single(query)) {
                r = db_conn_exec(reader->conn, &(DbQuery){ "SELECT 1", 0, NULL }, NULL);
                *ret_is_over = r == 0; /* the connection lives: from here on it is sent */
        }
        if (r == 0)
                r = answer_once_ask(reader->conn, reader->options.logins, query, answer);
        return r < 0 ? err_up(r) : r;
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int answer_once_compute(Reader *reader, const Query *query, Answer *answer) {
        bool is_over = false;
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE && !is_over; ++i)
                r = answer_once_try(reader, query, answer, &is_over);
        switch (r) {
        case READER_E_AWAY:
                return 0; /* the answer says 503 already */
        case DB_E_REJECTED:
                if (db_trouble_is_timeout(db_conn_sqlstate(reader->conn)))
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
        if (r == 0 && query->refused)
                answer->status = query->refused;
        else if (r == 0)
                r = answer_once_compute(reader, query, answer);
        if (r == 0 && answer->status == 401 && query->account != 0 && !query->refused)
                return READER_E_REFUSED;
        if (r == 0)
                r = reader_send(reader, &answer);
        return r == READER_E_LOST ? 0 : err_up(r);
}
