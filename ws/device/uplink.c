#include "ws/device/uplink.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json_out.h"
#include "base/log.h"
#include "base/text.h"
#include "base/vec.h"
#include "model/edge/uplink.h"
#include "model/metrics.h"
#include "ws/access/party.h"
#include "ws/device/uplink_state.h"
#include "ws/loop/options.h"

#define WS_UPLINK_MAX_BATCHES 1024  /* that are not stored yet: then nothing more is read */
#define WS_UPLINK_MAX_COPIES  4     /* of one folder, at a time */
#define WS_UPLINK_TURN_US     20000 /* of the loop, for one batch: each record may be an fsync */
#define WS_UPLINK_SAID        64    /* paces of lines about devices */
#define WS_UPLINK_LOST_MS     60000 /* between two lines of what one has lost */

int ws_uplink_new(WsClient *client, const Device *device, unsigned line) {
        WsUplink *uplink = calloc(1, sizeof(*uplink));

        if (!uplink)
                return err_new(-ENOMEM);
        uplink->client = client;
        uplink->device_id = device->id;
        uplink->line = line;
        uplink->question.owner = uplink->pending.owner = uplink;
        uplink->token_generation = device->token_generation;
        uplink->sender_key = device->key_hash;
        TAILQ_INSERT_TAIL(&client->loop->uplinks, uplink, entry);
        client->uplink = uplink;
        return 0;
}

WsUplink *ws_uplink_free(WsUplink *uplink) {
        if (!uplink)
                return NULL;
        ws_questions_forget(uplink->client->loop->questions, &uplink->question);
        ws_questions_forget(uplink->client->loop->questions, &uplink->pending);
        free(uplink->sent);
        TAILQ_REMOVE(&uplink->client->loop->uplinks, uplink, entry);
        metric_add(METRIC_UPLINK_COPIED, -(int64_t)uplink->is_copied);
        metric_add(METRIC_UPLINK_LOSSY, -(int64_t)uplink->is_lossy);
        free(uplink->batches);
        buf_done(&uplink->held);
        buf_done(&uplink->record);
        free(uplink);
        return NULL;
}

int64_t ws_uplink_device(const WsUplink *uplink) {
        return uplink->device_id;
}

bool ws_uplink_may_stay(const WsClient *client) {
        const WsUplink *uplink = client->uplink;
        const Device *device = registry_device(client->loop->registry, uplink->device_id);

        return device && device->is_active && device->has_token && device->may_uplink &&
               device->token_generation == uplink->token_generation;
}

/* What was not said yet goes into one line with it. */
static void ws_uplink_note_lost(WsUplink *uplink, const UplinkLost *lost) {
        uint64_t n_dropped = uplink->unsaid.n_new_dropped + lost->n_new_dropped;
        uint64_t n_gaps = uplink->unsaid.n_new_gaps + lost->n_new_gaps;

        uplink->unsaid = *lost;
        uplink->unsaid.n_new_dropped = n_dropped;
        uplink->unsaid.n_new_gaps = n_gaps;
}

/* An edge tells of losses as often as it likes: a line a minute, with all that came since. */
static void ws_uplink_say_lost(WsUplink *uplink, int64_t now_ms) {
        const UplinkLost *lost = &uplink->unsaid;

        if (lost->n_new_dropped + lost->n_new_gaps == 0 || now_ms < uplink->lost_ms)
                return;
        log_error("uplink_lost device=%lld run=%016llx messages=%llu gaps=%llu "
                  "all_messages=%llu all_gaps=%llu hint=\"the edge has let go of what "
                  "nobody has stored: its own log says what and why\"",
                  (long long)uplink->device_id,
                  (unsigned long long)uplink->runs.items[0].id,
                  (unsigned long long)lost->n_new_dropped,
                  (unsigned long long)lost->n_new_gaps,
                  (unsigned long long)lost->n_dropped,
                  (unsigned long long)lost->n_gaps);
        uplink->unsaid = (UplinkLost){ 0 };
        uplink->lost_ms = now_ms + WS_UPLINK_LOST_MS;
}

void ws_uplink_left(WsClient *client) {
        ws_uplink_say_lost(client->uplink, INT64_MAX - WS_UPLINK_LOST_MS);
        ws_questions_forget(client->loop->questions, &client->uplink->question);
        ws_questions_forget(client->loop->questions, &client->uplink->pending);
}

