#include "base/json_out.h"
#include "ws/http/endpoint.h"

/* What a page has to know at its start: who asks, what he may, and how it is set up here. */

#define WS_ME_NATIVE "tidegate.v1"

/* Where nobody needs to sign in to watch. */
static bool ws_me_has_guests(const WsCall *call) {
        return ws_auth_is_anonymous(call->access->auth, TEXT("/api/ws")) &&
               ws_auth_is_anonymous(call->access->auth, TEXT(WS_ME_NATIVE));
}

static void ws_me_user(const WsCall *call, JsonOut *out) {
        const WsIdentity *identity = &call->identity;
        const User *user = identity->user;

        if (!user) {
                json_out_null(out, "user");
                json_out_null(out, "expires_in");
                return;
        }
        json_out_object(out, "user");
        json_out_int(out, "id", user->id);
        json_out_string(out, "username", user->name);
        json_out_string(out, "role", role_name(user->role));
        json_out_object_end(out);
        if (identity->expires_us == INT64_MAX)
                json_out_null(out, "expires_in");
        else
                json_out_int(out, "expires_in", (identity->expires_us - call->now_us) / 1000000);
}

int ws_endpoint_me(WsCall *call) {
        const WsOptions *options = call->options;
        const User *user = call->identity.user;
        JsonOut out = { .buf = ws_response_json(call->response) };

        ws_response_header(call->response, "Cache-Control", "no-store");
        json_out_object(&out, NULL);
        ws_me_user(call, &out);
        json_out_object(&out, "may");
        json_out_bool(&out, "watch", user || ws_me_has_guests(call));
        json_out_bool(&out, "command", user && user->role != ROLE_VIEWER);
        json_out_bool(&out, "administer", user && user->role == ROLE_ADMIN);
        json_out_object_end(&out);
        json_out_bool(&out, "guests", ws_me_has_guests(call));
        json_out_string(&out, "version", options->version);
        json_out_time(&out, "timestamp", call->now_us);
        json_out_string(&out, "timezone", options->timezone ? options->timezone : "UTC");
        json_out_bool(&out, "broker", !options->no_broker);
        json_out_object(&out, "map");
        json_out_string(&out, "tiles", options->dashboard_tiles);
        json_out_string(&out, "style", options->dashboard_style);
        json_out_string(&out, "attribution", options->dashboard_attribution);
        json_out_object_end(&out);
        json_out_object_end(&out);
        return 0;
}
