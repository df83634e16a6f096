#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/edit/command_rows.h"
#include "model/event.h"
#include "postgres.h"

typedef struct Seen Seen;

struct Seen {
        char ids[16][QUERY_COMMAND_ID_SIZE];
        size_t n;
};

static DbConn *begin(void) {
        postgres_migrate();
        postgres_run("INSERT INTO users (id, username, password_hash, role) VALUES"
                     " (1, 'ana', 'x', 'user'), (2, 'ben', 'x', 'user'), (3, 'root', 'x', 'admin');"
                     "INSERT INTO devices (id, code, user_id) VALUES (1, 'dev-1', 1),"
                     " (2, 'dev-2', 2)");
        return postgres_connect(5000);
}

static Answer *ask_as(DbConn *conn,
                      int64_t user_id,
                      const char *id,
                      const char *payload,
                      const char *key) {
        CLEANUP(query_free) Query *query = NULL;
        Answer *answer = NULL;

        assert_int_equal(query_new(&query, QUERY_COMMAND), 0);
        query->command_id = strdup(id);
        query->action = strdup("SET");
        query->payload = payload ? strdup(payload) : NULL;
        query->idempotency_key = key ? strdup(key) : NULL;
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->user_ids[0] = user_id;
        query->n_user_ids = 1;
        query->device_id = 1;
        query->timeout_ms = 60000;
        query->max_pending = 3;
        query->max_own = user_id == 1 ? 3 : 1;
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(db_command_rows_add(conn, query, answer), 0);
        return answer;
}

static Answer *ask(DbConn *conn, const char *id, const char *payload, const char *key) {
        return ask_as(conn, 1, id, payload, key);
}

static int add(DbConn *conn, const char *id, const char *payload, const char *key) {
        CLEANUP(answer_free) Answer *answer = ask(conn, id, payload, key);

        return answer->status;
}

static void test_a_key_stands_for_one_command(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        CLEANUP(answer_free) Answer *first = ask(conn, "cmd_a", "{ \"x\":1.0,\"y\":2}", "k");
        CLEANUP(answer_free) Answer *again = ask(conn, "cmd_b", "{\"y\":2,\"x\":1.0}", "k");

        (void)state;
        assert_int_equal(first->status, 202);
        assert_string_equal(first->command_id, "cmd_a");
        assert_string_equal(first->state, "accepted");
        assert_int_equal(first->device_id, 1);
        assert_non_null(strstr(first->bodies[0].data, "\"payload\":{ \"x\":1.0,\"y\":2}"));
        assert_int_equal(again->status, 200);
        assert_string_equal(again->command_id, "cmd_a");
        assert_int_equal(add(conn, "cmd_c", "{\"y\":3}", "k"), 409);
        assert_int_equal(add(conn, "cmd_a", "{}", NULL), 202); /* the same attempt, once more */
        assert_int_equal(postgres_int("SELECT count(*) FROM commands"), 1);
}

static void test_what_cannot_be_stored_is_an_answer(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        assert_int_equal(add(conn, "cmd_a", "{\"x\":\"\\u0000\"}", NULL), 422);
        assert_int_equal(add(conn, "cmd_a", "{", NULL), 422);
        assert_int_equal(add(conn, "cmd_a", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_b", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_c", NULL, "k"), 202);
        assert_int_equal(add(conn, "cmd_d", NULL, NULL), 429);
        assert_int_equal(add(conn, "cmd_d", NULL, "k"), 200);
        postgres_run("UPDATE commands SET state = 'done' WHERE command_id = 'cmd_a'");
        assert_int_equal(add(conn, "cmd_d", NULL, NULL), 202);
        postgres_run("DELETE FROM devices WHERE id = 1");
        assert_int_equal(add(conn, "cmd_e", NULL, NULL), 404);
}

