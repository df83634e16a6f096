#include "ws/access/stream_ticket.h"

#include "base/err.h"

#define STREAM_TICKET_VERSION 1
#define STREAM_TICKET_BODY    (WS_STREAM_TICKET_BYTES - SECRET_HASH_SIZE)

/* Before what the MAC is of: no JWT that the same key signs begins like this. */
static const char stream_ticket_purpose[] = "tidegate stream ticket\n";

static void stream_ticket_put(uint8_t *bytes, int64_t value) {
        for (int i = 7; i >= 0; --i, value = (int64_t)((uint64_t)value >> 8))
                bytes[i] = (uint8_t)value;
}

static int64_t stream_ticket_get(const uint8_t *bytes) {
        uint64_t value = 0;

        for (int i = 0; i < 8; ++i)
                value = value << 8 | bytes[i];
        return (int64_t)value;
}

static int stream_ticket_mac(Text key,
                             const uint8_t body[STREAM_TICKET_BODY],
                             uint8_t ret_mac[SECRET_HASH_SIZE]) {
        char text[sizeof(stream_ticket_purpose) - 1 + STREAM_TICKET_BODY];

        memcpy(text, stream_ticket_purpose, sizeof(stream_ticket_purpose) - 1);
        memcpy(text + sizeof(stream_ticket_purpose) - 1, body, STREAM_TICKET_BODY);
        return err_up(secret_token_hash(key, (Text){ .data = text, .n = sizeof(text) }, ret_mac));
}

int ws_stream_ticket_make(const WsAuth *auth,
                          const WsHolder *holder,
                          char ret_ticket[WS_STREAM_TICKET_SIZE]) {
        uint8_t bytes[WS_STREAM_TICKET_BYTES];
        Text key;
        int r;

        bytes[0] = STREAM_TICKET_VERSION;
        stream_ticket_put(bytes + 1, holder->user_id);
        stream_ticket_put(bytes + 9, holder->generation);
        stream_ticket_put(bytes + 17, holder->expires_us);
        (void)ws_auth_seal(auth, 0, &key);
        r = stream_ticket_mac(key, bytes, bytes + STREAM_TICKET_BODY);
        if (r < 0)
                return err_up(r);
        base64_write(BASE64_URL, bytes, sizeof(bytes), ret_ticket);
        return 0;
}

int ws_stream_ticket_open(const WsAuth *auth, Text ticket, WsHolder *ret_holder) {
        uint8_t bytes[WS_STREAM_TICKET_BYTES], mac[SECRET_HASH_SIZE];
        bool is_ours = false;
        size_t n = 0;
        Text key;
        int r;

        if (!base64_read(BASE64_URL, ticket, bytes, sizeof(bytes), &n) || n != sizeof(bytes) ||
            bytes[0] != STREAM_TICKET_VERSION)
                return WS_AUTH_E_INVALID;
        for (size_t i = 0; !is_ours && ws_auth_seal(auth, i, &key); ++i) {
                r = stream_ticket_mac(key, bytes, mac);
                if (r < 0)
                        return err_up(r);
                is_ours = secret_equal(mac, bytes + STREAM_TICKET_BODY, sizeof(mac));
        }
        if (!is_ours)
                return WS_AUTH_E_INVALID;

        *ret_holder = (WsHolder){
                .user_id = stream_ticket_get(bytes + 1),
                .generation = stream_ticket_get(bytes + 9),
                .expires_us = stream_ticket_get(bytes + 17),
        };
        return 0;
}
