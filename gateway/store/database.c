#include "gateway/store/database.h"

#include <poll.h>
#include <stdio.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/migrate.h"
#include "db/pooler.h"
#include "model/metrics.h"

#define DATABASE_CONNECT_MS   5000
#define DATABASE_STATEMENT_MS 10000
#define DATABASE_PAUSE_MIN_MS 100
#define DATABASE_PAUSE_MAX_MS 2000
#define DATABASE_REFUSALS     16 /* in a row, before a new connection is tried */
#define DATABASE_SAY_US       (5 * INT64_C(1000000)) /* between two causes in the log */
#define DATABASE_CAUSE_SIZE   256

typedef enum DatabaseState {
        DATABASE_AWAY,       /* until retry_at_us */
        DATABASE_CONNECTING, /* an errand of ours: names may have to be looked up */
        DATABASE_CONNECTED,  /* until it may be opened */
        DATABASE_OPENING,    /* an errand of ours; then whatever the owner has to read */
        DATABASE_READY,
        DATABASE_REFUSING, /* connected, but what was sent is not taken; until retry_at_us */
} DatabaseState;

struct Database {
        DbConn *conn;
        DbConn *probe; /* mostly disconnected: see db_pooler_check() */
        DbStore *store;
        Errand *errand;
        ErrandFn fn; /* what it is on, */
        void *fn_arg;
        unsigned place;         /* and for which slot (metrics.h) */
        bool is_out;            /* on an errand of ours */
        uint64_t position;      /* of the journal, as it was when we opened */
        uint64_t floor;         /* of all journals of the slot, likewise */
        const DbHolder *holder; /* borrowed */
        bool migrate;           /* whatever is older, is to be brought up to date */
        bool was_open;          /* the schema was there already */
        int said_from;          /* the schema that was said to be migrated; -1: none */
        DatabaseState state;
        bool is_sound;                   /* nothing has failed since a batch was stored */
        char cause[DATABASE_CAUSE_SIZE]; /* of the outage, as it was logged; "" = none */
        int64_t said_us;                 /* monotonic */
        int n_refusals;                  /* in a row */
        int64_t retry_at_us;             /* monotonic */
        Backoff backoff;
};

int database_new(Database **ret_database,
                 const char *url,
                 const char *epoch,
                 const DbHolder *holder,
                 bool migrate) {
        CLEANUP(database_free) Database *database = NULL;
        DbConnOptions options = {
                .url = url,
                .name = "processor",
                .connect_timeout_ms = DATABASE_CONNECT_MS,
                .statement_timeout_ms = DATABASE_STATEMENT_MS,
        };
        int r;

        database = calloc(1, sizeof(*database));
        if (!database)
                return err_new(-ENOMEM);
        database->holder = holder;
        database->said_from = -1;
        database->migrate = migrate;
        r = db_conn_new(&database->conn, &options);
        options.name = "probe";
        if (r == 0)
                r = db_conn_new(&database->probe, &options);
        if (r == 0)
                r = db_store_new(&database->store, database->conn, epoch);
        if (r == 0)
                r = errand_new(&database->errand, "database");
        if (r != 0)
                return err_up(r);
        db_conn_set_stop(database->conn, errand_stop_fd(database->errand));
        db_conn_set_stop(database->probe, errand_stop_fd(database->errand));
        *ret_database = TAKE(&database);
        return 0;
}

Database *database_free(Database *database) {
        if (!database)
                return NULL;
        errand_free(database->errand);
        db_store_free(database->store);
        db_conn_free(database->conn);
        db_conn_free(database->probe);
        free(database);
        return NULL;
}

DbConn *database_conn(Database *database) {
        return database->conn;
}

DbStore *database_store(Database *database) {
        return database->store;
}

bool database_is_ready(const Database *database) {
        return database->state == DATABASE_READY;
}

bool database_is_sound(const Database *database) {
        return database->state == DATABASE_READY && database->is_sound;
}

bool database_is_connected(const Database *database) {
        return database->state == DATABASE_CONNECTED;
}

int64_t database_pause_us(const Database *database) {
        int64_t left_us = database->retry_at_us - clock_mono_us();

        if (database->state != DATABASE_AWAY && database->state != DATABASE_REFUSING)
                return -1;
        return left_us > 0 ? left_us : 0;
}

