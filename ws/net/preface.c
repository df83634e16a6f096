#include "ws/net/preface.h"

#define WS_PREFACE_VERSION 0x20 /* and the command */
#define WS_PREFACE_LOCAL   0x00
#define WS_PREFACE_PROXY   0x01
#define WS_PREFACE_TCP4    0x11 /* family and transport */
#define WS_PREFACE_TCP6    0x21
#define WS_PREFACE_UNIX    0x31

static const uint8_t ws_preface_signature[12] = { '\r', '\n', '\r', '\n', 0,   '\r',
                                                  '\n', 'Q',  'U',  'I',  'T', '\n' };

/* So many bytes of addresses: who, to whom, and their ports. */
static size_t ws_preface_addresses(uint8_t family) {
        switch (family) {
        case WS_PREFACE_TCP4:
                return 12;
        case WS_PREFACE_TCP6:
                return 36;
        case WS_PREFACE_UNIX:
                return 216;
        default:
                return 0;
        }
}

static bool ws_preface_is_known(uint8_t command, uint8_t family) {
        if (command == (WS_PREFACE_VERSION | WS_PREFACE_LOCAL))
                return true; /* whatever it says besides (2.2) */
        return command == (WS_PREFACE_VERSION | WS_PREFACE_PROXY) &&
               (family == 0 || ws_preface_addresses(family) > 0);
}

int ws_preface_parse(WsPreface *ret_preface, Text bytes) {
        const uint8_t *at = (const uint8_t *)bytes.data;
        size_t n_known =
                bytes.n < sizeof(ws_preface_signature) ? bytes.n : sizeof(ws_preface_signature);
        WsPreface preface = { .n = WS_PREFACE_MIN };
        size_t n_rest, n_addresses;

        if (n_known > 0 && memcmp(at, ws_preface_signature, n_known) != 0)
                return WS_PREFACE_E_BAD; /* at its first byte: what it is instead may have no 16 */
        if (bytes.n < WS_PREFACE_MIN) {
                *ret_preface = preface;
                return WS_PREFACE_E_MORE;
        }
        n_rest = (size_t)at[14] << 8 | at[15];
        n_addresses = ws_preface_addresses(at[13]);
        preface.n += n_rest;
        if (!ws_preface_is_known(at[12], at[13]) || preface.n > WS_PREFACE_MAX)
                return WS_PREFACE_E_BAD;
        preface.has_source =
                (at[12] & 0x0f) == WS_PREFACE_PROXY && at[13] != 0 && at[13] != WS_PREFACE_UNIX;
        if (preface.has_source && n_rest < n_addresses)
                return WS_PREFACE_E_BAD;
        if (bytes.n < preface.n) {
                *ret_preface = preface;
                return WS_PREFACE_E_MORE;
        }
        if (at[13] == WS_PREFACE_TCP4 && preface.has_source)
                preface.source = ws_address_v4(at + WS_PREFACE_MIN);
        else if (preface.has_source)
                memcpy(preface.source.bytes, at + WS_PREFACE_MIN, sizeof(preface.source.bytes));
        *ret_preface = preface;
        return 0;
}
