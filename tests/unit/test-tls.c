/* WsTls: who speaks it as we want it gets in, and whoever does not is told apart. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "ws/net/tls.h"

#define CERTIFICATE "/tmp/tidegate-test-tls-%d.%s.pem"

typedef struct Link { /* both ends of one connection, neither of which ever waits */
        SSL *client, *server;
        int fds[2];
} Link;

static char certificates[2][64], keys[2][64];
static SSL_CTX *as_client;

static void write_pem(const char *path, X509 *certificate, EVP_PKEY *key) {
        FILE *file = fopen(path, "we");

        assert_non_null(file);
        if (certificate)
                assert_int_equal(PEM_write_X509(file, certificate), 1);
        else
                assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
        fclose(file);
}

static void make_certificate(int i) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *certificate = X509_new();
        X509_NAME *name = X509_get_subject_name(certificate);

        snprintf(certificates[i], sizeof(certificates[i]), CERTIFICATE, (int)getpid() * 2 + i, "c");
        snprintf(keys[i], sizeof(keys[i]), CERTIFICATE, (int)getpid() * 2 + i, "k");
        ASN1_INTEGER_set(X509_get_serialNumber(certificate), 100 + i);
        X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
        X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"h", -1, -1, 0);
        X509_set_issuer_name(certificate, name);
        X509_set_pubkey(certificate, key);
        assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
        write_pem(certificates[i], certificate, NULL);
        write_pem(keys[i], NULL, key);
        X509_free(certificate);
        EVP_PKEY_free(key);
}

static int set_up(void **state) {
        (void)state;
        assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as main does */
        make_certificate(0);
        make_certificate(1);
        as_client = SSL_CTX_new(TLS_client_method());
        return as_client ? 0 : -1;
}

static int tear_down(void **state) {
        (void)state;
        for (int i = 0; i < 2; ++i) {
                unlink(certificates[i]);
                unlink(keys[i]);
        }
        SSL_CTX_free(as_client);
        return 0;
}

static WsTls *new_tls(void) {
        const char *why = NULL;
        WsTls *tls = NULL;

        assert_int_equal(ws_tls_new(&tls, certificates[0], keys[0], &why), 0);
        return tls;
}

static void link_open(Link *link, WsTls *tls) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, link->fds), 0);
        link->server = ws_tls_accept(tls, link->fds[0]);
        link->client = SSL_new(as_client);
        assert_true(link->server && link->client);
        SSL_set_fd(link->client, link->fds[1]);
        SSL_set_connect_state(link->client);
}

