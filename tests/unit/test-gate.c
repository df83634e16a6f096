/* WsGate: each handshake that is refused is told why, is counted once, and names in the log the key
 * that stands in its way; who may come is welcomed. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "model/metrics.h"
#include "tests/fake/conn.h"
#include "ws/access/limiter.h"
#include "ws/access/party.h"
#include "ws/http/exchange.h"
#include "ws/http/gate.h"
#include "ws/http/refusals.h"
#include "ws/hub/hub.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"
#include "ws/wire/head.h"

#define KEY  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define FORM "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY

enum { N_CLIENTS = 8 };

static char secret[] = "/tmp/test-gate-XXXXXX";
static Registry *registry;
static WsHub *hub;
static WsOptions options;
static WsAuth *auth;
static WsLimiter *failures;
static WsAccess against;
static WsGate *gate;
static char source[46];
static char bytes[4096]; /* of the handshake in hand */
static WsHead head;
static WsRequest *request;
static WsResponse response;
static Buf hello;
static WsClient *clients[N_CLIENTS]; /* that were welcomed */
static size_t n_clients;
static int64_t n_refused[METRIC_COUNT]; /* before it */
static int n_said;                      /* in the log */
static WsRefused said;
static char said_key[128];
static int admission; /* of the dialect that stands in for all at /fake; -1: there is none */
static Query *asked;
static int ask_answer;

bool __wrap_ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us);
bool __wrap_ws_refusals_say(WsRefusals *refusals, const WsRefused *refused, int64_t now_us) {
        (void)refusals;
        (void)now_us;
        ++n_said;
        said = *refused;
        snprintf(said_key, sizeof(said_key), "%s", refused->key ? refused->key : "");
        return true;
}

static int fake_admit(WsClient *client, const WsIdentity *identity, Text target) {
        (void)client;
        (void)identity;
        (void)target;
        return admission;
}

static const WsDialect fake_dialect = { .id = WS_DIALECT_VEHICLES,
                                        .name = "fake",
                                        .admit = fake_admit };

const WsDialect *__wrap_ws_dialect_find(Text path, Text *ret_target);
const WsDialect *__real_ws_dialect_find(Text path, Text *ret_target);
const WsDialect *__wrap_ws_dialect_find(Text path, Text *ret_target) {
        return text_equal(path, TEXT("/fake")) ? &fake_dialect
                                               : __real_ws_dialect_find(path, ret_target);
}

static int ask_database(void *arg, Query **queryp) {
        (void)arg;
        if (ask_answer == 0)
                asked = TAKE(queryp);
        return ask_answer;
}

static void make_auth(const char *anonymous) {
        const WsAuthOptions by = { .algorithms = "HS256",
                                   .jwt_secret_file = secret,
                                   .token_pepper_file = secret,
                                   .subject_claim = "sub",
                                   .subject_type = "any",
                                   .anonymous = anonymous };

        auth = ws_auth_free(auth);
        assert_int_equal(ws_auth_new(&auth, &by), 0);
        against.auth = auth;
}

/* Users 1 ana and 2 ben; a device of ana's with a bcrypt of its token. */
static void load_registry(void) {
        const RegistryRow rows[] = {
                { .table = REGISTRY_USER,
                  .user = { .id = 1, .name = "ana", .role = ROLE_USER, .is_active = true } },
                { .table = REGISTRY_USER,
                  .user = { .id = 2, .name = "ben", .role = ROLE_USER, .is_active = true } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = 1,
                              .user_id = 1,
                              .key = "k",
                              .code = "dev-1",
                              .is_active = true,
                              .has_token = true,
                              .token_form = TOKEN_BCRYPT } },
        };
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        for (size_t i = 0; i < N_ELEMENTS(rows); ++i)
                assert_int_equal(registry_delta_add(delta, &rows[i]), 0);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
}

static int set_up(void **state) {
        int fd;

        (void)state;
        strcpy(secret, "/tmp/test-gate-XXXXXX");
        fd = mkstemp(secret);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
        close(fd);
        metrics_reset();
        assert_int_equal(registry_new(&registry), 0);
        load_registry();
        assert_int_equal(ws_hub_new(&hub, registry), 0);
        options = *hub->loop.options;
        options.max_connections = 100;
        options.max_unauthenticated = 10;
        options.connects_per_s = 0;
        options.allowed_origins = "https://app.example";
        options.share = 50;
        options.max_requests = 4;
        options.bodies_bytes = 1 << 20;
        hub->loop.options = &options;
        hub->questions.ask = ask_database;
        ws_ring_skip(&hub->loop.ring, 1);
        assert_int_equal(ws_limiter_new(&failures, 16), 0);
        against =
                (WsAccess){ .registry = registry, .failures = failures, .failures_per_min = 1000 };
        make_auth(NULL);
        assert_int_equal(ws_gate_new(&gate, &hub->loop, &against), 0);
        request = calloc(1, sizeof(*request));
        assert_non_null(request);
        strcpy(source, "192.0.2.1");
        admission = 0;
        ask_answer = 0;
        return 0;
}