/* Is @other what @uplink was before? Else each is a copy of one folder, or they have no more in
 * common than the token. Of one that says nothing of runs there is one. */
static bool ws_uplink_is_former(const WsUplink *uplink, const WsUplink *other) {
        return !other->is_greeted || !runs_are_said(&uplink->runs) ||
               !runs_are_said(&other->runs) || runs_have(&uplink->runs, other->runs.items[0].id);
}

static bool ws_uplink_is_beside(const WsUplink *uplink, const WsUplink *other) {
        return other != uplink && other->device_id == uplink->device_id && ws_uplink_is_open(other);
}

/* What it was before goes, and the oldest of those beside it where they are too many. */
static void ws_uplink_replace(const WsUplink *uplink) {
        size_t n_copies = 0;
        WsUplink *other;

        TAILQ_FOREACH(other, &uplink->client->loop->uplinks, entry)
                n_copies +=
                        ws_uplink_is_beside(uplink, other) && !ws_uplink_is_former(uplink, other);
        TAILQ_FOREACH(other, &uplink->client->loop->uplinks, entry) {
                if (!ws_uplink_is_beside(uplink, other))
                        continue;
                if (!ws_uplink_is_former(uplink, other) && n_copies-- < WS_UPLINK_MAX_COPIES)
                        continue;
                ws_client_close(other->client,
                                WS_CLOSE_POLICY,
                                "replaced by a newer connection",
                                METRIC_WS_CLOSED_REPLACED);
        }
}

int ws_uplink_refuse(WsClient *client, const char *reason) {
        static LogPace said[WS_UPLINK_SAID]; /* by device: each comes back at once */
        int64_t device_id = client->uplink->device_id;
        unsigned long long n_more;

        if (!ws_uplink_is_open(client->uplink))
                return 0; /* what came behind it */
        metric_add(METRIC_UPLINK_BROKEN, 1);
        if (log_may(&said[(uint64_t)device_id % WS_UPLINK_SAID], &n_more))
                log_warning("uplink_broken device=%lld reason=\"%s\" more=%llu",
                            (long long)device_id,
                            reason,
                            n_more);
        ws_client_close(client, WS_CLOSE_MISUSE, reason, METRIC_WS_CLOSED_MISUSE);
        return 0;
}

static void ws_uplink_pause(WsUplink *uplink, bool is_paused) {
        if (uplink->is_paused == is_paused)
                return;
        uplink->is_paused = is_paused;
        ws_client_pause(uplink->client, is_paused);
}

/* ---- where it goes on ---- */

static int ws_uplink_say(const WsUplink *uplink, const char *type, uint64_t position) {
        Buf *buf = &uplink->client->loop->text;
        JsonOut out = { .buf = buf };

        buf_reset(buf);
        json_out_object(&out, NULL);
        json_out_string(&out, "type", type);
        json_out_int(&out, "position", (int64_t)position);
        if (!uplink->is_welcome) {
                json_out_int(&out, "format", UPLINK_FORMAT);
                json_out_int(&out, "max_bytes", (int64_t)UPLINK_BATCH_BYTES);
                json_out_int(&out, "window", (int64_t)UPLINK_WINDOW_BYTES);
                json_out_array(&out, "hears");
                json_out_string(&out, NULL, "runs");
                json_out_string(&out, NULL, "lost");
                json_out_array_end(&out);
        }
        json_out_object_end(&out);
        return err_up(ws_client_say(uplink->client, buf));
}

/* How its line stands; false: that is not held here any more. */
static bool ws_uplink_look(const WsUplink *uplink, UplinkLine *ret_line) {
        const WsOptions *options = uplink->client->loop->options;

        *ret_line = (UplinkLine){ 0 };
        return !options->edge_look ||
               options->edge_look(options->inbound_arg, uplink->line, ret_line);
}

static void ws_uplink_want(WsUplink *uplink) {
        uplink->wants_position = true;
        uplink->retry_ms = clock_mono_us() / 1000 + WS_UPLINK_RETRY_MS;
}

