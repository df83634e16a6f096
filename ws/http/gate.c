#include "ws/http/gate.h"

#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/access/throttle.h"
#include "ws/dialects/native.h"
#include "ws/http/exchange.h"
#include "ws/http/handshake.h"
#include "ws/http/refusals.h"
#include "ws/http/renewal.h"
#include "ws/hub/viewer.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"
#include "ws/viewer/dialect.h"
#include "ws/viewer/places.h"
#include "ws/wire/extension.h"
#include "ws/wire/head.h"

#define WS_GATE_SOURCES   16384
#define WS_GATE_ANSWER_MS 10000 /* as of any question */
#define WS_GATE_KEY_SIZE  24    /* base64 of 16 bytes */
#define WS_GATE_OFFERS    4096  /* of extensions: a longer list is declined as a whole */

typedef struct WsProof WsProof;
typedef struct WsRefusal WsRefusal;

/* What was found out of the token of the handshake in hand. */
struct WsProof {
        int64_t device_id, generation;
        int status; /* 0 = nothing was asked */
};

struct WsGate {
        WsLoop *loop;           /* borrowed */
        const WsAccess *access; /* borrowed */
        WsThrottle *throttle;
        WsRefusals *refusals;
        bool is_shut;
        WsGateAgainFn again;
        void *again_arg;
        /* Of the handshake in hand. */
        const WsHead *head;       /* borrowed */
        const WsRequest *request; /* borrowed */
        WsProof proof;
        const Device *asked; /* borrowed: whose token it may be */
        WsExtension extension;
        char key[WS_GATE_KEY_SIZE + 1];
};

/* Why a handshake is refused; status 0 = it is not. */
struct WsRefusal {
        int status;
        const char *code, *detail;
        int retry_after_s;
        Metric metric;
        const char *key; /* of the configuration, that would change it; NULL: none would */
        const char *why; /* for the log: what is not told to who asks; NULL: @detail */
};

static WsRefusal ws_gate_bad(const char *why) {
        return (WsRefusal){ .status = 400,
                            .code = "bad_upgrade",
                            .detail = why,
                            .metric = METRIC_WS_REFUSED_BAD_REQUEST };
}

static const WsRefusal ws_gate_busy = { .status = 503,
                                        .code = "busy",
                                        .detail = "the token cannot be checked at the moment",
                                        .retry_after_s = 1,
                                        .metric = METRIC_WS_REFUSED_CAPACITY };

int ws_gate_new(WsGate **ret_gate, WsLoop *loop, const WsAccess *access) {
        CLEANUP(ws_gate_free) WsGate *gate = NULL;
        int r;

        gate = calloc(1, sizeof(*gate));
        if (!gate)
                return err_new(-ENOMEM);

        gate->loop = loop;
        gate->access = access;
        r = ws_throttle_new(&gate->throttle, WS_GATE_SOURCES);
        if (r == 0)
                r = ws_refusals_new(&gate->refusals);
        if (r < 0)
                return err_up(r);

        *ret_gate = TAKE(&gate);
        return 0;
}

WsGate *ws_gate_free(WsGate *gate) {
        if (!gate)
                return NULL;

        ws_throttle_free(gate->throttle);
        ws_refusals_free(gate->refusals);
        free(gate);
        return NULL;
}

void ws_gate_shut(WsGate *gate) {
        gate->is_shut = true;
}

WsLoop *ws_gate_loop(const WsGate *gate) {
        return gate->loop;
}

static bool ws_gate_has_key(WsGate *gate) {
        Text key = ws_head_find(gate->head, "Sec-WebSocket-Key");

        if (key.n != WS_GATE_KEY_SIZE || ws_head_count(gate->head, "Sec-WebSocket-Key") != 1)
                return false;
        memcpy(gate->key, key.data, key.n);
        gate->key[key.n] = '\0';
        return base64_is(BASE64_PLAIN, (Text){ gate->key, WS_GATE_KEY_SIZE - 2 }) &&
               strcmp(gate->key + WS_GATE_KEY_SIZE - 2, "==") == 0;
}

/* What cannot be read costs no more than the compression. */
static void ws_gate_learn_extension(WsGate *gate) {
        char offers[WS_GATE_OFFERS];

        gate->extension = (WsExtension){ 0 };
        if (gate->loop->options->deflate &&
            ws_head_list(gate->head, "Sec-WebSocket-Extensions", offers, sizeof(offers)))
                ws_extension_read(&gate->extension, offers);
}

