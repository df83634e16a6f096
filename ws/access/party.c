#include "ws/access/party.h"

#include <arpa/inet.h>
#include <endian.h>
#include <inttypes.h>
#include <stdio.h>

/* Ids are positive and far from 2^62. The first bits of an IPv6 address in use are 001, or 1 for
 * those of one's own network, so that setting the first bit makes no two of them one. */
#define WS_PARTY_DEVICE  (UINT64_C(1) << 62)
#define WS_PARTY_ADDRESS (UINT64_C(1) << 63)

uint64_t ws_party_user(int64_t user_id) {
        return (uint64_t)user_id;
}

uint64_t ws_party_device(int64_t device_id) {
        return WS_PARTY_DEVICE | (uint64_t)device_id;
}

uint64_t ws_party_address(const char *source) {
        static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff }; /* ::ffff:a.b.c.d */
        uint64_t network = 0;
        uint8_t v6[16];
        uint32_t v4 = 0;

        if (inet_pton(AF_INET6, source, v6) != 1) {
                (void)inet_pton(AF_INET, source, &v4);
                return WS_PARTY_ADDRESS | be32toh(v4);
        }
        if (memcmp(v6, mapped, sizeof(mapped)) == 0) {
                memcpy(&v4, v6 + sizeof(mapped), sizeof(v4));
                return WS_PARTY_ADDRESS | be32toh(v4);
        }
        memcpy(&network, v6, sizeof(network));
        return WS_PARTY_ADDRESS | be64toh(network);
}

uint64_t ws_party_network(uint64_t address) {
        bool is_v4 = (address & ~WS_PARTY_ADDRESS) <= UINT32_MAX;

        return address & ~(is_v4 ? UINT64_C(0xffff) : UINT64_C(0xffffffff));
}

uint64_t ws_party_of(int64_t user_id, int64_t device_id, const char *source) {
        if (user_id != 0)
                return ws_party_user(user_id);
        if (device_id != 0)
                return ws_party_device(device_id);
        return ws_party_address(source);
}

void ws_party_text(uint64_t party, char ret_text[WS_PARTY_TEXT_SIZE]) {
        snprintf(ret_text, WS_PARTY_TEXT_SIZE, "%" PRIx64, party);
}
