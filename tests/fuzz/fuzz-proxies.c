/* Proxies: trusted networks up to a newline; behind it a request. Whoever it is said to come from
 * has an address, and where nobody is trusted it is the peer's. */

#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "ws/access/proxies.h"
#include "ws/wire/head.h"

#define PEER "127.0.0.1"

static WsHead head;

static void check_origin(const WsProxies *proxies) {
        WsAddress address;
        WsOrigin origin;

        ws_proxies_follow(proxies, &head, PEER, &origin);
        FUZZ_CHECK(ws_address_read(text_of(origin.source), &address));
        if (!ws_proxies_trust(proxies, PEER))
                FUZZ_CHECK(strcmp(origin.source, PEER) == 0 && !origin.is_told);
        if (ws_head_count(&head, "X-Forwarded-For") == 0)
                FUZZ_CHECK(strcmp(origin.source, PEER) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        char *copy = malloc(n + 1);
        WsProxies proxies = { 0 };
        size_t n_line;

        FUZZ_CHECK(copy);
        memcpy(copy, data, n);
        copy[n] = '\0';
        n_line = strcspn(copy, "\n");
        if (n_line < n && !memchr(copy, '\0', n_line)) {
                copy[n_line] = '\0';
                (void)!ws_proxies_read(&proxies, copy);
                if (ws_head_parse(&head, (Text){ copy + n_line + 1, n - n_line - 1 }) == 0)
                        check_origin(&proxies);
        }
        free(copy);
        return 0;
}
