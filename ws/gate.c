#include "ws/gate.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <strings.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"
#include "gateway/base/metrics.h"
#include "ws/client.h"
#include "ws/dialect.h"
#include "ws/extension.h"
#include "ws/http.h"
#include "ws/hub.h"
#include "ws/proto.h"
#include "ws/server.h"
#include "ws/throttle.h"

#define WS_GATE_SOURCES  16384
#define WS_GATE_KEY_SIZE 24 /* base64 of 16 bytes */
#define WS_GATE_NAME     "tidegate"

typedef struct WsRefusal WsRefusal;

struct WsGate {
        WsHub *hub;             /* borrowed */
        const WsAccess *access; /* borrowed */
        WsThrottle *throttle;
        bool is_shut;
        char protocol[64];
        WsExtension extension; /* of the handshake in hand, as is */
        WsRequest request;     /* of the handshake in hand: large, and one at a time */
};

/* Why a handshake is refused; status 0 = it is not. */
struct WsRefusal {
        int status;
        const char *code, *detail;
        int retry_after_s;
        Metric metric;
};

#define WS_GATE_BAD(why) \
        ((WsRefusal){ 400, "bad_upgrade", (why), 0, METRIC_WS_REFUSED_BAD_REQUEST })

int ws_gate_new(WsGate **ret_gate, WsHub *hub, const WsAccess *access) {
        CLEANUP(ws_gate_free) WsGate *gate = NULL;
        int r;

        gate = calloc(1, sizeof(*gate));
        if (!gate)
                return err_new(-ENOMEM);

        gate->hub = hub;
        gate->access = access;
        ws_gate_reset_protocol(gate);
        r = ws_throttle_new(&gate->throttle, WS_GATE_SOURCES);
        if (r < 0)
                return err_up(r);

        *ret_gate = TAKE(&gate);
        return 0;
}

WsGate *ws_gate_free(WsGate *gate) {
        if (!gate)
                return NULL;

        ws_throttle_free(gate->throttle);
        free(gate);
        return NULL;
}

void ws_gate_shut(WsGate *gate) {
        gate->is_shut = true;
}

const char *ws_gate_protocol(const WsGate *gate) {
        return gate->protocol;
}

void ws_gate_forget_protocol(WsGate *gate) {
        gate->protocol[0] = '\0';
}

void ws_gate_reset_protocol(WsGate *gate) {
        memcpy(gate->protocol, WS_GATE_NAME, sizeof(WS_GATE_NAME));
}

/*
 * lws has to believe that it has an extension: only then does it let RSV1 pass. This one does
 * nothing, and lws hands over the bytes as they came, and writes ours as they are. The parameters
 * are those of lws.
 */
/* NOLINTNEXTLINE(readability-function-size) */
static int ws_gate_on_extension(struct lws_context *lws,
                                const struct lws_extension *extension,
                                struct lws *wsi,
                                enum lws_extension_callback_reasons reason,
                                void *user,
                                void *in,
                                size_t n_in) {
        static const struct lws_ext_options none[] = { { 0 } };

        (void)lws, (void)extension, (void)wsi, (void)user, (void)n_in;
        if (reason == LWS_EXT_CB_CONSTRUCT)
                *(const struct lws_ext_options **)in = none; /* what it may repeat: nothing */
        return 0;
}

const struct lws_extension *ws_gate_extensions(void) {
        static const struct lws_extension extensions[] = {
                { .name = WS_EXTENSION_NAME, .callback = ws_gate_on_extension }, { 0 }
        };

        return extensions;
}

int ws_gate_confirm_extension(WsGate *gate, WsClient *client) {
        WsExtension *extension = &gate->extension;

        if (!client || !extension->is_accepted || --extension->n_mentions > 0)
                return 1;

        client->deflates = true;
        return 0;
}

/* lws has written the name of the extension and the end of the line: its parameters come before
 * that end. */
