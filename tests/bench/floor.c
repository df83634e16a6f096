/*
 * floor RATE SIZE: the least that a fan-out server can do, as a floor for comparison.
 *
 * Says its port, takes WebSockets, and sends each of them one ready-made frame of SIZE bytes, RATE
 * times a second, with one send() a delivery. No MQTT, no JSON, no database, no queues. SIGTERM
 * ends it, with one line of JSON.
 */

#include "load.h"

#include <sys/timerfd.h>

#define FLOOR_MAX    20000
#define FLOOR_EVENTS 512

typedef struct Floor Floor;

struct Floor {
        int epoll, listener, timer;
        int fds[FLOOR_MAX];
        size_t n_fds;
        uint8_t *frame;
        size_t n_frame, time_at;
        uint64_t n_deliveries, n_refused;
};

static volatile sig_atomic_t floor_stop;

static void floor_signal(int number) {
        (void)number;
        floor_stop = 1;
}

static void floor_make_frame(Floor *floor, size_t size) {
        static const char head[] = "{\"ts\":";

        floor->frame = malloc(size + 4);
        if (!floor->frame || size < 126 || size > 65535)
                load_die("size");
        floor->frame[0] = 0x81;
        floor->frame[1] = 126;
        floor->frame[2] = (uint8_t)(size >> 8);
        floor->frame[3] = (uint8_t)size;
        memset(floor->frame + 4, ' ', size);
        memcpy(floor->frame + 4, head, sizeof(head) - 1);
        floor->time_at = 4 + sizeof(head) - 1;
        floor->frame[3 + size] = '}';
        floor->n_frame = size + 4;
}

static void floor_listen(Floor *floor) {
        struct sockaddr_in address = { .sin_family = AF_INET };
        socklen_t n = sizeof(address);

        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        floor->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (bind(floor->listener, (struct sockaddr *)&address, n) != 0 ||
            listen(floor->listener, 4096) != 0 ||
            getsockname(floor->listener, (struct sockaddr *)&address, &n) != 0)
                load_die("listen");
        load_watch(floor->epoll, EPOLL_CTL_ADD, floor->listener, EPOLLIN, &floor->listener);
        printf("%u\n", ntohs(address.sin_port));
        fflush(stdout);
}

/* The request is taken as it comes: only our own tool asks here. */
static void floor_accept(Floor *floor) {
        static const char answer[] =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        char request[4096];
        int on = 1;
        int fd;

        while ((fd = accept4(floor->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
                if (floor->n_fds == FLOOR_MAX || recv(fd, request, sizeof(request), 0) <= 0 ||
                    send(fd, answer, sizeof(answer) - 1, MSG_NOSIGNAL) < 0)
                        load_die("accept");
                floor->fds[floor->n_fds++] = fd;
        }
}

static void floor_send(Floor *floor) {
        load_put_digits(floor->frame + floor->time_at, load_now_us());
        for (size_t i = 0; i < floor->n_fds; ++i) {
                ssize_t n = send(floor->fds[i],
                                 floor->frame,
                                 floor->n_frame,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n == (ssize_t)floor->n_frame)
                        ++floor->n_deliveries;
                else
                        ++floor->n_refused;
        }
}

static void floor_turn(Floor *floor) {
        struct epoll_event events[FLOOR_EVENTS];
        uint64_t n_due;
        int n;

        n = epoll_wait(floor->epoll, events, FLOOR_EVENTS, 100);
        for (int i = 0; i < n; ++i) {
                if (events[i].data.ptr == &floor->listener)
                        floor_accept(floor);
                else if (read(floor->timer, &n_due, sizeof(n_due)) == sizeof(n_due))
                        for (; n_due > 0; --n_due)
                                floor_send(floor);
        }
}

int main(int argc, char *argv[]) {
        struct sigaction action = { .sa_handler = floor_signal };
        struct itimerspec interval = { 0 };
        Floor *floor = calloc(1, sizeof(*floor));
        long rate;

        if (argc < 3 || !floor) {
                fprintf(stderr, "usage: floor RATE SIZE\n");
                return 2;
        }
        rate = atol(argv[1]);
        if (rate < 2)
                load_die("rate");
        load_raise_files(FLOOR_MAX + 64);
        sigaction(SIGTERM, &action, NULL);
        floor->epoll = epoll_create1(EPOLL_CLOEXEC);
        floor_make_frame(floor, (size_t)atol(argv[2]));
        floor_listen(floor);
        floor->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        interval.it_interval.tv_nsec = interval.it_value.tv_nsec = 1000000000 / rate;
        timerfd_settime(floor->timer, 0, &interval, NULL);
        load_watch(floor->epoll, EPOLL_CTL_ADD, floor->timer, EPOLLIN, &floor->timer);

        while (!floor_stop)
                floor_turn(floor);
        printf("{\"deliveries\":%llu,\"refused\":%llu}\n",
               (unsigned long long)floor->n_deliveries,
               (unsigned long long)floor->n_refused);
        free(floor->frame);
        free(floor);
        return 0;
}
