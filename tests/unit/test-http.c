/* WsHttp behind a real server and real sockets: framing, keep-alive, bodies, queries, limits. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"
#include "model/event.h"
#include "model/metrics.h"
#include "model/query.h"
#include "tests/fake/asks.h"
#include "ws/access/auth.h"
#include "ws/loop/options.h"
#include "ws/manage/change.h"
#include "ws/server.h"

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

typedef struct Fixture Fixture;

struct Fixture {
        char secret[64];
        WsAuth *auth;
        Queue *outbox, *queries;
        WsServer *server;
        int fd;
        char answer[1 << 20]; /* of the last read_answer(): one whole answer */
        size_t n_answer;
        char rest[1 << 20]; /* what came behind it */
        size_t n_rest;
};

static void free_event(void *item) {
        event_unref(item);
}

static void push(Fixture *f, Event *event) {
        assert_int_equal(queue_push(f->outbox, event, 5000), 0);
}

static void add(RegistryDelta *delta, RegistryRow row) {
        assert_int_equal(registry_delta_add(delta, &row), 0);
}

static void load_registry(Fixture *f) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        RegistryRow row = { 0 };
        Event *event = NULL;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        row.table = REGISTRY_USER;
        row.user = (User){ .id = 1, .name = "ana", .role = ROLE_USER, .is_active = true };
        add(delta, row);
        row.user = (User){ .id = 2, .name = "root", .role = ROLE_ADMIN, .is_active = true };
        add(delta, row);
        row = (RegistryRow){ .table = REGISTRY_VEHICLE };
        row.vehicle = (Vehicle){ .id = 7, .user_id = 1, .code = "USV-7", .is_active = true };
        add(delta, row);
        row.vehicle = (Vehicle){ .id = 8, .user_id = 2, .code = "USV-\"8\"", .is_active = true };
        add(delta, row);
        row = (RegistryRow){ .table = REGISTRY_DEVICE };
        row.device = (Device){ .id = 3, .user_id = 1, .key = "k", .code = "d3", .is_active = true };
        add(delta, row);
        row.device = (Device){ .id = 4, .user_id = 2, .key = "k", .code = "d4", .is_active = true };
        add(delta, row);
        assert_int_equal(event_new_registry(&event, delta), 0);
        push(f, event);
        assert_int_equal(event_new_gap(&event, 1, 0), 0);
        push(f, event);
}

static void start(Fixture *f, WsOptions options) {
        options.listen = "127.0.0.1:0";
        options.epoch = "0123456789abcdef";
        options.version = "test";
        options.welcome = "hello";
        options.token_ttl_s = 60;
        options.max_message_bytes = 65536;
        options.max_body_bytes = 1000;
        options.queue_bytes = 1 << 20;
        options.slow_ms = 10000;
        if (options.handshake_timeout_ms == 0)
                options.handshake_timeout_ms = 10000;
        options.ping_interval_ms = 20000;
        options.silence_ms = 60000;
        options.max_connections = 100;
        options.max_connections_per_user = 5;
        options.messages_per_s = 50;
        options.max_subscriptions = 100;
        options.max_paced = 100;
        options.stats_interval_ms = 3600000;
        options.ask = asks_keep;
        options.ask_arg = f->queries;
        assert_int_equal(ws_server_new(&f->server, &options, f->auth, f->outbox), 0);
        assert_int_equal(ws_server_start(f->server), 0);
        load_registry(f);
}

static int connect_to(Fixture *f) {
        struct sockaddr_in address = {
                .sin_family = AF_INET,
                .sin_port = htons((uint16_t)ws_server_port(f->server)),
                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
        };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
        return fd;
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int fd;

        metrics_reset();
        strcpy(f->secret, "/tmp/test-http-XXXXXX");
        fd = mkstemp(f->secret);
        assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
        close(fd);
        assert_int_equal(ws_auth_new(&f->auth,
                                     &(WsAuthOptions){ .jwt_secret_file = f->secret,
                                                       .anonymous = "/api/faces/statistics" }),
                         0);
        assert_int_equal(queue_new(&f->outbox, 64, free_event), 0);
        assert_int_equal(queue_new(&f->queries, 4, asks_free), 0);
        f->fd = -1;
        *state = f;
        return 0;
}

static int set_up_started(void **state) {
        set_up(state);
        start(*state, (WsOptions){ .allowed_origins = "https://app.example" });
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        if (f->fd >= 0)
                close(f->fd);
        queue_close(f->outbox);
        queue_close(f->queries);
        ws_server_free(f->server);
        queue_free(f->outbox);
        queue_free(f->queries);
        ws_auth_free(f->auth);
        unlink(f->secret);
        free(f);
        return 0;
}

static void dial(Fixture *f) {
        if (f->fd >= 0)
                close(f->fd);
        f->fd = connect_to(f);
        f->n_rest = 0;
}