/* RFC 6455 4.2.1. */
static WsRefusal ws_gate_check_form(WsGate *gate) {
        const WsRequest *request = gate->request;

        if (strcmp(request->method, "GET") != 0 || request->body_length > 0 || request->has_coding)
                return ws_gate_bad("a WebSocket begins with a GET without a body");
        if (request->is_http_1_0)
                return ws_gate_bad("a WebSocket needs HTTP/1.1");
        if (!request->wants_upgrade)
                return ws_gate_bad("Connection does not say Upgrade");
        if (ws_head_count(gate->head, "Sec-WebSocket-Version") > 1)
                return ws_gate_bad("Sec-WebSocket-Version is there twice");
        if (!text_equal(ws_head_find(gate->head, "Sec-WebSocket-Version"), TEXT("13")))
                return (WsRefusal){ .status = 426,
                                    .code = "bad_version",
                                    .detail = "Sec-WebSocket-Version is not 13",
                                    .metric = METRIC_WS_REFUSED_BAD_REQUEST };
        if (!ws_gate_has_key(gate))
                return ws_gate_bad("Sec-WebSocket-Key is not 16 bytes in base64");
        return (WsRefusal){ 0 };
}

static WsRefusal ws_gate_unavailable(const char *code, const char *detail, int retry_after_s) {
        return (WsRefusal){ .status = 503,
                            .code = code,
                            .detail = detail,
                            .retry_after_s = retry_after_s,
                            .metric = METRIC_WS_REFUSED_CAPACITY };
}

static WsRefusal ws_gate_check_load(WsGate *gate) {
        const WsOptions *options = gate->loop->options;

        if (gate->is_shut)
                return ws_gate_unavailable("draining", "shutting down", 2);
        if (metrics_stand_by())
                return ws_gate_unavailable("standby", "another gateway serves", 1);
        if (!ws_loop_is_loaded(gate->loop))
                return ws_gate_unavailable("starting", "still loading", 1);
        if (gate->proof.status == 0 && !ws_throttle_take(gate->throttle,
                                                         gate->request->source,
                                                         options->connects_per_s,
                                                         clock_mono_us() / 1000))
                return (WsRefusal){ .status = 429,
                                    .code = "rate_limited",
                                    .detail = "too many connections from this address",
                                    .retry_after_s = 1,
                                    .metric = METRIC_WS_REFUSED_RATE,
                                    .key = "ws.connects_per_second" };
        if (gate->loop->n_clients >= (size_t)options->max_connections)
                return (WsRefusal){ .status = 429,
                                    .code = "over_capacity",
                                    .detail = "too many connections",
                                    .retry_after_s = 5,
                                    .metric = METRIC_WS_REFUSED_CAPACITY,
                                    .key = "ws.max_connections" };
        if (!ws_request_origin_ok(gate->request, options->allowed_origins))
                return (WsRefusal){ .status = 403,
                                    .code = "forbidden_origin",
                                    .detail = "this Origin is not allowed",
                                    .metric = METRIC_WS_REFUSED_ORIGIN,
                                    .key = "http.allowed_origins" };
        return (WsRefusal){ 0 };
}

static WsRefusal ws_gate_refuse_identity(const WsGate *gate,
                                         const WsDialect *dialect,
                                         Text target,
                                         int r,
                                         const char *why) {
        char account[128];
        int wait_s = 0;
        WsRefusal refusal = { .status = 401,
                              .code = "unauthorized",
                              .detail = "a valid credential is needed",
                              .metric = METRIC_WS_REFUSED_UNAUTHORIZED,
                              .key = ws_refusals_key(gate->request, why),
                              .why = why };

        if (r == WS_REQUEST_E_BAD)
                return ws_gate_bad("the request cannot be read");
        if (gate->proof.status >= 500)
                return ws_gate_busy;
        snprintf(account, sizeof(account), "%.*s", (int)target.n, target.n ? target.data : "");
        if (r == WS_REQUEST_E_REFUSED)
                wait_s = ws_access_blame(gate->access,
                                         gate->request->source,
                                         target.n ? account : NULL,
                                         clock_now_us());
        if (wait_s > 0)
                return (WsRefusal){ .status = 429,
                                    .code = "rate_limited",
                                    .detail = "too many bad credentials",
                                    .retry_after_s = wait_s,
                                    .metric = METRIC_WS_REFUSED_RATE,
                                    .key = "auth.token_failures_per_minute" };
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
                return (WsRefusal){ .status = 404,
                                    .code = "not_found",
                                    .detail = "no such device or vehicle",
                                    .metric = METRIC_WS_REFUSED_FORBIDDEN };
        case 429:
                return (WsRefusal){ .status = 429,
                                    .code = "too_many_connections",
                                    .detail = "too many connections of this user",
                                    .retry_after_s = 5,
                                    .metric = METRIC_WS_REFUSED_PER_USER,
                                    .key = "ws.max_connections_per_user,ws.user_share" };
        case 503:
                return ws_gate_unavailable("unavailable", "not to be had here at the moment", 1);
        default:
                return (WsRefusal){ .status = 403,
                                    .code = "forbidden",
                                    .detail = "nothing that this user may see",
                                    .metric = METRIC_WS_REFUSED_FORBIDDEN };
        }
}

