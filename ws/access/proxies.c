#include "ws/access/proxies.h"

#include <stdio.h>
#include <strings.h>

#include "base/text.h"
#include "ws/wire/head.h"

#define WS_PROXIES_HOPS 64 /* a longer way is not gone to its end */

typedef struct WsElements WsElements;

/* Of all the fields of one name, as of one list: its elements, the last one first. */
struct WsElements {
        const WsHead *head;
        const char *name;
        size_t n_fields; /* still to come */
        Text rest;       /* of the field in hand */
};

static bool ws_proxies_bits(Text text, unsigned most, unsigned *ret_bits) {
        uint64_t bits = 0;

        if (text.n > 3 || !text_to_number(text, most, &bits))
                return false;
        *ret_bits = (unsigned)bits;
        return true;
}

/* A bit that is set beyond the network's own is a slip: whom did they mean? */
static bool ws_network_is_clean(const WsNetwork *network) {
        for (size_t i = network->n_bits; i < 128; ++i)
                if (network->address.bytes[i / 8] & (0x80 >> i % 8))
                        return false;
        return true;
}

static bool ws_proxies_network(Text text, WsNetwork *ret_network) {
        const char *slash = memchr(text.data, '/', text.n);
        size_t n = slash ? (size_t)(slash - text.data) : text.n;
        unsigned n_bits, n_before;

        if (!ws_address_read((Text){ .data = text.data, .n = n }, &ret_network->address))
                return false;
        n_before = memchr(text.data, ':', n) ? 0 : WS_ADDRESS_V4_BITS;
        n_bits = 128 - n_before;
        if (slash && !ws_proxies_bits((Text){ .data = slash + 1, .n = text.n - n - 1 },
                                      128 - n_before,
                                      &n_bits))
                return false;
        ret_network->n_bits = n_before + n_bits;
        return n_bits > 0 && ws_network_is_clean(ret_network); /* everybody is no proxy of ours */
}

int ws_proxies_read(WsProxies *ret_proxies, const char *text) {
        static const char blank[] = " \t";
        WsProxies proxies = { 0 };

        if (!text)
                text = "";
        text += strspn(text, blank);
        while (*text) {
                size_t n = strcspn(text, ", \t"); /* 0: a comma too many, which is no address */

                if (proxies.n == WS_PROXIES_MAX ||
                    !ws_proxies_network((Text){ .data = text, .n = n },
                                        &proxies.networks[proxies.n++]))
                        return WS_PROXIES_E_BAD;
                text += n;
                text += strspn(text, blank);
                if (*text != ',')
                        continue;
                ++text;
                text += strspn(text, blank);
                if (!*text)
                        return WS_PROXIES_E_BAD;
        }
        *ret_proxies = proxies;
        return 0;
}

static bool ws_network_has(const WsNetwork *network, const WsAddress *address) {
        unsigned n_bytes = network->n_bits / 8, n_bits = network->n_bits % 8;

        if (memcmp(network->address.bytes, address->bytes, n_bytes) != 0)
                return false;
        return n_bits == 0 ||
               (network->address.bytes[n_bytes] ^ address->bytes[n_bytes]) >> (8 - n_bits) == 0;
}

static bool ws_proxies_have(const WsProxies *proxies, const WsAddress *address) {
        for (size_t i = 0; i < proxies->n; ++i)
                if (ws_network_has(&proxies->networks[i], address))
                        return true;
        return false;
}

bool ws_proxies_trust(const WsProxies *proxies, const char *source) {
        WsAddress address;

        return proxies->n > 0 && ws_address_read(text_of(source), &address) &&
               ws_proxies_have(proxies, &address);
}

static bool ws_elements_is_blank(char c) {
        return c == ' ' || c == '\t';
}

/* An element that is empty is none (RFC 9110 5.6.1). */
static bool ws_elements_last(WsElements *elements, Text *ret_element) {
        Text *rest = &elements->rest;
        size_t begin, end;

        do {
                while (rest->n == 0) {
                        const WsField *field;

                        if (elements->n_fields == 0)
                                return false;
                        field = &elements->head->fields[--elements->n_fields];
                        if (ws_head_is(field, elements->name))
                                *rest = field->value;
                }
                end = rest->n;
                while (end > 0 && ws_elements_is_blank(rest->data[end - 1]))
                        --end;
                begin = end;
                while (begin > 0 && rest->data[begin - 1] != ',')
                        --begin;
                rest->n = begin > 0 ? begin - 1 : 0;
                while (begin < end && ws_elements_is_blank(rest->data[begin]))
                        ++begin;
        } while (begin == end);
        *ret_element = (Text){ .data = rest->data + begin, .n = end - begin };
        return true;
}

static WsElements ws_elements_of(const WsHead *head, const char *name) {
        return (WsElements){ .head = head, .name = name, .n_fields = head->n_fields };
}

static bool ws_proxies_is(Text text, const char *word) {
        return text.n == strlen(word) && strncasecmp(text.data, word, text.n) == 0;
}

/* What the proxy said that was @n_hops before us; where each one replaces what it was told, the
 * nearest. */
static void ws_proxies_scheme(const WsHead *head, size_t n_hops, WsOrigin *origin) {
        WsElements elements = ws_elements_of(head, "X-Forwarded-Proto");
        Text scheme;

        for (size_t i = 0; i < n_hops && ws_elements_last(&elements, &scheme); ++i) {
                origin->is_told = true;
                origin->is_secure = ws_proxies_is(scheme, "https") || ws_proxies_is(scheme, "wss");
        }
}

void ws_proxies_follow(const WsProxies *proxies,
                       const WsHead *head,
                       const char *peer,
                       WsOrigin *ret_origin) {
        WsElements elements = ws_elements_of(head, "X-Forwarded-For");
        WsAddress address, client;
        size_t n_hops = 0;
        Text element;

        *ret_origin = (WsOrigin){ 0 };
        snprintf(ret_origin->source, sizeof(ret_origin->source), "%s", peer);
        if (proxies->n == 0 || !ws_address_read(text_of(peer), &client))
                return;
        while (n_hops < WS_PROXIES_HOPS && ws_proxies_have(proxies, &client) &&
               ws_elements_last(&elements, &element) &&
               ws_address_read_with_port(element, &address)) {
                client = address;
                ++n_hops;
        }
        if (n_hops > 0)
                ws_address_text(&client, ret_origin->source);
        if (n_hops > 0 || ws_proxies_have(proxies, &client)) /* one that does not say for whom */
                ws_proxies_scheme(head, n_hops > 0 ? n_hops : 1, ret_origin);
}
