/* Preloaded: while the file $SLOW_NAMES exists, nobody says what address a name has. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int getaddrinfo(const char *name,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret_found) {
        int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
                (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))
                        dlsym(RTLD_NEXT, "getaddrinfo");

        if (name && strcmp(name, "database.test") == 0) {
                while (access(getenv("SLOW_NAMES"), F_OK) == 0)
                        usleep(10000);
                name = "127.0.0.1";
        }
        return real(name, service, hints, ret_found);
}