static int tear_down(void **state) {
        (void)state;
        for (; n_clients > 0; --n_clients)
                ws_viewer_free(clients[n_clients - 1]);
        assert_int_equal(hub->loop.n_clients, 0); /* and none that was refused has kept a place */
        gate = ws_gate_free(gate);
        hub = ws_hub_free(hub);
        asked = query_free(asked);
        failures = ws_limiter_free(failures);
        auth = ws_auth_free(auth);
        registry = registry_free(registry);
        ws_response_done(&response);
        buf_done(&hello);
        free(request);
        unlink(secret);
        return 0;
}

/* ---- a handshake ---- */

static int open_with(const char *line, const char *headers) {
        WsClient *client = NULL;
        int r;

        ws_response_done(&response);
        response = (WsResponse){ 0 };
        buf_done(&hello);
        n_said = 0;
        for (Metric m = METRIC_WS_REFUSED_UNAUTHORIZED; m <= METRIC_WS_REFUSED_TIMEOUT; ++m)
                n_refused[m] = metric_get(m);
        snprintf(bytes, sizeof(bytes), "%s HTTP/1.1\r\nHost: gateway\r\n%s\r\n", line, headers);
        assert_int_equal(ws_head_parse(&head, text_of(bytes)), 0);
        assert_int_equal(ws_request_read(request, &head), 0);
        ws_request_trace(request, &head, &options.proxies, source, false);
        r = ws_gate_open(gate, &head, request, &response, &hello, &client);
        if (client) {
                assert_true(n_clients < N_CLIENTS);
                clients[n_clients++] = client;
        }
        return r;
}

static void open_as(const char *path, const char *user, const char *headers) {
        char line[128], all[1024];
        char *jwt = NULL;

        if (user)
                assert_int_equal(ws_auth_mint(auth,
                                              &(WsSubject){ .name = user },
                                              clock_now_us(),
                                              60,
                                              &jwt),
                                 0);
        snprintf(line, sizeof(line), "GET %s", path);
        snprintf(all,
                 sizeof(all),
                 FORM "%s%s%s%s",
                 jwt ? "Authorization: Bearer " : "",
                 jwt ? jwt : "",
                 jwt ? "\r\n" : "",
                 headers);
        free(jwt);
        assert_int_equal(open_with(line, all), 0);
}

static void assert_welcomed(void) {
        assert_int_equal(response.status, 0);
        assert_int_equal(n_said, 0);
        assert_memory_equal(hello.data, "HTTP/1.1 101 ", 13);
}

/* By the answer, the one counter and the one line; @key NULL: none would change it. */
static void assert_refused(int status,
                           const char *code,
                           Metric metric,
                           const char *key,
                           int retry_after_s) {
        char wanted[64];

        assert_int_equal(response.status, status);
        snprintf(wanted, sizeof(wanted), "\"code\":\"%s\"", code);
        assert_non_null(strstr(response.body.data, wanted));
        snprintf(wanted, sizeof(wanted), "Retry-After: %d\r\n", retry_after_s);
        assert_int_equal(retry_after_s > 0,
                         response.headers.n > 0 && strstr(response.headers.data, wanted));
        assert_int_equal(hello.n, 0);
        for (Metric m = METRIC_WS_REFUSED_UNAUTHORIZED; m <= METRIC_WS_REFUSED_TIMEOUT; ++m)
                assert_int_equal(metric_get(m) - n_refused[m], m == metric);
        assert_int_equal(n_said, 1);
        assert_int_equal(said.status, status);
        assert_string_equal(said.code, code);
        assert_string_equal(said_key, key ? key : "");
}

/* ---- form ---- */

static void test_one_that_may_come_is_welcomed(void **state) {
        (void)state;
        open_as("/api/ws", "ana", "");
        assert_welcomed();
        assert_int_equal(n_clients, 1);
        assert_int_equal(clients[0]->user_id, 1);
        assert_string_equal(clients[0]->source, "192.0.2.1");
        assert_null(strstr(hello.data, "Sec-WebSocket-Protocol"));
        open_as("/api/ws", "ana", "Sec-WebSocket-Protocol: tidegate.v1\r\n");
        assert_welcomed();
        assert_non_null(strstr(hello.data, "Sec-WebSocket-Protocol: tidegate.v1\r\n"));
}

