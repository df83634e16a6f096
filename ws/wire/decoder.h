#pragma once

/*
 * WsDecoder: the frames of one WebSocket as its client sends them (RFC 6455 5), from bytes that
 * come in pieces of any size.
 *
 * Unmasks in place and hands on the pieces of a message as they come, so that nothing large is kept
 * here. A control frame comes whole. What a client may not send (a frame without mask, a reserved
 * bit or opcode, a length in too many bytes, a long or fragmented control frame, a close code that
 * is none, text that is no UTF-8) is WS_DECODED_BROKEN, at the first byte that shows it; nothing is
 * read after that. Compressed text is for who decompresses it to check. Pure.
 */

#include "base/base.h"

#define WS_DECODER_CONTROL 125

typedef struct WsDecoded WsDecoded;
typedef struct WsDecoder WsDecoder;
typedef struct WsUtf8 WsUtf8;

/* Text that comes in pieces; zeroed at its begin. */
struct WsUtf8 {
        uint8_t n_left, low, high; /* bytes missing of a character; what the next of them may be */
};

bool ws_utf8_feed(WsUtf8 *utf8, Text piece); /* false: it is none */
bool ws_utf8_is_whole(const WsUtf8 *utf8);

typedef enum WsDecodedKind {
        WS_DECODED_NOTHING, /* needs more bytes */
        WS_DECODED_PIECE,
        WS_DECODED_PING,
        WS_DECODED_PONG,
        WS_DECODED_CLOSE,
        WS_DECODED_BROKEN,
} WsDecodedKind;

struct WsDecoded {
        WsDecodedKind kind;
        Text payload;              /* of a close: the reason */
        bool is_first, is_last;    /* piece of its message */
        bool is_binary, is_packed; /* the message */
        uint64_t n_coming;         /* bytes of the frame behind this piece, or behind its header */
        int code;                  /* of a close (0: it has none), or to close with */
        const char *reason;        /* to close with; static */
};

struct WsDecoder {
        bool takes_packed; /* permessage-deflate was agreed upon */
        uint8_t header[14];
        size_t n_header;
        bool in_frame, is_final;
        uint8_t opcode;
        uint64_t n_left; /* of the payload */
        uint8_t mask[4];
        size_t n_masked;
        bool in_message, is_first, is_binary, is_packed;
        WsUtf8 utf8;
        size_t n_control;
        uint8_t control[WS_DECODER_CONTROL];
};

/* Reads up to one event out of @data, which it changes; how much of it was used. */
size_t ws_decoder_feed(WsDecoder *decoder, char *data, size_t n, WsDecoded *ret_decoded);