static void test_one_user_fills_his_share_and_no_more(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        CLEANUP(answer_free) Answer *first = ask_as(conn, 2, "cmd_a", NULL, "k");
        CLEANUP(answer_free) Answer *more = ask_as(conn, 2, "cmd_b", NULL, NULL);
        CLEANUP(answer_free) Answer *again = ask_as(conn, 2, "cmd_b", NULL, "k");
        CLEANUP(answer_free) Answer *full = NULL;

        (void)state;
        assert_int_equal(first->status, 202);
        assert_int_equal(more->status, 429);
        assert_true(more->is_own);
        assert_int_equal(again->status, 200);
        assert_int_equal(add(conn, "cmd_c", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_d", NULL, NULL), 202);
        full = ask(conn, "cmd_e", NULL, NULL);
        assert_int_equal(full->status, 429);
        assert_false(full->is_own);
}

static int get(DbConn *conn, const char *id, int64_t user_id) {
        CLEANUP(query_free) Query *query = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;

        assert_int_equal(query_new(&query, QUERY_COMMAND_GET), 0);
        query->command_id = strdup(id);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->user_ids[0] = user_id;
        query->n_user_ids = 1;
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(db_command_rows_get(conn, query, answer), 0);
        return answer->status;
}

static void test_a_command_is_seen_by_who_sees_the_device(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        assert_int_equal(add(conn, "cmd_a", NULL, NULL), 202);
        assert_int_equal(get(conn, "cmd_a", 1), 200);
        assert_int_equal(get(conn, "cmd_a", 2), 404);
        assert_int_equal(get(conn, "cmd_a", 3), 200);
        assert_int_equal(get(conn, "cmd_a", 0), 200);
        assert_int_equal(get(conn, "cmd_b", 1), 404);
        postgres_run("INSERT INTO shares (user_id, device_id) VALUES (2, 1)");
        assert_int_equal(get(conn, "cmd_a", 2), 200);
}

static void see(void *arg, const DbCommand *command) {
        Seen *seen = arg;

        assert_true(seen->n < 16);
        snprintf(seen->ids[seen->n++], QUERY_COMMAND_ID_SIZE, "%s", command->command_id);
        assert_string_equal(command->device_code, "dev-1");
        assert_string_equal(command->user_name, "ana");
        assert_true(command->left_ms >= 0 && command->left_ms <= 60000);
}

static size_t claim(DbConn *conn, const char *epoch) {
        Seen seen = { 0 };

        assert_int_equal(db_command_rows_claim(conn, epoch, false, 10, see, &seen), 0);
        return seen.n;
}

static size_t claim_again(DbConn *conn, const char *epoch) {
        Seen seen = { 0 };

        assert_int_equal(db_command_rows_claim(conn, epoch, true, 10, see, &seen), 0);
        return seen.n;
}

static void test_one_gateway_publishes_and_another_takes_over(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        CLEANUP_BUF Buf ids = { 0 };

        (void)state;
        assert_int_equal(add(conn, "cmd_a", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_b", NULL, NULL), 202);
        assert_int_equal(claim(conn, "one"), 2);
        assert_int_equal(claim(conn, "two"), 0);
        assert_int_equal(claim(conn, "one"), 0); /* a moment later again, if it has to be */
        postgres_run("UPDATE commands SET claimed_until = now() + interval '20 seconds'"
                     " WHERE command_id = 'cmd_a'");
        assert_int_equal(add(conn, "cmd_c", NULL, NULL), 202);
        assert_int_equal(claim(conn, "one"), 1); /* what is new goes apart */
        assert_int_equal(claim_again(conn, "one"), 1);
        assert_int_equal(db_command_rows_release(conn, "one"), 0);
        assert_int_equal(claim(conn, "two"), 3);
        assert_true(db_command_rows_list(&ids, "cmd_a"));
        assert_false(db_command_rows_list(&ids, "a,b"));
        assert_int_equal(db_command_rows_published(conn, ids.data), 0);
        postgres_run("UPDATE commands SET claimed_until = now() - interval '1 second'");
        assert_int_equal(claim(conn, "one"), 0);
        assert_int_equal(claim_again(conn, "one"), 2);
}

static int hear_alert(void *arg, const char *said) {
        Buf *buf = arg;

        buf_append_string(buf, said);
        return 0;
}

static void test_what_waits_is_found_by_name_by_page_and_by_device(void **state) {
        CLEANUP_BUF Buf said = { 0 };
        CLEANUP(db_conn_free) DbConn *conn = begin();
        CLEANUP(query_free) Query *query = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;
        CLEANUP_BUF Buf ids = { 0 };
        bool more = false, beat = false;
        Seen seen = { 0 };

        (void)state;
        assert_int_equal(db_command_rows_listen(conn), 0);
        assert_int_equal(add(conn, "cmd_a", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_b", "{\"a\":1}", NULL), 202);
        assert_int_equal(add(conn, "cmd_c", NULL, NULL), 202);
        postgres_run("UPDATE commands SET state = 'delivered' WHERE command_id = 'cmd_c'");
        assert_int_equal(db_command_rows_hear(conn, &ids, &more, &beat, hear_alert, &said), 0);
        assert_string_equal(ids.data, "{cmd_a,cmd_b,cmd_c}");
        assert_false(more || beat);
        postgres_run("NOTIFY tidegate_command, 'beat 0123456789abcdef 7'");
        postgres_run("SELECT 1");
        assert_int_equal(db_command_rows_published(conn, "{}"), 0);
        assert_int_equal(db_command_rows_hear(conn, &ids, &more, &beat, hear_alert, &said), 0);
        assert_string_equal(ids.data, "{cmd_a,cmd_b,cmd_c}");
        assert_false(more);
        assert_true(beat);
        assert_int_equal(said.n, 0);
        postgres_run("NOTIFY tidegate_alert, 'e:1 2 0 3 ana'");
        assert_int_equal(db_command_rows_published(conn, "{}"), 0);
        assert_int_equal(db_command_rows_hear(conn, &ids, &more, &beat, hear_alert, &said), 0);
        assert_string_equal(said.data, "e:1 2 0 3 ana");
        assert_false(more);
        assert_int_equal(db_command_rows_named(conn, ids.data, see, &seen), 0);
        assert_int_equal(seen.n, 2);
        assert_int_equal(db_command_rows_waiting(conn, "", 1, see, &seen), 0);
        assert_int_equal(db_command_rows_waiting(conn, "cmd_a", 1, see, &seen), 0);
        assert_int_equal(seen.n, 4);
        assert_string_equal(seen.ids[3], "cmd_b");

        assert_int_equal(query_new(&query, QUERY_PENDING_COMMANDS), 0);
        query->device_id = 1;
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(db_command_rows_pending(conn, query, answer), 0);
        assert_int_equal(answer->n_events, 2);
        assert_int_equal(answer->events[1]->type, EVENT_COMMAND);
        assert_true(text_equal(answer->events[1]->data,
                               TEXT("{\"command_id\":\"cmd_b\",\"action\":\"SET\",\"payload\":{"
                                    "\"a\":1}}")));
}

static int cancel(DbConn *conn, int64_t user_id, const char *id) {
        CLEANUP(query_free) Query *query = NULL;
        CLEANUP(answer_free) Answer *answer = NULL;

        assert_int_equal(query_new(&query, QUERY_COMMAND_CANCEL), 0);
        query->command_id = strdup(id);
        query->user_ids = calloc(1, sizeof(*query->user_ids));
        query->user_ids[0] = user_id;
        query->n_user_ids = 1;
        assert_int_equal(answer_new(&answer, query), 0);
        assert_int_equal(db_command_rows_cancel(conn, query, answer), 0);
        if (answer->status == 200)
                assert_string_equal(answer->state, "cancelled");
        return answer->status;
}

static void test_who_may_cancels_what_no_device_has(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        Seen seen = { 0 };

        (void)state;
        for (const char *ids[] = { "cmd_a", "cmd_b", "cmd_c" }, **id = ids; id < ids + 3; ++id)
                assert_int_equal(add(conn, *id, NULL, NULL), 202);
        assert_int_equal(cancel(conn, 2, "cmd_a"), 404);
        postgres_run("INSERT INTO shares (user_id, device_id) VALUES (2, 1)");
        assert_int_equal(cancel(conn, 2, "cmd_a"), 403);
        assert_int_equal(cancel(conn, 1, "cmd_a"), 200);
        assert_int_equal(cancel(conn, 1, "cmd_a"), 200);
        assert_int_equal(cancel(conn, 3, "cmd_a"), 200);
        assert_int_equal(cancel(conn, 3, "none"), 404);
        postgres_run("UPDATE commands SET state = 'delivered' WHERE command_id = 'cmd_b';"
                     "UPDATE commands SET expires_at = now() WHERE command_id = 'cmd_c'");
        assert_int_equal(cancel(conn, 1, "cmd_b"), 409);
        assert_int_equal(cancel(conn, 1, "cmd_c"), 409);

        assert_int_equal(add(conn, "cmd_d", NULL, NULL), 202); /* the place of cmd_a is free */
        assert_int_equal(db_command_rows_claim(conn, "one", false, 10, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.ids[0], "cmd_d");
        assert_int_equal(db_command_rows_overdue(conn, 10, see, &seen), 0);
        assert_int_equal(seen.n, 3); /* and cmd_a, cmd_c */
}

static void test_who_may_not_any_more_has_nothing_sent(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        Seen seen = { 0 };

        (void)state;
        postgres_run("INSERT INTO shares (user_id, device_id) VALUES (2, 1)");
        for (const char *ids[] = { "cmd_a", "cmd_b", "cmd_c" }, **id = ids; id < ids + 3; ++id)
                assert_int_equal(add(conn, *id, NULL, NULL), 202);
        postgres_run("UPDATE commands SET user_id = 2 WHERE command_id = 'cmd_a';"
                     "UPDATE commands SET user_id = NULL WHERE command_id = 'cmd_b';"
                     "DELETE FROM shares");
        assert_int_equal(db_command_rows_claim(conn, "one", false, 10, see, &seen), 0);
        assert_int_equal(seen.n, 2); /* nobody's is an operator's */
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_string_equal(postgres_text("SELECT string_agg(command_id, ' ') FROM commands"
                                          " WHERE cancelled_at IS NOT NULL"),
                            "cmd_a");
}

static void add_many(int n, const char *claimed_by) {
        char sql[512];

        (void)snprintf(sql,
                       sizeof(sql),
                       "INSERT INTO commands (command_id, device_id, user_id, action, expires_at,"
                       " claimed_by, claimed_until) SELECT 'cmd_' || i, 1, 2, 'SET',"
                       " now() + interval '1 hour', '%s', now() + interval '30 seconds'"
                       " FROM generate_series(1, %d) AS i",
                       claimed_by,
                       n);
        postgres_run(sql);
}

/* Whoever is in its way: a constraint of somebody's own. */
static void refuse_one(const char *command_id) {
        char sql[512];

        (void)snprintf(sql,
                       sizeof(sql),
                       "CREATE OR REPLACE FUNCTION refuse_one() RETURNS trigger LANGUAGE plpgsql AS"
                       " $$ BEGIN IF NEW.command_id = '%s' THEN RAISE EXCEPTION 'not this'"
                       " USING ERRCODE = '23514'; END IF; RETURN NEW; END $$;"
                       "CREATE TRIGGER refuse_one BEFORE UPDATE ON commands FOR EACH ROW"
                       " EXECUTE FUNCTION refuse_one()",
                       command_id);
        postgres_run(sql);
}

static void allow_all(void) {
        postgres_run("DROP TRIGGER refuse_one ON commands");
}

static void test_no_statement_cancels_more_than_a_thousand(void **state) {
        static const char n_cancelled[] =
                "SELECT count(*) FROM commands WHERE cancelled_at IS NOT NULL";
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        add_many(2500, "one");
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_string_equal(postgres_text(n_cancelled), "1000");
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_string_equal(postgres_text(n_cancelled), "2500");
}

static void test_no_statement_frees_more_than_a_thousand(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        add_many(2500, "one");
        assert_int_equal(db_command_rows_release(conn, "two"), 0);
        assert_string_equal(postgres_text("SELECT count(claimed_until) FROM commands"), "2500");
        assert_int_equal(db_command_rows_release(conn, "one"), 0);
        assert_string_equal(postgres_text("SELECT count(claimed_until) || ' ' ||"
                                          " count(DISTINCT xmin::text) FROM commands"),
                            "0 3");
}

static void test_one_that_is_refused_keeps_no_other_from_being_cancelled_or_free(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();

        (void)state;
        add_many(3, "one");
        refuse_one("cmd_2");
        assert_int_equal(db_command_rows_release(conn, "one"), 0);
        assert_string_equal(postgres_text("SELECT string_agg(command_id, ' ') FROM commands"
                                          " WHERE claimed_until IS NOT NULL"),
                            "cmd_2");
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_string_equal(postgres_text("SELECT string_agg(command_id, ' ') FROM commands"
                                          " WHERE cancelled_at IS NULL"),
                            "cmd_2");
        allow_all();
        assert_int_equal(db_command_rows_revoke(conn), 0);
        assert_string_equal(postgres_text("SELECT count(*) FROM commands"
                                          " WHERE cancelled_at IS NULL"),
                            "0");
}

static void test_what_is_over_its_time_is_found_once(void **state) {
        CLEANUP(db_conn_free) DbConn *conn = begin();
        Seen seen = { 0 };

        (void)state;
        assert_int_equal(add(conn, "cmd_a", NULL, NULL), 202);
        assert_int_equal(add(conn, "cmd_b", NULL, NULL), 202);
        assert_int_equal(db_command_rows_overdue(conn, 10, see, &seen), 0);
        assert_int_equal(seen.n, 0);
        postgres_run("UPDATE commands SET expires_at = now() - interval '1 second',"
                     " state = CASE command_id WHEN 'cmd_a' THEN 'executing' ELSE 'done' END");
        assert_int_equal(db_command_rows_overdue(conn, 10, see, &seen), 0);
        assert_int_equal(db_command_rows_overdue(conn, 10, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_string_equal(seen.ids[0], "cmd_a");
        postgres_run("UPDATE commands SET expiry_noted_at = now() - interval '1 minute'");
        assert_int_equal(db_command_rows_overdue(conn, 10, see, &seen), 0);
        assert_int_equal(seen.n, 2);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_key_stands_for_one_command),
                cmocka_unit_test(test_what_cannot_be_stored_is_an_answer),
                cmocka_unit_test(test_one_user_fills_his_share_and_no_more),
                cmocka_unit_test(test_who_may_cancels_what_no_device_has),
                cmocka_unit_test(test_who_may_not_any_more_has_nothing_sent),
                cmocka_unit_test(test_a_command_is_seen_by_who_sees_the_device),
                cmocka_unit_test(test_one_gateway_publishes_and_another_takes_over),
                cmocka_unit_test(test_what_waits_is_found_by_name_by_page_and_by_device),
                cmocka_unit_test(test_no_statement_cancels_more_than_a_thousand),
                cmocka_unit_test(test_no_statement_frees_more_than_a_thousand),
                cmocka_unit_test(
                        test_one_that_is_refused_keeps_no_other_from_being_cancelled_or_free),
                cmocka_unit_test(test_what_is_over_its_time_is_found_once),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
