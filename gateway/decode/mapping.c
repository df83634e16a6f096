#include "gateway/decode/mapping.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define MAPPING_LINE 4608 /* of /proc/self/maps: numbers, and a path */

/* In a handler: no memory, no streams, nothing that has locks. */

static uintptr_t mapping_hex(const char **at) {
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
static const char *mapping_path(const char *line, uintptr_t address) {
        const char *at = line;
        uintptr_t from = mapping_hex(&at), to;

        if (*at++ != '-')
                return NULL;
        to = mapping_hex(&at);
        if (address < from || address >= to)
                return NULL;
        at = strchr(at, '/');
        return at ? at : "";
}

static size_t mapping_read_line(int fd, char ret_line[MAPPING_LINE]) {
        size_t n = 0;
        char c;

        while (n < MAPPING_LINE - 1 && read(fd, &c, 1) == 1 && c != '\n')
                ret_line[n++] = c;
        ret_line[n] = '\0';
        return n;
}

static void mapping_say(const char *text) {
        log_last_words(text, strlen(text));
}

static void mapping_say_file(uintptr_t address) {
        int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        char line[MAPPING_LINE];
        const char *path = NULL;

        while (fd >= 0 && !path && mapping_read_line(fd, line) > 0)
                path = mapping_path(line, address);
        mapping_say(path && *path ? path : "unknown");
}

static void mapping_on_bus_error(int signo, siginfo_t *info, void *context) {
        char time[CLOCK_TEXT_SIZE];
        (void)signo;
        (void)context;

        clock_format(clock_now_us(), time);
        mapping_say(time);
        mapping_say(" error journal_unreadable file=\"");
        mapping_say_file((uintptr_t)info->si_addr);
        mapping_say(
                "\" hint=\"the file was cut, or its disk fails: what can be read is taken from it "
                "at the next start\"\n");
        _exit(EXIT_FAILURE);
}

void mapping_guard(void) {
        struct sigaction action = { .sa_sigaction = mapping_on_bus_error, .sa_flags = SA_SIGINFO };

        MUST(sigemptyset(&action.sa_mask));
        MUST(sigaction(SIGBUS, &action, NULL));
}
