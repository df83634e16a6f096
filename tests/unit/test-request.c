/* WsRequest and what it leans on: parameters, origins, credentials, tickets, limits, answers. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <unistd.h>

#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/http/endpoint.h"
#include "ws/http/request.h"
#include "ws/http/response.h"

#define NOW_US (INT64_C(1760800000) * 1000000)

typedef struct Fixture Fixture;

struct Fixture {
        char secret[64];
        WsAuth *auth;
        Registry *registry;
        WsTickets *tickets;
        WsAccess access;
        WsRequest request;
        WsIdentity identity;
        const char *why;
};

static void apply(Fixture *f, const RegistryRow *row) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed = false;

        assert_int_equal(registry_delta_new(&delta, false), 0);
        assert_int_equal(registry_delta_add(delta, row), 0);
        assert_int_equal(registry_apply(f->registry, delta, &narrowed), 0);
}

static void put_user(Fixture *f, User user) {
        apply(f, &(RegistryRow){ .table = REGISTRY_USER, .user = user });
}

static void delete_user(Fixture *f, int64_t id) {
        apply(f, &(RegistryRow){ .table = REGISTRY_USER, .deleted = true, .user = { .id = id } });
}

static void add_user(Fixture *f, int64_t id, const char *name, bool is_active) {
        put_user(f, (User){ .id = id, .name = name, .role = ROLE_USER, .is_active = is_active });
}

static void make_auth(Fixture *f, const char *anonymous, bool query_token) {
        WsAuthOptions options = { .jwt_secret_file = f->secret,
                                  .anonymous = anonymous,
                                  .query_token = query_token };

        f->auth = ws_auth_free(f->auth);
        assert_int_equal(ws_auth_new(&f->auth, &options), 0);
        f->access = (WsAccess){ .auth = f->auth, .registry = f->registry, .tickets = f->tickets };
}

static int set_up(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        int fd;

        strcpy(f->secret, "/tmp/test-request-XXXXXX");
        fd = mkstemp(f->secret);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "0123456789abcdef0123456789abcdef", 32), 32);
        close(fd);

        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(ws_tickets_new(&f->tickets, 64, 16), 0);
        make_auth(f, NULL, false);
        add_user(f, 1, "ana", true);
        add_user(f, 2, "ben", false);
        add_user(f, 3, "1", true);
        strcpy(f->request.method, "GET");
        strcpy(f->request.path, "/api/ws");
        strcpy(f->request.host, "gateway.example:8000");
        f->request.is_upgrade = true;
        *state = f;
        return 0;
}

static int tear_down(void **state) {
        Fixture *f = *state;

        unlink(f->secret);
        ws_auth_free(f->auth);
        registry_free(f->registry);
        ws_tickets_free(f->tickets);
        free(f);
        return 0;
}

static int identify_at(Fixture *f, int64_t now_us) {
        return ws_request_identify(&f->request, &f->access, now_us, &f->identity, &f->why);
}

static int identify(Fixture *f) {
        return identify_at(f, NOW_US);
}

static void mint(Fixture *f, const char *subject, char *ret_text, size_t n_text) {
        char *jwt = NULL;

        assert_int_equal(ws_auth_mint(f->auth, &(WsSubject){ .name = subject }, NOW_US, 60, &jwt),
                         0);
        snprintf(ret_text, n_text, "%s", jwt);
        free(jwt);
}

static bool has_param(Fixture *f, const char *query, const char *name, const char *expected) {
        char value[32] = "";

        snprintf(f->request.query, sizeof(f->request.query), "%s", query);
        return ws_request_param(&f->request, name, value, sizeof(value)) &&
               strcmp(value, expected) == 0;
}

static void test_parameters_are_found_and_decoded(void **state) {
        Fixture *f = *state;

        assert_true(has_param(f, "a=1&b=2", "b", "2"));
        assert_true(has_param(f, "a=1&b=2", "a", "1"));
        assert_true(has_param(f, "a=%26%3D%25&b=x", "a", "&=%"));
        assert_true(has_param(f, "a=x+y%2Bz", "a", "x y+z"));
        assert_true(has_param(f, "%61b=1", "ab", "1"));
        assert_true(has_param(f, "a==&", "a", "="));
        assert_true(has_param(f, "a", "a", ""));
        assert_true(has_param(f, "&&a=1", "a", "1"));
        assert_true(has_param(f, "a=1&a=2", "a", "1"));
        assert_true(has_param(f, "a=caf%C3%A9", "a", "café"));
}

static void test_parameters_that_are_absent_broken_or_long_are_not_there(void **state) {
        Fixture *f = *state;

        assert_false(has_param(f, "", "a", ""));
        assert_false(has_param(f, "aa=1&xa=2", "a", "1"));
        assert_false(has_param(f, "a=%", "a", ""));
        assert_false(has_param(f, "a=%4", "a", ""));
        assert_false(has_param(f, "a=%zz", "a", ""));
        assert_false(has_param(f, "a=x%00y", "a", "x"));
        assert_false(has_param(f, "a=0123456789012345678901234567890123456789", "a", ""));
}

static void test_a_switch_is_one_of_twelve_words_or_a_mistake(void **state) {
        static const char *const words[][2] = {
                { "true", "false" }, { "1", "0" }, { "on", "off" },     { "yes", "no" },
                { "t", "f" },        { "y", "n" }, { "True", "FALSE" },
        };
        static const char *const odd[] = { "", "2", "01", "maybe", "true%20", "null", "-1" };
        char detail[WS_REQUEST_DETAIL_SIZE];
        Fixture *f = *state;
        bool is_on;

        for (size_t i = 0; i < N_ELEMENTS(words); ++i)
                for (int off = 0; off < 2; ++off) {
                        snprintf(f->request.query, sizeof(f->request.query), "a=%s", words[i][off]);
                        is_on = off;
                        assert_true(ws_request_switch(&f->request, "a", &is_on, detail));
                        assert_int_equal(is_on, !off);
                }
        for (size_t i = 0; i < N_ELEMENTS(odd); ++i) {
                snprintf(f->request.query, sizeof(f->request.query), "a=%s", odd[i]);
                assert_false(ws_request_switch(&f->request, "a", &is_on, detail));
                assert_string_equal(detail, "a must be true or false.");
        }
        is_on = true;
        assert_true(ws_request_switch(&f->request, "b", &is_on, detail));
        assert_true(is_on);
}

static bool origin_ok(Fixture *f, const char *origin, const char *host, const char *allowed) {
        strcpy(f->request.origin, origin);
        strcpy(f->request.host, host);
        return ws_request_origin_ok(&f->request, allowed);
}

static void test_a_time_may_have_lost_the_plus_of_its_offset(void **state) {
        static const char *const texts[] = {
                "2025-10-18T16:30:00Z",      "2025-10-18T23:30:00 07:00", "2025-10-18 23:30 0700",
                "20251018T2330 07",          "2025-10-18 16:30",          "2025-10-18 16:30:00 UTC",
                "2025-10-18 23:30:00 +0700",
        };
        char text[40] = "2025-10-18 ";
        int64_t time_us;

        (void)state;
        assert_false(ws_request_time(text, NULL, &time_us));
        for (size_t i = 0; i < N_ELEMENTS(texts); ++i) {
                snprintf(text, sizeof(text), "%s", texts[i]);
                assert_true(ws_request_time(text, NULL, &time_us));
                assert_true(time_us == INT64_C(1760805000000000));
        }
}

static void test_no_origin_and_our_own_host_are_always_welcome(void **state) {
        Fixture *f = *state;

        assert_true(origin_ok(f, "", "a.example", NULL));
        assert_true(origin_ok(f, "http://a.example:8000", "a.example:8000", NULL));
        assert_true(origin_ok(f, "http://A.Example", "a.example", ""));
        assert_true(origin_ok(f, "http://a.example", "a.example:80", NULL));
        assert_true(origin_ok(f, "https://a.example", "a.example", NULL));
        assert_true(origin_ok(f, "https://a.example:443", "a.example", NULL));
        assert_true(origin_ok(f, "http://[::1]:8000", "[::1]:8000", NULL));
}

static void test_who_came_by_tls_is_no_page_that_did_not(void **state) {
        Fixture *f = *state;

        f->request.is_secure = true;
        assert_true(origin_ok(f, "https://a.example", "a.example", NULL));
        assert_false(origin_ok(f, "http://a.example", "a.example", NULL));
        assert_true(origin_ok(f, "http://a.example", "a.example", "http://a.example"));
}

static void test_other_origins_need_to_be_listed(void **state) {
        Fixture *f = *state;
        const char *list = "https://b.example, http://c.example:3000";

        assert_false(origin_ok(f, "http://b.example", "a.example", NULL));
        assert_false(origin_ok(f, "http://a.example:8001", "a.example:8000", NULL));
        assert_false(origin_ok(f, "https://a.example", "a.example:80", NULL));
        assert_false(origin_ok(f, "http://[::1]", "[::1]:8000", NULL));
        assert_false(origin_ok(f, "http://a.example.evil", "a.example", NULL));
        assert_false(origin_ok(f, "null", "a.example", NULL));
        assert_false(origin_ok(f, "http://", "", NULL));
        assert_false(origin_ok(f, "ftp://a.example", "a.example", NULL));

        assert_true(origin_ok(f, "https://b.example", "a.example", list));
        assert_true(origin_ok(f, "http://c.example:3000", "a.example", list));
        assert_false(origin_ok(f, "http://b.example", "a.example", list));
        assert_false(origin_ok(f, "https://b.example.evil", "a.example", list));
        assert_false(origin_ok(f, "http://c.example", "a.example", list));
        assert_true(origin_ok(f, "http://any.example", "a.example", "*"));
        assert_false(ws_request_origin_listed("", "*"));
}

static void test_bearer_names_an_active_user(void **state) {
        Fixture *f = *state;

        assert_int_equal(identify(f), WS_REQUEST_E_NONE);
        mint(f, "ana", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), 0);
        assert_int_equal(f->identity.user->id, 1);
        assert_false(f->identity.is_anonymous);
        assert_int_equal(f->identity.expires_us, NOW_US + 60000000);
        assert_int_equal(identify_at(f, NOW_US + 61000000), WS_REQUEST_E_EXPIRED);

        mint(f, "ben", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
        mint(f, "nobody", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
        strcpy(f->request.bearer, "tgd_a-device-token");
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_subject_of_digits_is_a_name_and_never_an_id(void **state) {
        Fixture *f = *state;

        mint(f, "1", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), 0);
        assert_int_equal(f->identity.user->id, 3);
        mint(f, "3", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
        delete_user(f, 3);
        mint(f, "1", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED); /* and not user 1 */
}

