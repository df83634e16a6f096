#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "db/conn.h"
#include "db/target.h"
#include "postgres.h"

DEFINE_CLEANUP(PGresult *, PQclear);

static DbConn *conn_to(const char *url, int connect_timeout_ms) {
        const DbConnOptions options = {
                .url = url,
                .name = "test",
                .connect_timeout_ms = connect_timeout_ms,
                .statement_timeout_ms = 300,
        };
        DbConn *conn = NULL;

        assert_int_equal(db_conn_new(&conn, &options), 0);
        return conn;
}

static void test_session_is_set_up(void **state) {
        CLEANUP(PQclear) PGresult *result = NULL;
        DbConn *conn = conn_to(getenv("TIDEGATE_TEST_DATABASE"), 5000);
        const DbQuery query = {
                .sql = "SELECT concat_ws(' ', current_setting('client_encoding'),"
                       " current_setting('timezone'), current_setting('application_name'),"
                       " current_setting('statement_timeout'))",
        };

        (void)state;
        assert_int_equal(db_conn_connect_wait(conn, 5000), 0);
        assert_int_equal(db_conn_exec(conn, &query, &result), 0);
        assert_string_equal(PQgetvalue(result, 0, 0), "UTF8 UTC tidegate/test 300ms");
        db_conn_free(conn);
}

static void test_options_of_the_url_are_kept(void **state) {
        char url[512];
        DbConn *conn;

        (void)state;
        snprintf(url,
                 sizeof(url),
                 "%s&options=-csearch_path%%3Dnone",
                 getenv("TIDEGATE_TEST_DATABASE"));
        postgres_reset();
        postgres_run("CREATE TABLE here (a int)");
        conn = conn_to(url, 5000);
        assert_int_equal(db_conn_connect_wait(conn, 5000), 0);
        assert_int_equal(db_conn_script(conn, "SELECT * FROM here"), DB_E_REJECTED);
        assert_string_equal(db_conn_sqlstate(conn), "42P01");
        assert_int_equal(db_conn_script(conn, "SELECT * FROM public.here"), 0);
        db_conn_free(conn);
}

static void test_bad_url_is_an_answer_without_the_password(void **state) {
        static const char *const urls[] = { "postgresql://u:geheim@h:port/db",
                                            "password=geheim host",
                                            "postgresql://u:geheim@/%zz" };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(urls); ++i) {
                DbConn *conn = conn_to(urls[i], 1000);

                assert_int_equal(db_conn_connect_wait(conn, 1000), DB_E_OFFLINE);
                assert_null(strstr(db_conn_error(conn), "geheim"));
                assert_true(strlen(db_conn_error(conn)) > 0);
                db_conn_free(conn);
        }
        assert_false(db_target_is_valid(urls[1]));
        assert_true(db_target_is_valid("postgresql://u:p@h/db"));
}

static void test_refused_connection_is_offline_and_may_be_tried_again(void **state) {
        DbConn *conn = conn_to("postgresql://x@127.0.0.1:1/x", 5000);

        (void)state;
        for (int i = 0; i < 3; ++i)
                assert_int_equal(db_conn_connect_wait(conn, 5000), DB_E_OFFLINE);
        assert_int_equal(db_conn_fd(conn), -1);
        assert_int_equal(db_conn_script(conn, "SELECT 1"), DB_E_OFFLINE);
        db_conn_free(conn);
}

