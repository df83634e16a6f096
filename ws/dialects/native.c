#include "ws/dialects/native.h"

#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/secret.h"
#include "base/text.h"
#include "ws/access/access.h"
#include "ws/access/auth.h"
#include "ws/access/party.h"
#include "ws/device/order.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/native_parts.h"
#include "ws/dialects/native_request.h"
#include "ws/hub/viewer.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/loop/pending.h"
#include "ws/viewer/feed.h"
#include "ws/viewer/places.h"

#define WS_NATIVE_ID_MAX 256 /* bytes of an id that comes back */
#define WS_NATIVE_MAX_HZ 1000.0
#define WS_NATIVE_MIN_HZ 0.0001

bool ws_native_is_offered(const char *protocols) {
        Text rest = text_of(protocols);
        Text item;

        while (text_next_item(&rest, ", \t", &item))
                if (text_equal(item, TEXT(WS_NATIVE_NAME)))
                        return true;
        return false;
}

/* ---- what is said --------------------------------------------------------------------------- */

JsonOut ws_native_begin(WsClient *client, Text id, bool is_ok) {
        JsonOut out = { .buf = &client->loop->text };

        buf_reset(out.buf);
        json_out_object(&out, NULL);
        json_out_raw(&out, "id", id.n > 0 ? id : (Text){ 0 });
        json_out_bool(&out, "ok", is_ok);
        return out;
}

int ws_native_end(WsClient *client, JsonOut *out) {
        int r;

        json_out_object_end(out);
        r = ws_client_say(client, out->buf);
        return err_up(r);
}

static int ws_native_ok(WsClient *client, Text id) {
        JsonOut out = ws_native_begin(client, id, true);

        return ws_native_end(client, &out);
}

int ws_native_refuse(WsClient *client, Text id, const WsTrouble *trouble) {
        JsonOut out = ws_native_begin(client, id, false);

        json_out_object(&out, "error");
        json_out_string(&out, "code", trouble->code);
        json_out_string(&out, "message", trouble->message);
        json_out_bool(&out, "retry", trouble->retry);
        json_out_object_end(&out);
        return ws_native_end(client, &out);
}

/* Whole seconds until the token ends, without the grace; null if it never does. */
static void ws_native_expires_in(const WsClient *client, JsonOut *out) {
        int64_t left_us = client->expires_us - WS_CLIENT_GRACE_US - clock_now_us();

        if (client->expires_us == INT64_MAX)
                json_out_null(out, "expires_in");
        else
                json_out_int(out, "expires_in", left_us > 0 ? left_us / 1000000 : 0);
}

static void ws_native_user(const WsClient *client, JsonOut *out) {
        const User *user = registry_user(client->loop->registry, client->user_id);

        if (!user) {
                json_out_null(out, "user"); /* anonymous */
                return;
        }
        json_out_object(out, "user");
        json_out_int(out, "id", user->id);
        json_out_string(out, "username", user->name);
        json_out_string(out, "role", role_name(user->role));
        json_out_object_end(out);
}

static int ws_native_welcome(WsClient *client) {
        const WsLoop *loop = client->loop;
        JsonOut out = { .buf = &client->loop->text };
        char id[SECRET_ID_SIZE];
        int r;

        r = secret_id(id);
        if (r < 0)
                return err_up(r);

        buf_reset(out.buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "welcome");
        json_out_string(&out, "connection_id", id);
        ws_native_user(client, &out);
        ws_cursor_json(&out, "cursor", loop, ws_mark(loop->ring.last_seq));
        ws_native_expires_in(client, &out);
        json_out_int(&out, "heartbeat", (loop->options->ping_interval_ms + 999) / 1000);
        return ws_native_end(client, &out);
}

/* ---- who is it? ----------------------------------------------------------------------------- */

static bool ws_native_match(Text path, Text *ret_target) {
        (void)path;
        (void)ret_target;
        return false; /* chosen by the subprotocol, on the paths of dialect D */
}

