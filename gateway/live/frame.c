#include "gateway/live/frame.h"

#include <math.h>
#include <stdio.h>

#include "base/err.h"
#include "model/record.h"

enum {
        FRAME_FORM = 1,
        FRAME_VARINT = 10, /* bytes of 64 bits */
};

/* What an event is, a bit each. */
enum {
        FRAME_PERSISTED = 1 << 0,
        FRAME_LATE = 1 << 1,
        FRAME_AGAIN = 1 << 2,
        FRAME_WHOLE = 1 << 3,
        FRAME_CHANGE = 1 << 4,
        FRAME_BEHIND = 1 << 5,
        FRAME_STATE = 1 << 6, /* its device's state comes with it */
        FRAME_KEYS = 1 << 7,  /* so do the keys of its vehicle and its device */
        FRAME_ALL = (1 << 8) - 1,
};

typedef struct FrameReader FrameReader;

struct FrameReader {
        const uint8_t *at, *end;
        bool is_bad;
};

/* ---- writing -------------------------------------------------------------------------------- */

static void frame_put(Buf *buf, uint64_t value) {
        for (; value >= 0x80; value >>= 7)
                buf_append_char(buf, (char)(uint8_t)((value & 0x7f) | 0x80));
        buf_append_char(buf, (char)(uint8_t)value);
}

/* Of any 64 bits none is rarer than another: a varint of them is longer. */
static void frame_put_key(Buf *buf, uint64_t key) {
        buf_append(buf, &key, sizeof(key));
}

