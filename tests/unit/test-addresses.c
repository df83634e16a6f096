/* MqttAddresses: what a name leads to besides the address that Paho takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netdb.h>
#include <unistd.h>

#include "mqtt/addresses.h"

#define PATIENCE_MS 60000

static const char *const *found; /* addresses, NULL: the end */
static int stalled[2] = { -1, -1 };

/* In place of libc's: what the test says. */
int getaddrinfo(const char *name,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret_found) {
        struct addrinfo **next = ret_found;
        char byte;

        (void)name, (void)service, (void)hints;
        if (stalled[0] >= 0)
                assert_int_equal(read(stalled[0], &byte, 1), 1);
        *ret_found = NULL;
        for (const char *const *at = found; *at; ++at) {
                struct addrinfo *one = calloc(1, sizeof(*one) + sizeof(struct sockaddr_in6));
                struct sockaddr_in *v4 = (void *)(one + 1);
                struct sockaddr_in6 *v6 = (void *)(one + 1);
                bool is_v6 = strchr(*at, ':') != NULL;

                assert_non_null(one);
                one->ai_family = is_v6 ? AF_INET6 : AF_INET;
                one->ai_addr = (void *)(one + 1);
                one->ai_addr->sa_family = (sa_family_t)one->ai_family;
                one->ai_addrlen = is_v6 ? sizeof(*v6) : sizeof(*v4);
                assert_int_equal(inet_pton(one->ai_family,
                                           *at,
                                           is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr),
                                 1);
                *next = one;
                next = &one->ai_next;
        }
        return *ret_found ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *at) {
        while (at) {
                struct addrinfo *next = at->ai_next;

                free(at);
                at = next;
        }
}

static void widen(MqttCandidates *c, const char *url, const char *const addresses[]) {
        static const _Atomic bool never = false;

        found = addresses;
        assert_true(mqtt_candidates_init(c, url, 5));
        mqtt_addresses_widen(c, PATIENCE_MS, &never);
}

static void assert_others(const MqttCandidates *c, const char *first, const char *second) {
        assert_int_equal(c->n_others, (first != NULL) + (second != NULL));
        if (first)
                assert_string_equal(c->others[0], first);
        if (second)
                assert_string_equal(c->others[1], second);
}

static void test_what_paho_has_tried_is_left_out(void **state) {
        MqttCandidates c;

        (void)state;
        widen(&c, "mqtt://broker", (const char *const[]){ "::1", "127.0.0.1", NULL });
        assert_others(&c, "tcp://[::1]:1883", NULL);
        widen(&c,
              "mqtt://broker:5",
              (const char *const[]){ "192.0.2.1", "::1", "192.0.2.2", NULL });
        assert_others(&c, "tcp://[::1]:5", "tcp://192.0.2.2:5");
        widen(&c, "mqtts://broker", (const char *const[]){ "2001:db8::1", "2001:db8::2", NULL });
        assert_others(&c, "ssl://[2001:db8::1]:8883", NULL);
        widen(&c, "mqtt://broker", (const char *const[]){ "192.0.2.1", NULL });
        assert_others(&c, NULL, NULL);
        widen(&c, "mqtt://broker", (const char *const[]){ NULL });
        assert_others(&c, NULL, NULL);
}

static void test_an_address_is_no_name(void **state) {
        MqttCandidates c;

        (void)state;
        widen(&c, "mqtt://192.0.2.9", (const char *const[]){ "::1", "127.0.0.1", NULL });
        assert_others(&c, NULL, NULL);
        widen(&c, "mqtt://[::1]:1883", (const char *const[]){ "::1", "127.0.0.1", NULL });
        assert_others(&c, NULL, NULL);
}

static void test_who_is_interrupted_or_out_of_time_does_not_wait_for_a_name(void **state) {
        static const char *const addresses[] = { "::1", "127.0.0.1", NULL };
        const _Atomic bool yes = true, no = false;
        MqttCandidates c;

        (void)state;
        found = addresses;
        assert_int_equal(pipe(stalled), 0);
        assert_true(mqtt_candidates_init(&c, "mqtt://broker", 5));
        mqtt_addresses_widen(&c, PATIENCE_MS, &yes);
        assert_others(&c, NULL, NULL);
        mqtt_addresses_widen(&c, 1, &no);
        assert_others(&c, NULL, NULL);
        assert_int_equal(write(stalled[1], "..", 2), 2); /* they end by themselves */
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_paho_has_tried_is_left_out),
                cmocka_unit_test(test_an_address_is_no_name),
                cmocka_unit_test(test_who_is_interrupted_or_out_of_time_does_not_wait_for_a_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