static int ws_native_admit(WsClient *client, const WsIdentity *identity, Text target) {
        size_t n_max = (size_t)client->loop->options->max_connections_per_user;
        const Vehicle *vehicle = NULL;
        int r;

        r = ws_feed_new(&client->feed, client);
        if (r < 0)
                return 503;
        if (target.data)
                vehicle = registry_find_vehicle_for(client->loop->registry, identity->user, target);
        if (!identity->user && !identity->is_anonymous) {
                if (!ws_places_take_strange(client))
                        return 429;
        }
        if (target.data) {
                client->scope = WS_SCOPE_VEHICLE;
                client->target_id = vehicle ? vehicle->id : -1;
        }
        if (client->is_unknown)
                return 0; /* it has some seconds to say */

        ws_admission_any(client, identity, target);
        if (target.data && !ws_admission_sees_vehicle(client, identity, vehicle))
                return ws_admission_unseen(client);
        if (client->user_id != 0 && ws_client_n_limited(client->loop, client->user_id) >= n_max)
                return 429;
        return 0;
}

static int ws_native_open(WsClient *client) {
        return client->is_unknown ? 0 : ws_native_welcome(client);
}

/* The user that the token names; NULL: it is a bad one. */
static const User *ws_native_verify(WsClient *client, Text token, int64_t *ret_expires_us) {
        const WsAccess *access = client->loop->access;
        WsClaims claims = { 0 };
        const char *why = NULL;

        if (!access || ws_auth_verify(access->auth, token, clock_now_us(), &claims, &why) != 0)
                return NULL;
        *ret_expires_us = claims.expires_us;
        return ws_auth_user(&claims, client->loop->registry);
}

static int ws_native_auth(WsClient *client, const WsNativeRequest *ask) {
        size_t n_max = (size_t)client->loop->options->max_connections_per_user;
        const Registry *registry = client->loop->registry;
        int64_t expires_us = 0;
        const User *user;
        const Vehicle *vehicle;
        int r;

        user = ask->fault ? NULL : ws_native_verify(client, ask->token, &expires_us);
        if (!user) {
                (void)ws_access_blame(client->loop->access, client->source, NULL, clock_now_us());
                ws_client_close(client,
                                WS_CLOSE_BAD_TOKEN,
                                "bad token",
                                METRIC_WS_CLOSED_BAD_TOKEN);
                return 0;
        }
        vehicle = client->scope == WS_SCOPE_VEHICLE ? registry_vehicle(registry, client->target_id)
                                                    : NULL;
        if (client->scope == WS_SCOPE_VEHICLE && (!vehicle || !user_sees_vehicle(user, vehicle))) {
                ws_client_close(client,
                                WS_CLOSE_FORBIDDEN,
                                "forbidden",
                                METRIC_WS_CLOSED_FORBIDDEN);
                return 0;
        }
        if (!ws_places_take(client, ws_party_user(user->id))) {
                ws_client_close(client,
                                WS_CLOSE_CAPACITY,
                                "over capacity",
                                METRIC_WS_CLOSED_TOO_MANY);
                return 0;
        }
        if (ws_client_n_limited(client->loop, user->id) >= n_max) {
                ws_client_close(client,
                                WS_CLOSE_TOO_MANY,
                                "too many connections",
                                METRIC_WS_CLOSED_TOO_MANY);
                return 0;
        }

        r = ws_viewer_become(client, user, expires_us);
        if (r == 0)
                r = ws_native_welcome(client);
        return err_up(r);
}

static int ws_native_refresh(WsClient *client, const WsNativeRequest *ask, Text id) {
        static const WsTrouble bad = { "unauthorized", "the token was refused", false };
        static const WsTrouble other = { "forbidden", "the token is somebody else's", false };
        int64_t expires_us = 0;
        const User *user;
        JsonOut out;
        int r;

        user = ws_native_verify(client, ask->token, &expires_us);
        if (!user)
                return ws_native_refuse(client, id, &bad);
        if (user->id != client->user_id)
                return ws_native_refuse(client, id, &other);

        r = ws_viewer_become(client, user, expires_us);
        if (r < 0)
                return err_up(r);
        out = ws_native_begin(client, id, true);
        ws_native_expires_in(client, &out);
        return ws_native_end(client, &out);
}

/* ---- subscriptions -------------------------------------------------------------------------- */

static const WsTrouble *ws_native_trouble(int r) {
        static const WsTrouble troubles[] = {
                [WS_SUBSCRIPTION_E_BAD] = { "bad_request", "no such target, type or box", false },
                [WS_SUBSCRIPTION_E_NOT_FOUND] = { "not_found",
                                                  "no such vehicle, device or group",
                                                  false },
                [WS_SUBSCRIPTION_E_FULL] = { "too_many", "too many targets", false },
        };

        return &troubles[r];
}