/* What is prepared, set and locked in a session has to be there in the next transaction. */
static int database_check_session(Database *database) {
        int r = db_pooler_check(database->conn, database->probe);

        metric_set(METRIC_DB_POOLED, r == DB_E_POOLED);
        if (r != DB_E_POOLED)
                return r;
        return db_conn_give_up(database->conn,
                               "a pooler lends our session to others between transactions: let it "
                               "pool by session, or connect to the server itself");
}

/* What was there and is not (a search_path that leads elsewhere, a dump that is still being loaded)
 * comes back: no reason to end, and none to make everything anew beside it. */
static int database_check_gone(Database *database) {
        int applied;
        int r;

        r = db_migrate_applied(database->conn, &applied);
        if (r != 0)
                return r;
        if (applied == 0)
                return db_conn_give_up(database->conn,
                                       "the schema that was there is gone, or search_path does not "
                                       "lead to it any more");
        if (applied < db_migrate_latest() && !database->migrate)
                return db_conn_give_up(database->conn,
                                       "the schema is older than before: run tidegate migrate");
        return 0;
}

/* It may have to wait for somebody's lock, for as long as that takes. */
static void database_say_migrating(Database *database, int from) {
        if (from >= db_migrate_latest() || !database->migrate || database->was_open ||
            database->said_from == from)
                return;
        database->said_from = from;
        log_info("schema_migrating from=%d to=%d", from, db_migrate_latest());
}

static int database_check_schema(Database *database) {
        int from, to;
        int r;

        r = db_migrate_applied(database->conn, &from);
        if (r == 0)
                database_say_migrating(database, from);
        if (r == 0 && database->was_open)
                r = database_check_gone(database);
        if (r != 0)
                return r;
        if (!database->migrate)
                return db_migrate_check(database->conn);
        r = db_migrate_up(database->conn, &from, &to);
        if (r != 0)
                return r;
        if (from != to)
                log_info("schema_migrated from=%d to=%d", from, to);
        return 0;
}

static int database_dial(void *arg) {
        Database *database = arg;

        return db_conn_connect_wait(database->conn, DATABASE_CONNECT_MS);
}

static int database_open(void *arg) {
        Database *database = arg;
        int r;

        r = database_check_session(database);
        if (r == 0)
                r = database_check_schema(database);
        if (r == 0)
                r = db_store_open(database->store,
                                  database->holder,
                                  &database->position,
                                  &database->floor);
        if (r != 0)
                return r;
        database->was_open = true;
        return DATABASE_E_OPENED;
}

static int database_run(void *arg) {
        const Database *database = arg;

        (void)metrics_enter(database->place);
        return database->fn(database->fn_arg);
}

void database_lend(Database *database, ErrandFn fn, void *arg) {
        database->fn = fn;
        database->fn_arg = arg;
        errand_begin(database->errand, database_run, database);
}

bool database_is_lent(const Database *database) {
        return errand_is_out(database->errand);
}

bool database_take_back(Database *database, int *ret_result) {
        return errand_take(database->errand, ret_result);
}

void database_wants(Database *database, struct pollfd *ret_fd) {
        *ret_fd = (struct pollfd){ .fd = errand_fd(database->errand), .events = POLLIN };
        if (database_is_lent(database))
                return;
        ret_fd->fd = db_conn_fd(database->conn);
        if (db_conn_wants_write(database->conn))
                ret_fd->events |= POLLOUT;
}

static void database_go(Database *database, DatabaseState state, ErrandFn fn) {
        database->state = state;
        database->is_out = true;
        database_lend(database, fn, database);
}

/* 0 as long as it is out, too. */
static int database_come_back(Database *database) {
        int r;

        if (!database->is_out || !database_take_back(database, &r))
                return 0;
        database->is_out = false;
        if (r == 0)
                database->state = DATABASE_CONNECTED;
        return r;
}

static int database_open_on(Database *database, uint64_t *ret_position, uint64_t *ret_floor) {
        int r = database_come_back(database);

        if (r == DATABASE_E_OPENED) {
                *ret_position = database->position;
                *ret_floor = database->floor;
        }
        return r;
}

