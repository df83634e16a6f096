#include "tests/fake/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"
#include "db/conn.h"
#include "db/follow/directory.h"
#include "db/follow/registration.h"
#include "db/migrate.h"
#include "db/pooler.h"
#include "db/write/books.h"
#include "db/write/partitions.h"
#include "db/write/store.h"
#include "db/write/takeover.h"

#define SERVER_LATE 40 /* polls that a late answer takes, at most */

/* What becomes of the transaction under way, if nothing else happens to it. */
typedef enum ServerFate {
        SERVER_ANSWERS,
        SERVER_CUT_BEFORE,
        SERVER_CUT_AFTER, /* it was committed: the answer is lost */
        SERVER_FREEZES,
} ServerFate;

struct DbConn {
        bool is_open, is_cut;
};

struct DbStore {
        DbConn *conn;
        DbBatch batch;
        bool is_under_way;
        ServerFate fate;
        unsigned n_busy;
        uint64_t seq; /* the position that this session goes on from */
};

FakeServer fake_server;
static DbStore *server_store; /* the only one that writes */

static bool server_rolls(unsigned per_mille) {
        return dice_below(&fake_server.dice, 1000) < per_mille;
}

uint64_t fake_server_number(Text payload) {
        static const char head[] = "{\"n\":";
        size_t n = sizeof(head) - 1;

        if (payload.n > 0 && payload.data[0] == '[') /* an element that has come alone */
                payload = (Text){ payload.data + 1, payload.n - 1 };
        if (payload.n <= n || memcmp(payload.data, head, n) != 0)
                fail_msg("not a message of ours: %.*s", (int)payload.n, payload.data);
        return strtoull(payload.data + n, NULL, 10);
}

bool fake_server_refuses(uint64_t number) {
        return number % 97 == 41;
}

void fake_server_add_message(uint64_t seq) {
        FakeServer *server = &fake_server;
        size_t n = ++server->n_messages + 1;

        if ((n & (n - 1)) == 0 || !server->messages) /* twice as many whenever they are full */
                server->messages =
                        reallocarray(server->messages, n * 2, sizeof(server->messages[0]));
        assert_non_null(server->messages);
        server->messages[n - 1] = (FakeMessage){ .seq = seq };
}

/* ---- what transactions do ----------------------------------------------------------------- */

static bool server_has(const FakeMessage *message) {
        return message->n_rows + message->n_letters > 0;
}

static void server_keep(const Record *record) {
        uint64_t number = fake_server_number(record->payload);
        FakeMessage *message = &fake_server.messages[number];

        if (number > fake_server.n_messages)
                fail_msg("message %llu is nobody's", (unsigned long long)number);
        if (!record->is_there && record->reason != REASON_NONE)
                ++message->n_letters;
        else if (!record->is_there)
                ++message->n_rows;
        if (message->n_rows + message->n_letters != 1)
                fail_msg("message %llu is stored %d times and %d times a letter",
                         (unsigned long long)number,
                         message->n_rows,
                         message->n_letters);
        message->seq = record->seq;
        message->is_last = false;
}

/* All of it, at once. */
static void server_commit(DbStore *store) {
        const DbBatch *batch = &store->batch;
        FakeServer *server = &fake_server;

        for (size_t i = 0; i < batch->n_records; ++i)
                server_keep(batch->records[i]);
        if (batch->n_records > 0) {
                const Record *last = batch->records[batch->n_records - 1];
                uint64_t number = fake_server_number(last->payload);

                for (; server->n_passed < number; ++server->n_passed) {
                        const FakeMessage *message = &server->messages[server->n_passed + 1];

                        if (!server_has(message))
                                fail_msg("the position has passed message %llu, which is not "
                                         "stored",
                                         (unsigned long long)server->n_passed + 1);
                }
                server->messages[number].is_last = true;
                assert_int_equal(batch->seq, last->seq);
        }
        assert_true(batch->seq >= server->seq);
        server->n_stored += batch->n_records;
        server->seq = server->own_seq = store->seq = batch->seq;
}