static void send_text(Fixture *f, const char *text) {
        assert_int_equal(send(f->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* More bytes into @rest; false at the end of the connection. */
static bool read_more(Fixture *f) {
        struct pollfd ready = { .fd = f->fd, .events = POLLIN };
        ssize_t n;

        assert_int_equal(poll(&ready, 1, 15000), 1);
        n = recv(f->fd, f->rest + f->n_rest, sizeof(f->rest) - f->n_rest - 1, 0);
        if (n <= 0)
                return false;
        f->n_rest += (size_t)n;
        f->rest[f->n_rest] = '\0';
        return true;
}

/* Reads one answer, leaves what follows; its status, or 0 if the connection ended before. */
static int read_answer_of(Fixture *f, bool has_body) {
        const char *length;
        size_t n_head, n_body = 0;
        char *end;

        f->rest[f->n_rest] = '\0';
        while (!(end = strstr(f->rest, "\r\n\r\n")))
                if (!read_more(f))
                        return 0;
        n_head = (size_t)(end - f->rest) + 4;
        length = strcasestr(f->rest, "\r\nContent-Length: ");
        if (has_body && length && length < end)
                n_body = strtoul(length + 18, NULL, 10);
        while (f->n_rest < n_head + n_body)
                if (!read_more(f))
                        return 0;

        f->n_answer = n_head + n_body;
        memcpy(f->answer, f->rest, f->n_answer);
        f->answer[f->n_answer] = '\0';
        memmove(f->rest, f->rest + f->n_answer, f->n_rest - f->n_answer);
        f->n_rest -= f->n_answer;
        return (int)strtol(f->answer + 9, NULL, 10);
}

static int read_answer(Fixture *f) {
        return read_answer_of(f, true);
}

static bool is_closed(Fixture *f) {
        return f->n_rest == 0 && !read_more(f);
}

static bool has(Fixture *f, const char *text) {
        return strstr(f->answer, text) != NULL;
}

/* One request on a connection of its own. @headers: lines with CRLF. */
static int request(Fixture *f, const char *line, const char *headers, const char *body) {
        char text[16384];

        dial(f);
        snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n%s", line, headers, body);
        send_text(f, text);
        return read_answer(f);
}

static const char *bearer(Fixture *f, const char *subject) {
        static char header[2048];
        char *jwt = NULL;

        assert_int_equal(ws_auth_mint(f->auth,
                                      &(WsSubject){ .name = subject },
                                      clock_now_us(),
                                      60,
                                      &jwt),
                         0);
        snprintf(header, sizeof(header), "Authorization: Bearer %s\r\n", jwt);
        free(jwt);
        return header;
}

static Query *next_query(Fixture *f) {
        void *query = NULL;

        assert_int_equal(queue_pop(f->queries, &query, 1, 15000), 1);
        return query;
}

static void answer_query(Fixture *f, const Query *query, int status, const char *body) {
        CLEANUP(answer_free) Answer *answer = NULL;
        Event *event = NULL;

        assert_int_equal(answer_new(&answer, query), 0);
        answer->status = status;
        answer->user_id = 1;
        answer->generation = 11;
        if (body && answer->n_bodies > 0)
                buf_append_string(&answer->bodies[0], body);
        assert_int_equal(event_new_answer(&event, &answer, answer_free), 0);
        push(f, event);
}

/* What a request asks. The scheduled statistics of dialects A and E ask, too: for no party. */
static Query *next_asked(Fixture *f) {
        Query *query = next_query(f);

        while (query->party == 0) {
                answer_query(f, query, 503, NULL);
                query_free(query);
                query = next_query(f);
        }
        return query;
}

static void send_login(Fixture *f, const char *form) {
        char text[4096];

        snprintf(text,
                 sizeof(text),
                 "POST /api/token HTTP/1.1\r\nHost: a\r\n" FORM "Content-Length: %zu\r\n\r\n%s",
                 strlen(form),
                 form);
        send_text(f, text);
}

/* With a database that answers @status. */
static int login(Fixture *f, const char *form, int status) {
        CLEANUP(query_free) Query *query = NULL;

        dial(f);
        send_login(f, form);
        query = next_asked(f);
        answer_query(f, query, status, NULL);
        return read_answer(f);
}

static void test_health_tells_what_is_away(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /health", "", ""), 503);
        assert_true(has(f, "\"status\":\"degraded\""));
        assert_true(has(f, "\"database_away\""));
        assert_true(has(f, "\"broker_away\""));
        assert_int_equal(request(f, "GET /api/health", "", ""), 503); /* as cameras ask */
        assert_true(has(f, "{\"status\":\"degraded\",\"active_cameras\":null,"));
        assert_true(has(f, "\"database\":\"disconnected\"}"));
        assert_int_equal(request(f, "GET /livez", "", ""), 200);
        assert_int_equal(request(f, "GET /readyz", "", ""), 503);
        assert_false(has(f, "sqlstate"));
        metrics_set_cause("28P01");
        assert_int_equal(request(f, "GET /readyz", "", ""), 503);
        assert_true(has(f, "\"sqlstate\":\"28P01\""));
        metrics_set_cause("");

        metric_set(METRIC_DB_CONNECTED, 1);
        metric_set(METRIC_MQTT_CONNECTED, 1);
        while (request(f, "GET /readyz", "", "") != 200) /* until the registry is there */
                assert_true(has(f, "[\"registry_not_loaded\"]"));
        assert_int_equal(request(f, "GET /health", "", ""), 200);
        assert_true(has(f, "{\"status\":\"healthy\",\"timestamp\":\""));
        assert_true(has(f, "Z\",\"websocket_connections\":0}"));
        assert_int_equal(request(f, "GET /api/health", "", ""), 200);
        assert_true(has(f, "{\"status\":\"healthy\",\"active_cameras\":null,"));
        assert_true(has(f, "\"face_recognition\":\"available\",\"database\":\"connected\"}"));
        metric_set(METRIC_JOURNAL_FULL, 1);
        assert_int_equal(request(f, "GET /readyz", "", ""), 503);
        assert_true(has(f, "[\"journal_full\"]"));
}

static void test_requests_share_a_connection_and_may_be_pipelined(void **state) {
        Fixture *f = *state;

        dial(f);
        for (int i = 0; i < 3; ++i) {
                send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
                assert_int_equal(read_answer(f), 200);
        }
        send_text(f,
                  "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /live/app.js HTTP/1.1\r\nHost: a\r\n\r\n"
                  "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
        assert_int_equal(read_answer(f), 404);
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "text/javascript"));
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

static void test_connection_ends_where_the_client_says_so(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /livez", "Connection: close\r\n", ""), 200);
        assert_true(has(f, "Connection: close\r\n"));
        assert_true(is_closed(f));
        dial(f);
        send_text(f, "GET /livez HTTP/1.0\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
        assert_true(is_closed(f));
}

static void test_head_has_the_headers_alone(void **state) {
        Fixture *f = *state;

        dial(f);
        send_text(f,
                  "HEAD /live HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer_of(f, false), 200);
        assert_true(has(f, "Content-Type: text/html"));
        assert_false(has(f, "Content-Length: 0\r\n"));
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
        /* What would have no end has no body either, nor a length that it would not have. */
        send_text(f, "HEAD /api/events HTTP/1.1\r\nHost: a\r\n");
        send_text(f, bearer(f, "ana"));
        send_text(f, "\r\nHEAD /api/events/poll?wait=0 HTTP/1.1\r\nHost: a\r\n");
        send_text(f, bearer(f, "ana"));
        send_text(f, "\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        for (int i = 0; i < 2; ++i) {
                assert_int_equal(read_answer_of(f, false), 200);
                assert_false(has(f, "Content-Length"));
        }
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

static void test_refusal_of_head_has_no_body_either(void **state) {
        static const char *const requests[] = {
                "HEAD /%zz HTTP/1.1\r\nHost: a\r\n\r\n",
                "HEAD /livez HTTP/1.1\r\n\r\n",
                "HEAD /livez HTTP/2.0\r\nHost: a\r\n\r\n",
                "HEAD /livez HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
                "HEAD /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(requests); ++i) {
                dial(f);
                send_text(f, requests[i]);
                assert_in_range(read_answer_of(f, false), 400, 505);
                assert_true(has(f, "Content-Type: application/problem+json"));
                assert_true(is_closed(f));
        }
}

static void test_host_is_one_that_every_reader_takes_for_the_same(void **state) {
        static const char *const good[] = {
                "a",       "a:80", "a:",         "",   "127.0.0.1:8080",
                "[::1]",   "a%41", "[::1]:8080", "A.", "a-b_c~d.example",
                "[v1.x:y]"
        };
        static const char *const bad[] = { "a b",  "a/b",    "a@b",    "a?b",      "a#b",
                                           "a\\b", "a:b",    "a:8:8",  "::1",      "[::1",
                                           "[]",   "[::1]x", "[a/b]",  "a%",       "a%4",
                                           "a%zz", "<a>",    "a\"b",   "http://a", "\xc3\xa4",
                                           "a:-1", "a:+1",   "[::1]:x" };
        Fixture *f = *state;
        char text[256];

        for (size_t i = 0; i < N_ELEMENTS(good) + N_ELEMENTS(bad); ++i) {
                bool is_good = i < N_ELEMENTS(good);
                const char *host = is_good ? good[i] : bad[i - N_ELEMENTS(good)];

                snprintf(text, sizeof(text), "GET /livez HTTP/1.1\r\nHost: %s\r\n\r\n", host);
                dial(f);
                send_text(f, text);
                if (read_answer(f) != (is_good ? 200 : 400))
                        fail_msg("Host: %s", host);
                if (!*host || strpbrk(host, " /?"))
                        continue;
                snprintf(text,
                         sizeof(text),
                         "GET http://%s/livez HTTP/1.1\r\nHost: a\r\n\r\n",
                         host);
                dial(f);
                send_text(f, text);
                if (read_answer(f) != (is_good ? 200 : 400))
                        fail_msg("http://%s", host);
        }
}

static void test_what_is_too_long_is_told_which_it_is(void **state) {
        static const struct {
                const char *before;
                size_t n;
                const char *behind;
                int status;
        } cases[] = {
                { "GET /", 254, " HTTP/1.1\r\nHost: a\r\n\r\n", 404 },
                { "GET /", 255, " HTTP/1.1\r\nHost: a\r\n\r\n", 414 },
                { "GET /livez?", 2047, " HTTP/1.1\r\nHost: a\r\n\r\n", 200 },
                { "GET /livez?", 2048, " HTTP/1.1\r\nHost: a\r\n\r\n", 414 },
                { "GET /livez HTTP/1.1\r\nHost: a\r\nOrigin: ", 300, "\r\n\r\n", 431 },
                { "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: ", 300, "\r\n\r\n", 431 },
                { "GET /livez HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ",
                  9000,
                  "\r\n\r\n",
                  431 },
                { "GET /livez HTTP/1.1\r\nHost: a\r\nIdempotency-Key: ", 200, "\r\n\r\n", 400 },
                { "GET /livez HTTP/1.1\r\nHost: ", 300, "\r\n\r\n", 400 },
                { "", 30, " /livez HTTP/1.1\r\nHost: a\r\n\r\n", 501 },
        };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP_BUF Buf text = { 0 };

                buf_append_string(&text, cases[i].before);
                for (size_t k = 0; k < cases[i].n; ++k)
                        buf_append_char(&text, 'x');
                buf_append(&text, cases[i].behind, strlen(cases[i].behind) + 1);
                dial(f);
                send_text(f, text.data);
                if (read_answer(f) != cases[i].status)
                        fail_msg("%s...: %.20s", cases[i].before, f->answer);
        }
}

static void test_unknown_paths_and_methods_are_problems(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /nowhere", "", ""), 404);
        assert_true(has(f, "Content-Type: application/problem+json"));
        assert_true(has(f, "\"code\":\"not_found\""));
        assert_int_equal(request(f, "GET /api/ws/vehicle/7", "", ""), 426);
        assert_true(has(f, "Upgrade: websocket\r\n"));
        assert_int_equal(request(f, "DELETE /api/token", "", ""), 405);
        assert_true(has(f, "Allow: POST, OPTIONS\r\n"));
        assert_int_equal(request(f, "DELETE /health", "Content-Length: 3\r\n", "abc"), 400);
        assert_int_equal(request(f, "PUT /health", "Content-Length: 3\r\n", "abc"), 405);
        assert_int_equal(request(f, "POST /health", "Content-Length: 0\r\n", ""), 405);
        assert_int_equal(request(f, "POST /health", "", ""), 405);
        assert_true(is_closed(f));
}

static void test_page_is_served_with_a_policy_and_a_tag(void **state) {
        Fixture *f = *state;
        char tag[128] = "If-None-Match: ";
        char *at;

        assert_int_equal(request(f, "GET /live", "", ""), 200);
        assert_true(has(f, "Content-Security-Policy: default-src 'self'"));
        assert_true(has(f, "frame-ancestors 'none'"));
        assert_true(has(f, "X-Content-Type-Options: nosniff"));
        at = strstr(f->answer, "ETag: ");
        assert_non_null(at);
        strncat(tag, at + 6, strcspn(at + 6, "\n") + 1);
        assert_int_equal(request(f, "GET /live", tag, ""), 304);
}

static void test_ambiguous_bodies_are_refused(void **state) {
        static const struct {
                const char *headers;
                int status;
        } cases[] = {
                { "Transfer-Encoding: chunked\r\n", 411 },
                { "Transfer-Encoding: CHUNKED\r\n", 411 },
                { "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400 },
                { "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400 },
                { "Transfer-Encoding: gzip, chunked\r\n", 501 },
                { "Transfer-Encoding: chunked, chunked\r\n", 400 },
                { "Transfer-Encoding: chunked, gzip\r\n", 400 },
                { "Transfer-Encoding: gzip\r\n", 400 },
                { "Transfer-Encoding: xchunked\r\n", 400 },
                { "Transfer-Encoding: chunked;q=1\r\n", 400 },
                { "Transfer-Encoding: identity\r\n", 400 },
                { "Transfer-Encoding:\r\n", 400 },
                { "Content-Length: 4\r\nContent-Length: 5\r\n", 400 },
                { "Content-Length: +4\r\n", 400 },
                { "Content-Length: -4\r\n", 400 },
                { "Content-Length: 4, 4\r\n", 400 },
                { "Content-Length: 0x4\r\n", 400 },
                { "Content-Length: 99999999999999999999\r\n", 400 },
        };
        Fixture *f = *state;
        char all[256];

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                snprintf(all, sizeof(all), FORM "%s", cases[i].headers);
                if (request(f, "POST /api/token", all, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") !=
                    cases[i].status)
                        fail_msg("%s%.20s", cases[i].headers, f->answer);
                assert_true(has(f, "Connection: close\r\n"));
                shutdown(f->fd, SHUT_WR);
                assert_true(is_closed(f));
                if (request(f, "GET /livez", all, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n") !=
                    cases[i].status)
                        fail_msg("%s%.20s", cases[i].headers, f->answer);
                shutdown(f->fd, SHUT_WR);
                assert_true(is_closed(f));
        }
        assert_int_equal(queue_length(f->queries), 0);
}

static void test_body_has_a_limit_and_a_type(void **state) {
        Fixture *f = *state;
        char body[4096];

        memset(body, 'x', sizeof(body) - 1);
        body[sizeof(body) - 1] = '\0';
        assert_int_equal(request(f, "POST /api/token", FORM "Content-Length: 4095\r\n", body), 413);
        assert_int_equal(request(f,
                                 "POST /api/token",
                                 "Content-Type: application/json\r\nContent-Length: 2\r\n",
                                 "{}"),
                         415);
        assert_int_equal(request(f, "POST /api/token", "", ""), 415);
        assert_int_equal(request(f, "POST /api/token", FORM "Content-Length: 10\r\n", "username=a"),
                         400);
        assert_true(has(f, "\"code\":\"bad_request\""));
        assert_int_equal(request(f, "POST /api/token", FORM "Content-Length: 0\r\n", ""), 400);
        assert_int_equal(queue_length(f->queries), 0);
}

static void test_login_buys_a_token(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture *f = *state;
        WsClaims claims;
        const char *why;
        Text jwt;

        dial(f);
        send_login(f, "grant_type=password&username=ana&password=a%26b+c%C3%A9");
        query = next_asked(f);
        assert_int_equal(query->kind, QUERY_LOGIN);
        assert_string_equal(query->username, "ana");
        assert_string_equal(query->password, "a&b cé");
        answer_query(f, query, 200, NULL);

        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "Cache-Control: no-store"));
        assert_true(has(f, "\"token_type\":\"bearer\""));
        jwt.data = strstr(f->answer, "\"access_token\":\"") + 16;
        jwt.n = strcspn(jwt.data, "\"");
        assert_int_equal(ws_auth_verify(f->auth, jwt, clock_now_us(), &claims, &why), 0);
        assert_string_equal(claims.subject, "ana");
        assert_true(claims.user_id == 1 && claims.generation == 11);

        send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
}

static void test_login_may_come_byte_by_byte_and_with_more_behind_it(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        static const char text[] =
                "POST /api/token HTTP/1.1\r\nHost: a\r\n" FORM
                "Content-Length: 23\r\n\r\nusername=ana&password=bGET /livez HTTP/1.1\r\n"
                "Host: a\r\n\r\n";
        Fixture *f = *state;

        dial(f);
        for (size_t i = 0; text[i]; ++i)
                assert_int_equal(send(f->fd, text + i, 1, MSG_NOSIGNAL), 1);
        query = next_asked(f);
        assert_string_equal(query->password, "b");
        answer_query(f, query, 401, NULL);
        assert_int_equal(read_answer(f), 401);
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

static void test_failed_logins_are_limited_and_good_ones_are_not(void **state) {
        Fixture *f = *state;

        for (int i = 0; i < 30; ++i)
                assert_int_equal(login(f, "username=ana&password=x", 200), 200);
        for (int i = 0; i < 30; ++i)
                assert_int_equal(login(f, "username=ana&password=x", 503), 503);
        for (int i = 0; i < 10; ++i) {
                assert_int_equal(login(f, "username=ana&password=x", 401), 401);
                assert_true(has(f, "WWW-Authenticate: Bearer"));
        }
        dial(f);
        send_login(f, "username=ana&password=x");
        assert_int_equal(read_answer(f), 429);
        assert_true(has(f, "Retry-After: "));
        assert_int_equal(metric_get(METRIC_LOGIN_FAILED), 10);
        assert_int_equal(metric_get(METRIC_LOGIN_OK), 30);
}

static void test_asker_who_leaves_costs_nothing_but_his_answer(void **state) {
        CLEANUP(query_free) Query *first = NULL;
        CLEANUP(query_free) Query *second = NULL;
        Fixture *f = *state;

        dial(f);
        send_login(f, "username=ana&password=x");
        first = next_asked(f);
        close(f->fd);
        f->fd = -1;

        dial(f);
        send_login(f, "username=ana&password=y");
        second = next_asked(f);
        assert_true(first->question != second->question);
        answer_query(f, first, 200, NULL);
        answer_query(f, first, 200, NULL);
        answer_query(f, second, 401, NULL);
        assert_int_equal(read_answer(f), 401);
        answer_query(f, second, 200, NULL);
        send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

static void test_full_query_queue_is_an_answer(void **state) {
        Fixture *f = *state;
        int fds[64];
        size_t n = 0;

        while (queue_length(f->queries) < 4 && n < N_ELEMENTS(fds)) {
                size_t before = queue_length(f->queries);

                dial(f);
                send_login(f, "username=ana&password=x");
                while (queue_length(f->queries) == before)
                        usleep(1000);
                fds[n++] = f->fd;
                f->fd = -1;
        }
        dial(f);
        send_login(f, "username=ana&password=x");
        assert_int_equal(read_answer(f), 503);
        assert_true(has(f, "Retry-After: "));
        assert_int_equal(metric_get(METRIC_QUERY_REFUSED), 1);
        while (n > 0)
                close(fds[--n]);
}

static void test_query_that_nobody_answers_is_a_504(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture *f = *state;

        start(f, (WsOptions){ .answer_timeout_ms = 10 });
        dial(f);
        send_login(f, "username=ana&password=x");
        query = next_asked(f);
        assert_int_equal(read_answer(f), 504);
        answer_query(f, query, 200, NULL);
        send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

static void test_slow_body_is_cut_off(void **state) {
        Fixture *f = *state;

        start(f, (WsOptions){ .handshake_timeout_ms = 100 });
        dial(f);
        send_text(f,
                  "POST /api/token HTTP/1.1\r\nHost: a\r\n" FORM
                  "Content-Length: 900\r\n\r\nusername=");
        /* A byte at a time, for ever: the deadline is of the whole body. */
        for (;;) {
                struct pollfd ready = { .fd = f->fd, .events = POLLIN };

                if (poll(&ready, 1, 10) == 1)
                        break;
                if (send(f->fd, "a", 1, MSG_NOSIGNAL) < 0)
                        break;
        }
        assert_false(read_more(f));
        assert_int_equal(queue_length(f->queries), 0);
}

static void test_statistics_ask_for_the_scope_of_the_user(void **state) {
        static const struct {
                const char *subject;
                int64_t scope;
        } cases[] = { { "ana", 1 }, { "root", 0 } };
        Fixture *f = *state;
        char text[4096];

        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                CLEANUP(query_free) Query *query = NULL;

                dial(f);
                snprintf(text,
                         sizeof(text),
                         "GET /api/v1/statistics/realtime?device_id=%s&minutes=7 HTTP/1.1\r\n"
                         "Host: a\r\n%s\r\n",
                         i == 0 ? "d3" : "4",
                         bearer(f, cases[i].subject));
                send_text(f, text);
                query = next_asked(f);
                assert_int_equal(query->kind, QUERY_DETECTION_STATS);
                assert_int_equal(query->n_user_ids, 1);
                assert_int_equal(query->user_ids[0], cases[i].scope);
                assert_int_equal(query->minutes, 7);
                assert_int_equal(query->device_id, i == 0 ? 3 : 4);
                answer_query(f, query, 200, "{\"n\":1}");
                assert_int_equal(read_answer(f), 200);
                assert_true(has(f, "\r\n\r\n{\"n\":1}"));
        }
}

static void test_statistics_refuse_bad_parameters_and_foreign_devices(void **state) {
        static const char *const bad[] = {
                "0", "525601", "x", "5x", "-1", "", "5.5", "%205", "1e1"
        };
        Fixture *f = *state;
        char line[128];

        for (size_t i = 0; i < N_ELEMENTS(bad); ++i) {
                snprintf(line, sizeof(line), "GET /api/v1/statistics/realtime?minutes=%s", bad[i]);
                assert_int_equal(request(f, line, bearer(f, "ana"), ""), 400);
        }
        assert_int_equal(request(f,
                                 "GET /api/v1/statistics/realtime?device_id=d4",
                                 bearer(f, "ana"),
                                 ""),
                         404);
        assert_int_equal(request(f, "GET /api/v1/statistics/realtime", "", ""), 401);
        assert_int_equal(request(f,
                                 "GET /api/v1/statistics/realtime",
                                 "Authorization: Bearer nonsense\r\n",
                                 ""),
                         401);
        assert_true(has(f, "WWW-Authenticate: Bearer"));
}

static void test_anonymous_paths_ask_for_everything(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture *f = *state;

        dial(f);
        send_text(f, "GET /api/faces/statistics HTTP/1.1\r\nHost: a\r\n\r\n");
        query = next_asked(f);
        assert_int_equal(query->kind, QUERY_CAMERA_STATS);
        assert_int_equal(query->user_ids[0], 0);
        answer_query(f, query, 503, NULL);
        assert_int_equal(read_answer(f), 503);
        assert_int_equal(request(f, "GET /api/statistics", "", ""), 401);
}

static void test_a_change_is_asked_and_told_once(void **state) {
        CLEANUP(query_free) Query *query = NULL;
        Fixture *f = *state;
        char text[4096];

        dial(f);
        snprintf(text,
                 sizeof(text),
                 "DELETE /api/manage/shares/17 HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 bearer(f, "ana"));
        send_text(f, text);
        query = next_asked(f);
        assert_int_equal(query->manage->kind, MANAGE_SHARE_DELETE);
        assert_int_equal(query->manage->id, 17);
        answer_query(f, query, 200, "{\"id\" : 17}");
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "Cache-Control: no-store"));
        assert_true(has(f, "{\"id\" : 17}"));
        assert_int_equal(request(f, "DELETE /api/manage/shares/x", bearer(f, "ana"), ""), 404);
        assert_int_equal(request(f, "DELETE /api/manage/users/7", bearer(f, "nobody"), ""), 401);
}

static void test_lists_show_what_the_user_may_see(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /api/vehicles", "", ""), 401);
        assert_int_equal(request(f, "GET /api/vehicles", bearer(f, "ana"), ""), 200);
        assert_true(has(f,
                        "{\"items\":[{\"id\":7,\"code\":\"USV-7\",\"name\":null,"
                        "\"is_active\":true,\"clock\":null}],\"cursor\":null}"));
        assert_int_equal(request(f, "GET /api/vehicles?limit=1", bearer(f, "root"), ""), 200);
        assert_true(has(f, "\"cursor\":\"7\"}"));
        assert_int_equal(request(f, "GET /api/vehicles?limit=1&cursor=7", bearer(f, "root"), ""),
                         200);
        assert_true(has(f, "\"code\":\"USV-\\\"8\\\"\""));
        assert_true(has(f, "\"cursor\":null}"));
        assert_int_equal(request(f, "GET /api/vehicles?limit=0", bearer(f, "root"), ""), 400);
        assert_int_equal(request(f, "GET /api/devices", bearer(f, "root"), ""), 200);
        assert_true(has(f, "d3") && has(f, "d4"));
}

static void test_stats_and_status_are_for_users(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /api/ws/stats", "", ""), 401);
        assert_int_equal(request(f, "GET /api/ws/stats", bearer(f, "ana"), ""), 200);
        assert_true(has(f, "\"active_connections\":0,\"connections_info\":[]"));
        assert_true(has(f, "\"dead_lettered_by_reason\":{\"bad_json\":0,"));
        assert_int_equal(request(f, "GET /api/ws/status", bearer(f, "ana"), ""), 200);
        assert_true(has(f,
                        "{\"status\":\"operational\",\"statistics\":{\"total_connections\":0,"
                        "\"total_users\":0},\"user_connections\":0}"));
        assert_int_equal(request(f, "GET /api/ws/status", bearer(f, "root"), ""), 200);
        assert_true(has(f, "\"connections_by_user\":{}"));
}

static void test_tickets_are_sold_to_users(void **state) {
        Fixture *f = *state;
        char line[128], ticket[64] = "";
        char *at;

        assert_int_equal(request(f, "POST /api/ws/ticket", "", ""), 401);
        assert_int_equal(request(f, "POST /api/ws/ticket", bearer(f, "ana"), ""), 200);
        at = strstr(f->answer, "{\"ticket\":\"");
        assert_non_null(at);
        memcpy(ticket, at + 11, 32);
        assert_true(has(f, "\",\"expires_in\":30}"));

        snprintf(line, sizeof(line), "GET /api/ws?ticket=%s", ticket);
#define UPGRADE                                         \
        "Connection: Upgrade\r\nUpgrade: websocket\r\n" \
        "Sec-WebSocket-Version: 13\r\n"                 \
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        assert_int_equal(request(f, line, UPGRADE, ""), 101);
        assert_int_equal(request(f, line, UPGRADE, ""), 401);
        assert_true(has(f, "application/problem+json"));
}

static void test_other_origins_read_answers_only_if_they_are_listed(void **state) {
        Fixture *f = *state;

        assert_int_equal(request(f, "GET /livez", "Origin: https://app.example\r\n", ""), 200);
        assert_true(has(f, "Access-Control-Allow-Origin: https://app.example\r\n"));
        assert_true(has(f, "Vary: Origin\r\n"));
        assert_int_equal(request(f, "GET /livez", "Origin: https://evil.example\r\n", ""), 200);
        assert_false(has(f, "Access-Control-Allow-Origin"));
        assert_int_equal(request(f,
                                 "OPTIONS /api/token",
                                 "Origin: https://app.example\r\n"
                                 "Access-Control-Request-Method: POST\r\n",
                                 ""),
                         204);
        assert_true(has(f, "Access-Control-Allow-Headers: Authorization, Content-Type"));
        assert_true(has(f, "X-API-Key, Cache-Control, Pragma, X-Requested-With"));
        assert_true(has(f, "Access-Control-Allow-Methods: POST, OPTIONS"));
        assert_int_equal(request(f, "OPTIONS /api/token", "Origin: https://evil.example\r\n", ""),
                         204);
        assert_false(has(f, "Access-Control"));
}

/* Many vehicles, so that a list of them is far more than a socket takes. */
static void load_fleet(Fixture *f) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        char code[512];
        Event *event = NULL;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        for (int i = 0; i < 1000; ++i) {
                RegistryRow row = { .table = REGISTRY_VEHICLE };

                snprintf(code, sizeof(code), "%0400d", i);
                row.vehicle = (Vehicle){ .id = 1000 + i, .code = code, .is_active = true };
                add(delta, row);
        }
        assert_int_equal(event_new_registry(&event, delta), 0);
        push(f, event);
        while (request(f, "GET /api/vehicles?cursor=1998", bearer(f, "root"), "") != 200 ||
               !has(f, "\"id\":1999"))
                continue;
}

/* A connection whose kernel takes little, with one request for a large answer on it. */
static void ask_for_much(Fixture *f) {
        static const int little = 32768;
        char text[4096];

        dial(f);
        assert_int_equal(setsockopt(f->fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof(little)), 0);
        snprintf(text,
                 sizeof(text),
                 "GET /api/vehicles?limit=1000&cursor=8 HTTP/1.1\r\nHost: a\r\n%s\r\n",
                 bearer(f, "root"));
        send_text(f, text);
}

static void test_slow_reader_gets_all_and_holds_nobody(void **state) {
        Fixture *f = *state;
        int fd;

        load_fleet(f);
        ask_for_much(f);
        fd = f->fd;
        f->fd = -1;
        for (int i = 0; i < 20; ++i)
                assert_int_equal(request(f, "GET /livez", "", ""), 200);

        close(f->fd);
        f->fd = fd;
        f->n_rest = 0;
        assert_int_equal(read_answer(f), 200);
        assert_true(f->n_answer > 400000);
        assert_true(has(f, "],\"cursor\":null}"));
        send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_int_equal(read_answer(f), 200);
}

static void test_who_asks_on_before_reading_gets_both_answers_and_holds_nobody(void **state) {
        Fixture *f = *state;
        int fd;

        load_fleet(f);
        ask_for_much(f);
        send_text(f, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        fd = f->fd;
        f->fd = -1;
        for (int i = 0; i < 20; ++i)
                assert_int_equal(request(f, "GET /livez", "", ""), 200);

        close(f->fd);
        f->fd = fd;
        f->n_rest = 0;
        assert_int_equal(read_answer(f), 200);
        assert_true(f->n_answer > 400000);
        assert_int_equal(read_answer(f), 200);
        assert_true(has(f, "alive"));
}

int main(void) {
#define TEST(name)    cmocka_unit_test_setup_teardown(name, set_up_started, tear_down)
#define TEST_OF(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_health_tells_what_is_away),
                TEST(test_requests_share_a_connection_and_may_be_pipelined),
                TEST(test_connection_ends_where_the_client_says_so),
                TEST(test_head_has_the_headers_alone),
                TEST(test_refusal_of_head_has_no_body_either),
                TEST(test_host_is_one_that_every_reader_takes_for_the_same),
                TEST(test_what_is_too_long_is_told_which_it_is),
                TEST(test_unknown_paths_and_methods_are_problems),
                TEST(test_page_is_served_with_a_policy_and_a_tag),
                TEST(test_ambiguous_bodies_are_refused),
                TEST(test_body_has_a_limit_and_a_type),
                TEST(test_login_buys_a_token),
                TEST(test_login_may_come_byte_by_byte_and_with_more_behind_it),
                TEST(test_failed_logins_are_limited_and_good_ones_are_not),
                TEST(test_asker_who_leaves_costs_nothing_but_his_answer),
                TEST(test_full_query_queue_is_an_answer),
                TEST_OF(test_query_that_nobody_answers_is_a_504),
                TEST_OF(test_slow_body_is_cut_off),
                TEST(test_statistics_ask_for_the_scope_of_the_user),
                TEST(test_statistics_refuse_bad_parameters_and_foreign_devices),
                TEST(test_anonymous_paths_ask_for_everything),
                TEST(test_a_change_is_asked_and_told_once),
                TEST(test_lists_show_what_the_user_may_see),
                TEST(test_stats_and_status_are_for_users),
                TEST(test_tickets_are_sold_to_users),
                TEST(test_other_origins_read_answers_only_if_they_are_listed),
                TEST(test_slow_reader_gets_all_and_holds_nobody),
                TEST(test_who_asks_on_before_reading_gets_both_answers_and_holds_nobody),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