/* A socket that accepts, and then says nothing. */
static int silent_server(char url[64]) {
        struct sockaddr_in address = { .sin_family = AF_INET,
                                       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t n = sizeof(address);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        MUST(bind(fd, (struct sockaddr *)&address, n));
        MUST(listen(fd, 8));
        MUST(getsockname(fd, (struct sockaddr *)&address, &n));
        snprintf(url, 64, "postgresql://x@127.0.0.1:%d/x", ntohs(address.sin_port));
        return fd;
}

static void test_silent_server_is_given_up(void **state) {
        char url[64];
        int fd = silent_server(url);
        DbConn *conn = conn_to(url, 50);

        (void)state;
        assert_int_equal(db_conn_connect_wait(conn, 60000), DB_E_OFFLINE);
        assert_int_equal(db_conn_connect_wait(conn, 20), DB_E_OFFLINE);
        db_conn_free(conn);
        close(fd);
}

/* A machine that is off does not even refuse: the next host is tried within the time, and at once
 * the next time. */
static void test_a_silent_host_is_passed_over(void **state) {
        char silent[64], url[512];
        int fd = silent_server(silent);
        const char *port = strrchr(silent, ':') + 1;
        DbConn *conn;

        (void)state;
        snprintf(url,
                 sizeof(url),
                 "host=127.0.0.1,127.0.0.1,%s port=%.*s,1,5432 user=tidegate dbname=postgres"
                 " target_session_attrs=prefer-standby",
                 strstr(getenv("TIDEGATE_TEST_DATABASE"), "host=") + strlen("host="),
                 (int)strcspn(port, "/"),
                 port);
        conn = conn_to(url, 3000);
        for (int i = 0; i < 2; ++i) {
                assert_int_equal(db_conn_connect_wait(conn, 60000), 0);
                assert_int_equal(db_conn_script(conn, "SELECT 1"), 0);
                db_conn_disconnect(conn);
        }
        db_conn_free(conn);
        close(fd);
}

static void test_stop_ends_a_wait(void **state) {
        char url[64];
        int fd = silent_server(url);
        int stop = eventfd(1, EFD_CLOEXEC);
        DbConn *conn = conn_to(url, 600000);

        (void)state;
        db_conn_set_stop(conn, stop);
        assert_int_equal(db_conn_connect_wait(conn, 600000), DB_E_OFFLINE);
        db_conn_free(conn);

        conn = postgres_connect(600000);
        db_conn_set_stop(conn, stop);
        assert_int_equal(db_conn_script(conn, "SELECT pg_sleep(600)"), DB_E_OFFLINE);
        assert_false(db_conn_is_open(conn));
        db_conn_free(conn);
        close(stop);
        close(fd);
}

static void test_hanging_server_does_not_hang_a_statement(void **state) {
        const DbQuery query = { .sql = "SELECT 1" };
        DbConn *conn = conn_to(getenv("TIDEGATE_TEST_DATABASE"), 5000);

        (void)state;
        assert_int_equal(db_conn_connect_wait(conn, 5000), 0);
        postgres_server("pause");
        assert_int_equal(db_conn_exec(conn, &query, NULL), DB_E_OFFLINE);
        postgres_server("resume");
        assert_int_equal(db_conn_connect_wait(conn, 5000), 0);
        assert_int_equal(db_conn_exec(conn, &query, NULL), 0);
        db_conn_free(conn);
}

static void test_a_row_that_is_not_there_is_an_answer(void **state) {
        DbConn *conn = postgres_connect(5000);
        PGresult *row = NULL;

        (void)state;
        assert_int_equal(db_conn_connect_wait(conn, 5000), 0);
        assert_int_equal(db_conn_row(conn, &(DbQuery){ .sql = "SELECT 1 WHERE false" }, &row),
                         DB_E_NOT_FOUND);
        assert_null(row);
        assert_int_equal(db_conn_row(conn, &(DbQuery){ .sql = "SELECT 7" }, &row), 0);
        assert_string_equal(PQgetvalue(row, 0, 0), "7");
        PQclear(row);
        assert_int_equal(db_conn_row(conn, &(DbQuery){ .sql = "SELECT 1/0" }, &row), DB_E_REJECTED);
        db_conn_free(conn);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_session_is_set_up),
                cmocka_unit_test(test_options_of_the_url_are_kept),
                cmocka_unit_test(test_bad_url_is_an_answer_without_the_password),
                cmocka_unit_test(test_refused_connection_is_offline_and_may_be_tried_again),
                cmocka_unit_test(test_silent_server_is_given_up),
                cmocka_unit_test(test_a_silent_host_is_passed_over),
                cmocka_unit_test(test_stop_ends_a_wait),
                cmocka_unit_test(test_hanging_server_does_not_hang_a_statement),
                cmocka_unit_test(test_a_row_that_is_not_there_is_an_answer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