static void link_done(Link *link) {
        SSL_set_shutdown(link->client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        ws_tls_release(link->server);
        SSL_free(link->client);
        close(link->fds[0]);
        if (link->fds[1] >= 0)
                close(link->fds[1]);
}

/* Both sides in turn, until the server's has ended: how. */
static int link_shake(Link *link) {
        bool wants_write = false;
        int r;

        for (int i = 0; i < 20; ++i) {
                (void)SSL_do_handshake(link->client);
                r = ws_tls_handshake(link->server, &wants_write);
                if (r != -EAGAIN) {
                        (void)SSL_do_handshake(link->client);
                        return r;
                }
                assert_false(wants_write); /* there is room in the socket */
        }
        return -EAGAIN;
}

static long serial_of(const Link *link) {
        X509 *certificate = SSL_get1_peer_certificate(link->client);
        long serial;

        assert_non_null(certificate);
        serial = ASN1_INTEGER_get(X509_get_serialNumber(certificate));
        X509_free(certificate);
        return serial;
}

static void test_what_is_written_is_read_and_an_end_is_an_end(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        bool wants_write = true;
        char data[16];
        Link link;

        (void)state;
        link_open(&link, tls);
        assert_int_equal(link_shake(&link), 0);
        assert_string_equal(SSL_get_version(link.client), "TLSv1.3");
        assert_int_equal(ws_tls_read(link.server, data, sizeof(data), &wants_write), -EAGAIN);
        assert_false(wants_write);
        assert_int_equal(SSL_write(link.client, "ahoy", 4), 4);
        assert_int_equal(ws_tls_read(link.server, data, 3, &wants_write), 3);
        assert_int_equal(ws_tls_read(link.server, data, sizeof(data), &wants_write), 1);
        assert_int_equal(ws_tls_write(link.server, "", 0), 0);
        assert_int_equal(ws_tls_write(link.server, "aye", 3), 3);
        assert_int_equal(SSL_read(link.client, data, sizeof(data)), 3);
        ws_tls_goodbye(link.server);
        assert_int_equal(SSL_read(link.client, data, sizeof(data)), 0);
        assert_int_equal(SSL_get_error(link.client, 0), SSL_ERROR_ZERO_RETURN);
        (void)SSL_shutdown(link.client);
        assert_int_equal(ws_tls_read(link.server, data, sizeof(data), &wants_write), 0);
        link_done(&link);
}

/* Many a client just goes. */
static void test_an_end_without_a_word_is_one_as_well(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        bool wants_write;
        char data[16];
        Link link;

        (void)state;
        link_open(&link, tls);
        assert_int_equal(link_shake(&link), 0);
        (void)SSL_read(link.client, data, sizeof(data)); /* what came behind it */
        close(link.fds[1]);
        link.fds[1] = -1;
        assert_int_equal(ws_tls_read(link.server, data, sizeof(data), &wants_write), 0);
        assert_int_equal(ws_tls_write(link.server, "aye", 3), -EPIPE);
        ws_tls_goodbye(link.server);
        link_done(&link);
}

static void test_a_full_socket_is_waited_for(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        static char data[65536];
        ssize_t n;
        Link link;

        (void)state;
        link_open(&link, tls);
        assert_int_equal(link_shake(&link), 0);
        while ((n = ws_tls_write(link.server, data, sizeof(data))) > 0)
                continue;
        assert_int_equal(n, -EAGAIN);
        while (SSL_read(link.client, data, sizeof(data)) > 0)
                continue;
        assert_true(ws_tls_write(link.server, data, sizeof(data)) > 0);
        link_done(&link);
}

static void test_nothing_below_1_2_and_no_weak_cipher_gets_in(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        static const char *const ciphers[] = { "AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256" };
        Link link;

        (void)state;
        link_open(&link, tls);
        SSL_set_min_proto_version(link.client, TLS1_VERSION);
        SSL_set_max_proto_version(link.client, TLS1_1_VERSION);
        SSL_set_security_level(link.client, 0);
        assert_int_equal(link_shake(&link), -EPIPE);
        link_done(&link);
        for (size_t i = 0; i < N_ELEMENTS(ciphers); ++i) {
                link_open(&link, tls);
                SSL_set_max_proto_version(link.client, TLS1_2_VERSION);
                assert_int_equal(SSL_set_cipher_list(link.client, ciphers[i]), 1);
                assert_int_equal(link_shake(&link), -EPIPE);
                link_done(&link);
        }
}

/* A ticket of 1.2 would open all that was said under its key. */
static void test_a_session_of_1_3_can_be_resumed_and_one_of_1_2_not(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        char data[16];

        (void)state;
        for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; ++version) {
                SSL_SESSION *session;
                Link link;

                link_open(&link, tls);
                SSL_set_max_proto_version(link.client, version);
                assert_int_equal(link_shake(&link), 0);
                (void)SSL_read(link.client, data, sizeof(data)); /* what came behind it */
                session = SSL_get1_session(link.client);
                link_done(&link);

                link_open(&link, tls);
                SSL_set_max_proto_version(link.client, version);
                SSL_set_session(link.client, session);
                assert_int_equal(link_shake(&link), 0);
                assert_int_equal(SSL_session_reused(link.client), version == TLS1_3_VERSION);
                SSL_SESSION_free(session);
                link_done(&link);
        }
}