static void test_token_ends_with_the_generation_of_its_user(void **state) {
        const WsSubject ana = { .name = "ana", .id = 1, .generation = 5 };
        Fixture *f = *state;
        char *jwt = NULL;

        put_user(f, (User){ .id = 1, .name = "ana", .is_active = true, .generation = 5 });
        assert_int_equal(ws_auth_mint(f->auth, &ana, NOW_US, 60, &jwt), 0);
        snprintf(f->request.bearer, sizeof(f->request.bearer), "%s", jwt);
        free(jwt);
        assert_int_equal(identify(f), 0);
        put_user(f, (User){ .id = 1, .name = "bea", .is_active = true, .generation = 5 });
        assert_int_equal(identify(f), 0); /* the id counts, the name is for people */
        put_user(f, (User){ .id = 1, .name = "ana", .is_active = true, .generation = 6 });
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_token_of_others_counts_if_it_is_younger_than_the_end_of_those_before(
        void **state) {
        User ana = { .id = 1, .name = "ana", .is_active = true };
        Fixture *f = *state;

        mint(f, "ana", f->request.bearer, sizeof(f->request.bearer)); /* iat = NOW_US */
        ana.tokens_from_us = NOW_US - 1;
        put_user(f, ana);
        assert_int_equal(identify(f), 0);
        ana.tokens_from_us = NOW_US + 1;
        put_user(f, ana);
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_token_in_the_url_counts_only_where_it_is_switched_on(void **state) {
        Fixture *f = *state;
        char jwt[1024];

        mint(f, "ana", jwt, sizeof(jwt));
        snprintf(f->request.query, sizeof(f->request.query), "x=1&token=%s", jwt);
        assert_int_equal(identify(f), WS_REQUEST_E_NONE);
        make_auth(f, NULL, true);
        assert_int_equal(identify(f), 0);
        assert_int_equal(f->identity.user->id, 1);
}

static void test_first_credential_decides(void **state) {
        Fixture *f = *state;
        char jwt[1024];

        make_auth(f, "/api/ws", true);
        mint(f, "ana", jwt, sizeof(jwt));
        snprintf(f->request.query, sizeof(f->request.query), "token=%s", jwt);
        strcpy(f->request.bearer, "bad");
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_anonymous_path_needs_no_credential_but_honours_one(void **state) {
        Fixture *f = *state;

        make_auth(f, "/api/ws", false);
        assert_int_equal(identify(f), 0);
        assert_true(f->identity.is_anonymous);
        assert_null(f->identity.user);
        assert_int_equal(f->identity.expires_us, INT64_MAX);

        mint(f, "ana", f->request.bearer, sizeof(f->request.bearer));
        assert_int_equal(identify(f), 0);
        assert_false(f->identity.is_anonymous);
        assert_int_equal(f->identity.user->id, 1);
        f->request.bearer[0] = '\0';
        strcpy(f->request.path, "/api/ws/statistics");
        assert_int_equal(identify(f), WS_REQUEST_E_NONE);
}

static void test_a_token_with_nothing_in_it_is_no_credential(void **state) {
        static const char *const queries[] = { "token=", "x=1&token=&y", "token" };
        Fixture *f = *state;

        for (size_t i = 0; i < N_ELEMENTS(queries); ++i) {
                strcpy(f->request.query, queries[i]);
                make_auth(f, "/api/ws", true);
                assert_int_equal(identify(f), 0);
                assert_true(f->identity.is_anonymous);
                make_auth(f, NULL, true);
                assert_int_equal(identify(f), WS_REQUEST_E_NONE);
        }
        make_auth(f, "/api/ws", true);
        strcpy(f->request.query, "token=null"); /* a word is a wrong one */
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void issue(Fixture *f, int64_t user_id, char ticket[WS_TICKET_SIZE]) {
        const WsHolder holder = { .user_id = user_id, .expires_us = NOW_US + 600000000 };

        assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US, ticket), 0);
}

static void test_ticket_opens_one_socket_within_thirty_seconds(void **state) {
        Fixture *f = *state;
        char ticket[WS_TICKET_SIZE];

        issue(f, 1, ticket);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        assert_int_equal(identify_at(f, NOW_US + 29000000), 0);
        assert_int_equal(f->identity.user->id, 1);
        assert_int_equal(f->identity.expires_us, NOW_US + 600000000);
        assert_int_equal(identify_at(f, NOW_US + 29000000), WS_REQUEST_E_REFUSED);

        issue(f, 1, ticket);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        assert_int_equal(identify_at(f, NOW_US + 30000000), WS_REQUEST_E_REFUSED);
}

static void test_ticket_may_come_as_a_subprotocol(void **state) {
        Fixture *f = *state;
        char ticket[WS_TICKET_SIZE];

        issue(f, 1, ticket);
        snprintf(f->request.protocols,
                 sizeof(f->request.protocols),
                 "tidegate.v1, ticket.%s",
                 ticket);
        assert_int_equal(identify(f), 0);
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
        strcpy(f->request.protocols, "ticket., tidegate.v1");
        assert_int_equal(identify(f), WS_REQUEST_E_NONE);
}

static void test_ticket_is_for_handshakes_and_active_users_only(void **state) {
        Fixture *f = *state;
        char ticket[WS_TICKET_SIZE];

        issue(f, 2, ticket);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);

        issue(f, 1, ticket);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        f->request.is_upgrade = false;
        assert_int_equal(identify(f), WS_REQUEST_E_NONE);
        strcpy(f->request.query, "ticket=");
        f->request.is_upgrade = true;
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_ticket_ends_with_its_token_and_with_the_generation(void **state) {
        WsHolder holder = { .user_id = 1, .expires_us = NOW_US + 5000000 };
        Fixture *f = *state;
        char ticket[WS_TICKET_SIZE];

        assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US, ticket), 0);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        assert_int_equal(identify_at(f, NOW_US + 5000000), WS_REQUEST_E_EXPIRED);

        assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US, ticket), 0);
        snprintf(f->request.query, sizeof(f->request.query), "ticket=%s", ticket);
        put_user(f, (User){ .id = 1, .name = "ana", .is_active = true, .generation = 6 });
        assert_int_equal(identify(f), WS_REQUEST_E_REFUSED);
}

