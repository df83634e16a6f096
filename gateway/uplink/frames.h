#pragma once

/*
 * UplinkFrames: the frames of a WebSocket as messages, at its client's end (RFC 6455).
 *
 * What comes in several frames is put together. What no server may send, and what is longer than
 * UPLINK_MESSAGE_MAX, is a fault, and nothing is taken behind it: it is for the caller to end the
 * connection, with the code that it has. Memory of the caller, zeroed; one thread; no socket.
 */

#include "base/base.h"
#include "base/buf.h"

typedef struct UplinkFrames UplinkFrames;

#define UPLINK_MESSAGE_MAX ((size_t)1024 * 1024)
#define UPLINK_FRAME_HEAD  10 /* the longest of one that comes */

typedef enum UplinkOpcode {
        UPLINK_CONTINUED = 0, /* never of a message */
        UPLINK_TEXT = 1,
        UPLINK_BINARY = 2,
        UPLINK_CLOSE = 8,
        UPLINK_PING = 9,
        UPLINK_PONG = 10,
} UplinkOpcode;

struct UplinkFrames {
        Buf message;         /* that comes in several frames, */
        UplinkOpcode opcode; /* and what it is; UPLINK_CONTINUED: there is none */
        bool is_taken;       /* it was answered, and goes with the next call */
        const char *fault;   /* NULL: none */
        uint16_t code;       /* to close with, then */
};

void uplink_frames_done(UplinkFrames *frames);

/* The next message of @bytes, which begin behind it then; borrowed from them, or until the next
 * call. False: it is not whole yet, or there is a fault. */
bool uplink_frames_next(UplinkFrames *frames,
                        Text *bytes,
                        UplinkOpcode *ret_opcode,
                        Text *ret_payload);

/* A whole message, masked, as a client has to. */
void uplink_frame_write(Buf *buf, UplinkOpcode opcode, Text payload, const uint8_t mask[static 4]);
