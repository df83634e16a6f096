#include "ws/http/handshake.h"

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/err.h"
#include "ws/http/response.h"
#include "ws/wire/extension.h"

#define WS_HANDSHAKE_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static int ws_handshake_accept(const char *key, Buf *buf) {
        CLEANUP_BUF Buf text = { 0 };
        char accept[BASE64_SIZE(EVP_MAX_MD_SIZE)];
        unsigned char hash[EVP_MAX_MD_SIZE];
        unsigned n_hash = 0;

        buf_append_string(&text, key);
        buf_append_string(&text, WS_HANDSHAKE_GUID);
        if (buf_failed(&text) ||
            EVP_Digest(text.data, text.n, hash, &n_hash, EVP_sha1(), NULL) != 1)
                return err_new(-ENOMEM);
        base64_write(BASE64_PLAIN, hash, n_hash, accept);
        buf_append_string(buf, accept);
        buf_append_char(buf, '='); /* 20 bytes are one short of whole groups */
        return 0;
}

int ws_handshake_write(Buf *buf,
                       const char *key,
                       const char *protocol,
                       const char *parameters,
                       int hsts_s) {
        int r;

        buf_append_string(buf,
                          "HTTP/1.1 101 Switching Protocols\r\n"
                          "Upgrade: websocket\r\n"
                          "Connection: Upgrade\r\n"
                          "Sec-WebSocket-Accept: ");
        r = ws_handshake_accept(key, buf);
        if (r < 0)
                return err_up(r);
        if (protocol)
                buf_printf(buf, "\r\nSec-WebSocket-Protocol: %s", protocol);
        if (parameters)
                buf_printf(buf,
                           "\r\nSec-WebSocket-Extensions: " WS_EXTENSION_NAME "%s",
                           parameters);
        buf_append_string(buf, "\r\n");
        ws_response_hsts(buf, hsts_s);
        buf_append_string(buf, "\r\n");
        return buf_failed(buf) ? err_new(-ENOMEM) : 0;
}
