#include "ws/wire/weight.h"

/* Behind the string that begins at @at; the end, where it has none. */
static size_t ws_weight_pass_string(Text json, size_t at) {
        for (++at; at < json.n && json.data[at] != '"'; ++at)
                if (json.data[at] == '\\')
                        ++at;
        return at;
}

bool ws_weight_is_light(Text json) {
        size_t n_containers = 0, n_items = 0;

        for (size_t at = 0; at < json.n; ++at) {
                switch (json.data[at]) {
                case '"':
                        at = ws_weight_pass_string(json, at);
                        break;
                case '{':
                case '[':
                        if (++n_containers > WS_WEIGHT_CONTAINERS)
                                return false;
                        break;
                case ',':
                        if (++n_items > WS_WEIGHT_ITEMS)
                                return false;
                        break;
                default:
                        break;
                }
        }
        return true;
}