static void test_tickets_are_bounded_for_a_user_and_in_total(void **state) {
        Fixture *f = *state;
        char first[WS_TICKET_SIZE], other[WS_TICKET_SIZE], last[WS_TICKET_SIZE];
        WsHolder holder = { .user_id = 1, .expires_us = NOW_US * 2 };

        issue(f, 9, other);
        issue(f, 1, first);
        for (int i = 0; i < 100; ++i)
                assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US + 1 + i, last), 0);
        assert_int_equal(ws_tickets_redeem(f->tickets, text_of(first), NOW_US + 1, &holder),
                         WS_TICKETS_E_UNKNOWN);
        assert_int_equal(ws_tickets_redeem(f->tickets, text_of(last), NOW_US + 1, &holder), 0);
        assert_int_equal(ws_tickets_redeem(f->tickets, text_of(other), NOW_US + 1, &holder), 0);
        assert_int_equal(holder.user_id, 9);

        for (int i = 0; i < 64; ++i) {
                holder.user_id = 100 + i;
                (void)!ws_tickets_issue(f->tickets, &holder, NOW_US, last);
        }
        holder.user_id = 999;
        assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US, last), WS_TICKETS_E_FULL);
        assert_int_equal(ws_tickets_issue(f->tickets, &holder, NOW_US + 31000000, last), 0);
}