int ws_gate_add_headers(const WsGate *gate, const WsClient *client, void *html_args) {
        static const char written[] = WS_EXTENSION_NAME "\r\n";
        const char *answer = gate->extension.answer;
        struct lws_process_html_args *args = html_args;
        int n;

        if (!client || client->state != WS_CLIENT_WAITING || !client->deflates)
                return 0;
        if (memcmp(args->p - strlen(written), written, strlen(written)) != 0)
                return -1;

        args->p -= strlen("\r\n");
        n = snprintf(args->p, (size_t)args->max_len, "%s\r\n", answer);
        if (n < 0 || n >= args->max_len)
                return -1;
        args->p += n;
        return 0;
}

/* A header as text; false if it is absent or longer than @size allows. */
static bool ws_gate_header(struct lws *wsi,
                           enum lws_token_indexes token,
                           char *ret_text,
                           int size) {
        return lws_hdr_total_length(wsi, token) > 0 && lws_hdr_copy(wsi, ret_text, size, token) > 0;
}

static bool ws_gate_is(struct lws *wsi, enum lws_token_indexes token, const char *value) {
        char text[32];

        return ws_gate_header(wsi, token, text, sizeof(text)) && strcasecmp(text, value) == 0;
}

static bool ws_gate_has_key(struct lws *wsi) {
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                       "0123456789+/";
        char key[WS_GATE_KEY_SIZE + 2];

        return ws_gate_header(wsi, WSI_TOKEN_KEY, key, sizeof(key)) &&
               strlen(key) == WS_GATE_KEY_SIZE && strspn(key, alphabet) == WS_GATE_KEY_SIZE - 2 &&
               strcmp(key + WS_GATE_KEY_SIZE - 2, "==") == 0;
}

/* `Connection` must list `upgrade`; lws looks at the first 127 bytes. */
static bool ws_gate_has_connection(struct lws *wsi) {
        char text[127];
        char *rest = text;
        char *item;

        if (!ws_gate_header(wsi, WSI_TOKEN_CONNECTION, text, sizeof(text)))
                return false;
        while ((item = strsep(&rest, ", \t")))
                if (strcasecmp(item, "upgrade") == 0)
                        return true;
        return false;
}

/* Reads the offered subprotocols exactly as lws will. False: lws would drop the connection. */
static bool ws_gate_learn_protocol(WsGate *gate, struct lws *wsi) {
        char text[128];
        struct lws_tokenize tokens;

        ws_gate_reset_protocol(gate);
        if (lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL) <= 0)
                return true;
        if (!ws_gate_header(wsi, WSI_TOKEN_PROTOCOL, text, sizeof(text)))
                return false;

        lws_tokenize_init(&tokens,
                          text,
                          LWS_TOKENIZE_F_COMMA_SEP_LIST | LWS_TOKENIZE_F_MINUS_NONTERM |
                                  LWS_TOKENIZE_F_DOT_NONTERM | LWS_TOKENIZE_F_RFC7230_DELIMS);
        tokens.len = strlen(text);
        if (lws_tokenize(&tokens) != LWS_TOKZE_TOKEN ||
            lws_tokenize_cstr(&tokens, gate->protocol, sizeof(gate->protocol)) != 0)
                return false;
        if (ws_proto_is_offered(gate->request.protocols))
                memcpy(gate->protocol, WS_PROTO_NAME, sizeof(WS_PROTO_NAME));
        return true;
}

/* False: lws would drop the connection for offering so much. */
static bool ws_gate_learn_extension(WsGate *gate, struct lws *wsi) {
        char offers[WS_EXTENSION_OFFERS_SIZE];

        gate->extension = (WsExtension){ 0 };
        if (lws_hdr_total_length(wsi, WSI_TOKEN_EXTENSIONS) <= 0)
                return true;
        if (!ws_gate_header(wsi, WSI_TOKEN_EXTENSIONS, offers, sizeof(offers)))
                return false;

        ws_extension_read(&gate->extension, offers);
        gate->extension.is_accepted &= gate->hub->options->deflate;
        return true;
}

