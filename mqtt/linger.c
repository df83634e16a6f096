#include "mqtt/linger.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

#define MQTT_LINGER_FDS        "/proc/self/fd"
#define MQTT_LINGER_READ_BYTES 4096

/* Of the other end; 0: it is no TCP connection. */
static int mqtt_linger_port(int fd) {
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        } peer = { .any = { .sa_family = AF_UNSPEC } };
        socklen_t n = sizeof(peer);
        int type = 0;
        socklen_t n_type = sizeof(type);

        if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n_type) < 0 || type != SOCK_STREAM ||
            getpeername(fd, &peer.any, &n) < 0)
                return 0;
        if (peer.any.sa_family == AF_INET)
                return ntohs(peer.in.sin_port);
        return peer.any.sa_family == AF_INET6 ? ntohs(peer.in6.sin6_port) : 0;
}

static bool mqtt_linger_holds(const MqttLinger *linger, int fd) {
        for (size_t i = 0; i < linger->n; ++i)
                if (linger->held[i].fd == fd)
                        return true;
        return false;
}

static void mqtt_linger_hold(MqttLinger *linger, int fd) {
        struct stat st;
        int copy;

        if (linger->n == MQTT_LINGER_MAX)
                return;
        copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        if (copy < 0)
                return;
        if (fstat(copy, &st) < 0) {
                (void)close(copy);
                return;
        }
        linger->held[linger->n].fd = copy;
        linger->held[linger->n].inode = st.st_ino;
        ++linger->n;
}

/* Asks the folder, not the descriptor, which is another thread's to close. */
static bool mqtt_linger_is_socket(DIR *fds, int fd, ino_t inode) {
        char name[32], socket[64], target[64];
        ssize_t n;

        (void)snprintf(name, sizeof(name), "%d", fd);
        (void)snprintf(socket, sizeof(socket), "socket:[%ju]", (uintmax_t)inode);
        n = readlinkat(dirfd(fds), name, target, sizeof(target));
        return n == (ssize_t)strlen(socket) && memcmp(target, socket, (size_t)n) == 0;
}

static int mqtt_linger_next(DIR *fds) {
        struct dirent *entry;

        /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone. */
        while ((entry = readdir(fds)))
                if (entry->d_name[0] != '.')
                        return (int)strtol(entry->d_name, NULL, 10);
        return -1;
}

void mqtt_linger_begin(MqttLinger *linger, int port) {
        DIR *fds = opendir(MQTT_LINGER_FDS);
        int fd;

        linger->n = 0;
        if (!fds)
                return;
        while ((fd = mqtt_linger_next(fds)) >= 0)
                if (!mqtt_linger_holds(linger, fd) && mqtt_linger_port(fd) == port)
                        mqtt_linger_hold(linger, fd);
        (void)closedir(fds);
}

/* By whoever had it before us. */
static bool mqtt_linger_is_closed(const MqttLinger *linger, ino_t inode) {
        DIR *fds = opendir(MQTT_LINGER_FDS);
        bool is_open = !fds;
        int fd;

        while (!is_open && (fd = mqtt_linger_next(fds)) >= 0)
                is_open = !mqtt_linger_holds(linger, fd) && mqtt_linger_is_socket(fds, fd, inode);
        if (fds)
                (void)closedir(fds);
        return !is_open;
}

static void mqtt_linger_drain(int fd, int64_t until_us) {
        char bytes[MQTT_LINGER_READ_BYTES];
        struct pollfd ready = { .fd = fd, .events = POLLIN };
        int64_t left_us;

        while ((left_us = until_us - clock_mono_us()) > 0 &&
               poll(&ready, 1, (int)(left_us / 1000) + 1) > 0)
                if (recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT) <= 0 && errno != EAGAIN)
                        return;
}

void mqtt_linger_end(MqttLinger *linger, int64_t until_us) {
        for (size_t i = 0; i < linger->n; ++i)
                if (mqtt_linger_is_closed(linger, linger->held[i].inode))
                        mqtt_linger_drain(linger->held[i].fd, until_us);
        for (size_t i = 0; i < linger->n; ++i)
                (void)close(linger->held[i].fd);
        linger->n = 0;
}