static void test_limiter_counts_tries_and_forgives_with_time(void **state) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;

        (void)state;
        assert_int_equal(ws_limiter_new(&limiter, 4), 0);
        for (int i = 0; i < 10; ++i)
                assert_int_equal(ws_limiter_take(limiter, TEXT("a"), 10, NOW_US), 0);
        assert_int_equal(ws_limiter_take(limiter, TEXT("a"), 10, NOW_US), 6);
        assert_int_equal(ws_limiter_take(limiter, TEXT("b"), 10, NOW_US), 0);
        assert_int_equal(ws_limiter_take(limiter, TEXT("a"), 10, NOW_US + 6000000), 0);
        assert_true(ws_limiter_take(limiter, TEXT("a"), 10, NOW_US + 6000000) > 0);
        ws_limiter_give_back(limiter, TEXT("a"));
        assert_int_equal(ws_limiter_take(limiter, TEXT("a"), 10, NOW_US + 6000000), 0);
}

static void test_full_limiter_keeps_who_tried_most(void **state) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;
        char name[16];

        (void)state;
        assert_int_equal(ws_limiter_new(&limiter, 4), 0);
        for (int i = 0; i < 10; ++i)
                assert_int_equal(ws_limiter_take(limiter, TEXT("bad"), 10, NOW_US), 0);
        for (int i = 0; i < 100; ++i) {
                snprintf(name, sizeof(name), "name%d", i);
                assert_int_equal(ws_limiter_take(limiter, text_of(name), 10, NOW_US), 0);
        }
        assert_true(ws_limiter_take(limiter, TEXT("bad"), 10, NOW_US) > 0);
}

