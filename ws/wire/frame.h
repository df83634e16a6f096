#pragma once

/*
 * WsFrame: one text message as it goes over the wire, RFC 6455 header included, made once and
 * shared by reference between all who receive it.
 *
 * Immutable, but for its compressed form, which is made when the first asks for it and is shared
 * in the same way. References are counted without atomics: frames never leave the loop's thread.
 * A large payload becomes a series of fragments, so that a control frame fits between two writes;
 * ws_frame_cut() says where a write may end.
 */

#include "base/base.h"

typedef struct WsFrame WsFrame;
typedef struct WsPacker WsPacker;

#define WS_FRAME_FRAGMENT 32768 /* bytes of payload in one fragment */

struct WsFrame {
        unsigned n_refs;
        bool is_unmetered; /* a list that was asked for: does not count against the queue's limit */
        bool is_plain;     /* has no compressed form, and shall have none */
        WsFrame *packed;   /* owned; NULL = not made (yet) */
        size_t n;
        uint64_t key;    /* a newer frame with this key makes this one stale; 0 = never */
        int64_t made_us; /* CLOCK_MONOTONIC */
        uint8_t data[];
};

MUST_CHECK int ws_frame_new(WsFrame **ret_frame, Text payload, uint64_t key);
/* With a PING of @mark (at most 125 bytes) right behind it: the PONG proves that it was read. */
MUST_CHECK int ws_frame_new_marked(WsFrame **ret_frame, Text payload, Text mark);
/* The compressed form (permessage-deflate), borrowed from @frame; @frame where it has none. */
WsFrame *ws_frame_packed(WsFrame *frame, WsPacker *packer);
/* The bytes as they are: for what is no WebSocket. */
MUST_CHECK int ws_frame_new_raw(WsFrame **ret_frame, Text bytes, uint64_t key);
WsFrame *ws_frame_ref(WsFrame *frame);
WsFrame *ws_frame_unref(WsFrame *frame);

/* The largest place at or before @limit, but after @from, where a write of the frame may end. */
size_t ws_frame_cut(const WsFrame *frame, size_t from, size_t limit);

/* The conflation key of a kind of message and what it is about; never 0. */
uint64_t ws_frame_key(unsigned kind, int64_t entity, int32_t part);

/* Control frames as bytes. */
#define WS_FRAME_PING_SIZE  10
#define WS_FRAME_CLOSE_SIZE 127
#define WS_FRAME_PONG       0x8a /* the first byte of one, and of a close: before the length */
#define WS_FRAME_BYE        0x88
extern const uint8_t ws_frame_ping[WS_FRAME_PING_SIZE];
size_t ws_frame_close(uint8_t ret_bytes[WS_FRAME_CLOSE_SIZE], int code, const char *reason);

bool ws_frame_is_utf8(Text text);

DEFINE_CLEANUP(WsFrame *, ws_frame_unref);
