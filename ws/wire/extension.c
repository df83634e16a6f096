#include "ws/wire/extension.h"

#include "base/text.h"

#include <stdio.h>

typedef struct WsOffer WsOffer;

/* The parameters of one offer; a window of 0 bits was not named. */
struct WsOffer {
        bool has_server_takeover, has_client_takeover, has_server_bits, has_client_bits;
        unsigned server_bits;
};

static bool ws_extension_is_token(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *ws_extension_skip(const char *at) {
        return at + strspn(at, " \t");
}

static const char *ws_extension_token(const char *at, Text *ret_token) {
        size_t n = 0;

        while (ws_extension_is_token(at[n]))
                ++n;
        *ret_token = (Text){ .data = at, .n = n };
        return at + n;
}

/* A token, or the same in quotes (RFC 6455 9.1 lets only a token be quoted). NULL: neither. */
static const char *ws_extension_value(const char *at, Text *ret_value) {
        bool is_quoted = *at == '"';

        at = ws_extension_token(at + is_quoted, ret_value);
        if (ret_value->n == 0 || (is_quoted && *at != '"'))
                return NULL;
        return at + is_quoted;
}

/* RFC 7692 7.1.2: 8 to 15, in decimal, without leading zeros. 0: it is not. */
static unsigned ws_extension_bits(Text value) {
        uint64_t bits = 0;

        if (value.n == 0 || value.data[0] == '0' || !text_to_number(value, 15, &bits))
                return 0;
        return bits >= 8 ? (unsigned)bits : 0;
}

/* True the first time. */
static bool ws_extension_once(bool *seen) {
        bool was_seen = *seen;

        *seen = true;
        return !was_seen;
}

/* False: the offer cannot be accepted with this parameter. @value is absent where none is given. */
static bool ws_extension_parameter(WsOffer *offer, Text name, Text value) {
        if (text_equal(name, TEXT("server_no_context_takeover")))
                return !value.data && ws_extension_once(&offer->has_server_takeover);
        if (text_equal(name, TEXT("client_no_context_takeover")))
                return !value.data && ws_extension_once(&offer->has_client_takeover);
        if (text_equal(name, TEXT("client_max_window_bits")))
                return (!value.data || ws_extension_bits(value) != 0) &&
                       ws_extension_once(&offer->has_client_bits);
        if (text_equal(name, TEXT("server_max_window_bits")))
                return ws_extension_bits(value) >= WS_EXTENSION_WINDOW_BITS &&
                       ws_extension_once(&offer->has_server_bits);
        return false;
}

/* One parameter from behind its semicolon. NULL: malformed. */
static const char *ws_extension_read_parameter(WsOffer *offer, const char *at, bool *ok) {
        Text name, value = { 0 };

        at = ws_extension_token(ws_extension_skip(at), &name);
        if (name.n == 0)
                return NULL;
        at = ws_extension_skip(at);
        if (*at == '=') {
                at = ws_extension_value(ws_extension_skip(at + 1), &value);
                if (!at)
                        return NULL;
        }
        *ok = *ok && ws_extension_parameter(offer, name, value);
        return ws_extension_skip(at);
}

/* One element of the list; behind it is a comma or the end. NULL: malformed. */
static const char *ws_extension_read_offer(const char *at, WsOffer *ret_offer, bool *ret_ok) {
        Text name;

        *ret_offer = (WsOffer){ 0 };
        at = ws_extension_skip(ws_extension_token(at, &name));
        *ret_ok = text_equal(name, TEXT(WS_EXTENSION_NAME));
        while (at && *at == ';')
                at = ws_extension_read_parameter(ret_offer, at + 1, ret_ok);
        return at && name.n > 0 && (*at == ',' || *at == '\0') ? at : NULL;
}

static void ws_extension_accept(WsExtension *extension, const WsOffer *offer) {
        int n = snprintf(extension->answer,
                         sizeof(extension->answer),
                         "; server_no_context_takeover; client_no_context_takeover");

        if (offer->has_server_bits)
                snprintf(extension->answer + n,
                         sizeof(extension->answer) - (size_t)n,
                         "; server_max_window_bits=%d",
                         WS_EXTENSION_WINDOW_BITS);
        extension->is_accepted = true;
}

void ws_extension_read(WsExtension *ret_extension, const char *offers) {
        const char *at = ws_extension_skip(offers);

        *ret_extension = (WsExtension){ 0 };
        while (*at) {
                WsOffer offer;
                bool ok;

                if (*at == ',') { /* an empty element is no error (RFC 7230 7) */
                        at = ws_extension_skip(at + 1);
                        continue;
                }
                at = ws_extension_read_offer(at, &offer, &ok);
                if (!at) {
                        ret_extension->is_accepted = false;
                        return;
                }
                if (ok && !ret_extension->is_accepted)
                        ws_extension_accept(ret_extension, &offer);
        }
}
