#include "ws/wire/decoder.h"

enum {
        WS_DECODER_FIN = 0x80,
        WS_DECODER_RSV1 = 0x40,
        WS_DECODER_RSV = 0x30,
        WS_DECODER_MASKED = 0x80,
        WS_DECODER_CONTINUATION = 0x0,
        WS_DECODER_TEXT = 0x1,
        WS_DECODER_BINARY = 0x2,
        WS_DECODER_CLOSE = 0x8,
        WS_DECODER_PING = 0x9,
        WS_DECODER_PONG = 0xa,
        WS_DECODER_CODE_PROTOCOL = 1002,
        WS_DECODER_CODE_BAD_DATA = 1007,
};

/* What may follow the first byte of a character; false: none begins so. */
static bool ws_utf8_begin(WsUtf8 *utf8, uint8_t first) {
        utf8->low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        utf8->high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (first < 0x80)
                utf8->n_left = 0;
        else if (first >= 0xc2 && first <= 0xdf)
                utf8->n_left = 1;
        else if (first >= 0xe0 && first <= 0xef)
                utf8->n_left = 2;
        else if (first >= 0xf0 && first <= 0xf4)
                utf8->n_left = 3;
        else
                return false;
        return true;
}

bool ws_utf8_feed(WsUtf8 *utf8, Text piece) {
        for (size_t i = 0; i < piece.n; ++i) {
                uint8_t c = (uint8_t)piece.data[i];

                if (utf8->n_left == 0) {
                        if (!ws_utf8_begin(utf8, c))
                                return false;
                        continue;
                }
                if (c < utf8->low || c > utf8->high)
                        return false;
                --utf8->n_left;
                utf8->low = 0x80;
                utf8->high = 0xbf;
        }
        return true;
}

bool ws_utf8_is_whole(const WsUtf8 *utf8) {
        return utf8->n_left == 0;
}

static WsDecoded ws_decoder_broken(int code, const char *reason) {
        return (WsDecoded){ .kind = WS_DECODED_BROKEN, .code = code, .reason = reason };
}

static bool ws_decoder_is_control(const WsDecoder *decoder) {
        return decoder->opcode >= WS_DECODER_CLOSE;
}

/* How long the header is that begins with these bytes. */
static size_t ws_decoder_header_size(const WsDecoder *decoder) {
        uint8_t length = decoder->header[1] & 0x7f;

        if (decoder->n_header < 2)
                return 2;
        return 2 + 4 + (length == 126 ? 2 : length == 127 ? 8 : 0);
}

/* NULL, or what is wrong with the first two bytes of a frame. */
static const char *ws_decoder_fault(const WsDecoder *decoder) {
        const uint8_t *header = decoder->header;
        uint8_t opcode = header[0] & 0x0f;
        bool is_data = opcode == WS_DECODER_TEXT || opcode == WS_DECODER_BINARY;
        bool is_packed = (header[0] & WS_DECODER_RSV1) != 0;

        if ((header[0] & WS_DECODER_RSV) != 0 || (is_packed && !(decoder->takes_packed && is_data)))
                return "a reserved bit is set";
        if (!is_data && opcode != WS_DECODER_CONTINUATION &&
            (opcode < WS_DECODER_CLOSE || opcode > WS_DECODER_PONG))
                return "no such opcode";
        if (!(header[1] & WS_DECODER_MASKED))
                return "a frame without a mask";
        if (opcode >= WS_DECODER_CLOSE &&
            (!(header[0] & WS_DECODER_FIN) || (header[1] & 0x7f) > WS_DECODER_CONTROL))
                return "a control frame too long or in fragments";
        if (is_data && decoder->in_message)
                return "a message within another";
        if (opcode == WS_DECODER_CONTINUATION && !decoder->in_message)
                return "a continuation of nothing";
        return NULL;
}

static void ws_decoder_begin_frame(WsDecoder *decoder) {
        const uint8_t *header = decoder->header;
        uint8_t length = header[1] & 0x7f;
        size_t n_length = length == 126 ? 2 : length == 127 ? 8 : 0;

        decoder->n_left = n_length == 0 ? length : 0;
        for (size_t i = 0; i < n_length; ++i)
                decoder->n_left = decoder->n_left << 8 | header[2 + i];
        memcpy(decoder->mask, header + 2 + n_length, sizeof(decoder->mask));
        decoder->n_masked = 0;
        decoder->in_frame = true;
        decoder->is_final = (header[0] & WS_DECODER_FIN) != 0;
        decoder->opcode = header[0] & 0x0f;
        decoder->n_header = 0;
        decoder->n_control = 0;
        if (decoder->opcode == WS_DECODER_TEXT || decoder->opcode == WS_DECODER_BINARY) {
                decoder->in_message = decoder->is_first = true;
                decoder->is_binary = decoder->opcode == WS_DECODER_BINARY;
                decoder->is_packed = (header[0] & WS_DECODER_RSV1) != 0;
                decoder->utf8 = (WsUtf8){ 0 };
        }
}

/* NULL, or what is wrong with the length of the frame that begins (RFC 6455 5.2: it is written in
 * as few bytes as it fits in, so that no two readers can differ about it). */