static void test_what_is_no_handshake_is_told_what_is_wrong(void **state) {
        static const struct {
                const char *line, *headers;
                int status;
        } cases[] = {
                { "POST /api/ws", FORM, 400 },
                { "GET /api/ws", FORM "Content-Length: 3\r\n", 400 },
                { "GET /api/ws", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" KEY, 400 },
                { "GET /api/ws", FORM "Sec-WebSocket-Version: 13\r\n", 400 },
                { "GET /api/ws", FORM KEY, 400 },
                { "GET /api/ws",
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                  "Sec-WebSocket-Key: short==\r\n",
                  400 },
                { "GET /api/ws",
                  "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n" KEY,
                  426 },
        };

        (void)state;
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                assert_int_equal(open_with(cases[i].line, cases[i].headers), 0);
                assert_refused(cases[i].status,
                               cases[i].status == 426 ? "bad_version" : "bad_upgrade",
                               METRIC_WS_REFUSED_BAD_REQUEST,
                               NULL,
                               0);
        }
}

/* ---- load ---- */

static void test_before_it_serves_and_once_it_does_no_more_it_says_so(void **state) {
        Registry *none = NULL;

        (void)state;
        assert_int_equal(registry_new(&none), 0);
        hub->loop.registry = none;
        open_as("/api/ws", "ana", "");
        assert_refused(503, "starting", METRIC_WS_REFUSED_CAPACITY, NULL, 1);
        hub->loop.registry = registry;
        none = registry_free(none);

        metric_set(METRIC_LEASE_WAITING, 1);
        open_as("/api/ws", "ana", "");
        assert_refused(503, "standby", METRIC_WS_REFUSED_CAPACITY, NULL, 1);
        metric_set(METRIC_LEASE_WAITING, 0);
        open_as("/api/ws", "ana", "");
        assert_welcomed();

        ws_gate_shut(gate);
        open_as("/api/ws", "ana", "");
        assert_refused(503, "draining", METRIC_WS_REFUSED_CAPACITY, NULL, 2);
}

static void test_an_address_comes_so_often_and_no_other_waits_for_it(void **state) {
        int n = 0;

        (void)state;
        options.connects_per_s = 1;
        do {
                open_as("/fake", "ana", ""); /* whether or not they are let in */
                admission = 404;
        } while (response.status != 429 && ++n < 10);
        assert_refused(429, "rate_limited", METRIC_WS_REFUSED_RATE, "ws.connects_per_second", 1);
        strcpy(source, "192.0.2.2");
        admission = 0;
        open_as("/fake", "ana", "");
        assert_welcomed();
}

static void test_there_are_so_many_sockets(void **state) {
        (void)state;
        options.max_connections = 1;
        open_as("/api/ws", "ana", "");
        assert_welcomed();
        open_as("/api/ws", "ben", "");
        assert_refused(429, "over_capacity", METRIC_WS_REFUSED_CAPACITY, "ws.max_connections", 5);
}

static void test_a_page_of_another_origin_brings_nobody(void **state) {
        (void)state;
        make_auth("/ws");
        open_as("/ws", NULL, "Origin: https://evil.example\r\n");
        assert_refused(403,
                       "forbidden_origin",
                       METRIC_WS_REFUSED_ORIGIN,
                       "http.allowed_origins",
                       0);
        open_as("/ws", NULL, "Origin: https://app.example\r\n");
        assert_welcomed();
        open_as("/api/ws",
                "ana",
                "Origin: https://evil.example\r\n"); /* a page can send no bearer */
        assert_welcomed();
}

/* ---- who it is ---- */

static void test_no_path_is_no_dialect(void **state) {
        (void)state;
        open_as("/api/none", "ana", "");
        assert_refused(404, "not_found", METRIC_WS_REFUSED_BAD_REQUEST, NULL, 0);
}