static bool server_takes_rows(const DbBatch *batch) {
        for (size_t i = 0; i < batch->n_records; ++i) {
                const Record *record = batch->records[i];

                if (record->reason == REASON_NONE && !record->is_there &&
                    (fake_server.is_closed ||
                     fake_server_refuses(fake_server_number(record->payload))))
                        return false;
        }
        return true;
}

static bool server_takes_states(const DbBatch *batch) {
        for (size_t i = 0; i < batch->n_states; ++i)
                if (batch->states[i].device_id == fake_server.odd_device)
                        return false;
        return true;
}

/* What it says to the batch, which it stores if that is 0. */
static int server_answer(DbStore *store) {
        const DbBatch *batch = &store->batch;

        if (fake_server.is_full)
                return DB_E_REFUSED;
        if (batch->is_trial && fake_server.is_closed)
                return DB_E_REFUSED; /* not even the good row */
        if (!batch->is_trial && store->seq != fake_server.seq)
                return DB_E_FENCED;
        if (!server_takes_rows(batch))
                return DB_E_REJECTED;
        if (batch->is_trial)
                return DB_E_PASSED;
        if (!server_takes_states(batch))
                return DB_E_STATES;
        server_commit(store);
        return 0;
}

/* The other side is gone; what is under way ends somehow, before anybody asks. */
static int server_hang_up(DbConn *conn, bool gets_through) {
        DbStore *store = server_store;

        if (store && store->conn == conn && store->is_under_way) {
                store->is_under_way = false;
                if (gets_through)
                        (void)server_answer(store);
        }
        conn->is_open = conn->is_cut = false;
        return DB_E_OFFLINE;
}

void fake_server_cut(void) {
        if (!server_store)
                return;
        if (server_store->is_under_way) {
                server_store->is_under_way = false;
                if (server_rolls(500))
                        (void)server_answer(server_store);
        }
        server_store->conn->is_cut = true;
}

void fake_server_go_back(uint64_t number, bool with_rows) {
        FakeServer *server = &fake_server;

        for (uint64_t i = number + 1; i <= server->n_passed; ++i)
                if (!with_rows)
                        server->messages[i].n_rows = server->messages[i].n_letters = 0;
        server->n_stored -= server->n_passed - number;
        server->n_passed = number;
        server->seq = server->own_seq = number > 0 ? server->messages[number].seq : 0;
        if (server->checked_seq > server->seq) {
                server->checked_seq = server->seq;
                server->checked_stored = server->n_stored;
        }
}

/* A statement that waits for its answer. */
static int server_ask(DbConn *conn) {
        if (conn->is_open &&
            (conn->is_cut || fake_server.is_down || server_rolls(fake_server.trouble)))
                return server_hang_up(conn, false);
        return conn->is_open ? 0 : DB_E_OFFLINE;
}

/* ---- db/conn.h ---------------------------------------------------------------------------- */

int db_conn_new(DbConn **ret_conn, const DbConnOptions *options) {
        (void)options;
        *ret_conn = calloc(1, sizeof(**ret_conn));
        return *ret_conn ? 0 : -ENOMEM;
}

DbConn *db_conn_free(DbConn *conn) {
        free(conn);
        return NULL;
}

int db_conn_connect_wait(DbConn *conn, int timeout_ms) {
        (void)timeout_ms;
        if (fake_server.is_down)
                return DB_E_OFFLINE;
        *conn = (DbConn){ .is_open = true };
        return server_ask(conn);
}

void db_conn_disconnect(DbConn *conn) {
        (void)server_hang_up(conn, server_rolls(500));
}

int db_conn_give_up(DbConn *conn, const char *why) {
        fail_msg("given up: %s", why);
        return server_hang_up(conn, false);
}

bool db_conn_is_open(const DbConn *conn) {
        return conn->is_open;
}

int db_conn_fd(const DbConn *conn) {
        (void)conn; /* it is polled all the time */
        return -1;
}

bool db_conn_wants_write(const DbConn *conn) {
        (void)conn;
        return false;
}

int db_conn_hear(DbConn *conn) {
        return conn->is_open && !conn->is_cut ? 0 : server_hang_up(conn, false);
}