/* Who says so is left with those of its targets that are there, if there is one. */
static int ws_native_aim_each(const WsEye *eye,
                              const WsNativeRequest *ask,
                              WsSubscription *subscription) {
        bool has_skipped = false;

        for (size_t i = 0; i < ask->to.n; ++i) {
                Text target = ws_client_message_text(&ask->to, i);
                int r = WS_SUBSCRIPTION_E_BAD;

                if (target.data)
                        r = ws_subscription_aim(subscription, eye, target);
                if (r == WS_SUBSCRIPTION_E_NOT_FOUND && ask->skips_gone)
                        has_skipped = true;
                else if (r != 0)
                        return r < 0 ? err_up(r) : r;
        }
        return has_skipped && subscription->n_targets == 0 ? WS_SUBSCRIPTION_E_NOT_FOUND : 0;
}

/* The path of one vehicle needs no target, and takes no other. */
static int ws_native_aim(WsClient *client,
                         const WsNativeRequest *ask,
                         WsSubscription *subscription) {
        WsEye eye = ws_feed_eye(client->feed);
        int r;

        r = ws_native_aim_each(&eye, ask, subscription);
        if (r == 0 && !ask->to.list)
                r = ws_subscription_aim(subscription, &eye, TEXT("user"));
        for (size_t i = 0; r == 0 && i < ask->types.n; ++i) {
                Text type = ws_client_message_text(&ask->types, i);

                r = type.data ? ws_subscription_add_type(subscription, type)
                              : WS_SUBSCRIPTION_E_BAD;
        }
        if (r == 0 && ask->has_box)
                r = ws_subscription_set_box(subscription, ask->box);
        if (r == 0 && ask->max_hz > 0)
                subscription->interval_us =
                        (int64_t)(1e6 /
                                  fmin(fmax(ask->max_hz, WS_NATIVE_MIN_HZ), WS_NATIVE_MAX_HZ));
        return r < 0 ? err_up(r) : r;
}

static int ws_native_move(WsClient *client, const WsNativeRequest *ask, Text id) {
        static const WsTrouble unknown = { "not_found", "no such subscription", false };
        static const WsTrouble busy = { "busy", "not known yet whether it can resume", true };
        static const WsTrouble plays = { "bad_request", "a playback cannot be moved", false };
        const WsChange change = { ask->to.list != NULL, ask->names_box, ask->has_pace };
        __attribute__((cleanup(ws_subscription_done))) WsSubscription next = { 0 };
        WsFollow *follow = ws_feed_find(client->feed, ask->subscription);
        JsonOut out;
        int r;

        if (!follow)
                return ws_native_refuse(client, id, &unknown);
        if (follow->state == WS_FOLLOW_ASKS)
                return ws_native_refuse(client, id, &busy);
        if (follow->playback)
                return ws_native_refuse(client, id, &plays);
        r = ws_subscription_init(&next);
        if (r == 0)
                r = ws_native_aim(client, ask, &next);
        if (r > 0)
                return ws_native_refuse(client, id, ws_native_trouble(r));
        if (r == 0)
                r = ws_feed_move(client->feed, follow, &next, change);
        if (r < 0)
                return err_up(r);
        out = ws_native_begin(client, id, true);
        json_out_string(&out, "subscription", follow->name);
        ws_cursor_json(&out, "cursor", client->loop, ws_feed_place(client->feed, follow));
        return ws_native_end(client, &out);
}

static int ws_native_subscribe(WsClient *client, const WsNativeRequest *ask, Text id) {
        static const WsTrouble bad_cursor = { "bad_cursor", "since: not a cursor", false };
        static const WsTrouble too_many = { "too_many", "too many subscriptions", false };
        CLEANUP(ws_follow_free) WsFollow *follow = NULL;
        Cursor since;
        int r;

        if (client->feed->n_follows >= (size_t)client->loop->options->max_subscriptions)
                return ws_native_refuse(client, id, &too_many);
        if (ask->since.data && cursor_parse(ask->since, &since) != 0)
                return ws_native_refuse(client, id, &bad_cursor);
        r = ws_follow_new(&follow);
        if (r == 0)
                r = ws_native_aim(client, ask, &follow->subscription);
        if (r > 0)
                return ws_native_refuse(client, id, ws_native_trouble(r));
        if (r < 0)
                return err_up(r);

        follow->wants_snapshot = ask->wants_snapshot;
        follow->tells_over = ask->tells_gone;
        if (ask->wants_set)
                ws_follow_keep_set(follow, ask->set);
        buf_append_text(&follow->id, id);
        if (buf_failed(&follow->id))
                return err_new(-ENOMEM);
        if (ask->has_at)
                return ws_native_play(client, ask, &follow);
        r = ws_feed_add(client->feed, &follow, ask->since.data ? &since : NULL);
        return err_up(r);
}

