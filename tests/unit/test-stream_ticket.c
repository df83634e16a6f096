/* WsStreamTicket: good again and again, for its user, and not a bit of it may be another. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ws/access/stream_ticket.h"

static char directory[] = "/tmp/test-stream_ticket-XXXXXX";

static const WsHolder ana = { .user_id = 7, .generation = 2, .expires_us = INT64_MAX - 5 };

/* With the secrets @first and @second, of which either may be NULL. */
static WsAuth *auth_with(const char *first, const char *second) {
        const char *const secrets[] = { first, second };
        char files[256] = "", path[64];
        WsAuth *auth = NULL;

        for (size_t i = 0; i < N_ELEMENTS(secrets) && secrets[i]; ++i) {
                size_t n = strlen(files);
                FILE *file;

                snprintf(path, sizeof(path), "%s/%zu", directory, i);
                file = fopen(path, "we");
                assert_non_null(file);
                assert_int_equal(fchmod(fileno(file), 0600), 0);
                assert_true(fputs(secrets[i], file) >= 0);
                assert_int_equal(fclose(file), 0);
                snprintf(files + n, sizeof(files) - n, "%s%s", i > 0 ? "," : "", path);
        }
        assert_int_equal(ws_auth_new(&auth,
                                     &(WsAuthOptions){ .jwt_secret_file = *files ? files : NULL }),
                         0);
        return auth;
}

static void assert_opens(const WsAuth *auth, const char *ticket) {
        WsHolder holder = { 0 };

        assert_int_equal(ws_stream_ticket_open(auth, text_of(ticket), &holder), 0);
        assert_int_equal(holder.user_id, ana.user_id);
        assert_int_equal(holder.generation, ana.generation);
        assert_true(holder.expires_us == ana.expires_us);
}

static void assert_refused(const WsAuth *auth, Text ticket) {
        WsHolder holder = { 0 };

        assert_int_equal(ws_stream_ticket_open(auth, ticket, &holder), WS_AUTH_E_INVALID);
}

static void test_it_is_good_again_and_after_a_restart(void **state) {
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with("0123456789abcdef0123456789abcdef", NULL);
        CLEANUP(ws_auth_free) WsAuth *again = auth_with("0123456789abcdef0123456789abcdef", NULL);
        char ticket[WS_STREAM_TICKET_SIZE];

        (void)state;
        assert_int_equal(ws_stream_ticket_make(auth, &ana, ticket), 0);
        assert_int_equal(strlen(ticket), WS_STREAM_TICKET_SIZE - 1);
        assert_opens(auth, ticket);
        assert_opens(auth, ticket);
        assert_opens(again, ticket);
}

static void test_it_ends_with_its_key_and_not_before(void **state) {
        static const char old[] = "0123456789abcdef0123456789abcdef";
        static const char renewed[] = "abcdefabcdefabcdefabcdefabcdefab";
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with(old, NULL);
        CLEANUP(ws_auth_free) WsAuth *both = auth_with(renewed, old);
        CLEANUP(ws_auth_free) WsAuth *other = auth_with(renewed, NULL);
        CLEANUP(ws_auth_free) WsAuth *none = auth_with(NULL, NULL);
        char ticket[WS_STREAM_TICKET_SIZE];

        (void)state;
        assert_int_equal(ws_stream_ticket_make(auth, &ana, ticket), 0);
        assert_opens(both, ticket);
        assert_refused(other, text_of(ticket));
        assert_refused(none, text_of(ticket));
}

static void test_without_a_secret_it_lives_as_long_as_we(void **state) {
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with(NULL, NULL);
        CLEANUP(ws_auth_free) WsAuth *again = auth_with(NULL, NULL);
        char ticket[WS_STREAM_TICKET_SIZE];

        (void)state;
        assert_int_equal(ws_stream_ticket_make(auth, &ana, ticket), 0);
        assert_opens(auth, ticket);
        assert_refused(again, text_of(ticket));
}

static void test_no_character_of_it_may_be_another(void **state) {
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with("0123456789abcdef0123456789abcdef", NULL);
        char ticket[WS_STREAM_TICKET_SIZE + 1] = "";

        (void)state;
        assert_int_equal(ws_stream_ticket_make(auth, &ana, ticket), 0);
        for (size_t i = 0; ticket[i]; ++i) {
                char kept = ticket[i];

                ticket[i] = kept == 'A' ? 'B' : 'A';
                assert_refused(auth, text_of(ticket));
                ticket[i] = '.';
                assert_refused(auth, text_of(ticket));
                ticket[i] = kept;
                assert_refused(auth, (Text){ .data = ticket, .n = i });
        }
        ticket[WS_STREAM_TICKET_SIZE - 1] = 'A';
        assert_refused(auth, (Text){ .data = ticket, .n = WS_STREAM_TICKET_SIZE });
}

static int set_up(void **state) {
        (void)state;
        return mkdtemp(directory) ? 0 : -1;
}

static int tear_down(void **state) {
        char path[64];

        (void)state;
        for (int i = 0; i < 2; ++i) {
                snprintf(path, sizeof(path), "%s/%d", directory, i);
                (void)unlink(path);
        }
        return rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_is_good_again_and_after_a_restart),
                cmocka_unit_test(test_it_ends_with_its_key_and_not_before),
                cmocka_unit_test(test_without_a_secret_it_lives_as_long_as_we),
                cmocka_unit_test(test_no_character_of_it_may_be_another),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
