#include "ws/access/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define WS_ADDRESS_V4_BYTES (WS_ADDRESS_V4_BITS / 8)

static const uint8_t ws_address_mapped[WS_ADDRESS_V4_BYTES] = { [10] = 0xff, [11] = 0xff };

WsAddress ws_address_v4(const void *bytes) {
        WsAddress address;

        memcpy(address.bytes, ws_address_mapped, WS_ADDRESS_V4_BYTES);
        memcpy(address.bytes + WS_ADDRESS_V4_BYTES, bytes, 4);
        return address;
}

bool ws_address_is_v4(const WsAddress *address) {
        return memcmp(address->bytes, ws_address_mapped, WS_ADDRESS_V4_BYTES) == 0;
}

bool ws_address_read(Text text, WsAddress *ret_address) {
        char copy[WS_ADDRESS_TEXT_SIZE];
        uint8_t v4[4];

        if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.data, '\0', text.n))
                return false;
        memcpy(copy, text.data, text.n);
        copy[text.n] = '\0';
        if (inet_pton(AF_INET6, copy, ret_address->bytes) == 1)
                return true;
        if (inet_pton(AF_INET, copy, v4) != 1)
                return false;
        *ret_address = ws_address_v4(v4);
        return true;
}

/* Nothing, or a colon and up to five digits. */
static bool ws_address_is_port(const char *data, size_t n) {
        if (n == 0)
                return true;
        if (data[0] != ':' || n < 2 || n > 6)
                return false;
        for (size_t i = 1; i < n; ++i)
                if (data[i] < '0' || data[i] > '9')
                        return false;
        return true;
}

bool ws_address_read_with_port(Text text, WsAddress *ret_address) {
        const char *colon = text.n > 0 ? memchr(text.data, ':', text.n) : NULL;
        const char *end;
        size_t n;

        if (text.n > 0 && text.data[0] == '[') {
                end = memchr(text.data, ']', text.n);
                n = end ? (size_t)(end - text.data) + 1 : 0;
                return n > 0 && colon && colon < end &&
                       ws_address_is_port(text.data + n, text.n - n) &&
                       ws_address_read((Text){ .data = text.data + 1, .n = n - 2 }, ret_address);
        }
        n = colon ? (size_t)(colon - text.data) : text.n;
        if (colon && !memchr(colon + 1, ':', text.n - n - 1)) { /* more than one: IPv6 */
                if (!ws_address_is_port(colon, text.n - n))
                        return false;
                text.n = n;
        }
        return ws_address_read(text, ret_address);
}

bool ws_address_of(const struct sockaddr *sockaddr, WsAddress *ret_address) {
        union {
                const struct sockaddr *any;
                const struct sockaddr_in *v4;
                const struct sockaddr_in6 *v6;
        } peer = { .any = sockaddr };

        if (sockaddr->sa_family == AF_INET) {
                *ret_address = ws_address_v4(&peer.v4->sin_addr);
                return true;
        }
        if (sockaddr->sa_family != AF_INET6)
                return false;
        memcpy(ret_address->bytes, &peer.v6->sin6_addr, sizeof(ret_address->bytes));
        return true;
}

void ws_address_text(const WsAddress *address, char ret_text[WS_ADDRESS_TEXT_SIZE]) {
        bool is_v4 = ws_address_is_v4(address);

        (void)inet_ntop(is_v4 ? AF_INET : AF_INET6,
                        address->bytes + (is_v4 ? WS_ADDRESS_V4_BYTES : 0),
                        ret_text,
                        WS_ADDRESS_TEXT_SIZE);
}
