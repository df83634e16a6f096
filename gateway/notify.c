#include "gateway/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"

#define NOTIFY_WAIT_S 1 /* for a manager whose queue is full */

/* Does it name a file, or ("@...") what is in no folder? */
static bool notify_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_n) {
        size_t n = strlen(name);

        if (n < 2 || n >= sizeof(ret_address->sun_path) || (name[0] != '/' && name[0] != '@'))
                return false;
        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        memcpy(ret_address->sun_path, name, n);
        if (name[0] == '@')
                ret_address->sun_path[0] = '\0';
        *ret_n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (name[0] == '/'));
        return true;
}

/* sd_notify() waits for ever where nobody reads. What is answered does not matter: without a
 * manager there is nobody to tell. */
static void notify_send(const char *text, int flags) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment. */
        const char *name = getenv("NOTIFY_SOCKET");
        const struct timeval wait = { .tv_sec = NOTIFY_WAIT_S };
        struct sockaddr_un address;
        socklen_t n;
        int fd;

        if (!name)
                return;
        if (!notify_address(name, &address, &n)) { /* of a sort that the library may know */
                (void)sd_notify(0, text);
                return;
        }
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return;
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
        (void)sendto(fd,
                     text,
                     strlen(text),
                     MSG_NOSIGNAL | flags,
                     (const struct sockaddr *)&address,
                     n);
        close(fd);
}

void notify_ready(void) {
        notify_send("READY=1", 0);
}

void notify_reloading(void) {
        char text[64];

        snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, clock_mono_us());
        notify_send(text, 0);
}

void notify_stopping(void) {
        notify_send("STOPPING=1", 0);
}

void notify_watchdog(void) {
        notify_send("WATCHDOG=1", MSG_DONTWAIT);
}

int64_t notify_watchdog_us(void) {
        uint64_t interval_us = 0;

        if (sd_watchdog_enabled(0, &interval_us) <= 0)
                return 0;
        return (int64_t)interval_us;
}