/* It may be the only one now: the other one was, or comes again. */
static int ws_uplink_say_copied(WsUplink *uplink) {
        static const Text said = TEXT("{\"type\":\"copied\"}");
        Buf *buf = &uplink->client->loop->text;

        if (uplink->is_copied || !uplink->is_welcome)
                return 0;
        uplink->is_copied = true;
        metric_add(METRIC_UPLINK_COPIED, 1);
        log_error("uplink_copied device=%lld run=%016llx hint=\"two gateways at the edge began "
                  "with "
                  "one folder: all of both is stored; give one of them a folder and a token of its "
                  "own\"",
                  (long long)uplink->device_id,
                  (unsigned long long)uplink->runs.items[0].id);
        buf_reset(buf);
        buf_append_text(buf, said);
        return err_up(ws_client_say(uplink->client, buf));
}

/* Two of one device that go on beside each other. */
static int ws_uplink_look_beside(WsUplink *uplink) {
        WsUplink *other;
        int r = 0;

        TAILQ_FOREACH(other, &uplink->client->loop->uplinks, entry) {
                if (!ws_uplink_is_beside(uplink, other) || !other->is_greeted)
                        continue;
                if (r == 0)
                        r = ws_uplink_say_copied(uplink);
                if (r == 0)
                        r = ws_uplink_say_copied(other);
        }
        return r == 0 ? 0 : err_up(r);
}

/* The position: QUERY_UPLINK. */
static int ws_uplink_take_position(void *owner, Event *event) {
        WsUplink *uplink = owner;
        int r;

        if (!ws_uplink_is_open(uplink))
                return 0;
        if (!event || event->answer->status != 200) {
                ws_uplink_want(uplink);
                return 0;
        }
        uplink->taken_seq = uplink->read_seq = event->answer->upto_seq;
        r = ws_uplink_say(uplink, "welcome", uplink->taken_seq);
        uplink->is_welcome = true;
        if (r == 0 && event->answer->is_copied)
                r = ws_uplink_say_copied(uplink);
        if (r == 0)
                r = ws_uplink_look_beside(uplink);
        if (r == 0)
                r = ws_uplink_ask_pending(uplink);
        return r == 0 ? 0 : err_up(r);
}

static int ws_uplink_ask(WsUplink *uplink) {
        CLEANUP(query_free) Query *query = NULL;
        UplinkLine line;
        int r;

        (void)ws_uplink_look(uplink, &line);
        uplink->view = line.view;

        r = query_new(&query, QUERY_UPLINK);
        if (r < 0)
                return err_up(r);
        query->device_id = uplink->device_id;
        query->runs = calloc(1, sizeof(*query->runs));
        if (!query->runs)
                return err_new(-ENOMEM);
        *query->runs = uplink->runs;
        query->party = ws_party_device(uplink->device_id);
        r = ws_questions_ask(uplink->client->loop->questions,
                             &uplink->question,
                             &query,
                             WS_UPLINK_ANSWER_MS,
                             ws_uplink_take_position);
        if (r < 0)
                return err_up(r);
        uplink->wants_position = false;
        if (r == WS_QUESTIONS_E_FULL)
                ws_uplink_want(uplink);
        return 0;
}

int ws_uplink_hello(WsClient *client, const Runs *runs) {
        WsUplink *uplink = client->uplink;

        if (uplink->is_greeted)
                return ws_uplink_refuse(client, "hello is said once");
        uplink->is_greeted = true;
        uplink->runs = *runs;
        ws_uplink_replace(uplink);
        return err_up(ws_uplink_ask(uplink));
}

int ws_uplink_lost(WsClient *client, const UplinkLost *lost) {
        WsUplink *uplink = client->uplink;
        Buf *buf = &client->loop->text;

        if (!uplink->is_welcome)
                return ws_uplink_refuse(client, "losses before the welcome");
        if (!uplink->is_lossy)
                metric_add(METRIC_UPLINK_LOSSY, 1);
        uplink->is_lossy = true;
        metric_add(METRIC_UPLINK_LOST, (int64_t)lost->n_new_dropped);
        metric_add(METRIC_UPLINK_GAPS, (int64_t)lost->n_new_gaps);
        ws_uplink_note_lost(uplink, lost);
        ws_uplink_say_lost(uplink, clock_mono_us() / 1000);
        buf_reset(buf);
        buf_append_text(buf, TEXT("{\"type\":\"heard\"}"));
        return err_up(ws_client_say(client, buf));
}

/* ---- what it brings ---- */

