#include "gateway/uplink/frames.h"

#define FRAME_FIN         0x80
#define FRAME_RESERVED    0x70
#define FRAME_OPCODE      0x0f
#define FRAME_MASKED      0x80
#define FRAME_CONTROL     0x08 /* of an opcode */
#define FRAME_CONTROL_MAX 125

#define FRAME_CODE_PROTOCOL 1002
#define FRAME_CODE_TOO_LONG 1009

typedef struct UplinkFrame UplinkFrame;

struct UplinkFrame {
        bool is_last, is_control;
        UplinkOpcode opcode;
        size_t n_head;
        uint64_t n;
};

void uplink_frames_done(UplinkFrames *frames) {
        buf_done(&frames->message);
}

static bool frames_fail(UplinkFrames *frames, uint16_t code, const char *fault) {
        frames->code = code;
        frames->fault = fault;
        return false;
}

/* Its head; false: that is not whole. */
static bool frame_read(Text bytes, UplinkFrame *ret_frame) {
        const uint8_t *at = (const uint8_t *)bytes.data;
        size_t n_size = 0;
        uint64_t n;

        if (bytes.n < 2)
                return false;
        n = at[1] & (FRAME_MASKED - 1);
        if (n >= 126)
                n_size = n == 126 ? 2 : 8;
        if (bytes.n < 2 + n_size)
                return false;
        if (n_size > 0)
                n = 0;
        for (size_t i = 0; i < n_size; ++i)
                n = n << 8 | at[2 + i];
        *ret_frame = (UplinkFrame){
                .is_last = (at[0] & FRAME_FIN) != 0,
                .is_control = (at[0] & FRAME_CONTROL) != 0,
                .opcode = (UplinkOpcode)(at[0] & FRAME_OPCODE),
                .n_head = 2 + n_size,
                .n = n,
        };
        return true;
}

/* Why no server may send it, where two bytes say so; NULL: it may. */
static const char *frame_judge(const uint8_t *at, bool is_inside) {
        uint8_t opcode = at[0] & FRAME_OPCODE;

        if (at[0] & FRAME_RESERVED)
                return "a frame has bits that were not agreed on";
        if (at[1] & FRAME_MASKED)
                return "a frame is masked";
        if (opcode & FRAME_CONTROL) {
                if (opcode > UPLINK_PONG)
                        return "a frame is of no known kind";
                if (!(at[0] & FRAME_FIN) || at[1] > FRAME_CONTROL_MAX)
                        return "a control frame is too long, or one of several";
                return NULL;
        }
        if (opcode > UPLINK_BINARY)
                return "a frame is of no known kind";
        if ((opcode == UPLINK_CONTINUED) != is_inside)
                return is_inside ? "a message begins within another" : "a message has no beginning";
        return NULL;
}

/* One frame of a message, or all of it; true: it is complete. */
static bool frames_join(UplinkFrames *frames,
                        const UplinkFrame *frame,
                        UplinkOpcode *ret_opcode,
                        Text *payload) {
        *ret_opcode = frame->opcode;
        if (frame->is_control || (frame->is_last && frame->opcode != UPLINK_CONTINUED))
                return true;
        if (frame->opcode != UPLINK_CONTINUED)
                frames->opcode = frame->opcode;
        buf_append_text(&frames->message, *payload);
        if (buf_failed(&frames->message))
                return frames_fail(frames, FRAME_CODE_TOO_LONG, "there is no memory for a message");
        if (!frame->is_last)
                return false;
        *ret_opcode = frames->opcode;
        *payload = buf_text(&frames->message);
        frames->opcode = UPLINK_CONTINUED;
        frames->is_taken = true;
        return true;
}

bool uplink_frames_next(UplinkFrames *frames,
                        Text *bytes,
                        UplinkOpcode *ret_opcode,
                        Text *ret_payload) {
        if (frames->is_taken)
                buf_reset(&frames->message);
        frames->is_taken = false;
        while (!frames->fault && bytes->n >= 2) {
                UplinkFrame frame;
                const char *fault = frame_judge((const uint8_t *)bytes->data,
                                                frames->opcode != UPLINK_CONTINUED);

                if (fault)
                        return frames_fail(frames, FRAME_CODE_PROTOCOL, fault);
                if (!frame_read(*bytes, &frame))
                        return false;
                if (!frame.is_control && frame.n > UPLINK_MESSAGE_MAX - frames->message.n)
                        return frames_fail(frames,
                                           FRAME_CODE_TOO_LONG,
                                           "a message is longer than 1 MiB");
                if (bytes->n - frame.n_head < frame.n)
                        return false;
                *ret_payload = (Text){ bytes->data + frame.n_head, (size_t)frame.n };
                bytes->data += frame.n_head + (size_t)frame.n;
                bytes->n -= frame.n_head + (size_t)frame.n;
                if (frames_join(frames, &frame, ret_opcode, ret_payload))
                        return true;
        }
        return false;
}

void uplink_frame_write(Buf *buf, UplinkOpcode opcode, Text payload, const uint8_t mask[static 4]) {
        uint8_t head[UPLINK_FRAME_HEAD] = { (uint8_t)(FRAME_FIN | opcode) };
        size_t n_size = 0, at;

        if (payload.n > UINT16_MAX)
                n_size = 8;
        else if (payload.n > FRAME_CONTROL_MAX)
                n_size = 2;
        head[1] = n_size == 0 ? (uint8_t)payload.n : n_size == 2 ? 126 : 127;
        head[1] |= FRAME_MASKED;
        for (size_t i = 0; i < n_size; ++i)
                head[2 + i] = (uint8_t)((uint64_t)payload.n >> (8 * (n_size - 1 - i)));
        buf_append(buf, head, 2 + n_size);
        buf_append(buf, mask, 4);
        at = buf->n;
        buf_append_text(buf, payload);
        for (size_t i = 0; !buf_failed(buf) && i < payload.n; ++i)
                buf->data[at + i] = (char)((uint8_t)buf->data[at + i] ^ mask[i % 4]);
}
