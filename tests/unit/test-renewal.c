/* Renewal: a token that somebody else hashed is to be stored as ours are, once it was used. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/secret.h"
#include "ws/access/access.h"
#include "ws/http/renewal.h"
#include "ws/loop/questions.h"

static Query *asked;
static int answer;

static int take(void *arg, Query **queryp) {
        (void)arg;
        if (answer == 0)
                asked = TAKE(queryp);
        return answer;
}

/* With this content, as the pepper; NULL: there is none. */
static WsAuth *auth_with(const char *pepper) {
        WsAuthOptions options = { .algorithms = "HS256",
                                  .subject_claim = "sub",
                                  .subject_type = "any" };
        char path[] = "/tmp/test-renewal-XXXXXX";
        WsAuth *auth = NULL;

        if (pepper) {
                int fd = mkstemp(path);

                assert_true(fd >= 0);
                assert_int_equal(write(fd, pepper, strlen(pepper)), strlen(pepper));
                assert_int_equal(close(fd), 0);
                options.token_pepper_file = path;
        }
        assert_int_equal(ws_auth_new(&auth, &options), 0);
        if (pepper)
                assert_int_equal(unlink(path), 0);
        return auth;
}

static void test_it_is_asked_for_once_and_never_of_ours(void **state) {
        WsQuestions questions = { .ask = take };
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with("pepper");
        WsAccess access = { .auth = auth };
        Device device = { .id = 7, .token_hash = { 1, 2, 3 } };
        uint8_t ours[SECRET_HASH_SIZE];

        (void)state;
        assert_int_equal(ws_renewal_ask(&access, &questions, &device, TEXT("token")), 0);
        assert_null(asked);
        device.token_form = TOKEN_SHA256;
        assert_int_equal(ws_renewal_ask(&access, &questions, &device, TEXT("token")), 0);
        assert_non_null(asked);
        assert_int_equal(asked->kind, QUERY_DEVICE_TOKEN);
        assert_int_equal(asked->device_id, 7);
        assert_int_equal(secret_token_hash(TEXT("pepper"), TEXT("token"), ours), 0);
        assert_memory_equal(asked->token_anew, ours, sizeof(ours));
        assert_memory_equal(asked->token_checked, device.token_hash, sizeof(device.token_hash));
        asked = query_free(asked);
        answer = 1; /* too much is asked */
        assert_int_equal(ws_renewal_ask(&access, &questions, &device, TEXT("token")), 0);
        answer = 0;
        assert_null(asked);
}

static void test_what_has_to_be_looked_at_goes_with_its_token(void **state) {
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with("pepper");
        CLEANUP(query_free) Query *query = NULL;
        WsAccess access = { .auth = auth };
        Device device = { .id = 7, .token_form = TOKEN_BCRYPT };

        (void)state;
        assert_int_equal(ws_renewal_proof(&query, &access, &device, (Text){ "token!", 5 }), 0);
        assert_string_equal(query->password, "token");
        assert_true(query->has_token_anew);
        assert_int_equal(query->device_id, 7);
}

static void test_without_a_pepper_nothing_is_asked(void **state) {
        WsQuestions questions = { .ask = take };
        CLEANUP(ws_auth_free) WsAuth *auth = auth_with(NULL);
        WsAccess access = { .auth = auth };
        Device device = { .id = 7, .token_form = TOKEN_SHA256 };

        (void)state;
        assert_int_equal(ws_renewal_ask(&access, &questions, &device, TEXT("token")), 0);
        assert_null(asked);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_it_is_asked_for_once_and_never_of_ours),
                cmocka_unit_test(test_what_has_to_be_looked_at_goes_with_its_token),
                cmocka_unit_test(test_without_a_pepper_nothing_is_asked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
