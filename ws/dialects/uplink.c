#include "ws/device/uplink.h"
#include "base/text.h"
#include "model/edge/runs.h"
#include "model/edge/uplink.h"
#include "ws/dialects/client_message.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

/* Gateways without a database, which bring their journals (device/uplink.h). Nobody else. */

#define WS_UPLINK_EPOCH_DIGITS 16
#define WS_UPLINK_COUNT_MAX    (UINT64_C(1) << 40)

static bool ws_uplink_match(Text path, Text *ret_target) {
        return ws_dialect_match_level(path, TEXT("/ws/uplink/"), ret_target);
}

static bool ws_uplink_takes_device(Text path) {
        Text target;

        return ws_uplink_match(path, &target);
}

static int ws_uplink_admit(WsClient *client, const WsIdentity *identity, Text target) {
        const WsOptions *options = client->loop->options;
        unsigned line = 0;

        (void)target;
        if (!identity->device || !identity->device->may_uplink)
                return 403;
        if (options->edge_line)
                line = options->edge_line(options->inbound_arg, identity->device->id);
        if (line == 0)
                return 503; /* a node without a slot */
        return ws_uplink_new(client, identity->device, line) < 0 ? 503 : 0;
}

static bool ws_uplink_read_epoch(Text text, uint64_t *ret_epoch) {
        *ret_epoch = 0;
        for (size_t i = 0; i < text.n; ++i) {
                int digit = text_hex_digit(text.data[i]);

                if (digit < 0)
                        return false;
                *ret_epoch = *ret_epoch << 4 | (uint64_t)digit;
        }
        return text.n == WS_UPLINK_EPOCH_DIGITS;
}

static bool ws_uplink_read_runs(const WsClientMessage *message, Runs *ret_runs) {
        WsClientMessageList list;
        Run run;

        *ret_runs = (Runs){ 0 };
        if (ws_client_message_list(message, "runs", &list) != 0)
                return false;
        for (size_t i = 0; i < list.n; ++i)
                if (!run_read(ws_client_message_text(&list, i), &run) || !runs_add(ret_runs, &run))
                        return false;
        return true;
}

/* Why it is none that can be answered; NULL: it is. */
static const char *ws_uplink_read_hello(const WsClientMessage *message, Runs *ret_runs) {
        uint64_t epoch;
        char text[256];
        uint64_t format;
        bool is_null;

        if (!ws_client_message_member(message, "format", text, &is_null) || is_null ||
            !text_to_number(text_of(text), UINT32_MAX, &format) || format != UPLINK_FORMAT)
                return "this format is not known here, but 1 is";
        if (!ws_client_message_member(message, "journal", text, &is_null) || is_null ||
            !ws_uplink_read_epoch(text_of(text), &epoch))
                return "hello names a journal of 16 hex digits";
        if (!ws_uplink_read_runs(message, ret_runs))
                return "the runs of a hello are at most 64, the newest first";
        runs_close(ret_runs, epoch);
        return NULL;
}

static bool ws_uplink_read_count(const WsClientMessage *message, const char *name, uint64_t *ret) {
        char text[256];
        bool is_null;

        return ws_client_message_member(message, name, text, &is_null) && !is_null &&
               text_to_number(text_of(text), WS_UPLINK_COUNT_MAX, ret);
}

static bool ws_uplink_read_lost(const WsClientMessage *message, UplinkLost *ret_lost) {
        return ws_uplink_read_count(message, "dropped", &ret_lost->n_dropped) &&
               ws_uplink_read_count(message, "gaps", &ret_lost->n_gaps) &&
               ws_uplink_read_count(message, "new_dropped", &ret_lost->n_new_dropped) &&
               ws_uplink_read_count(message, "new_gaps", &ret_lost->n_new_gaps);
}

static int ws_uplink_take_hello(WsClient *client, const WsClientMessage *message) {
        Runs runs;
        const char *reason = ws_uplink_read_hello(message, &runs);

        return reason ? ws_uplink_refuse(client, reason) : ws_uplink_hello(client, &runs);
}

static int ws_uplink_take_lost(WsClient *client, const WsClientMessage *message) {
        UplinkLost lost;

        return ws_uplink_read_lost(message, &lost)
                       ? ws_uplink_lost(client, &lost)
                       : ws_uplink_refuse(client, "the counts of a loss are four whole numbers");
}

static int ws_uplink_receive(WsClient *client, Text text) {
        __attribute__((cleanup(ws_client_message_done))) WsClientMessage message = { 0 };
        int r;

        if (client->is_binary)
                return ws_uplink_batch(client, text);
        r = ws_client_message_parse(&message, text);
        if (r < 0)
                return r;
        if (r > 0 || !ws_client_message_is_object(&message))
                return ws_uplink_refuse(client, "a message is a JSON object, or a batch");
        if (text_equal(message.type, TEXT("hello")))
                return ws_uplink_take_hello(client, &message);
        if (text_equal(message.type, TEXT("lost")))
                return ws_uplink_take_lost(client, &message);
        return ws_uplink_refuse(client, "neither hello nor lost, and no batch");
}

static int ws_uplink_format(const WsLoop *loop, const Event *event, Buf *buf) {
        (void)loop;
        (void)event;
        (void)buf;
        return 0;
}

const WsDialect ws_dialect_uplink = {
        .id = WS_DIALECT_UPLINK,
        .name = "uplink",
        .is_guarded = true,
        .hears_binary = true,
        .match = ws_uplink_match,
        .takes_device = ws_uplink_takes_device,
        .admit = ws_uplink_admit,
        .receive = ws_uplink_receive,
        .format = ws_uplink_format,
};