static bool ws_gate_takes_device(const WsGate *gate, const WsDialect *dialect) {
        return dialect->takes_device && dialect->takes_device(text_of(gate->request->path)) &&
               *gate->request->bearer;
}

/* The device whose token the bearer is, if @target is one of its names and the path is for devices:
 * the token decides, not what else may have that name. */
static const Device *ws_gate_device(const WsGate *gate, const WsDialect *dialect, Text target) {
        const Registry *registry = gate->access->registry;
        const Device *device;

        if (!ws_gate_takes_device(gate, dialect))
                return NULL;
        device = ws_auth_device(gate->access->auth, registry, text_of(gate->request->bearer));
        if (!device && gate->proof.status == 200) {
                device = registry_device(registry, gate->proof.device_id);
                if (device && (!device->is_active || !device->has_token ||
                               device->token_generation != gate->proof.generation))
                        device = NULL; /* it has another one by now */
        }
        return device && device_is_called(device, target) ? device : NULL;
}

/* The device that the path names, if there is a bcrypt of its token: one that takes its time. */
static const Device *ws_gate_slow_one(const WsGate *gate, const WsDialect *dialect, Text target) {
        const Device *device = NULL;

        if (ws_gate_takes_device(gate, dialect))
                device = registry_find_device(gate->access->registry, target);
        return device && device->is_active && device->has_token &&
                               device->token_form == TOKEN_BCRYPT
                       ? device
                       : NULL;
}

/* bcrypt looks at 72 bytes: who has the beginning of a longer token, as of many JWTs of one issuer
 * everybody has, would be let in, and what was sent could never be made a hash of ours. */
static bool ws_gate_is_long(const WsGate *gate) {
        return strlen(gate->request->bearer) >= SECRET_BCRYPT_BYTES;
}

/* A credential that is nobody's may be that device's token. */
static bool ws_gate_must_ask(WsGate *gate, const WsDialect *dialect, Text target) {
        if (gate->proof.status != 0 || ws_gate_is_long(gate))
                return false;
        gate->asked = ws_gate_slow_one(gate, dialect, target);
        return gate->asked != NULL;
}

/* For the log alone: what is not told to who asks. */
static const char *ws_gate_why(const WsGate *gate,
                               const WsDialect *dialect,
                               Text target,
                               const char *why) {
        const Device *device = ws_auth_token_of(gate->access->auth,
                                                gate->access->registry,
                                                text_of(gate->request->bearer));

        if (device && !device->is_active)
                return "the token of a device that is not active";
        if (device)
                return ws_gate_takes_device(gate, dialect)
                               ? "the token of another device"
                               : "the token of a device, which this path does not take";
        if (ws_gate_is_long(gate) && ws_gate_slow_one(gate, dialect, target))
                return "there is a bcrypt of the device's token, and that is none of 72 bytes or "
                       "more: give it another (device token rotate)";
        return why;
}

/* A client for who has been found out; or the refusal says why there is none. */
static int ws_gate_make(const WsGate *gate,
                        const WsDialect *dialect,
                        const WsIdentity *identity,
                        Text target,
                        WsRefusal *ret_refusal,
                        WsClient **ret_client) {
        CLEANUP(ws_viewer_free) WsClient *client = NULL;
        int r;

        r = ws_viewer_new(&client, gate->loop, dialect);
        if (r < 0)
                return err_up(r);
        memcpy(client->source, gate->request->source, sizeof(client->source));
        r = ws_viewer_note_open(client, identity, gate->request->path);
        if (r < 0)
                return err_up(r);
        if (!ws_places_take(client,
                            ws_party_of(identity->user ? identity->user->id : 0,
                                        identity->device ? identity->device->id : 0,
                                        client->source)))
                *ret_refusal = ws_gate_refuse_admission(429);
        else
                *ret_refusal = ws_gate_refuse_admission(dialect->admit(client, identity, target));
        if (ret_refusal->status == 0)
                *ret_client = TAKE(&client);
        return 0;
}

