#include "base/buf.h"
#include "base/err.h"
#include "base/json_out.h"
#include "ws/device/detections.h"
#include "ws/http/endpoint.h"

#define WS_INGEST_RETRY_S 5 /* while the journal is full */

/* A token speaks for its own device alone, by whichever of its names. */
static bool ws_ingest_is_own(const WsCall *call, const WsDetections *detections) {
        const Device *device = call->identity.device;

        return !*detections->device || device_is_called(device, text_of(detections->device));
}

static int ws_ingest_journal(WsCall *call, const WsDetections *detections) {
        int r = INBOUND_E_FULL;
        JsonOut out = { .buf = &call->response->body };

        if (call->options->inbound)
                r = call->options->inbound(call->options->inbound_arg,
                                           &(Inbound){ .door = DOOR_HTTP,
                                                       .kind = KIND_BLE_DETECTIONS,
                                                       .device_id = call->identity.device->id,
                                                       .sender_key =
                                                               call->identity.device->key_hash,
                                                       .topic = TEXT("api/v1/detections"),
                                                       .payload = call->body });
        if (r < 0)
                return err_up(r);
        if (r == INBOUND_E_FULL) {
                ws_response_retry_after(call->response, WS_INGEST_RETRY_S);
                ws_response_problem(call->response,
                                    503,
                                    "journal_full",
                                    "It cannot be kept at the moment; nothing was saved.");
                return 0;
        }
        ws_response_json(call->response);
        json_out_object(&out, NULL);
        json_out_string(&out, "status", "ok");
        json_out_int(&out, "saved", (int64_t)detections->n_good);
        json_out_object_end(&out);
        return 0;
}

static const char *ws_ingest_why(Reason reason) {
        switch (reason) {
        case REASON_OUT_OF_RANGE:
                return "A value is out of range: rssi is -200 to 50 dBm, names are up to 128 "
                       "bytes.";
        case REASON_TOO_LARGE:
                return "The body is larger than the route of detections allows.";
        case REASON_WRONG_TYPE:
                return "A member has the wrong type: rssi is a number.";
        default:
                return "None of it can be used.";
        }
}

/* What the answer says is what the store will find, by the store's own judgement; @detail: of what
 * cannot be used, as a dead letter would say it. */
static int ws_ingest_count(WsCall *call, WsDetections *detections, const char **why, Buf *detail) {
        const WsOptions *options = call->options;
        int r;

        if (!options->count_detections || (!*why && detections->n_items == 0))
                return 0;
        r = options->count_detections(call->body,
                                      options->detections_max_bytes,
                                      &detections->n_good,
                                      detail);
        if (r < 0)
                return err_up(r);
        if (buf_failed(detail))
                return err_new(-ENOMEM);
        if (r > 0 && !*why)
                *why = ws_ingest_why((Reason)r);
        return 0;
}

static int ws_ingest_refuse(WsCall *call, const char *why, Buf *detail) {
        CLEANUP_BUF Buf text = { 0 };

        buf_append_string(&text, why);
        if (detail->n > 0)
                buf_append_char(&text, ' ');
        buf_append_text(&text, buf_text(detail));
        if (buf_failed(&text))
                return err_new(-ENOMEM);
        ws_response_problem(call->response, 422, "invalid", text.data);
        return 0;
}

/* What is odd in it costs itself, as over MQTT; the journal keeps what was sent. */
static int ws_ingest_read(WsCall *call,
                          bool is_single,
                          WsDetections *ret_detections,
                          const char **ret_why) {
        const WsOptions *options = call->options;
        CLEANUP_BUF Buf clean = { 0 };
        Text body = call->body;
        int r = 0;

        if (options->check_json && options->check_json(body) != REASON_NONE) {
                r = options->clean_json ? options->clean_json(body, &clean) : REASON_BAD_JSON;
                body = buf_text(&clean);
        }
        if (r < 0)
                return err_up(r);
        *ret_why = r > 0 ? "The body must be a JSON object."
                         : ws_detections_read(body, is_single, ret_detections);
        return 0;
}

static int ws_ingest(WsCall *call, bool is_single) {
        WsDetections detections = { 0 };
        CLEANUP_BUF Buf detail = { 0 };
        const char *why = NULL;
        int r;

        ws_response_header(call->response, "Cache-Control", "no-store");
        r = ws_ingest_read(call, is_single, &detections, &why);
        if (r == 0)
                r = ws_ingest_count(call, &detections, &why, &detail);
        if (r < 0)
                return err_up(r);
        if (why)
                return ws_ingest_refuse(call, why, &detail);
        if (!ws_ingest_is_own(call, &detections)) {
                ws_response_problem(call->response,
                                    403,
                                    "forbidden",
                                    "The token is another device's.");
                return 0;
        }
        r = ws_ingest_journal(call, &detections);
        return err_up(r);
}

int ws_endpoint_detections_bulk(WsCall *call) {
        return ws_ingest(call, false);
}

int ws_endpoint_detections_one(WsCall *call) {
        return ws_ingest(call, true);
}
