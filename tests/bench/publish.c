/*
 * publish PORT VEHICLES RATE COUNT [WINDOW]: vehicle logs at QoS 1 over one MQTT 3.1.1 connection.
 *
 * RATE 0 publishes as fast as a window of unacknowledged messages lets. With a rate, the time in a
 * message is when it was due and not when it went out, so that a slow broker counts. One line of
 * JSON at the end.
 */

#include "load.h"

#define PUBLISH_MAX    1024
#define PUBLISH_BUFFER (1 << 20)

typedef struct Template Template;
typedef struct Publisher Publisher;

struct Template {
        uint8_t bytes[PUBLISH_MAX];
        size_t n;
        size_t id_at, time_at; /* where packet id and time go */
};

struct Publisher {
        int fd, epoll;
        Template *templates;
        unsigned n_vehicles;
        uint64_t rate, count, window;
        uint64_t n_sent, n_acked;
        uint64_t begin_us;
        uint8_t *out;
        size_t n_out, out_at;
        uint8_t in[4096];
        size_t n_in;
};

static void template_make(Template *template, unsigned vehicle) {
        char topic[64], payload[512];
        size_t n_topic, n_payload, n = 0;

        n_topic = (size_t)snprintf(topic, sizeof(topic), "seano/bench-%u/vehicle_log", vehicle);
        n_payload = (size_t)snprintf(
                payload,
                sizeof(payload),
                "{\"battery_voltage\":12.%u,\"battery_current\":2.5,\"rssi\":-%u,\"mode\":\"AUTO\","
                "\"latitude\":-6.20%u,\"longitude\":106.84%u,\"heading\":%u.5,\"armed\":true,"
                "\"guided\":false,\"system_status\":\"ACTIVE\",\"speed\":15.5,"
                "\"note\":\"a member that has no column of its own\",\"ts\":%016u}",
                vehicle % 10,
                40 + vehicle % 50,
                vehicle,
                vehicle,
                vehicle % 360,
                0);

        template->bytes[n++] = 0x32; /* PUBLISH, QoS 1 */
        n += load_put_length(template->bytes + n, 2 + n_topic + 2 + n_payload);
        template->bytes[n++] = (uint8_t)(n_topic >> 8);
        template->bytes[n++] = (uint8_t)n_topic;
        memcpy(template->bytes + n, topic, n_topic);
        n += n_topic;
        template->id_at = n;
        n += 2;
        memcpy(template->bytes + n, payload, n_payload);
        n += n_payload;
        template->time_at = n - 1 - LOAD_DIGITS;
        template->n = n;
}

static void publisher_connect(Publisher *publisher, unsigned port) {
        static const uint8_t hello[] = { 0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4,  2,
                                         0,    0,  0, 5, 'b', 'e', 'n', 'c', 'h' };
        uint8_t answer[4];

        publisher->fd = load_connect(port);
        if (send(publisher->fd, hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
                load_die("send");
        if (recv(publisher->fd, answer, sizeof(answer), MSG_WAITALL) != sizeof(answer) || answer[3])
                load_die("the broker refused");
        fcntl(publisher->fd, F_SETFL, O_NONBLOCK);
        publisher->epoll = epoll_create1(EPOLL_CLOEXEC);
        load_watch(publisher->epoll, EPOLL_CTL_ADD, publisher->fd, EPOLLIN, publisher);
}

/* One more message into the buffer; there is room for it. */
static void publisher_put(Publisher *publisher, uint64_t time_us) {
        Template *template = &publisher->templates[publisher->n_sent % publisher->n_vehicles];
        uint16_t id = (uint16_t)(publisher->n_sent % 65535 + 1);

        template->bytes[template->id_at] = (uint8_t)(id >> 8);
        template->bytes[template->id_at + 1] = (uint8_t)id;
        load_put_digits(template->bytes + template->time_at, time_us);
        memcpy(publisher->out + publisher->n_out, template->bytes, template->n);
        publisher->n_out += template->n;
        ++publisher->n_sent;
}

static void publisher_fill(Publisher *publisher) {
        while (publisher->n_sent < publisher->count &&
               publisher->n_sent - publisher->n_acked < publisher->window &&
               publisher->n_out + PUBLISH_MAX < PUBLISH_BUFFER) {
                uint64_t now = load_now_us();
                uint64_t due = now;

                if (publisher->rate > 0)
                        due = publisher->begin_us + publisher->n_sent * 1000000 / publisher->rate;
                if (due > now)
                        return;
                publisher_put(publisher, due);
        }
}

static void publisher_flush(Publisher *publisher) {
        ssize_t n;

        if (publisher->n_out == 0)
                return;
        n = send(publisher->fd,
                 publisher->out + publisher->out_at,
                 publisher->n_out - publisher->out_at,
                 MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
                load_die("send");
        if (n > 0)
                publisher->out_at += (size_t)n;
        if (publisher->out_at == publisher->n_out)
                publisher->out_at = publisher->n_out = 0;
        load_watch(publisher->epoll,
                   EPOLL_CTL_MOD,
                   publisher->fd,
                   publisher->n_out ? EPOLLIN | EPOLLOUT : EPOLLIN,
                   publisher);
}

/* Nothing but PUBACKs comes, four bytes each. */
static void publisher_receive(Publisher *publisher) {
        ssize_t n;

        n = recv(publisher->fd,
                 publisher->in + publisher->n_in,
                 sizeof(publisher->in) - publisher->n_in,
                 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
                load_die("the broker went away");
        if (n < 0)
                return;
        publisher->n_in += (size_t)n;
        publisher->n_acked += publisher->n_in / 4;
        publisher->n_in %= 4;
}

static void publisher_run(Publisher *publisher) {
        publisher->begin_us = load_now_us();
        while (publisher->n_acked < publisher->count) {
                struct epoll_event event;

                publisher_fill(publisher);
                publisher_flush(publisher);
                if (epoll_wait(publisher->epoll, &event, 1, 1) == 1 && event.events & EPOLLIN)
                        publisher_receive(publisher);
        }
}

int main(int argc, char *argv[]) {
        Publisher publisher = { .window = 1000 };
        double seconds;

        if (argc < 5) {
                fprintf(stderr, "usage: publish PORT VEHICLES RATE COUNT [WINDOW]\n");
                return 2;
        }
        publisher.n_vehicles = (unsigned)atoi(argv[2]);
        publisher.rate = strtoull(argv[3], NULL, 10);
        publisher.count = strtoull(argv[4], NULL, 10);
        if (argc > 5)
                publisher.window = strtoull(argv[5], NULL, 10);
        publisher.templates = calloc(publisher.n_vehicles, sizeof(*publisher.templates));
        publisher.out = malloc(PUBLISH_BUFFER);
        if (!publisher.templates || !publisher.out)
                load_die("memory");
        for (unsigned i = 0; i < publisher.n_vehicles; ++i)
                template_make(&publisher.templates[i], i);

        publisher_connect(&publisher, (unsigned)atoi(argv[1]));
        publisher_run(&publisher);
        seconds = (double)(load_now_us() - publisher.begin_us) / 1e6;
        printf("{\"sent\":%llu,\"seconds\":%.3f,\"begin_us\":%llu}\n",
               (unsigned long long)publisher.n_sent,
               seconds,
               (unsigned long long)publisher.begin_us);
        free(publisher.templates);
        free(publisher.out);
        close(publisher.fd);
        return 0;
}
