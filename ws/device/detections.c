#include "ws/device/detections.h"

#include <json-c/json.h>

#include "ws/wire/weight.h"

#define WS_DETECTIONS_DEPTH 40   /* more than the 32 levels that the decoder leaves */
#define WS_DETECTIONS_MAX   4096 /* as decode.h */
#define WS_DETECTIONS_HASH  64

DEFINE_CLEANUP(json_object *, json_object_put);

static json_object *ws_detections_parse(Text json) {
        CLEANUP(json_object_put) json_object *root = NULL;
        json_tokener *tokener;
        bool is_valid;

        if (json.n == 0 || json.n > INT32_MAX || !ws_weight_is_light(json))
                return NULL;
        tokener = json_tokener_new_ex(WS_DETECTIONS_DEPTH);
        if (!tokener)
                return NULL;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
        root = json_tokener_parse_ex(tokener, json.data, (int)json.n);
        is_valid = json_tokener_get_error(tokener) == json_tokener_success;
        json_tokener_free(tokener);
        return is_valid ? TAKE(&root) : NULL;
}

/* What every detection has: whom, and how loud. */
static bool ws_detections_is_good(json_object *item) {
        json_object *hash = NULL, *rssi = NULL;

        if (!json_object_is_type(item, json_type_object) ||
            !json_object_object_get_ex(item, "device_hash", &hash) ||
            !json_object_object_get_ex(item, "rssi", &rssi))
                return false;
        if (!json_object_is_type(hash, json_type_string) ||
            json_object_get_string_len(hash) != WS_DETECTIONS_HASH ||
            strspn(json_object_get_string(hash), "0123456789abcdefABCDEF") != WS_DETECTIONS_HASH)
                return false;
        return json_object_is_type(rssi, json_type_int) ||
               json_object_is_type(rssi, json_type_double) ||
               json_object_is_type(rssi, json_type_string);
}

static const char *ws_detections_items(json_object *root, bool is_single, WsDetections *result) {
        json_object *list = NULL;

        if (!json_object_object_get_ex(root, "detections", &list) && is_single) {
                result->n_items = 1;
                result->n_good = ws_detections_is_good(root);
                return result->n_good == 1 ? NULL
                                           : "device_hash (64 hex digits) and rssi are needed.";
        }
        if (!json_object_is_type(list, json_type_array))
                return "detections must be a list.";
        result->n_items = json_object_array_length(list);
        if (result->n_items > WS_DETECTIONS_MAX)
                return "There are too many detections; 4096 may come at once.";
        for (size_t i = 0; i < result->n_items; ++i)
                result->n_good += ws_detections_is_good(json_object_array_get_idx(list, i));
        return result->n_items == 0 || result->n_good > 0 ? NULL
                                                          : "None of the detections can be used.";
}

const char *ws_detections_read(Text json, bool is_single, WsDetections *ret_detections) {
        CLEANUP(json_object_put) json_object *root = ws_detections_parse(json);
        json_object *device = NULL;
        size_t n = 0;

        *ret_detections = (WsDetections){ 0 };
        if (!json_object_is_type(root, json_type_object))
                return "The body must be a JSON object.";
        if (json_object_object_get_ex(root, "device_id", &device) && device) {
                n = strlen(json_object_get_string(device));
                if (json_object_is_type(device, json_type_object) ||
                    json_object_is_type(device, json_type_array) ||
                    n >= sizeof(ret_detections->device))
                        return "/device_id: must be text of up to 128 bytes.";
                memcpy(ret_detections->device, json_object_get_string(device), n);
        }
        return ws_detections_items(root, is_single, ret_detections);
}
