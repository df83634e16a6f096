#pragma once

/*
 * WsProxies: the proxies whose word is taken for where a request comes from.
 *
 * X-Forwarded-For is read from its end, each address by the one behind it: the first that is no
 * proxy of ours is the client, whatever it wrote before. What is no address ends the walk at the
 * last that was one. X-Forwarded-Proto counts for the same step. Who is no proxy of ours has both
 * headers ignored; `Forwarded` and the like are ignored from all. Pure.
 */

#include "base/base.h"
#include "ws/access/address.h"

#define WS_PROXIES_MAX 64

typedef struct WsHead WsHead;
typedef struct WsNetwork WsNetwork;
typedef struct WsOrigin WsOrigin;
typedef struct WsProxies WsProxies;

struct WsNetwork {
        WsAddress address;
        unsigned n_bits;
};

struct WsProxies {
        WsNetwork networks[WS_PROXIES_MAX];
        size_t n;
};

struct WsOrigin {
        char source[WS_ADDRESS_TEXT_SIZE];
        bool is_told, is_secure; /* the latter where a proxy told it: https */
};

enum {
        WS_PROXIES_E_BAD = 1, /* not addresses and networks (address/bits) with commas between */
};

MUST_CHECK int ws_proxies_read(WsProxies *ret_proxies, const char *text); /* NULL, "": none */
bool ws_proxies_trust(const WsProxies *proxies, const char *source);
/* @peer: the address that the connection comes from. */
void ws_proxies_follow(const WsProxies *proxies,
                       const WsHead *head,
                       const char *peer,
                       WsOrigin *ret_origin);
