#include "ws/access/token.h"

#include "base/base64.h"

#include <json-c/json.h>

#define WS_TOKEN_DEPTH 8 /* of its JSON */

DEFINE_CLEANUP(json_object *, json_object_put);
DEFINE_CLEANUP(json_tokener *, json_tokener_free);

static bool ws_token_is_part(Text text) {
        return text.n > 0 && base64_is(BASE64_URL, text);
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
        return ws_token_is_part(token->header) && ws_token_is_part(token->payload) &&
               ws_token_is_part(token->signature);
}

Text ws_token_signed(const WsToken *token) {
        return (Text){ .data = token->jwt, .n = (size_t)(token->signature.data - token->jwt) - 1 };
}

bool ws_token_decode(Text part, char ret_data[WS_TOKEN_MAX], size_t *ret_n) {
        return base64_read(BASE64_URL, part, ret_data, WS_TOKEN_MAX, ret_n);
}

json_object *ws_token_parse(Text part) {
        CLEANUP(json_tokener_free) json_tokener *tokener = NULL;
        CLEANUP(json_object_put) json_object *object = NULL;
        char data[WS_TOKEN_MAX];
        size_t n = 0;

        if (!ws_token_decode(part, data, &n) || memchr(data, '\0', n))
                return NULL;
        tokener = json_tokener_new_ex(WS_TOKEN_DEPTH);
        if (!tokener)
                return NULL;

        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        object = json_tokener_parse_ex(tokener, data, (int)n);
        if (json_tokener_get_error(tokener) != json_tokener_success ||
            json_tokener_get_parse_end(tokener) != n ||
            !json_object_is_type(object, json_type_object))
                return NULL;
        return TAKE(&object);
}