/* Who is it, and may it? On success *@ret_client is the new client. WS_GATE_E_UNPROVEN. */
static int ws_gate_admit(WsGate *gate, WsRefusal *ret_refusal, WsClient **ret_client) {
        WsIdentity identity = { 0 };
        const WsDialect *dialect;
        const char *why = NULL;
        Text target = { 0 };
        int r;

        assert(gate->request);
        dialect = ws_dialect_find(text_of(gate->request->path), &target);
        if (!dialect) {
                *ret_refusal = (WsRefusal){ .status = 404,
                                            .code = "not_found",
                                            .detail = "no WebSocket at this path: see "
                                                      "docs/migrate/README.md",
                                            .metric = METRIC_WS_REFUSED_BAD_REQUEST };
                return 0;
        }
        if (dialect == &ws_dialect_vehicles && ws_native_is_offered(gate->request->protocols))
                dialect = &ws_dialect_native;
        identity.device = ws_gate_device(gate, dialect, target);
        if (gate->loop->options->no_live && !identity.device) {
                *ret_refusal =
                        ws_gate_unavailable("no_live", "uplink: nothing is shown as it comes", 0);
                return 0;
        }
        r = identity.device ? ws_renewal_ask(gate->access,
                                             gate->loop->questions,
                                             identity.device,
                                             text_of(gate->request->bearer))
                            : ws_request_identify(gate->request,
                                                  gate->access,
                                                  clock_now_us(),
                                                  &identity,
                                                  &why);
        if (r < 0)
                return err_up(r);
        if (r == 0 && identity.is_anonymous && dialect == &ws_dialect_native &&
            !ws_auth_is_anonymous(gate->access->auth, TEXT(WS_NATIVE_NAME))) {
                /* the path was opened for vehicles, not for all that this protocol shows */
                identity = (WsIdentity){ .expires_us = INT64_MAX };
                r = WS_REQUEST_E_NONE;
        }
        if (r == WS_REQUEST_E_REFUSED && ws_gate_must_ask(gate, dialect, target))
                return WS_GATE_E_UNPROVEN;
        if (r == WS_REQUEST_E_REFUSED)
                why = ws_gate_why(gate, dialect, target, why);
        if (r > 0 && !(r == WS_REQUEST_E_NONE && dialect == &ws_dialect_native)) {
                *ret_refusal = ws_gate_refuse_identity(gate, dialect, target, r, why);
                return 0;
        }
        r = ws_gate_make(gate, dialect, &identity, target, ret_refusal, ret_client);
        return err_up(r);
}

bool ws_gate_leaves_open(const void *auth, const WsClient *client) {
        if (!client->open_path || client->user_id != 0)
                return true;
        return ws_auth_is_anonymous(auth, text_of(client->open_path)) &&
               (client->dialect != &ws_dialect_native ||
                ws_auth_is_anonymous(auth, TEXT(WS_NATIVE_NAME)));
}

static void ws_gate_say(WsGate *gate, const WsRefusal *refusal) {
        (void)ws_refusals_say(gate->refusals,
                              &(WsRefused){ .path = gate->request->path,
                                            .origin = gate->request->origin,
                                            .source = gate->request->source,
                                            .status = refusal->status,
                                            .code = refusal->code,
                                            .why = refusal->why ? refusal->why : refusal->detail,
                                            .key = refusal->key },
                              clock_mono_us());
        metric_add(refusal->metric, 1);
}

static void ws_gate_refuse(WsGate *gate, const WsRefusal *refusal, WsResponse *response) {
        ws_gate_say(gate, refusal);
        ws_response_retry_after(response, refusal->retry_after_s);
        if (refusal->status == 426)
                ws_response_upgrade(response);
        ws_response_problem(response, refusal->status, refusal->code, refusal->detail);
}

void ws_gate_misread(WsGate *gate, Text bytes, const WsConn *conn, int status) {
        const WsMisread misread = { bytes, ws_conn_source(conn), status };

        ws_refusals_misread(gate->refusals, &misread, &gate->loop->options->proxies);
}

void ws_gate_missed(WsGate *gate, const WsCall *call) {
        ws_refusals_missed(gate->refusals, call);
}

