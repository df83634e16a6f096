#include "ws/wire/frame.h"

#include "base/clock.h"
#include "base/err.h"
#include "ws/wire/packer.h"

#define WS_FRAME_HEADER_SIZE 4 /* of a full fragment: two bytes and a 16-bit length */

enum {
        WS_FRAME_FIN = 0x80,
        WS_FRAME_PACKED = 0x40, /* RSV1 of RFC 7692, on the first fragment alone */
        WS_FRAME_CONTINUATION = 0x0,
        WS_FRAME_TEXT = 0x1,
        WS_FRAME_CLOSE = 0x8,
        WS_FRAME_PING = 0x9,
        WS_FRAME_SHORT = 125, /* longest payload with a one-byte length */
};

const uint8_t ws_frame_ping[WS_FRAME_PING_SIZE] = {
        0x89, 8, 't', 'i', 'd', 'e', 'g', 'a', 't', 'e'
};

static size_t ws_frame_write_header(uint8_t *to, uint8_t first, size_t n) {
        to[0] = first;
        if (n <= WS_FRAME_SHORT) {
                to[1] = (uint8_t)n;
                return 2;
        }
        to[1] = 126;
        to[2] = (uint8_t)(n >> 8);
        to[3] = (uint8_t)n;
        return WS_FRAME_HEADER_SIZE;
}

/* As a message that begins with @first: an opcode and, where it is compressed, RSV1. */
static size_t ws_frame_write(uint8_t *to, uint8_t first, Text payload) {
        size_t n = 0;

        for (;;) {
                size_t part = payload.n < WS_FRAME_FRAGMENT ? payload.n : WS_FRAME_FRAGMENT;
                bool is_last = part == payload.n;

                n += ws_frame_write_header(to + n, first | (is_last ? WS_FRAME_FIN : 0), part);
                if (part > 0)
                        memcpy(to + n, payload.data, part);
                n += part;
                if (is_last)
                        return n;
                payload = (Text){ .data = payload.data + part, .n = payload.n - part };
                first = WS_FRAME_CONTINUATION;
        }
}

static int ws_frame_make(WsFrame **ret_frame, uint8_t first, Text payload) {
        size_t n_fragments = payload.n / WS_FRAME_FRAGMENT + 1;
        WsFrame *frame;

        frame = malloc(sizeof(*frame) + payload.n + n_fragments * WS_FRAME_HEADER_SIZE);
        if (!frame)
                return err_new(-ENOMEM);

        *frame = (WsFrame){ .n_refs = 1 };
        frame->n = ws_frame_write(frame->data, first, payload);
        *ret_frame = frame;
        return 0;
}

int ws_frame_new(WsFrame **ret_frame, Text payload, uint64_t key) {
        int r;

        r = ws_frame_make(ret_frame, WS_FRAME_TEXT, payload);
        if (r < 0)
                return err_up(r);

        (*ret_frame)->key = key;
        (*ret_frame)->made_us = clock_mono_us();
        return 0;
}

int ws_frame_new_marked(WsFrame **ret_frame, Text payload, Text mark) {
        WsFrame *frame = NULL;
        WsFrame *longer;
        int r;

        assert(mark.n <= WS_FRAME_SHORT);
        r = ws_frame_new(&frame, payload, 0);
        if (r < 0)
                return err_up(r);
        longer = realloc(frame, sizeof(*frame) + frame->n + 2 + mark.n);
        if (!longer) {
                ws_frame_unref(frame);
                return err_new(-ENOMEM);
        }
        longer->n += ws_frame_write_header(longer->data + longer->n,
                                           WS_FRAME_FIN | WS_FRAME_PING,
                                           mark.n);
        memcpy(longer->data + longer->n, mark.data, mark.n);
        longer->n += mark.n;
        longer->is_plain = true;
        *ret_frame = longer;
        return 0;
}

int ws_frame_new_raw(WsFrame **ret_frame, Text bytes, uint64_t key) {
        WsFrame *frame;

        frame = malloc(sizeof(*frame) + bytes.n);
        if (!frame)
                return err_new(-ENOMEM);

        *frame = (WsFrame){ .n_refs = 1, .key = key, .made_us = clock_mono_us(), .n = bytes.n };
        if (bytes.n > 0)
                memcpy(frame->data, bytes.data, bytes.n);
        *ret_frame = frame;
        return 0;
}

WsFrame *ws_frame_ref(WsFrame *frame) {
        ++frame->n_refs;
        return frame;
}