static int ws_uplink_journal(WsUplink *uplink, const UplinkRecord *record, uint64_t *ret_seq) {
        const WsOptions *options = uplink->client->loop->options;
        int r;

        if (!options->inbound)
                return INBOUND_E_FULL;
        buf_reset(&uplink->record);
        uplink_mark(&uplink->record,
                    &(UplinkMark){ .device_id = uplink->device_id,
                                   .epoch = runs_of(&uplink->runs, record->seq),
                                   .after_seq = uplink->taken_seq,
                                   .seq = record->seq,
                                   .view = uplink->view,
                                   .received_us = record->received_us });
        buf_append_text(&uplink->record, record->payload);
        if (buf_failed(&uplink->record))
                return err_new(-ENOMEM);
        r = options->inbound(options->inbound_arg,
                             &(Inbound){ .door = DOOR_UPLINK,
                                         .line = uplink->line,
                                         .sender_key = uplink->sender_key,
                                         .is_retained = record->is_retained,
                                         .topic = record->topic,
                                         .payload = buf_text(&uplink->record),
                                         .ret_seq = ret_seq });
        return r < 0 ? err_up(r) : r;
}

/* It has more on its way than it was told it may. */
static bool ws_uplink_is_full(const WsUplink *uplink) {
        return uplink->n_batches >= WS_UPLINK_MAX_BATCHES ||
               uplink->n_waiting >= UPLINK_WINDOW_BYTES + UPLINK_BATCH_BYTES;
}

/* The records of a batch that is right, but for the first @skip. *ret_n: how many are in the
 * journal then. INBOUND_E_FULL: not all. */
static int ws_uplink_take(WsUplink *uplink, Text message, uint32_t skip, uint32_t *ret_n) {
        int64_t until_us = clock_mono_us() + WS_UPLINK_TURN_US;
        uint64_t at_seq = uplink->at_seq;
        UplinkRecord record;
        UplinkBatch batch;
        int r = 0;

        *ret_n = 0;
        (void)uplink_batch_open(message, &batch);
        while (uplink_batch_next(&batch, &record)) {
                if (*ret_n >= skip)
                        r = clock_mono_us() < until_us
                                    ? ws_uplink_journal(uplink, &record, &at_seq)
                                    : INBOUND_E_FULL; /* the others of the loop come first */
                if (r != 0)
                        break;
                ++*ret_n;
                uplink->at_seq = at_seq;
                uplink->taken_seq = record.seq;
        }
        if (r != 0 || *ret_n == 0)
                return r < 0 ? err_up(r) : r;
        if (!VEC_HAS_ROOM(uplink->batches, uplink->n_batches, uplink->capacity, 16))
                return err_new(-ENOMEM);
        uplink->batches[uplink->n_batches++] = (WsUplinkBatch){ .last_seq = uplink->taken_seq,
                                                                .at_seq = uplink->at_seq,
                                                                .n_bytes = message.n };
        uplink->n_waiting += message.n;
        metric_add(METRIC_UPLINK_BATCHES, 1);
        if (ws_uplink_is_full(uplink))
                ws_uplink_pause(uplink, true);
        return 0;
}

/* Why it is not one that may come now; NULL: it is. */
static const char *ws_uplink_judge(const WsUplink *uplink, Text message, uint64_t *ret_last_seq) {
        const WsOptions *options = uplink->client->loop->options;
        UplinkRecord record;
        UplinkBatch batch;

        if (!uplink->is_welcome)
                return "a batch before the welcome";
        if (!uplink_batch_open(message, &batch))
                return "not a batch";
        if (!options->sum || options->sum(0, batch.summed.data, batch.summed.n) != batch.sum)
                return "the checksum of a batch is wrong";
        if (batch.after_seq != uplink->read_seq)
                return "a batch does not follow the one before it";
        *ret_last_seq = batch.after_seq;
        while (uplink_batch_next(&batch, &record)) {
                if (record.seq <= *ret_last_seq || record.seq > INT64_MAX)
                        return "the numbers of a batch do not ascend";
                *ret_last_seq = record.seq;
        }
        return uplink_batch_is_whole(&batch) ? NULL : "a batch is not whole";
}