static void frame_put_signed(Buf *buf, int64_t value) {
        frame_put(buf, (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void frame_put_text(Buf *buf, Text text) {
        frame_put(buf, text.data ? (uint64_t)text.n + 1 : 0);
        if (text.data)
                buf_append_text(buf, text);
}

static void frame_put_doubles(Buf *buf, const double values[], size_t n) {
        uint8_t known = 0;

        for (size_t i = 0; i < n; ++i)
                known |= (uint8_t)(!isnan(values[i]) << i);
        buf_append(buf, &known, 1);
        for (size_t i = 0; i < n; ++i)
                if (!isnan(values[i]))
                        buf_append(buf, &values[i], sizeof(values[i]));
}

static void frame_put_clock(Buf *buf, const DeviceClock *clock) {
        frame_put(buf, (uint64_t)clock->verdict << 1 | clock->has_zone);
        frame_put_signed(buf, clock->offset_us);
}

static void frame_put_state(Buf *buf, const DeviceState *state) {
        const double values[] = {
                state->temperature, state->humidity, state->latitude, state->longitude
        };

        frame_put_text(buf, text_of(state->status));
        frame_put_signed(buf, state->last_seen_us);
        frame_put_signed(buf, state->time_us);
        frame_put_signed(buf, state->status_us);
        frame_put_signed(buf, state->clock_set_us);
        frame_put_doubles(buf, values, N_ELEMENTS(values));
        frame_put_clock(buf, &state->clock);
}

static unsigned frame_flags(const Event *event) {
        bool has_state =
                event->state.last_seen_us != CLOCK_UNKNOWN || event->kind == KIND_DEVICE_STATUS;
        bool has_keys = event->vehicle_key != 0 || event->device_key != 0;

        return (event->persisted ? FRAME_PERSISTED : 0U) | (event->late ? FRAME_LATE : 0U) |
               (event->again ? FRAME_AGAIN : 0U) | (event->is_whole ? FRAME_WHOLE : 0U) |
               (event->is_change ? FRAME_CHANGE : 0U) | (event->behind ? FRAME_BEHIND : 0U) |
               (has_state ? FRAME_STATE : 0U) | (has_keys ? FRAME_KEYS : 0U);
}

void live_frame_begin(Buf *buf, const LiveFrame *frame) {
        buf_append_char(buf, FRAME_FORM);
        frame_put(buf, frame->slot);
        for (int i = 56; i >= 0; i -= 8)
                buf_append_char(buf, (char)(uint8_t)(frame->epoch >> i));
        frame_put(buf, frame->open_seq);
        frame_put(buf, frame->before_seq);
}

void live_frame_add(Buf *buf, uint64_t before_seq, const Event *event) {
        const double place[] = { event->latitude, event->longitude };
        unsigned flags = frame_flags(event);

        assert(event->seq > before_seq);
        frame_put(buf, event->seq - before_seq);
        frame_put(buf, (uint64_t)event->kind);
        frame_put(buf, flags);
        frame_put_signed(buf, event->received_us);
        frame_put_signed(buf, event->time_us);
        frame_put_signed(buf, event->vehicle_id);
        frame_put_signed(buf, event->device_id);
        frame_put_signed(buf, event->sensor_id);
        frame_put(buf, event->n_items);
        frame_put_doubles(buf, place, N_ELEMENTS(place));
        frame_put_clock(buf, &event->clock);
        if (flags & FRAME_KEYS) {
                frame_put_key(buf, event->vehicle_key);
                frame_put_key(buf, event->device_key);
        }
        if (flags & FRAME_STATE)
                frame_put_state(buf, &event->state);
        frame_put_text(buf, event->data);
        frame_put_text(buf, event->event_type);
        frame_put_text(buf, event->severity);
        frame_put_text(buf, event->message);
        frame_put_text(buf, event->command_id);
        frame_put_text(buf, event->said_time);
}

/* ---- reading -------------------------------------------------------------------------------- */

static FrameReader frame_reader(Text bytes) {
        static const uint8_t nothing[1];
        const uint8_t *at = bytes.n > 0 ? (const uint8_t *)bytes.data : nothing;

        return (FrameReader){ .at = at, .end = at + bytes.n };
}

static uint64_t frame_take(FrameReader *reader) {
        uint64_t value = 0;

        for (unsigned i = 0; i < FRAME_VARINT && reader->at < reader->end; ++i) {
                uint8_t byte = *reader->at++;

                if (i == FRAME_VARINT - 1 && byte > 1)
                        break;
                value |= (uint64_t)(byte & 0x7f) << (i * 7);
                if (!(byte & 0x80))
                        return value;
        }
        reader->is_bad = true;
        return 0;
}

static uint64_t frame_take_below(FrameReader *reader, uint64_t end) {
        uint64_t value = frame_take(reader);

        reader->is_bad |= value >= end;
        return reader->is_bad ? 0 : value;
}

static int64_t frame_take_signed(FrameReader *reader) {
        uint64_t value = frame_take(reader);

        return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static const uint8_t *frame_take_bytes(FrameReader *reader, uint64_t n) {
        const uint8_t *at = reader->at;

        if (n > (uint64_t)(reader->end - at)) {
                reader->is_bad = true;
                return NULL;
        }
        reader->at += n;
        return at;
}

static uint64_t frame_take_key(FrameReader *reader) {
        const uint8_t *at = frame_take_bytes(reader, sizeof(uint64_t));
        uint64_t key = 0;

        if (at)
                memcpy(&key, at, sizeof(key));
        return key;
}

static Text frame_take_text(FrameReader *reader) {
        uint64_t n = frame_take(reader);
        const uint8_t *at = n > 0 ? frame_take_bytes(reader, n - 1) : NULL;

        return at ? (Text){ (const char *)at, (size_t)n - 1 } : (Text){ 0 };
}

static void frame_take_doubles(FrameReader *reader, double ret_values[], size_t n) {
        const uint8_t *known = frame_take_bytes(reader, 1);

        for (size_t i = 0; i < n; ++i) {
                const uint8_t *at = NULL;

                if (known && *known >> i & 1)
                        at = frame_take_bytes(reader, sizeof(*ret_values));
                ret_values[i] = (double)NAN;
                if (at)
                        memcpy(&ret_values[i], at, sizeof(*ret_values));
                reader->is_bad |= isinf(ret_values[i]) != 0;
        }
}

static void frame_take_clock(FrameReader *reader, DeviceClock *ret_clock) {
        uint64_t what = frame_take_below(reader, (uint64_t)CLOCK_VERDICTS << 1);

        *ret_clock = (DeviceClock){ .verdict = (ClockVerdict)(what >> 1), .has_zone = what & 1 };
        ret_clock->offset_us = frame_take_signed(reader);
}

static void frame_take_state(FrameReader *reader, DeviceState *ret_state) {
        Text status = frame_take_text(reader);
        double values[4];

        *ret_state = device_state_unknown();
        if (status.n >= sizeof(ret_state->status) ||
            (status.n > 0 && memchr(status.data, 0, status.n)))
                reader->is_bad = true;
        else
                snprintf(ret_state->status,
                         sizeof(ret_state->status),
                         "%.*s",
                         (int)status.n,
                         status.data ? status.data : "");
        ret_state->last_seen_us = frame_take_signed(reader);
        ret_state->time_us = frame_take_signed(reader);
        ret_state->status_us = frame_take_signed(reader);
        ret_state->clock_set_us = frame_take_signed(reader);
        frame_take_doubles(reader, values, N_ELEMENTS(values));
        ret_state->temperature = values[0];
        ret_state->humidity = values[1];
        ret_state->latitude = values[2];
        ret_state->longitude = values[3];
        frame_take_clock(reader, &ret_state->clock);
}

/* Where the texts of an event go in a record of its kind. */
static void frame_spread(FrameReader *reader, Record *record) {
        Text data = frame_take_text(reader), type = frame_take_text(reader);
        Text severity = frame_take_text(reader), message = frame_take_text(reader);
        Text command_id = frame_take_text(reader);

        record->said_time = frame_take_text(reader);
        record->data = data;
        switch (record->kind) {
        case KIND_CAMERA_EVENT:
                record->camera.event_type = type;
                break;
        case KIND_ALERT:
                record->alert.extra = data;
                record->alert.alert_type = type;
                record->alert.severity = severity;
                record->alert.message = message;
                break;
        case KIND_COMMAND_ACK:
        case KIND_COMMAND_STATE:
                record->ack.command_id = command_id;
                record->ack.state = type;
                record->ack.message = message;
                break;
        default:
                break;
        }
}

static int frame_take_event(FrameReader *reader, uint64_t before_seq, Event **ret_event) {
        DeviceState state = device_state_unknown();
        Record record = { .seq = before_seq + frame_take_below(reader, UINT64_MAX / 2) };
        DeviceClock clock;
        double place[2];
        uint64_t flags, n_items;
        int64_t sensor_id;
        int r;

        record.kind = (Kind)frame_take_below(reader, KIND_COUNT);
        flags = frame_take_below(reader, FRAME_ALL + 1);
        record.received_us = frame_take_signed(reader);
        record.time_us = frame_take_signed(reader);
        record.vehicle_id = frame_take_signed(reader);
        record.device_id = frame_take_signed(reader);
        sensor_id = frame_take_signed(reader);
        n_items = frame_take_below(reader, UINT32_MAX);
        frame_take_doubles(reader, place, N_ELEMENTS(place));
        frame_take_clock(reader, &clock);
        if (flags & FRAME_KEYS) {
                record.vehicle_key = frame_take_key(reader);
                record.device_key = frame_take_key(reader);
        }
        if (flags & FRAME_STATE)
                frame_take_state(reader, &state);
        frame_spread(reader, &record);
        if (reader->is_bad || record.kind == KIND_NONE || record.seq <= before_seq ||
            sensor_id != (int32_t)sensor_id)
                return LIVE_FRAME_E_UNREADABLE;

        record.late = flags & FRAME_LATE;
        record.merges = flags & FRAME_CHANGE;
        r = event_new_message(ret_event, &record, &state, flags & FRAME_PERSISTED);
        if (r < 0)
                return err_up(r);
        (*ret_event)->behind = flags & FRAME_BEHIND;
        (*ret_event)->again = flags & FRAME_AGAIN;
        (*ret_event)->is_whole = flags & FRAME_WHOLE;
        (*ret_event)->sensor_id = (int32_t)sensor_id;
        (*ret_event)->n_items = (uint32_t)n_items;
        (*ret_event)->latitude = place[0];
        (*ret_event)->longitude = place[1];
        (*ret_event)->clock = clock;
        return 0;
}

static bool frame_take_head(FrameReader *reader, LiveFrame *ret_frame) {
        const uint8_t *form = frame_take_bytes(reader, 1), *epoch;

        ret_frame->slot = (uint16_t)frame_take_below(reader, UINT16_MAX);
        ret_frame->epoch = 0;
        epoch = frame_take_bytes(reader, 8);
        for (size_t i = 0; epoch && i < 8; ++i)
                ret_frame->epoch = ret_frame->epoch << 8 | epoch[i];
        ret_frame->open_seq = frame_take_below(reader, UINT64_MAX / 2);
        ret_frame->before_seq = frame_take_below(reader, UINT64_MAX / 2);
        return form && *form == FRAME_FORM && !reader->is_bad;
}

int live_frame_peek(Text bytes, LiveFrame *ret_frame) {
        FrameReader reader = frame_reader(bytes);

        return frame_take_head(&reader, ret_frame) ? 0 : LIVE_FRAME_E_UNREADABLE;
}

/* Of the frame, and all that is not a message's own. */
static void frame_name(const LiveFrame *frame, uint64_t before_seq, Event *event) {
        event->slot = frame->slot;
        event->epoch = frame->epoch;
        event->before_seq = before_seq;
}

static int frame_take_events(FrameReader *reader,
                             const LiveFrame *frame,
                             Event *events[],
                             size_t *n) {
        uint64_t before_seq = frame->before_seq;
        int r;

        if (reader->at == reader->end) {
                r = event_new_gap(&events[0], before_seq, 0);
                if (r < 0)
                        return err_up(r);
                frame_name(frame, 0, events[(*n)++]);
                return 0;
        }
        while (reader->at < reader->end) {
                r = *n < LIVE_FRAME_EVENTS ? frame_take_event(reader, before_seq, &events[*n])
                                           : LIVE_FRAME_E_UNREADABLE;
                if (r != 0)
                        return r < 0 ? err_up(r) : r;
                frame_name(frame, before_seq, events[*n]);
                before_seq = events[(*n)++]->seq;
        }
        return 0;
}

int live_frame_read(Text bytes, Event *ret_events[LIVE_FRAME_EVENTS], size_t *ret_n) {
        FrameReader reader = frame_reader(bytes);
        LiveFrame frame;
        size_t n = 0;
        int r;

        r = frame_take_head(&reader, &frame) ? frame_take_events(&reader, &frame, ret_events, &n)
                                             : LIVE_FRAME_E_UNREADABLE;
        if (r != 0) {
                while (n > 0)
                        event_unref(ret_events[--n]);
                return r < 0 ? err_up(r) : r;
        }
        *ret_n = n;
        return 0;
}