static int ws_native_subscribed(WsClient *client, const WsFollow *follow) {
        JsonOut out;

        if (follow->is_joining)
                return ws_native_joined(client, follow);
        out = ws_native_begin(client, buf_text(&follow->id), true);
        json_out_string(&out, "subscription", follow->name);
        json_out_bool(&out, "recovered", follow->is_recovered);
        if (follow->is_recovered)
                ws_cursor_json(&out,
                               "cursor",
                               client->loop,
                               ws_feed_begin_mark(client->feed, follow));
        else /* that of the snapshot is the first to resume from */
                json_out_null(&out, "cursor");
        return ws_native_end(client, &out);
}

static int ws_native_unsubscribe(WsClient *client, const WsNativeRequest *ask, Text id) {
        static const WsTrouble unknown = { "not_found", "no such subscription", false };
        static const WsTrouble cancelled = { "cancelled", "unsubscribed meanwhile", false };
        WsFollow *follow = ws_feed_find(client->feed, ask->subscription);
        int r = 0;

        if (!follow)
                return ws_native_refuse(client, id, &unknown);
        if (follow->state == WS_FOLLOW_OPENS ||
            (follow->state == WS_FOLLOW_ASKS &&
             !follow->is_joining)) /* nor will the database be waited for */
                r = ws_native_refuse(client, buf_text(&follow->id), &cancelled);
        ws_follow_free(follow);
        if (r < 0)
                return err_up(r);
        return ws_native_ok(client, id);
}

/* ---- commands ------------------------------------------------------------------------------- */

static int ws_native_refuse_command(WsClient *client, Text id, const WsRefused *refused) {
        return ws_native_refuse(client,
                                id,
                                &(WsTrouble){ refused->code, refused->detail, refused->retry });
}

/* What became of it: WsPendingFn. */
static int ws_native_commanded(WsClient *client, Text id, const Answer *answer) {
        WsRefused refused = answer->kind == QUERY_COMMAND_CANCEL ? ws_order_cancelled(answer)
                                                                 : ws_order_result(answer);
        JsonOut out;

        if (refused.status != 0)
                return ws_native_refuse_command(client, id, &refused);

        out = ws_native_begin(client, id, true);
        json_out_string(&out, "command_id", answer->command_id);
        json_out_string(&out, "state", answer->state);
        return ws_native_end(client, &out);
}

static int ws_native_ask_database(WsClient *client, Text id, Query **queryp) {
        static const WsTrouble busy = { "busy", "too many commands are under way", true };
        const WsPendingOwner owner = {
                .client = client,
                .party = ws_party_of(client->user_id, 0, client->source),
                .fn = ws_native_commanded,
        };
        int r;

        r = ws_pendings_add(client->loop->pendings, queryp, &owner, id);
        if (r == WS_PENDING_E_FULL)
                return ws_native_refuse(client, id, &busy);
        return err_up(r);
}

static int ws_native_command(WsClient *client, const WsNativeRequest *ask, Text message, Text id) {
        __attribute__((cleanup(ws_order_done))) WsOrder order = { 0 };
        WsLoop *loop = client->loop;
        const User *user = registry_user(loop->registry, client->user_id);
        CLEANUP(query_free) Query *query = NULL;
        WsRefused refused = { 0 };
        int r;

        r = ws_order_read(loop->options, message, &order, &refused);
        if (r == 0 && refused.status == 0)
                r = ws_order_ask(loop->options,
                                 user,
                                 registry_find_device_for(loop->registry, user, ask->device),
                                 &order,
                                 &query,
                                 &refused);
        if (r < 0)
                return err_up(r);
        if (refused.status != 0)
                return ws_native_refuse_command(client, id, &refused);
        return ws_native_ask_database(client, id, &query);
}

