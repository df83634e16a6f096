#include "mqtt/addresses.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/watch.h"

#define MQTT_ADDRESSES_HOST     256
#define MQTT_ADDRESSES_TEXT     64
#define MQTT_ADDRESSES_SLICE_MS 100 /* between looks whether we are to go on */

typedef struct MqttAddresses MqttAddresses;

/* Of who asks and of who looks up: whoever is last frees it, as nothing ends a look-up. */
struct MqttAddresses {
        _Atomic unsigned n_refs;
        char host[MQTT_ADDRESSES_HOST];
        pthread_mutex_t lock;
        pthread_cond_t changed;
        bool is_done;                                               /* {lock} */
        size_t n;                                                   /* then: as they were found */
        char texts[MQTT_CANDIDATES_ADDRESSES][MQTT_ADDRESSES_TEXT]; /* likewise */
};

static MqttAddresses *mqtt_addresses_new(const char *host) {
        MqttAddresses *addresses = calloc(1, sizeof(*addresses));

        if (!addresses)
                return NULL;
        atomic_store(&addresses->n_refs, 2);
        snprintf(addresses->host, sizeof(addresses->host), "%s", host);
        MUST(pthread_mutex_init(&addresses->lock, NULL));
        MUST(pthread_cond_init(&addresses->changed, NULL));
        return addresses;
}

static void mqtt_addresses_unref(MqttAddresses *addresses) {
        if (atomic_fetch_sub(&addresses->n_refs, 1) != 1)
                return;
        MUST(pthread_cond_destroy(&addresses->changed));
        MUST(pthread_mutex_destroy(&addresses->lock));
        free(addresses);
}

static bool mqtt_addresses_add(MqttAddresses *addresses, const struct addrinfo *at) {
        if (addresses->n == MQTT_CANDIDATES_ADDRESSES)
                return false;
        if (getnameinfo(at->ai_addr,
                        at->ai_addrlen,
                        addresses->texts[addresses->n],
                        MQTT_ADDRESSES_TEXT,
                        NULL,
                        0,
                        NI_NUMERICHOST) == 0)
                ++addresses->n;
        return true;
}

static void *mqtt_addresses_look_up(void *arg) {
        const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
        MqttAddresses *addresses = arg;
        struct addrinfo *found = NULL;

        if (getaddrinfo(addresses->host, NULL, &hints, &found) == 0) {
                for (const struct addrinfo *at = found; at; at = at->ai_next)
                        if (!mqtt_addresses_add(addresses, at))
                                break;
                freeaddrinfo(found);
        }
        pthread_mutex_lock(&addresses->lock);
        addresses->is_done = true;
        pthread_cond_signal(&addresses->changed);
        pthread_mutex_unlock(&addresses->lock);
        mqtt_addresses_unref(addresses);
        return NULL;
}

static bool mqtt_addresses_wait(MqttAddresses *addresses,
                                int timeout_ms,
                                const _Atomic bool *is_interrupted) {
        int64_t until_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        bool is_done;

        pthread_mutex_lock(&addresses->lock);
        while (!addresses->is_done && !atomic_load(is_interrupted) && clock_mono_us() < until_us) {
                struct timespec deadline = deadline_in(MQTT_ADDRESSES_SLICE_MS);

                watch_turn(); /* this may be longer than the watchdog has patience, but it ends */
                (void)deadline_wait(&addresses->changed, &addresses->lock, &deadline);
        }
        is_done = addresses->is_done;
        pthread_mutex_unlock(&addresses->lock);
        return is_done;
}

bool mqtt_addresses_split(const char *uri, char *ret_host, size_t n_host, const char **ret_port) {
        const char *host = strstr(uri, "://");
        const char *port = strrchr(uri, ':');
        struct in_addr ignored;
        size_t n;

        if (!host || port <= host || host[3] == '[')
                return false;
        host += 3;
        n = (size_t)(port - host);
        if (n == 0 || n >= n_host)
                return false;
        memcpy(ret_host, host, n);
        ret_host[n] = '\0';
        *ret_port = port + 1;
        return inet_pton(AF_INET, ret_host, &ignored) != 1;
}

/* As Paho chooses: the first of IPv4, or else the last. */
static size_t mqtt_addresses_first(const MqttAddresses *addresses) {
        size_t i = 0;

        while (i + 1 < addresses->n && strchr(addresses->texts[i], ':'))
                ++i;
        return i;
}

static void mqtt_addresses_tell(const MqttAddresses *addresses,
                                MqttCandidates *candidates,
                                const char *port) {
        size_t tried = mqtt_addresses_first(addresses);

        for (size_t i = 0; i < addresses->n; ++i)
                if (i != tried)
                        mqtt_candidates_widen(candidates, addresses->texts[i], port);
}

void mqtt_addresses_widen(MqttCandidates *candidates,
                          int timeout_ms,
                          const _Atomic bool *is_interrupted) {
        char host[MQTT_ADDRESSES_HOST];
        MqttAddresses *addresses;
        pthread_t thread;
        const char *port;

        if (!mqtt_addresses_split(candidates->uri, host, sizeof(host), &port))
                return;
        addresses = mqtt_addresses_new(host);
        if (!addresses)
                return;
        if (pthread_create(&thread, NULL, mqtt_addresses_look_up, addresses) != 0) {
                atomic_store(&addresses->n_refs, 1);
        } else {
                MUST(pthread_detach(thread));
                if (mqtt_addresses_wait(addresses, timeout_ms, is_interrupted))
                        mqtt_addresses_tell(addresses, candidates, port);
        }
        mqtt_addresses_unref(addresses);
}
