#include "gateway/journal/bus_error.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define BUS_ERROR_LINE 4608 /* of /proc/self/maps: numbers, and a path */

/* In a handler: no memory, no streams, nothing that has locks. */

static uintptr_t bus_error_hex(const char **at) {
        uintptr_t value = 0;

        for (;; ++*at) {
                char c = **at;

                if (c >= '0' && c <= '9')
                        value = value << 4 | (uintptr_t)(c - '0');
                else if (c >= 'a' && c <= 'f')
                        value = value << 4 | (uintptr_t)(c - 'a' + 10);
                else
                        return value;
        }
}

/* "from-to rights offset device inode      path"; the path if @address is in it. */
static const char *bus_error_path(const char *line, uintptr_t address) {
        const char *at = line;
        uintptr_t from = bus_error_hex(&at), to;

        if (*at++ != '-')
                return NULL;
        to = bus_error_hex(&at);
        if (address < from || address >= to)
                return NULL;
        at = strchr(at, '/');
        return at ? at : "";
}

static size_t bus_error_read_line(int fd, char ret_line[BUS_ERROR_LINE]) {
        size_t n = 0;
        char c;

        while (n < BUS_ERROR_LINE - 1 && read(fd, &c, 1) == 1 && c != '\n')
                ret_line[n++] = c;
        ret_line[n] = '\0';
        return n;
}

static void bus_error_say(const char *text) {
        log_last_words(text, strlen(text));
}

static void bus_error_say_file(uintptr_t address) {
        int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        char line[BUS_ERROR_LINE];
        const char *path = NULL;

        while (fd >= 0 && !path && bus_error_read_line(fd, line) > 0)
                path = bus_error_path(line, address);
        bus_error_say(path && *path ? path : "unknown");
}

static void bus_error_on_bus_error(int signo, siginfo_t *info, void *context) {
        char time[CLOCK_TEXT_SIZE];
        (void)signo;
        (void)context;

        clock_format(clock_now_us(), time);
        bus_error_say(time);
        bus_error_say(" error journal_unreadable file=\"");
        bus_error_say_file((uintptr_t)info->si_addr);
        bus_error_say(
                "\" hint=\"the file was cut, or its disk fails: what can be read is taken from it "
                "at the next start\"\n");
        _exit(EXIT_FAILURE);
}

void bus_error_guard(void) {
        struct sigaction action = { .sa_sigaction = bus_error_on_bus_error,
                                    .sa_flags = SA_SIGINFO };

        MUST(sigemptyset(&action.sa_mask));
        MUST(sigaction(SIGBUS, &action, NULL));
}
