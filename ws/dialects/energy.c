#include <strings.h>

#include "base/text.h"
#include "ws/device/edge.h"
#include "ws/dialects/admission.h"
#include "ws/dialects/client_message.h"
#include "ws/dialects/misdirected.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/dialect.h"

/*
 * Dialect B: energy edge devices. People see bare telemetry, the last known first; the device
 * itself, with its token, speaks through edge.h.
 */

static bool ws_energy_match(Text path, Text *ret_target) {
        return ws_dialect_match_level(path, TEXT("/ws/device/"), ret_target) ||
               ws_dialect_match_level(path, TEXT("/ws/dashboard/"), ret_target);
}

static bool ws_energy_takes_device(Text path) {
        Text target;

        return ws_dialect_match_level(path, TEXT("/ws/device/"), &target);
}

static int ws_energy_admit(WsClient *client, const WsIdentity *identity, Text target) {
        const Device *device =
                registry_find_device_for(client->loop->registry, identity->user, target);

        if (identity->device)
                return ws_edge_new(client, identity->device) < 0 ? 503 : 0;
        ws_admission_any(client, identity, target);
        if (!device || (!client->sees_all && !user_sees_device(identity->user, device)))
                return ws_admission_unseen(client);

        client->scope = WS_SCOPE_DEVICE;
        client->target_id = device->id;
        return 0;
}

static int ws_energy_format(const WsLoop *loop, const Event *event, Buf *buf) {
        (void)loop;
        buf_append_text(buf, event->data);
        return 0;
}

static int ws_energy_open(WsClient *client) {
        const Event *last =
                ws_last_known_get(client->loop->last_known, KIND_TELEMETRY, client->target_id);
        Buf *buf = &client->loop->text;

        if (client->edge)
                return ws_edge_open(client);
        if (!last)
                return 0;

        buf_reset(buf);
        buf_append_text(buf, last->data);
        return ws_client_say(client, buf);
}

static bool ws_energy_is_word(Text text, const char *const words[], size_t n_words) {
        for (size_t i = 0; i < n_words; ++i)
                if (text.n == strlen(words[i]) && strncasecmp(text.data, words[i], text.n) == 0)
                        return true;
        return false;
}

/* An object that says so of itself, with whatever else; a device calls no data a ping. */
static bool ws_energy_is_ping(const WsClientMessage *message) {
        static const char *const names[] = { "type", "action", "event", "op", "cmd", "method" };
        static const char *const words[] = { "ping", "pong" };
        char text[256];
        bool is_null;

        for (size_t i = 0; i < N_ELEMENTS(names); ++i)
                if (ws_client_message_member(message, names[i], text, &is_null) &&
                    ws_energy_is_word(text_of(text), words, N_ELEMENTS(words)))
                        return true;
        return false;
}

/* Whatever else is sent than what pages send to stay: nothing, a word for it, as text or as JSON,
 * or an object that is one. A device would think that it was taken, or set aside. */
static bool ws_energy_is_telemetry(Text message) {
        static const char *const words[] = { "ping",     "pong",     "heartbeat", "keepalive",
                                             "\"ping\"", "\"pong\"", "{}" };
        WsClientMessage said;
        bool keeps_alive;

        while (message.n > 0 && strchr(" \t\r\n", message.data[message.n - 1]))
                --message.n; /* a line, too */
        message = text_trim(message);
        if (message.n == 0 || ws_energy_is_word(message, words, N_ELEMENTS(words)))
                return false;
        if (ws_client_message_parse(&said, message) != 0)
                return true;
        keeps_alive = ws_energy_is_ping(&said);
        ws_client_message_done(&said);
        return !keeps_alive;
}

static int ws_energy_receive(WsClient *client, Text message) {
        if (client->edge)
                return ws_edge_receive(client, message);
        if (client->is_binary || ws_energy_is_telemetry(message))
                ws_misdirected_close(client, "telemetry needs the device's own token");
        return 0;
}

const WsDialect ws_dialect_energy = {
        .id = WS_DIALECT_ENERGY,
        .name = "B",
        .kinds = WS_DIALECT_KIND(KIND_TELEMETRY),
        .is_guarded = true,
        .hears_binary = true,
        .match = ws_energy_match,
        .takes_device = ws_energy_takes_device,
        .admit = ws_energy_admit,
        .open = ws_energy_open,
        .receive = ws_energy_receive,
        .format = ws_energy_format,
};
