#pragma once

/*
 * Load: what the load tools share: the clock, a histogram, a TCP connection, MQTT's lengths.
 *
 * Publisher and subscriber run on one machine, so that the wall clock in microseconds (16 digits
 * until the year 2286) inside a message tells how long it was under way.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOAD_STEPS   128 /* of the histogram, an octave: less than 0.8 % error */
#define LOAD_OCTAVES 40
#define LOAD_DIGITS  16

typedef struct Latency Latency;

struct Latency {
        uint64_t n, max;
        uint64_t counts[LOAD_OCTAVES * LOAD_STEPS];
};

static inline uint64_t load_now_us(void) {
        struct timespec now;

        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

__attribute__((noreturn)) static inline void load_die(const char *what) {
        perror(what);
        exit(1);
}

static inline void latency_add(Latency *latency, uint64_t us) {
        unsigned octave, i = (unsigned)us;

        if (us >= LOAD_STEPS) {
                octave = 63 - (unsigned)__builtin_clzll(us);
                i = (octave - 6) * LOAD_STEPS + (unsigned)((us >> (octave - 7)) % LOAD_STEPS);
        }
        if (i >= LOAD_OCTAVES * LOAD_STEPS)
                i = LOAD_OCTAVES * LOAD_STEPS - 1;
        ++latency->counts[i];
        ++latency->n;
        if (us > latency->max)
                latency->max = us;
}

static inline uint64_t latency_percentile(const Latency *latency, double percent) {
        uint64_t wanted = (uint64_t)((double)latency->n * percent / 100);
        uint64_t seen = 0;

        for (unsigned i = 0; i < LOAD_OCTAVES * LOAD_STEPS; ++i) {
                unsigned octave = i / LOAD_STEPS + 6;

                seen += latency->counts[i];
                if (seen <= wanted)
                        continue;
                if (i < LOAD_STEPS)
                        return i;
                return (1ULL << octave) + ((uint64_t)(i % LOAD_STEPS) << (octave - 7));
        }
        return latency->max;
}

static inline int load_connect(unsigned port) {
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int on = 1;
        int fd;

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
                load_die("connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        return fd;
}

static inline void load_watch(int epoll, int operation, int fd, uint32_t events, void *data) {
        struct epoll_event event = { .events = events, .data.ptr = data };

        if (epoll_ctl(epoll, operation, fd, &event) != 0)
                load_die("epoll_ctl");
}

/* As many file descriptors as wanted, or as there may be. */
static inline void load_raise_files(rlim_t n) {
        struct rlimit limit;

        getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = n < limit.rlim_max ? n : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
                load_die("setrlimit");
}

static inline void load_put_digits(uint8_t *text, uint64_t value) {
        for (int i = LOAD_DIGITS - 1; i >= 0; --i) {
                text[i] = (uint8_t)('0' + value % 10);
                value /= 10;
        }
}

static inline size_t load_put_length(uint8_t *bytes, size_t length) {
        size_t n = 0;

        do {
                bytes[n] = (uint8_t)(length % 128 | (length >= 128 ? 128 : 0));
                length /= 128;
                ++n;
        } while (length > 0);
        return n;
}