void db_conn_set_stop(DbConn *conn, int fd) {
        (void)conn, (void)fd;
}

const char *db_conn_error(const DbConn *conn) {
        (void)conn;
        return "of the fake";
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return "22P05";
}

/* ---- what a connection begins with -------------------------------------------------------- */

int db_pooler_check(DbConn *conn, DbConn *probe) {
        (void)probe;
        return server_ask(conn);
}

int db_migrate_latest(void) {
        return 1;
}

int db_migrate_applied(DbConn *conn, int *ret_applied) {
        *ret_applied = 1;
        return server_ask(conn);
}

int db_migrate_check(DbConn *conn) {
        return server_ask(conn);
}

int db_migrate_up(DbConn *conn, int *ret_from, int *ret_to) {
        *ret_from = *ret_to = 1;
        return server_ask(conn);
}

int db_partitions_make_today(DbConn *conn) {
        return server_ask(conn);
}

int db_directory_restore(DbConn *conn, Arena *arena, DbRestoredFn fn, void *arg) {
        (void)arena, (void)fn, (void)arg;
        return server_ask(conn);
}

int db_directory_births(DbConn *conn, DbBirthFn fn, void *arg) {
        (void)fn, (void)arg;
        return server_ask(conn);
}

int db_directory_merged(DbConn *conn, DbMergedFn fn, void *arg) {
        (void)fn, (void)arg;
        return server_ask(conn);
}

int db_directory_sensors(DbConn *conn,
                         const int64_t vehicle_ids[],
                         size_t n,
                         DbSensorFn fn,
                         void *arg) {
        (void)vehicle_ids, (void)n, (void)fn, (void)arg;
        return server_ask(conn);
}

void db_registration_add(Buf *list, const DbRegistration *registration) {
        (void)list, (void)registration;
}

/* ---- db/write/store.h --------------------------------------------------------------------- */

int db_store_new(DbStore **ret_store, DbConn *conn, const char *epoch) {
        (void)epoch;
        server_store = *ret_store = calloc(1, sizeof(**ret_store));
        if (!server_store)
                return -ENOMEM;
        server_store->conn = conn;
        return 0;
}

DbStore *db_store_free(DbStore *store) {
        server_store = NULL;
        free(store);
        return NULL;
}

void db_store_limit_people(DbStore *store, int n_max) {
        (void)store, (void)n_max;
}

void db_store_limit_notes(DbStore *store, int n_max) {
        (void)store, (void)n_max;
}

void db_store_keep_flights(DbStore *store, DbFlightsFn fn, void *arg) {
        (void)store, (void)fn, (void)arg;
}

size_t db_store_origins(const DbStore *store, const Origin **ret_positions) {
        (void)store;
        *ret_positions = NULL;
        return 0;
}

/* A journal of which all is stored goes on behind what others have stored meanwhile. */
int db_store_open(DbStore *store, const DbHolder *holder, uint64_t *ret_seq, uint64_t *ret_floor) {
        FakeServer *server = &fake_server;
        int r;

        r = server_ask(store->conn);
        if (r != 0)
                return r;
        assert_false(store->is_under_way);
        server->own_seq = server->seq;
        if (server->seq >= holder->last_seq && server->others_seq > server->seq)
                server->seq = server->others_seq;
        *ret_floor = server->others_seq > server->seq ? server->others_seq : server->seq;
        *ret_seq = store->seq = server->seq;
        return 0;
}

uint64_t db_store_forked_seq(const DbStore *store) {
        (void)store;
        return 0;
}

uint64_t db_store_own_seq(const DbStore *store) {
        (void)store;
        return fake_server.own_seq;
}

int db_store_begin(DbStore *store, const DbBatch *batch) {
        assert_false(store->is_under_way);
        if (!store->conn->is_open)
                return DB_E_OFFLINE;
        store->batch = *batch;
        store->is_under_way = true;
        store->fate = SERVER_ANSWERS;
        store->n_busy = dice_below(&fake_server.dice, 4);
        if (server_rolls(fake_server.trouble))
                store->n_busy = dice_below(&fake_server.dice, SERVER_LATE);
        if (server_rolls(fake_server.trouble))
                store->fate = (ServerFate)(1 + dice_below(&fake_server.dice, 3));
        return 0;
}