WsFrame *ws_frame_unref(WsFrame *frame) {
        if (!frame || --frame->n_refs > 0)
                return NULL;

        ws_frame_unref(frame->packed);
        free(frame);
        return NULL;
}

/* The payload of the fragment at @at, which moves on behind it. */
static Text ws_frame_part(const WsFrame *frame, size_t *at) {
        const uint8_t *header = frame->data + *at;
        bool is_short = header[1] <= WS_FRAME_SHORT;
        size_t n = is_short ? header[1] : (size_t)header[2] << 8 | header[3];
        size_t n_header = is_short ? 2 : WS_FRAME_HEADER_SIZE;

        *at += n_header + n;
        return (Text){ .data = (const char *)header + n_header, .n = n };
}

/* The same message, compressed; NULL where that gains nothing, or does not work. */
static WsFrame *ws_frame_pack(const WsFrame *frame, WsPacker *packer) {
        WsFrame *packed = NULL;
        size_t at = 0;
        Text payload;

        ws_packer_begin(packer);
        while (at < frame->n)
                ws_packer_feed(packer, ws_frame_part(frame, &at));
        payload = ws_packer_end(packer);
        if (!payload.data || payload.n + WS_FRAME_HEADER_SIZE >= frame->n)
                return NULL;
        if (ws_frame_make(&packed, WS_FRAME_TEXT | WS_FRAME_PACKED, payload) < 0)
                return NULL;

        packed->is_unmetered = frame->is_unmetered;
        packed->key = frame->key;
        packed->made_us = frame->made_us;
        return packed;
}

WsFrame *ws_frame_packed(WsFrame *frame, WsPacker *packer) {
        if (!frame->is_plain && !frame->packed)
                frame->packed = ws_frame_pack(frame, packer);
        frame->is_plain = !frame->packed;
        return frame->packed ? frame->packed : frame;
}

size_t ws_frame_cut(const WsFrame *frame, size_t from, size_t limit) {
        const size_t step = WS_FRAME_HEADER_SIZE + WS_FRAME_FRAGMENT;
        size_t end;

        if (limit >= frame->n)
                return frame->n;

        end = limit / step * step;
        if (end <= from)
                end = from + step;
        return end < frame->n ? end : frame->n;
}

/* splitmix64: so well mixed that two things in one queue never share a key by accident. */
static uint64_t ws_frame_mix(uint64_t x) {
        x += 0x9e3779b97f4a7c15;
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
        x = (x ^ x >> 27) * 0x94d049bb133111eb;
        return x ^ x >> 31;
}

uint64_t ws_frame_key(unsigned kind, int64_t entity, int32_t part) {
        uint64_t key = ws_frame_mix(ws_frame_mix(kind) ^ (uint64_t)entity);

        key = ws_frame_mix(key ^ (uint32_t)part);
        return key ? key : 1;
}

size_t ws_frame_close(uint8_t ret_bytes[WS_FRAME_CLOSE_SIZE], int code, const char *reason) {
        size_t n = 0;

        for (; n < WS_FRAME_SHORT - 2 && reason[n]; ++n)
                ret_bytes[4 + n] = (uint8_t)reason[n];
        ret_bytes[0] = WS_FRAME_FIN | WS_FRAME_CLOSE;
        ret_bytes[1] = (uint8_t)(n + 2);
        ret_bytes[2] = (uint8_t)(code >> 8);
        ret_bytes[3] = (uint8_t)code;
        return n + 4;
}

/* How long the sequence is that begins with @first and what its second byte may be; 0 if none. */
static size_t ws_frame_utf8_sequence(uint8_t first, uint8_t *ret_low, uint8_t *ret_high) {
        *ret_low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        *ret_high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (first < 0x80)
                return 1;
        if (first >= 0xc2 && first <= 0xdf)
                return 2;
        if (first >= 0xe0 && first <= 0xef)
                return 3;
        return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

bool ws_frame_is_utf8(Text text) {
        for (size_t i = 0; i < text.n;) {
                uint8_t low, high;
                size_t n = ws_frame_utf8_sequence((uint8_t)text.data[i], &low, &high);

                if (n == 0 || n > text.n - i)
                        return false;
                for (size_t k = 1; k < n; ++k) {
                        uint8_t c = (uint8_t)text.data[i + k];

                        if (c < (k == 1 ? low : 0x80) || c > (k == 1 ? high : 0xbf))
                                return false;
                }
                i += n;
        }
        return true;
}