static int ws_native_cancel(WsClient *client, const WsNativeRequest *ask, Text id) {
        const User *user = registry_user(client->loop->registry, client->user_id);
        CLEANUP(query_free) Query *query = NULL;
        WsRefused refused;
        int r;

        r = ws_order_cancel(user, ask->command_id, &query, &refused);
        if (r < 0)
                return err_up(r);
        if (refused.status != 0)
                return ws_native_refuse_command(client, id, &refused);
        return ws_native_ask_database(client, id, &query);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void ws_native_misused(WsClient *client, const char *why) {
        ws_client_close(client, WS_CLOSE_MISUSE, why, METRIC_WS_CLOSED_MISUSE);
}

/* In its grace a socket goes on with what it has, and gets nothing new. */
static bool ws_native_needs_token(WsOp op) {
        return op == WS_OP_SUBSCRIBE || op == WS_OP_MOVE || op == WS_OP_SEEK || op == WS_OP_LIVE ||
               op == WS_OP_COMMAND || op == WS_OP_CANCEL;
}

static int ws_native_serve(WsClient *client, const WsNativeRequest *ask, Text message, Text id) {
        static const WsTrouble unknown = { "unknown_op", "no such op", false };
        static const WsTrouble again = { "bad_request", "already authenticated", false };
        static const WsTrouble late = { "token_expired", "refresh the token first", true };

        if (ask->fault)
                return ws_native_refuse(client,
                                        id,
                                        &(WsTrouble){ "bad_request", ask->fault, false });
        if (ws_native_needs_token(ask->op) && ws_client_is_in_grace(client))
                return ws_native_refuse(client, id, &late);
        switch (ask->op) {
        case WS_OP_AUTH:
                return ws_native_refuse(client, id, &again);
        case WS_OP_SUBSCRIBE:
                return ws_native_subscribe(client, ask, id);
        case WS_OP_UNSUBSCRIBE:
                return ws_native_unsubscribe(client, ask, id);
        case WS_OP_MOVE:
                return ws_native_move(client, ask, id);
        case WS_OP_PAUSE:
                return ws_native_pause(client, ask, id);
        case WS_OP_SEEK:
                return ws_native_seek(client, ask, id);
        case WS_OP_LIVE:
                return ws_native_live(client, ask, id);
        case WS_OP_PING:
                return ws_native_ok(client, id);
        case WS_OP_REFRESH:
                return ws_native_refresh(client, ask, id);
        case WS_OP_COMMAND:
                return ws_native_command(client, ask, message, id);
        case WS_OP_CANCEL:
                return ws_native_cancel(client, ask, id);
        case WS_OP_UNKNOWN:
                break;
        }
        return ws_native_refuse(client, id, &unknown);
}

static int ws_native_receive(WsClient *client, Text message) {
        __attribute__((cleanup(ws_native_request_done))) WsNativeRequest ask = { 0 };
        CLEANUP_BUF Buf id = { 0 };
        int r;

        r = ws_native_request_read(&ask, message);
        if (r < 0)
                return err_up(r);
        if (r > 0) {
                ws_native_misused(client, "not a request");
                return 0;
        }
        if (client->is_unknown && ask.op != WS_OP_AUTH) {
                ws_native_misused(client, "auth comes first");
                return 0;
        }
        if (client->is_unknown)
                return ws_native_auth(client, &ask);

        ws_client_message_echo(&(JsonOut){ .buf = &id }, NULL, &ask.command, "id");
        if (buf_failed(&id))
                return err_new(-ENOMEM);
        if (id.n > WS_NATIVE_ID_MAX) {
                ws_native_misused(client, "id too long");
                return 0;
        }
        return ws_native_serve(client, &ask, message, buf_text(&id));
}

static bool ws_native_wants(const WsClient *client, const Event *event) {
        return client->feed && ws_feed_wants(client->feed, event);
}

static int ws_native_format(const WsLoop *loop, const Event *event, Buf *buf) {
        ws_push_event(loop, event, &(JsonOut){ .buf = buf });
        return 0;
}

const WsDialect ws_dialect_native = {
        .id = WS_DIALECT_NATIVE,
        .name = "native",
        .kinds = UINT32_MAX,
        .match = ws_native_match,
        .admit = ws_native_admit,
        .open = ws_native_open,
        .receive = ws_native_receive,
        .wants = ws_native_wants,
        .format = ws_native_format,
        .has_feed = true,
        .subscribed = ws_native_subscribed,
        .played = ws_native_played,
};
