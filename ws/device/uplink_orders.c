#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/text.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/device/uplink.h"
#include "ws/device/uplink_state.h"

/* Commands, which the broker of an edge has for devices. */

#define WS_UPLINK_MORE_MS 10000 /* between two questions for more commands than came */

static bool ws_uplink_has_sent(const WsUplink *uplink, Text id) {
        for (size_t i = 0; i < WS_UPLINK_MAX_SENT && i < uplink->n_sent; ++i)
                if (text_equal(text_of(uplink->sent[i]), id))
                        return true;
        return false;
}

static void ws_uplink_write_command(const Event *event,
                                    const Device *device,
                                    const User *owner,
                                    Buf *buf) {
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", "command");
        json_out_int(&out, "left_ms", (event->time_us - clock_now_us()) / 1000);
        json_out_text(&out, "command_id", event->command_id);
        json_out_int(&out, "device_id", device->id);
        json_out_string(&out, "device", device->code);
        if (owner)
                json_out_string(&out, "user", owner->name);
        json_out_raw(&out, "command", event->data);
        json_out_object_end(&out);
}

/* Once a socket; the edge knows one that comes again, and so does the device. */
static int ws_uplink_order(WsUplink *uplink, const Event *event, const Device *device) {
        WsLoop *loop = uplink->client->loop;

        if (event->time_us <= clock_now_us() || event->command_id.n >= QUERY_COMMAND_ID_SIZE ||
            ws_uplink_has_sent(uplink, event->command_id))
                return 0;
        if (!uplink->sent)
                uplink->sent = calloc(WS_UPLINK_MAX_SENT, sizeof(*uplink->sent));
        if (!uplink->sent)
                return err_new(-ENOMEM);
        snprintf(uplink->sent[uplink->n_sent++ % WS_UPLINK_MAX_SENT],
                 QUERY_COMMAND_ID_SIZE,
                 "%.*s",
                 (int)event->command_id.n,
                 event->command_id.data);
        ws_uplink_write_command(event,
                                device,
                                registry_user(loop->registry, device->user_id),
                                &loop->text);
        metric_add(METRIC_UPLINK_COMMANDS, 1);
        return err_up(ws_client_say(uplink->client, &loop->text));
}

int ws_uplink_command(WsLoop *loop, const Event *event) {
        const Device *device = registry_device(loop->registry, event->device_id);
        WsUplink *uplink;
        int r = 0;

        if (!device || device->user_id == 0)
                return 0;
        TAILQ_FOREACH(uplink, &loop->uplinks, entry) {
                const Device *edge = registry_device(loop->registry, uplink->device_id);

                if (r == 0 && uplink->is_welcome && edge && edge->user_id == device->user_id &&
                    ws_uplink_is_open(uplink) && ws_uplink_may_stay(uplink->client))
                        r = ws_uplink_order(uplink, event, device);
        }
        return r == 0 ? 0 : err_up(r);
}

static void ws_uplink_want_pending(WsUplink *uplink, int64_t in_ms) {
        uplink->wants_pending = true;
        uplink->pending_ms = clock_mono_us() / 1000 + in_ms;
}

/* Those that wait: QUERY_PENDING_COMMANDS. A device that has a socket of its own gets it there. */
static int ws_uplink_take_pending(void *owner, Event *event) {
        WsUplink *uplink = owner;
        WsLoop *loop = uplink->client->loop;
        int r = 0;

        if (!ws_uplink_is_open(uplink))
                return 0;
        if (!event || event->answer->status != 200) {
                ws_uplink_want_pending(uplink, WS_UPLINK_RETRY_MS);
                return 0;
        }
        for (size_t i = 0; r == 0 && i < event->answer->n_events; ++i)
                r = ws_uplink_command(loop, event->answer->events[i]);
        if (event->answer->is_cut) /* the rest, once some of these are done */
                ws_uplink_want_pending(uplink, WS_UPLINK_MORE_MS);
        return r == 0 ? 0 : err_up(r);
}

int ws_uplink_ask_pending(WsUplink *uplink) {
        CLEANUP(query_free) Query *query = NULL;
        const Device *edge = registry_device(uplink->client->loop->registry, uplink->device_id);
        int r;

        uplink->wants_pending = false;
        if (!edge || edge->user_id == 0)
                return 0;
        r = query_new(&query, QUERY_PENDING_COMMANDS);
        if (r < 0)
                return err_up(r);
        query->owner_id = edge->user_id;
        query->party = ws_party_device(uplink->device_id);
        r = ws_questions_ask(uplink->client->loop->questions,
                             &uplink->pending,
                             &query,
                             WS_UPLINK_ANSWER_MS,
                             ws_uplink_take_pending);
        if (r < 0)
                return err_up(r);
        if (r == WS_QUESTIONS_E_FULL)
                ws_uplink_want_pending(uplink, WS_UPLINK_RETRY_MS);
        return 0;
}