static const char *ws_decoder_length_fault(const WsDecoder *decoder) {
        uint8_t length = decoder->header[1] & 0x7f;

        if (decoder->n_left >> 63 != 0)
                return "a length too long";
        if ((length == 126 && decoder->n_left < 126) ||
            (length == 127 && decoder->n_left <= UINT16_MAX))
                return "a length in more bytes than it needs";
        return NULL;
}

/* Takes bytes of the header; true once it is complete, or *@ret_decoded says it is broken. */
static bool ws_decoder_header(WsDecoder *decoder,
                              const char *data,
                              size_t n,
                              size_t *used,
                              WsDecoded *ret_decoded) {
        while (*used < n) {
                const char *fault = NULL;
                bool is_complete;

                decoder->header[decoder->n_header++] = (uint8_t)data[(*used)++];
                is_complete = decoder->n_header >= 2 &&
                              decoder->n_header >= ws_decoder_header_size(decoder);
                if (decoder->n_header == 2)
                        fault = ws_decoder_fault(decoder);
                if (is_complete) {
                        ws_decoder_begin_frame(decoder);
                        fault = ws_decoder_length_fault(decoder);
                }
                if (fault)
                        *ret_decoded = ws_decoder_broken(WS_DECODER_CODE_PROTOCOL, fault);
                if (fault || is_complete)
                        return !fault;
        }
        return false;
}

static void ws_decoder_unmask(WsDecoder *decoder, char *data, size_t n) {
        for (size_t i = 0; i < n; ++i)
                data[i] = (char)((uint8_t)data[i] ^ decoder->mask[(decoder->n_masked + i) & 3]);
        decoder->n_masked += n;
        decoder->n_left -= n;
}

static bool ws_decoder_is_code(int code) {
        return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
               (code >= 3000 && code <= 4999);
}

static WsDecoded ws_decoder_close(const WsDecoder *decoder) {
        const uint8_t *bytes = decoder->control;
        WsDecoded decoded = { .kind = WS_DECODED_CLOSE };
        WsUtf8 utf8 = { 0 };

        if (decoder->n_control == 0)
                return decoded;
        if (decoder->n_control == 1)
                return ws_decoder_broken(WS_DECODER_CODE_PROTOCOL, "half a close code");
        decoded.code = bytes[0] << 8 | bytes[1];
        decoded.payload = (Text){ .data = (const char *)bytes + 2, .n = decoder->n_control - 2 };
        if (!ws_decoder_is_code(decoded.code))
                return ws_decoder_broken(WS_DECODER_CODE_PROTOCOL, "no such close code");
        if (!ws_utf8_feed(&utf8, decoded.payload) || !ws_utf8_is_whole(&utf8))
                return ws_decoder_broken(WS_DECODER_CODE_BAD_DATA, "not UTF-8");
        return decoded;
}

static WsDecoded ws_decoder_control(WsDecoder *decoder, const char *data, size_t n) {
        Text payload = { .data = (const char *)decoder->control, .n = decoder->n_control + n };

        memcpy(decoder->control + decoder->n_control, data, n);
        decoder->n_control += n;
        if (decoder->n_left > 0)
                return (WsDecoded){ .kind = WS_DECODED_NOTHING };
        decoder->in_frame = false;
        if (decoder->opcode == WS_DECODER_CLOSE)
                return ws_decoder_close(decoder);
        return (WsDecoded){ .kind = decoder->opcode == WS_DECODER_PING ? WS_DECODED_PING
                                                                       : WS_DECODED_PONG,
                            .payload = payload };
}

static WsDecoded ws_decoder_piece(WsDecoder *decoder, Text piece) {
        WsDecoded decoded = {
                .kind = WS_DECODED_PIECE,
                .payload = piece,
                .is_first = decoder->is_first,
                .is_last = decoder->is_final && decoder->n_left == 0,
                .is_binary = decoder->is_binary,
                .is_packed = decoder->is_packed,
                .n_coming = decoder->n_left,
        };
        bool is_text = !decoder->is_binary && !decoder->is_packed;

        decoder->is_first = false;
        decoder->in_frame = decoder->n_left > 0;
        if (decoded.is_last)
                decoder->in_message = false;
        if (is_text && (!ws_utf8_feed(&decoder->utf8, piece) ||
                        (decoded.is_last && !ws_utf8_is_whole(&decoder->utf8))))
                return ws_decoder_broken(WS_DECODER_CODE_BAD_DATA, "not UTF-8");
        return decoded;
}

size_t ws_decoder_feed(WsDecoder *decoder, char *data, size_t n, WsDecoded *ret_decoded) {
        size_t used = 0, n_piece;

        *ret_decoded = (WsDecoded){ .kind = WS_DECODED_NOTHING };
        if (!decoder->in_frame && !ws_decoder_header(decoder, data, n, &used, ret_decoded))
                return used;
        if (used == n && decoder->n_left > 0) {
                if (!ws_decoder_is_control(decoder)) {
                        ret_decoded->is_first = decoder->is_first;
                        ret_decoded->n_coming = decoder->n_left;
                }
                return used;
        }

        n_piece = n - used < decoder->n_left ? n - used : (size_t)decoder->n_left;
        ws_decoder_unmask(decoder, data + used, n_piece);
        *ret_decoded =
                ws_decoder_is_control(decoder)
                        ? ws_decoder_control(decoder, data + used, n_piece)
                        : ws_decoder_piece(decoder, (Text){ .data = data + used, .n = n_piece });
        return used + n_piece;
}