/* RFC 6455 4.2.1, which lws takes lightly. */
static WsRefusal ws_gate_check_form(WsGate *gate, struct lws *wsi) {
        if (!ws_gate_is(wsi, WSI_TOKEN_UPGRADE, "websocket"))
                return WS_GATE_BAD("the only upgrade here is to websocket");
        if (!ws_gate_is(wsi, WSI_TOKEN_HTTP, "HTTP/1.1"))
                return WS_GATE_BAD("a WebSocket needs HTTP/1.1");
        if (!ws_gate_has_connection(wsi))
                return WS_GATE_BAD("Connection does not say Upgrade");
        if (!ws_gate_is(wsi, WSI_TOKEN_VERSION, "13"))
                return (WsRefusal){ 426,
                                    "bad_version",
                                    "Sec-WebSocket-Version is not 13",
                                    0,
                                    METRIC_WS_REFUSED_BAD_REQUEST };
        if (!ws_gate_has_key(wsi))
                return WS_GATE_BAD("Sec-WebSocket-Key is not 16 bytes in base64");
        if (lws_hdr_total_length(wsi, WSI_TOKEN_HOST) <= 0)
                return WS_GATE_BAD("Host is missing");
        if (!ws_gate_learn_protocol(gate, wsi))
                return WS_GATE_BAD("Sec-WebSocket-Protocol cannot be read, or is too long");
        if (!ws_gate_learn_extension(gate, wsi))
                return WS_GATE_BAD("Sec-WebSocket-Extensions is too long");
        return (WsRefusal){ 0 };
}

static WsRefusal ws_gate_check_load(WsGate *gate) {
        const WsOptions *options = gate->hub->options;

        if (gate->is_shut)
                return (WsRefusal){
                        503, "draining", "shutting down", 2, METRIC_WS_REFUSED_CAPACITY
                };
        if (!ws_hub_is_loaded(gate->hub))
                return (WsRefusal){
                        503, "starting", "still loading", 1, METRIC_WS_REFUSED_CAPACITY
                };
        if (!ws_throttle_take(gate->throttle,
                              gate->request.source,
                              options->connects_per_s,
                              clock_mono_us() / 1000))
                return (WsRefusal){ 429,
                                    "rate_limited",
                                    "too many connections from this address",
                                    1,
                                    METRIC_WS_REFUSED_RATE };
        if (gate->hub->n_clients >= (size_t)options->max_connections)
                return (WsRefusal){
                        429, "over_capacity", "too many connections", 5, METRIC_WS_REFUSED_CAPACITY
                };
        if (!ws_request_origin_ok(&gate->request, options->allowed_origins))
                return (WsRefusal){ 403,
                                    "forbidden_origin",
                                    "this Origin is not allowed",
                                    0,
                                    METRIC_WS_REFUSED_ORIGIN };
        return (WsRefusal){ 0 };
}

static WsRefusal ws_gate_refuse_identity(const WsGate *gate,
                                         const WsDialect *dialect,
                                         Text target,
                                         int r) {
        char account[128];
        int wait_s = 0;
        WsRefusal refusal = { 401,
                              "unauthorized",
                              "a valid credential is needed",
                              0,
                              METRIC_WS_REFUSED_UNAUTHORIZED };

        if (r == WS_REQUEST_E_BAD)
                return WS_GATE_BAD("the request cannot be read");
        snprintf(account, sizeof(account), "%.*s", (int)target.n, target.n ? target.data : "");
        if (r == WS_REQUEST_E_REFUSED)
                wait_s = ws_access_blame(gate->access,
                                         gate->request.source,
                                         target.n ? account : NULL,
                                         clock_now_us());
        if (wait_s > 0)
                return (WsRefusal){ 429,
                                    "rate_limited",
                                    "too many bad credentials",
                                    wait_s,
                                    METRIC_WS_REFUSED_RATE };
        if (r == WS_REQUEST_E_EXPIRED)
                refusal.detail = "the credential has expired";
        if (dialect->is_guarded) {
                refusal.status = 403;
                refusal.code = "forbidden";
        }
        return refusal;
}

