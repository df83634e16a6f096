#include "ws/access/token.h"

#include <json-c/json.h>
#include <openssl/evp.h>

#define WS_TOKEN_DEPTH 8 /* of its JSON */

DEFINE_CLEANUP(json_object *, json_object_put);
DEFINE_CLEANUP(json_tokener *, json_tokener_free);

static bool ws_token_is_base64url(Text text) {
        for (size_t i = 0; i < text.n; ++i) {
                char c = text.data[i];

                if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_'))
                        return false;
        }
        return text.n > 0 && text.n % 4 != 1;
}

bool ws_token_split(WsToken *token, Text jwt) {
        const char *first, *second;

        if (jwt.n == 0 || jwt.n > WS_TOKEN_MAX)
                return false;
        memcpy(token->jwt, jwt.data, jwt.n);
        token->jwt[jwt.n] = '\0';

        first = memchr(token->jwt, '.', jwt.n);
        second = first ? strchr(first + 1, '.') : NULL;
        if (!second)
                return false;

        token->header = (Text){ .data = token->jwt, .n = (size_t)(first - token->jwt) };
        token->payload = (Text){ .data = first + 1, .n = (size_t)(second - first) - 1 };
        token->signature =
                (Text){ .data = second + 1, .n = jwt.n - (size_t)(second + 1 - token->jwt) };
        return ws_token_is_base64url(token->header) && ws_token_is_base64url(token->payload) &&
               ws_token_is_base64url(token->signature);
}

Text ws_token_signed(const WsToken *token) {
        return (Text){ .data = token->jwt, .n = (size_t)(token->signature.data - token->jwt) - 1 };
}

bool ws_token_decode(Text part, unsigned char ret_data[WS_TOKEN_DATA_SIZE], size_t *ret_n) {
        unsigned char padded[WS_TOKEN_DATA_SIZE];
        size_t n_padding = (4 - part.n % 4) % 4;
        int n;

        for (size_t i = 0; i < part.n; ++i) {
                char c = part.data[i];

                padded[i] = (unsigned char)(c == '-' ? '+' : c == '_' ? '/' : c);
        }
        memset(padded + part.n, '=', n_padding);

        n = EVP_DecodeBlock(ret_data, padded, (int)(part.n + n_padding));
        if (n < 0)
                return false;
        *ret_n = (size_t)n - n_padding;
        return true;
}

json_object *ws_token_parse(Text part) {
        CLEANUP(json_tokener_free) json_tokener *tokener = NULL;
        CLEANUP(json_object_put) json_object *object = NULL;
        unsigned char data[WS_TOKEN_DATA_SIZE];
        size_t n = 0;

        if (!ws_token_decode(part, data, &n) || memchr(data, '\0', n))
                return NULL;
        tokener = json_tokener_new_ex(WS_TOKEN_DEPTH);
        if (!tokener)
                return NULL;

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, (const char *)data, (int)n);
        if (json_tokener_get_error(tokener) != json_tokener_success ||
            json_tokener_get_parse_end(tokener) != n ||
            !json_object_is_type(object, json_type_object))
                return NULL;
        return TAKE(&object);
}