static void test_who_has_no_credential_or_a_bad_one_is_told(void **state) {
        (void)state;
        open_as("/api/ws", NULL, "");
        assert_refused(401, "unauthorized", METRIC_WS_REFUSED_UNAUTHORIZED, "auth.anonymous", 0);
        open_as("/ws/dashboard/dev-1", NULL, "");
        assert_refused(403, "forbidden", METRIC_WS_REFUSED_UNAUTHORIZED, "auth.anonymous", 0);
        open_as("/api/ws", NULL, "Authorization: Bearer x.y.z\r\n");
        assert_refused(401, "unauthorized", METRIC_WS_REFUSED_UNAUTHORIZED, NULL, 0);
        open_as("/ws/dashboard/dev-1", NULL, "Authorization: Bearer x.y.z\r\n");
        assert_refused(403, "forbidden", METRIC_WS_REFUSED_UNAUTHORIZED, NULL, 0);
}

/* And it alone: the others have to say it in the handshake. */
static void test_the_native_protocol_may_be_told_later(void **state) {
        (void)state;
        open_as("/api/ws", NULL, "Sec-WebSocket-Protocol: tidegate.v1\r\n");
        assert_welcomed();
        assert_true(clients[0]->is_unknown);
}

static void test_one_that_has_expired_is_told_that_it_was_good(void **state) {
        char headers[1024];
        char *jwt = NULL;

        (void)state;
        assert_int_equal(ws_auth_mint(auth,
                                      &(WsSubject){ .name = "ana" },
                                      clock_now_us() - INT64_C(3600000000),
                                      60,
                                      &jwt),
                         0);
        snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", jwt);
        free(jwt);
        against.failures_per_min = 1;
        for (int i = 0; i < 5; ++i) { /* and is none that counts */
                open_as("/api/ws", NULL, headers);
                assert_refused(401, "unauthorized", METRIC_WS_REFUSED_UNAUTHORIZED, NULL, 0);
                assert_non_null(strstr(response.body.data, "the credential has expired"));
        }
}

static void test_bad_credentials_are_tried_so_often_and_good_ones_are_not_held_up(void **state) {
        int n = 0;

        (void)state;
        against.failures_per_min = 1;
        do
                open_as("/api/ws", NULL, "Authorization: Bearer x.y.z\r\n");
        while (response.status == 401 && ++n < 10);
        assert_int_equal(response.status, 429);
        assert_non_null(strstr(response.body.data, "\"code\":\"rate_limited\""));
        assert_int_equal(metric_get(METRIC_WS_REFUSED_RATE), 1);
        assert_string_equal(said_key, "auth.token_failures_per_minute");
        assert_non_null(strstr(response.headers.data, "Retry-After: "));
        open_as("/api/ws", "ana", "");
        assert_welcomed();
}

static void test_where_nothing_is_shown_nobody_watches(void **state) {
        (void)state;
        options.no_live = true;
        open_as("/api/ws", "ana", "");
        assert_refused(503, "no_live", METRIC_WS_REFUSED_CAPACITY, NULL, 0);
}

/* ---- whether there is a place, and a right ---- */

static void test_a_user_leaves_places_to_the_others(void **state) {
        (void)state;
        options.max_connections = 4;
        options.user_share = 50;
        open_as("/api/ws", "ana", "");
        open_as("/api/ws", "ana", "");
        assert_welcomed();
        open_as("/api/ws", "ana", "");
        assert_refused(429,
                       "too_many_connections",
                       METRIC_WS_REFUSED_PER_USER,
                       "ws.max_connections_per_user,ws.user_share",
                       5);
        assert_int_equal(hub->loop.n_clients, 2);
        open_as("/api/ws", "ben", "");
        assert_welcomed();
}

static void open_where_it_says(int status) {
        admission = status;
        open_as("/fake", "ana", "");
        assert_int_equal(hub->loop.n_clients, status == 0);
}

static void test_what_a_dialect_says_is_told(void **state) {
        (void)state;
        open_where_it_says(404);
        assert_refused(404, "not_found", METRIC_WS_REFUSED_FORBIDDEN, NULL, 0);
        open_where_it_says(429);
        assert_refused(429,
                       "too_many_connections",
                       METRIC_WS_REFUSED_PER_USER,
                       "ws.max_connections_per_user,ws.user_share",
                       5);
        open_where_it_says(503);
        assert_refused(503, "unavailable", METRIC_WS_REFUSED_CAPACITY, NULL, 1);
        open_where_it_says(403);
        assert_refused(403, "forbidden", METRIC_WS_REFUSED_FORBIDDEN, NULL, 0);
        open_where_it_says(0);
        assert_welcomed();
}

/* ---- tokens that have to be looked at ---- */

#define DEVICE FORM "Authorization: Bearer a-token-of-somebody\r\n"

static WsConn conn;
static WsExchange session;
static WsWaiters waiters;
static int n_again, again_status; /* what became of the handshake, once it was known */