static void expect_protocol(WsTls *tls, const char *offered, unsigned n, const char *wanted) {
        const unsigned char *agreed = NULL;
        unsigned n_agreed = 0;
        Link link;

        link_open(&link, tls);
        assert_int_equal(SSL_set_alpn_protos(link.client, (const uint8_t *)offered, n), 0);
        assert_int_equal(link_shake(&link), 0);
        SSL_get0_alpn_selected(link.client, &agreed, &n_agreed);
        assert_int_equal(n_agreed, strlen(wanted));
        assert_memory_equal(agreed ? agreed : (const uint8_t *)"", wanted, n_agreed);
        link_done(&link);
}

static void test_http_1_1_is_all_that_can_be_agreed_upon(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();

        (void)state;
        expect_protocol(tls, "\x02h2\x08http/1.1", 12, "http/1.1");
        expect_protocol(tls, "\x08http/1.1\x02h2", 12, "http/1.1");
        expect_protocol(tls, "\x02h2\x08http/1.0", 12, ""); /* who has none of it goes on */
}

static int shake_with(WsTls *tls, const char *bytes) {
        bool wants_write;
        Link link;
        int r;

        link_open(&link, tls);
        assert_int_equal(write(link.fds[1], bytes, strlen(bytes)), strlen(bytes));
        r = ws_tls_handshake(link.server, &wants_write);
        link_done(&link);
        return r;
}

static void test_http_without_tls_is_told_from_what_is_nothing(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();

        (void)state;
        assert_int_equal(shake_with(tls, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), -EPROTO);
        assert_int_equal(shake_with(tls, "POST /api/token HTTP/1.1\r\nHost: h\r\n\r\n"), -EPROTO);
        assert_int_equal(shake_with(tls, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"), -EPIPE);
        assert_int_equal(shake_with(tls, ""), -EAGAIN);
}

static void expect_bad(WsTls *tls, const char *certificate, const char *key) {
        const char *why = NULL;

        assert_int_equal(ws_tls_load(tls, certificate, key, &why), WS_TLS_E_BAD);
        assert_non_null(why);
}

static void test_a_certificate_that_cannot_be_used_leaves_the_old_one(void **state) {
        CLEANUP(ws_tls_free) WsTls *tls = new_tls();
        const char *why = NULL;
        WsTls *none = NULL;
        Link before, after;

        (void)state;
        expect_bad(tls, "/nowhere", keys[1]);
        expect_bad(tls, certificates[1], "/nowhere");
        expect_bad(tls, certificates[1], keys[0]); /* of another one */
        expect_bad(tls, keys[1], certificates[1]);
        assert_int_equal(ws_tls_new(&none, "/nowhere", "/nowhere", &why), WS_TLS_E_BAD);
        assert_true(!none && why);

        link_open(&before, tls);
        assert_int_equal(ws_tls_load(tls, certificates[1], keys[1], &why), 0);
        link_open(&after, tls);
        assert_int_equal(link_shake(&before), 0);
        assert_int_equal(link_shake(&after), 0);
        assert_true(serial_of(&before) == 100 && serial_of(&after) == 101);
        link_done(&before);
        link_done(&after);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_written_is_read_and_an_end_is_an_end),
                cmocka_unit_test(test_an_end_without_a_word_is_one_as_well),
                cmocka_unit_test(test_a_full_socket_is_waited_for),
                cmocka_unit_test(test_nothing_below_1_2_and_no_weak_cipher_gets_in),
                cmocka_unit_test(test_a_session_of_1_3_can_be_resumed_and_one_of_1_2_not),
                cmocka_unit_test(test_http_1_1_is_all_that_can_be_agreed_upon),
                cmocka_unit_test(test_http_without_tls_is_told_from_what_is_nothing),
                cmocka_unit_test(test_a_certificate_that_cannot_be_used_leaves_the_old_one),
        };

        return cmocka_run_group_tests(tests, set_up, tear_down);
}