static void test_paths_are_found_with_or_without_a_final_slash(void **state) {
        char allow[64];

        (void)state;
        assert_non_null(ws_endpoint_find("/", "GET", allow));
        assert_non_null(ws_endpoint_find("/health", "HEAD", allow));
        assert_non_null(ws_endpoint_find("/api/v1/devices/", "GET", allow));
        assert_non_null(ws_endpoint_find("/api/v1/devices", "GET", allow));
        assert_null(ws_endpoint_find("/api/token", "GET", allow));
        assert_string_equal(allow, "POST, OPTIONS");
        assert_null(ws_endpoint_find("/health", "DELETE", allow));
        assert_string_equal(allow, "GET, HEAD, OPTIONS");
        assert_null(ws_endpoint_find("/healt", "GET", allow));
        assert_string_equal(allow, "");
        assert_null(ws_endpoint_find("", "GET", allow));
}

static void test_answers_are_rendered_whole(void **state) {
        CLEANUP_RESPONSE WsResponse response = { 0 };
        CLEANUP_BUF Buf out = { 0 };

        (void)state;
        ws_response_header(&response, "X-Evil", "a\r\nSet-Cookie: b");
        ws_response_retry_after(&response, 3);
        ws_response_problem(&response, 429, "rate_limited", "say \"no\"");
        ws_response_render(&response, INT64_C(784111777000000), 0, &out);
        assert_string_equal(out.data,
                            "HTTP/1.1 429 Too Many Requests\r\n"
                            "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
                            "Content-Type: application/problem+json\r\n"
                            "Content-Length: 107\r\n"
                            "Retry-After: 3\r\n"
                            "X-Content-Type-Options: nosniff\r\n"
                            "\r\n"
                            "{\"type\":\"about:blank\",\"title\":\"Too Many "
                            "Requests\",\"status\":429,"
                            "\"detail\":\"say \\\"no\\\"\",\"code\":\"rate_limited\"}");

        response.is_head = true;
        buf_reset(&out);
        ws_response_render(&response, INT64_C(784111777000000), 31536000, &out);
        assert_non_null(strstr(out.data, "\r\nStrict-Transport-Security: max-age=31536000\r\n"));
        assert_non_null(strstr(out.data, "Content-Length: 107\r\n"));
        assert_null(strstr(out.data, "about:blank"));
}