static void again(void *arg, WsExchange *of, Text bytes_of_head) {
        (void)arg;
        assert_ptr_equal(of, &session);
        ++n_again;
        assert_memory_equal(bytes_of_head.data, "GET /ws/device/dev-1 ", 21);
        assert_int_equal(open_with("GET /ws/device/dev-1", DEVICE), 0);
        again_status = response.status;
}

static int prove(void) {
        assert_int_equal(open_with("GET /ws/device/dev-1", DEVICE), WS_GATE_E_UNPROVEN);
        assert_int_equal(n_said, 0);
        session = (WsExchange){ .conn = &conn, .waiters = &waiters };
        return ws_gate_prove(gate, &session, text_of(bytes), again, NULL);
}

static void answer(int status) {
        CLEANUP(event_unref) Event *event = NULL;
        Answer *one = NULL;

        assert_int_equal(answer_new(&one, asked), 0);
        one->status = status;
        assert_int_equal(event_new_answer(&event, &one, answer_free), 0);
        asked = query_free(asked);
        assert_int_equal(ws_questions_answer(&hub->questions, event), 0);
}

static int set_up_proof(void **state) {
        conn = (WsConn){ .source = source };
        n_again = 0;
        assert_int_equal(set_up(state), 0);
        waiters = (WsWaiters){ .options = &options, .questions = &hub->questions };
        return ws_waiters_init(&waiters);
}

static int tear_down_proof(void **state) {
        ws_exchange_reset(&session);
        ws_waiters_done(&waiters);
        buf_done(&conn.out);
        return tear_down(state);
}

static void test_a_token_is_looked_at_once_and_then_known(void **state) {
        (void)state;
        assert_int_equal(prove(), 0);
        assert_int_equal(session.state, WS_EXCHANGE_WAIT);
        assert_non_null(asked);
        assert_string_equal(asked->password, "a-token-of-somebody");
        assert_int_equal(asked->device_id, 1);
        assert_int_equal(asked->party, ws_party_address(source));
        answer(200);
        assert_int_equal(n_again, 1);
        assert_int_equal(again_status, 0);
        assert_int_equal(n_clients, 1);
        assert_non_null(clients[0]->edge);
}

static void test_one_that_is_none_is_refused_and_not_looked_at_again(void **state) {
        (void)state;
        assert_int_equal(prove(), 0);
        answer(401);
        assert_int_equal(n_again, 1);
        assert_refused(403, "forbidden", METRIC_WS_REFUSED_UNAUTHORIZED, NULL, 0);
}

static void test_where_none_can_be_looked_at_it_is_busy(void **state) {
        (void)state;
        ask_answer = 1;
        assert_int_equal(prove(), WS_GATE_E_BUSY);
        assert_int_equal(metric_get(METRIC_WS_REFUSED_CAPACITY), 1);
        assert_string_equal(said.code, "busy");
        ask_answer = 0;
        ws_exchange_reset(&session);
        assert_int_equal(prove(), 0);
        answer(503); /* nor does it say who may come that the database is away */
        assert_refused(503, "busy", METRIC_WS_REFUSED_CAPACITY, NULL, 1);
}

int main(void) {
#define TEST(name)  cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define PROOF(name) cmocka_unit_test_setup_teardown(name, set_up_proof, tear_down_proof)
        const struct CMUnitTest tests[] = {
                TEST(test_one_that_may_come_is_welcomed),
                TEST(test_what_is_no_handshake_is_told_what_is_wrong),
                TEST(test_before_it_serves_and_once_it_does_no_more_it_says_so),
                TEST(test_an_address_comes_so_often_and_no_other_waits_for_it),
                TEST(test_there_are_so_many_sockets),
                TEST(test_a_page_of_another_origin_brings_nobody),
                TEST(test_no_path_is_no_dialect),
                TEST(test_who_has_no_credential_or_a_bad_one_is_told),
                TEST(test_the_native_protocol_may_be_told_later),
                TEST(test_one_that_has_expired_is_told_that_it_was_good),
                TEST(test_bad_credentials_are_tried_so_often_and_good_ones_are_not_held_up),
                TEST(test_where_nothing_is_shown_nobody_watches),
                TEST(test_a_user_leaves_places_to_the_others),
                TEST(test_what_a_dialect_says_is_told),
                PROOF(test_a_token_is_looked_at_once_and_then_known),
                PROOF(test_one_that_is_none_is_refused_and_not_looked_at_again),
                PROOF(test_where_none_can_be_looked_at_it_is_busy),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