static WsRefusal ws_gate_refuse_admission(int status) {
        switch (status) {
        case 0:
                return (WsRefusal){ 0 };
        case 404:
                return (WsRefusal){ 404,
                                    "not_found",
                                    "no such device or vehicle",
                                    0,
                                    METRIC_WS_REFUSED_FORBIDDEN };
        case 429:
                return (WsRefusal){ 429,
                                    "too_many_connections",
                                    "too many connections of this user",
                                    5,
                                    METRIC_WS_REFUSED_PER_USER };
        default:
                return (WsRefusal){
                        403, "forbidden", "no right to see this", 0, METRIC_WS_REFUSED_FORBIDDEN
                };
        }
}

/* The device that @target names, if the bearer is its token and the path is for devices. Nobody
 * learns by the time that it takes whether there is such a device. */
static const Device *ws_gate_device(const WsGate *gate, const WsDialect *dialect, Text target) {
        static const Device nobody = { .is_active = true, .has_token = true };
        const Device *device;

        if (!dialect->takes_device || !dialect->takes_device(text_of(gate->request.path)) ||
            !*gate->request.bearer)
                return NULL;
        device = registry_find_device(gate->access->registry, target);
        return ws_auth_is_device(gate->access->auth,
                                 device ? device : &nobody,
                                 text_of(gate->request.bearer))
                       ? device
                       : NULL;
}

/* Who is it, and may it? On success *@ret_client is the new client. A fault is an int < 0. */
static int ws_gate_admit(WsGate *gate, WsRefusal *ret_refusal, WsClient **ret_client) {
        CLEANUP(ws_client_free) WsClient *client = NULL;
        WsIdentity identity = { 0 };
        const WsDialect *dialect;
        const char *why = NULL;
        Text target = { 0 };
        int r;

        dialect = ws_dialect_find(text_of(gate->request.path), &target);
        if (!dialect) {
                *ret_refusal = (WsRefusal){ 404,
                                            "not_found",
                                            "no WebSocket at this path",
                                            0,
                                            METRIC_WS_REFUSED_BAD_REQUEST };
                return 0;
        }
        if (dialect == &ws_dialect_d && ws_proto_is_offered(gate->request.protocols))
                dialect = &ws_dialect_native;
        identity.device = ws_gate_device(gate, dialect, target);
        r = identity.device ? 0
                            : ws_request_identify(&gate->request,
                                                  gate->access,
                                                  clock_now_us(),
                                                  &identity,
                                                  &why);
        if (r < 0)
                return err_up(r);
        if (r > 0 && !(r == WS_REQUEST_E_NONE && dialect == &ws_dialect_native)) {
                *ret_refusal = ws_gate_refuse_identity(gate, dialect, target, r);
                return 0;
        }
        r = ws_client_new(&client, gate->hub, dialect);
        if (r < 0)
                return err_up(r);

        memcpy(client->source, gate->request.source, sizeof(client->source));
        *ret_refusal = ws_gate_refuse_admission(dialect->admit(client, &identity, target));
        if (ret_refusal->status == 0)
                *ret_client = TAKE(&client);
        return 0;
}

static int ws_gate_refuse(struct lws *wsi, const WsRefusal *refusal) {
        metric_add(refusal->metric, 1);
        return ws_http_problem(wsi,
                               refusal->status,
                               refusal->code,
                               refusal->detail,
                               refusal->retry_after_s);
}

int ws_gate_confirm(WsGate *gate, struct lws *wsi) {
        WsClient *client = NULL;
        WsRefusal refusal;
        int r;

        /* CVE-2025-11677: lws calls here once more after it refused an unknown upgrade, with the
         * headers gone. A POST comes this way too. Touch nothing, hang up. */
        if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) <= 0)
                return -1;

        r = ws_request_read(&gate->request, wsi);
        if (r < 0)
                return -1;
        refusal = r > 0 ? WS_GATE_BAD("the request cannot be read") : ws_gate_check_form(gate, wsi);
        if (refusal.status == 0)
                refusal = ws_gate_check_load(gate);
        if (refusal.status == 0)
                r = ws_gate_admit(gate, &refusal, &client);
        if (r < 0)
                return -1;
        if (refusal.status != 0)
                return ws_gate_refuse(wsi, &refusal);

        ws_client_free(lws_get_opaque_user_data(wsi)); /* of a handshake that failed later on */
        lws_set_opaque_user_data(wsi, client);
        return 0;
}
