/* Preloaded: the name both.test has the addresses 127.0.0.1 and ::1, in that order. */
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>

typedef int (*LookUp)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *name,
                const char *service,
                const struct addrinfo *hints,
                struct addrinfo **ret_found) {
        LookUp real = (LookUp)dlsym(RTLD_NEXT, "getaddrinfo");
        struct addrinfo *at;
        int r;

        if (!name || strcmp(name, "both.test") != 0)
                return real(name, service, hints, ret_found);
        r = real("127.0.0.1", service, hints, ret_found);
        if (r != 0)
                return r;
        for (at = *ret_found; at->ai_next;)
                at = at->ai_next;
        return real("::1", service, hints, &at->ai_next);
}