RecordSide db_store_side(const DbStore *store) {
        (void)store;
        return RECORD_ROW; /* it has nothing beside them */
}

int db_store_poll(DbStore *store) {
        assert_true(store->is_under_way || !store->conn->is_open || store->conn->is_cut);
        if (!store->conn->is_open || store->conn->is_cut)
                return server_hang_up(store->conn, false);
        if (store->fate == SERVER_FREEZES)
                return DB_E_BUSY;
        if (store->n_busy > 0) {
                --store->n_busy;
                return DB_E_BUSY;
        }
        if (store->fate != SERVER_ANSWERS)
                return server_hang_up(store->conn, store->fate == SERVER_CUT_AFTER);
        store->is_under_way = false;
        return server_answer(store);
}

int db_store_recall(DbStore *store, const DbBatch *batch) {
        (void)batch;
        return server_ask(store->conn);
}

/* ---- db/write/books.h --------------------------------------------------------------------- */

int db_takeover_note_taken(DbConn *conn,
                           const char *epoch,
                           uint64_t after_seq,
                           uint64_t until_seq) {
        (void)epoch;
        assert_true(after_seq < until_seq);
        return server_ask(conn);
}

int db_books_read(DbConn *conn, const char *epoch, DbBooks *ret_books) {
        const FakeServer *server = &fake_server;

        (void)epoch;
        *ret_books = (DbBooks){ .seq = server->seq,
                                .stored = server->n_stored,
                                .checked_seq = server->checked_seq,
                                .checked_stored = server->checked_stored };
        return server_ask(conn);
}

static int server_check(DbConn *conn, const DbBooks *books) {
        int r = server_ask(conn);

        if (r != 0)
                return r;
        fake_server.checked_seq = books->seq;
        fake_server.checked_stored = books->stored;
        return 0;
}

int db_books_check(DbConn *conn, const char *epoch, const DbBooks *books, uint64_t n_journal) {
        (void)epoch;
        if (n_journal != books->stored - books->checked_stored)
                fail_msg("the books drift: %llu in the journal, %llu stored",
                         (unsigned long long)n_journal,
                         (unsigned long long)(books->stored - books->checked_stored));
        return server_check(conn, books);
}

int db_books_skip(DbConn *conn, const char *epoch, const DbBooks *books) {
        (void)epoch;
        return server_check(conn, books);
}

/* The journal has had to let go what an older database lacks: that is said, and here somebody fills
 * it in at once. */
int db_books_note_gap(DbConn *conn, const char *epoch, uint64_t after_seq, uint64_t last_seq) {
        (void)epoch;
        for (uint64_t i = 1; i <= fake_server.n_messages; ++i) {
                FakeMessage *message = &fake_server.messages[i];

                if (message->seq <= after_seq || message->seq > last_seq || server_has(message))
                        continue;
                message->n_rows = 1;
                message->is_shown = true;
        }
        return server_ask(conn);
}

int db_books_newest(DbConn *conn, const char *epoch, uint64_t after_seq, uint64_t *ret_seq) {
        (void)epoch;
        *ret_seq = 0;
        for (uint64_t i = fake_server.n_passed + 1; i <= fake_server.n_messages; ++i)
                if (server_has(&fake_server.messages[i]) && fake_server.messages[i].seq > after_seq)
                        *ret_seq = fake_server.messages[i].seq;
        return server_ask(conn);
}

int db_books_present(DbConn *conn,
                     const char *epoch,
                     const DbRange *range,
                     DbBooksFn fn,
                     void *arg) {
        int r = server_ask(conn);

        (void)epoch;
        for (uint64_t i = fake_server.n_passed + 1; r == 0 && i <= fake_server.n_messages; ++i) {
                uint64_t seq = fake_server.messages[i].seq;

                if (server_has(&fake_server.messages[i]) && seq > range->after_seq &&
                    seq <= range->last_seq)
                        r = fn(arg, seq);
        }
        return r;
}