static int ws_gate_welcome(const WsGate *gate, WsClient *client, Buf *hello) {
        bool is_native = client->dialect == &ws_dialect_native;

        client->deflates = gate->extension.is_accepted;
        return ws_handshake_write(hello,
                                  gate->key,
                                  is_native && ws_native_is_offered(gate->request->protocols)
                                          ? WS_NATIVE_NAME
                                          : NULL,
                                  client->deflates ? gate->extension.answer : NULL,
                                  gate->request->is_secure ? gate->loop->options->hsts_s : 0);
}

int ws_gate_open(WsGate *gate,
                 const WsHead *head,
                 const WsRequest *request,
                 WsResponse *response,
                 Buf *hello,
                 WsClient **ret_client) {
        CLEANUP(ws_viewer_free) WsClient *client = NULL;
        WsRefusal refusal;
        int r = 0;

        gate->head = head;
        gate->request = request;
        refusal = ws_gate_check_form(gate);
        if (refusal.status == 0)
                refusal = ws_gate_check_load(gate);
        if (refusal.status == 0)
                r = ws_gate_admit(gate, &refusal, &client);
        if (r < 0)
                return err_up(r);
        if (r == WS_GATE_E_UNPROVEN)
                return r;
        if (!client) { /* and then the refusal says why */
                ws_gate_refuse(gate, &refusal, response);
                return 0;
        }

        ws_gate_learn_extension(gate);
        r = ws_gate_welcome(gate, client, hello);
        if (r < 0)
                return err_up(r);
        *ret_client = TAKE(&client);
        return 0;
}

/* ---- tokens that have to be looked at ----------------------------------------------------- */

/* WsQuestionFn of a waiter, which has the bytes of the handshake. */
static int ws_gate_answer(void *owner, Event *event) {
        const WsWaiter *waiter = owner;
        WsExchange *session = waiter->session;
        WsGate *gate = waiter->gate;
        CLEANUP_BUF Buf head = { 0 };

        gate->proof = (WsProof){ .device_id = waiter->sender_id,
                                 .generation = waiter->token_generation,
                                 .status = event ? event->answer->status : 504 };
        buf_append_text(&head, buf_text(&waiter->body));
        ws_exchange_reset(session); /* and with it goes the waiter */
        if (buf_failed(&head)) {
                ws_conn_close(session->conn);
        } else {
                ws_conn_pause(session->conn, false);
                gate->again(gate->again_arg, session, buf_text(&head));
        }
        gate->proof = (WsProof){ 0 };
        return 0;
}

/* On the bill of the address, which has proven nothing yet. */
static int ws_gate_ask(WsGate *gate, WsWaiter *waiter) {
        CLEANUP(query_free) Query *query = NULL;
        int timeout_ms = gate->loop->options->answer_timeout_ms;
        int r;

        if (timeout_ms <= 0)
                timeout_ms = WS_GATE_ANSWER_MS;
        r = ws_renewal_proof(&query, gate->access, gate->asked, text_of(gate->request->bearer));
        if (r < 0)
                return err_up(r);
        query->party = waiter->party;
        query->deadline_us = clock_mono_us() + timeout_ms * INT64_C(1000);
        waiter->gate = gate;
        waiter->sender_id = gate->asked->id;
        waiter->token_generation = gate->asked->token_generation;
        waiter->question.owner = waiter;
        r = ws_questions_ask(gate->loop->questions,
                             &waiter->question,
                             &query,
                             timeout_ms,
                             ws_gate_answer);
        if (r < 0)
                return err_up(r);
        return r == WS_QUESTIONS_E_FULL ? WS_GATE_E_BUSY : 0;
}

/* The caller answers. */
static int ws_gate_be_busy(WsGate *gate) {
        ws_gate_say(gate, &ws_gate_busy);
        return WS_GATE_E_BUSY;
}

int ws_gate_prove(WsGate *gate, WsExchange *session, Text head, WsGateAgainFn again, void *arg) {
        WsWaiter *waiter;
        int r;

        gate->again = again;
        gate->again_arg = arg;
        session->party = ws_party_address(gate->request->source);
        waiter = ws_waiters_take(session);
        if (!waiter || !ws_waiter_reserve(waiter, head.n))
                return ws_gate_be_busy(gate);
        buf_append_text(&waiter->body, head);
        if (buf_failed(&waiter->body))
                return err_new(-ENOMEM);
        r = ws_gate_ask(gate, waiter);
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return ws_gate_be_busy(gate);
        ws_exchange_wait(session);
        return 0;
}