static void test_bad_credentials_are_counted_by_source_and_by_account(void **state) {
        CLEANUP(ws_limiter_free) WsLimiter *limiter = NULL;
        WsAccess access = { .failures_per_min = 3 };

        (void)state;
        metrics_reset();
        assert_int_equal(ws_access_blame(&access, "192.0.2.1", NULL, NOW_US), 0); /* no limiter */

        assert_int_equal(ws_limiter_new(&limiter, 64), 0);
        access.failures = limiter;
        for (int i = 0; i < 3; ++i)
                assert_int_equal(ws_access_blame(&access, "192.0.2.1", "ems_001", NOW_US), 0);
        assert_int_equal(ws_access_blame(&access, "192.0.2.1", NULL, NOW_US), 20);
        assert_int_equal(ws_access_blame(&access, "192.0.2.2", NULL, NOW_US), 0);
        for (int i = 0; i < 3; ++i) /* an account has twice as many, from wherever */
                assert_int_equal(ws_access_blame(&access, "192.0.2.3", "ems_001", NOW_US), 0);
        assert_int_equal(ws_access_blame(&access, "192.0.2.4", "ems_001", NOW_US), 10);
        assert_int_equal(ws_access_blame(&access, "192.0.2.1", NULL, NOW_US + 60000000), 0);
        assert_int_equal(metric_get(METRIC_CREDENTIALS_REFUSED), 11);
        assert_int_equal(metric_get(METRIC_CREDENTIALS_LIMITED), 2);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_parameters_are_found_and_decoded),
                TEST(test_parameters_that_are_absent_broken_or_long_are_not_there),
                TEST(test_a_switch_is_one_of_twelve_words_or_a_mistake),
                TEST(test_a_time_may_have_lost_the_plus_of_its_offset),
                TEST(test_no_origin_and_our_own_host_are_always_welcome),
                TEST(test_who_came_by_tls_is_no_page_that_did_not),
                TEST(test_other_origins_need_to_be_listed),
                TEST(test_bearer_names_an_active_user),
                TEST(test_subject_of_digits_is_a_name_and_never_an_id),
                TEST(test_token_ends_with_the_generation_of_its_user),
                TEST(test_token_of_others_counts_if_it_is_younger_than_the_end_of_those_before),
                TEST(test_ticket_ends_with_its_token_and_with_the_generation),
                TEST(test_token_in_the_url_counts_only_where_it_is_switched_on),
                TEST(test_first_credential_decides),
                TEST(test_anonymous_path_needs_no_credential_but_honours_one),
                TEST(test_a_token_with_nothing_in_it_is_no_credential),
                TEST(test_ticket_opens_one_socket_within_thirty_seconds),
                TEST(test_ticket_may_come_as_a_subprotocol),
                TEST(test_ticket_is_for_handshakes_and_active_users_only),
                TEST(test_tickets_are_bounded_for_a_user_and_in_total),
                cmocka_unit_test(test_limiter_counts_tries_and_forgives_with_time),
                cmocka_unit_test(test_bad_credentials_are_counted_by_source_and_by_account),
                cmocka_unit_test(test_full_limiter_keeps_who_tried_most),
                cmocka_unit_test(test_paths_are_found_with_or_without_a_final_slash),
                cmocka_unit_test(test_answers_are_rendered_whole),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