/* What was read already is kept; nothing more is, until there is room. */
static int ws_uplink_hold(WsUplink *uplink, Text message, uint32_t n_taken) {
        buf_append_text(&uplink->held, message);
        if (buf_failed(&uplink->held))
                return err_new(-ENOMEM);
        uplink->n_held = n_taken;
        ws_uplink_pause(uplink, true);
        return 0;
}

int ws_uplink_batch(WsClient *client, Text message) {
        WsUplink *uplink = client->uplink;
        const char *reason;
        uint64_t last_seq;
        uint32_t n_taken;
        int r;

        if (!ws_uplink_is_open(uplink) || !ws_uplink_may_stay(client))
                return 0; /* nothing is stored for it any more */
        reason = ws_uplink_judge(uplink, message, &last_seq);
        if (!reason && uplink->held.n > 0)
                reason = "more than was asked for"; /* it is paused: cannot be */
        if (reason)
                return ws_uplink_refuse(client, reason);
        uplink->read_seq = last_seq;
        r = ws_uplink_take(uplink, message, 0, &n_taken);
        if (r == INBOUND_E_FULL)
                r = ws_uplink_hold(uplink, message, n_taken);
        return r == 0 ? 0 : err_up(r);
}

/* ---- what becomes of it ---- */

static int ws_uplink_release(WsUplink *uplink) {
        uint32_t n_taken;
        int r;

        uplink->client->seen_ms = clock_mono_us() / 1000; /* we do not read: it cannot show it */
        r = ws_uplink_take(uplink, buf_text(&uplink->held), uplink->n_held, &n_taken);
        if (r == INBOUND_E_FULL) {
                uplink->n_held = n_taken;
                return 0;
        }
        buf_done(&uplink->held);
        return r == 0 ? 0 : err_up(r);
}

/* What it was told is not true any more, or what it brings has no place here: it comes back, and is
 * told anew. */
static void ws_uplink_begin_again(const WsUplink *uplink, const char *reason) {
        log_warning("uplink_again device=%lld reason=\"%s\"", (long long)uplink->device_id, reason);
        ws_client_close(uplink->client, WS_CLOSE_RESTART, reason, METRIC_WS_CLOSED_STATE_LOST);
}

static int ws_uplink_tell(WsUplink *uplink) {
        const char *reason = NULL;
        UplinkLine line;
        uint64_t position;
        size_t n = 0;

        if (!ws_uplink_look(uplink, &line))
                reason = "its slot is another node's: begin again";
        else if (line.view != uplink->view)
                reason = "the database is an older one: begin again";
        if (reason)
                ws_uplink_begin_again(uplink, reason);
        if (reason)
                return 0;
        while (n < uplink->n_batches && uplink->batches[n].at_seq <= line.stored_seq)
                uplink->n_waiting -= uplink->batches[n++].n_bytes;
        if (n == 0)
                return 0;
        position = uplink->batches[n - 1].last_seq;
        uplink->n_batches -= n;
        memmove(uplink->batches, uplink->batches + n, uplink->n_batches * sizeof(*uplink->batches));
        return err_up(ws_uplink_say(uplink, "stored", position));
}

static int ws_uplink_go_on(WsUplink *uplink, int64_t now_ms) {
        int r = 0;

        if (!ws_uplink_is_open(uplink) || !ws_uplink_may_stay(uplink->client))
                return 0;
        if (uplink->wants_position && now_ms >= uplink->retry_ms)
                r = ws_uplink_ask(uplink);
        if (r == 0 && uplink->wants_pending && now_ms >= uplink->pending_ms)
                r = ws_uplink_ask_pending(uplink);
        ws_uplink_say_lost(uplink, now_ms);
        if (r == 0 && uplink->held.n > 0)
                r = ws_uplink_release(uplink);
        if (r == 0 && uplink->is_greeted)
                r = ws_uplink_tell(uplink);
        if (r == 0 && uplink->held.n == 0 && !ws_uplink_is_full(uplink))
                ws_uplink_pause(uplink, false);
        return r == 0 ? 0 : err_up(r);
}

int ws_uplink_tick(WsLoop *loop) {
        int64_t now_ms = clock_mono_us() / 1000;
        WsUplink *uplink;
        int r = 0;

        TAILQ_FOREACH(uplink, &loop->uplinks, entry)
                if (r == 0)
                        r = ws_uplink_go_on(uplink, now_ms);
        return r == 0 ? 0 : err_up(r);
}