int database_connect(Database *database,
                     bool may_open,
                     uint64_t *ret_position,
                     uint64_t *ret_floor) {
        int64_t now_us = clock_mono_us();
        int r;

        switch (database->state) {
        case DATABASE_READY:
                return 0;
        case DATABASE_REFUSING:
                if (now_us < database->retry_at_us)
                        return 0;
                database->state = DATABASE_READY;
                return DATABASE_E_AGAIN;
        case DATABASE_OPENING:
                return database_open_on(database, ret_position, ret_floor);
        case DATABASE_AWAY:
                if (now_us >= database->retry_at_us)
                        database_go(database, DATABASE_CONNECTING, database_dial);
                return 0;
        case DATABASE_CONNECTING:
                r = database_come_back(database);
                if (r != 0)
                        return r;
                break;
        case DATABASE_CONNECTED:
                r = db_conn_hear(database->conn);
                if (r != 0)
                        return r;
                break;
        }
        if (database->state == DATABASE_CONNECTED && may_open)
                database_go(database, DATABASE_OPENING, database_open);
        return 0;
}

void database_set_ready(Database *database) {
        database->state = DATABASE_READY;
}

void database_prove(Database *database) {
        if (database->is_sound)
                return;
        log_info("database_connected");
        database->is_sound = true;
        database->cause[0] = '\0';
        database->n_refusals = 0;
        database->backoff = (Backoff){ 0 };
        metric_set(METRIC_DB_CONNECTED, 1);
        metrics_set_cause("");
}

/* One line an outage, and one for each new cause, but no more than one every few seconds. */
static void database_report(Database *database,
                            const char *what,
                            const char *sqlstate,
                            const char *error) {
        int64_t now_us = clock_mono_us();
        char cause[DATABASE_CAUSE_SIZE];

        database->is_sound = false;
        metric_set(METRIC_DB_CONNECTED, 0);
        metrics_set_cause(sqlstate);
        snprintf(cause, sizeof(cause), "%s %s %s", what, sqlstate, error);
        if (strcmp(cause, database->cause) == 0)
                return;
        if (*database->cause && now_us - database->said_us < DATABASE_SAY_US)
                return;
        snprintf(database->cause, sizeof(database->cause), "%s", cause);
        database->said_us = now_us;
        log_warning("%s sqlstate=%s error=\"%s\"", what, *sqlstate ? sqlstate : "none", error);
}

static void database_pause(Database *database, DatabaseState state) {
        database->state = state;
        (void)backoff_fail(&database->backoff, DATABASE_PAUSE_MIN_MS, DATABASE_PAUSE_MAX_MS);
        database->retry_at_us = database->backoff.until_us;
}

void database_lose(Database *database) {
        database_report(database,
                        "database_away",
                        db_conn_sqlstate(database->conn),
                        db_conn_error(database->conn));
        db_conn_disconnect(database->conn);
        database_pause(database, DATABASE_AWAY);
}

/* What is out comes back first; whatever it says, it is not wanted any more. */
void database_rest(Database *database, int pause_ms) {
        int ignored;

        if (database->is_out && database_take_back(database, &ignored))
                database->is_out = false;
        if (database_is_lent(database))
                return;
        db_conn_disconnect(database->conn);
        database->is_sound = false;
        database->state = DATABASE_AWAY;
        database->retry_at_us = clock_mono_us() + pause_ms * INT64_C(1000);
        metric_set(METRIC_DB_CONNECTED, 0);
}

void database_doubt(Database *database, const char *sqlstate, const char *error) {
        metric_add(METRIC_DB_REFUSED_BATCHES, 1);
        database_report(database, "database_refuses", sqlstate, error);
}

/* Some refusals are the session's, not the server's: now and then a new one is tried. */
void database_refuse(Database *database) {
        database_doubt(database, db_conn_sqlstate(database->conn), db_conn_error(database->conn));
        if (++database->n_refusals % DATABASE_REFUSALS == 0)
                db_conn_disconnect(database->conn);
        database_pause(database,
                       db_conn_is_open(database->conn) ? DATABASE_REFUSING : DATABASE_AWAY);
}
