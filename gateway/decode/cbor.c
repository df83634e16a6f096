#include "gateway/decode/cbor.h"

#include <cbor.h>
#include <math.h>
#include <stdio.h>

#include "base/base64.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/json_tree.h"

#define CBOR_LEVELS  ((size_t)JSON_MAX_DEPTH * 2) /* below JSON_MAX_DEPTH json_tree.h sets aside */
#define CBOR_ENDLESS UINT64_MAX                   /* items of a level that ends with a break */

typedef struct Level Level;
typedef struct Reader Reader;

typedef enum LevelKind {
        LEVEL_ARRAY,
        LEVEL_MAP,
        LEVEL_TEXT,  /* in pieces */
        LEVEL_BYTES, /* in pieces */
} LevelKind;

struct Level {
        LevelKind kind;
        uint64_t n_left; /* items; of a map names and values */
        uint64_t n;      /* that there were */
};

struct Reader {
        Buf *buf;
        Buf pieces; /* of text or bytes */
        Level levels[CBOR_LEVELS];
        size_t depth;
        bool is_done;
        bool is_tagged; /* what comes has a tag before it */
        Reason reason;
        const char *why;
};

static void refuse(Reader *reader, Reason reason, const char *why) {
        if (reader->reason != REASON_NONE)
                return;
        reader->reason = reason;
        reader->why = why;
}

static Level *innermost(Reader *reader) {
        return reader->depth > 0 ? &reader->levels[reader->depth - 1] : NULL;
}

static bool is_name(Reader *reader) {
        const Level *level = innermost(reader);

        return level && level->kind == LEVEL_MAP && level->n % 2 == 0;
}

/* What comes before an item. */
static void begin_item(Reader *reader) {
        const Level *level = innermost(reader);

        reader->is_tagged = false;
        if (!level) {
                if (reader->is_done)
                        refuse(reader, REASON_BAD_JSON, "more than one item");
                return;
        }
        if (level->kind != LEVEL_ARRAY && level->kind != LEVEL_MAP)
                refuse(reader, REASON_BAD_JSON, "no piece of a string");
        else if (level->kind == LEVEL_MAP && level->n % 2 == 1)
                buf_append_char(reader->buf, ':');
        else if (level->n > 0)
                buf_append_char(reader->buf, ',');
}

/* And after: levels that are full are over. */
static void end_item(Reader *reader) {
        for (;;) {
                Level *level = innermost(reader);

                if (!level) {
                        reader->is_done = true;
                        return;
                }
                ++level->n;
                if (level->n_left == CBOR_ENDLESS || --level->n_left > 0)
                        return;
                buf_append_char(reader->buf, level->kind == LEVEL_MAP ? '}' : ']');
                --reader->depth;
        }
}

static void open_level(Reader *reader, LevelKind kind, uint64_t n_left) {
        if (reader->depth == CBOR_LEVELS) {
                refuse(reader, REASON_TOO_DEEP, "too many levels");
                return;
        }
        reader->levels[reader->depth++] = (Level){ .kind = kind, .n_left = n_left };
}

/* ---- what libcbor calls ---- */

/* Numbers that are names are text. */
static void put_number(Reader *reader, const char *format, uint64_t number) {
        bool quoted = is_name(reader);

        begin_item(reader);
        if (quoted)
                buf_append_char(reader->buf, '"');
        buf_append_string(reader->buf, format);
        buf_printf(reader->buf, "%llu", (unsigned long long)number);
        if (quoted)
                buf_append_char(reader->buf, '"');
        end_item(reader);
}

static void on_uint(void *arg, uint64_t number) {
        put_number(arg, "", number);
}

/* It is -1 - @number. */
static void on_negint(void *arg, uint64_t number) {
        if (number == UINT64_MAX)
                put_number(arg, "-1", UINT64_C(8446744073709551616)); /* -2^64 */
        else
                put_number(arg, "-", number + 1);
}

static void on_uint8(void *arg, uint8_t number) {
        on_uint(arg, number);
}

static void on_uint16(void *arg, uint16_t number) {
        on_uint(arg, number);
}

static void on_uint32(void *arg, uint32_t number) {
        on_uint(arg, number);
}

static void on_negint8(void *arg, uint8_t number) {
        on_negint(arg, number);
}

static void on_negint16(void *arg, uint16_t number) {
        on_negint(arg, number);
}

static void on_negint32(void *arg, uint32_t number) {
        on_negint(arg, number);
}

/* A scalar that is no name. */
static void put_word(Reader *reader, const char *word) {
        if (is_name(reader))
                refuse(reader, REASON_BAD_JSON, "a name that is neither text nor a whole number");
        begin_item(reader);
        buf_append_string(reader->buf, word);
        end_item(reader);
}

static void put_special(Reader *reader, double number) {
        if (isnan(number))
                put_word(reader, "NaN");
        else
                put_word(reader, number > 0 ? "Infinity" : "-Infinity");
}

static void begin_number(Reader *reader) {
        if (is_name(reader))
                refuse(reader, REASON_BAD_JSON, "a name that is a fraction");
        begin_item(reader);
}

static void on_double(void *arg, double number) {
        Reader *reader = arg;

        if (!isfinite(number)) {
                put_special(reader, number);
                return;
        }
        begin_number(reader);
        buf_json_double(reader->buf, number);
        end_item(reader);
}

static void on_float(void *arg, float number) {
        Reader *reader = arg;

        if (!isfinite(number)) {
                put_special(reader, (double)number);
                return;
        }
        begin_number(reader);
        buf_json_float(reader->buf, number);
        end_item(reader);
}

static void on_bool(void *arg, bool value) {
        put_word(arg, value ? "true" : "false");
}

static void on_null(void *arg) {
        put_word(arg, "null");
}

/* What is tagged is what it is without; there has to be something. */
static void on_tag(void *arg, uint64_t number) {
        Reader *reader = arg;

        (void)number;
        reader->is_tagged = true;
        if (reader->is_done)
                refuse(reader, REASON_BAD_JSON, "more than one item");
}

static void put_text(Reader *reader, Text text) {
        if (json_check_text(text) == REASON_BAD_UTF8)
                refuse(reader, REASON_BAD_UTF8, "text that is not UTF-8");
        begin_item(reader);
        buf_json_string(reader->buf, text);
        end_item(reader);
}

static void put_bytes(Reader *reader, Text bytes) {
        char *text = malloc(BASE64_SIZE(bytes.n));

        if (is_name(reader))
                refuse(reader, REASON_BAD_JSON, "a name of bytes");
        begin_item(reader);
        if (!text) {
                reader->buf->failed = true;
                return;
        }
        base64_write(BASE64_URL, bytes.data, bytes.n, text);
        buf_append_char(reader->buf, '"');
        buf_append_string(reader->buf, text);
        buf_append_char(reader->buf, '"');
        free(text);
        end_item(reader);
}

/* A string in one, or a piece of one. */
static void take_string(Reader *reader, LevelKind kind, const void *data, size_t n) {
        const Level *level = innermost(reader);
        Text text = { .data = data, .n = n };

        if (level && level->kind == kind)
                buf_append_text(&reader->pieces, text);
        else if (kind == LEVEL_TEXT)
                put_text(reader, text);
        else
                put_bytes(reader, text);
}

static void on_text(void *arg, cbor_data data, size_t n) {
        take_string(arg, LEVEL_TEXT, data, n);
}

static void on_bytes(void *arg, cbor_data data, size_t n) {
        take_string(arg, LEVEL_BYTES, data, n);
}

static void begin_pieces(Reader *reader, LevelKind kind) {
        const Level *level = innermost(reader);

        if (level && (level->kind == LEVEL_TEXT || level->kind == LEVEL_BYTES))
                refuse(reader, REASON_BAD_JSON, "pieces within pieces");
        buf_reset(&reader->pieces);
        open_level(reader, kind, CBOR_ENDLESS);
}

static void on_text_start(void *arg) {
        begin_pieces(arg, LEVEL_TEXT);
}

static void on_bytes_start(void *arg) {
        begin_pieces(arg, LEVEL_BYTES);
}

static void begin_level(Reader *reader, LevelKind kind, uint64_t n_left) {
        if (is_name(reader))
                refuse(reader, REASON_BAD_JSON, "a name that is neither text nor a whole number");
        begin_item(reader);
        buf_append_char(reader->buf, kind == LEVEL_MAP ? '{' : '[');
        if (n_left == 0) {
                buf_append_char(reader->buf, kind == LEVEL_MAP ? '}' : ']');
                end_item(reader);
                return;
        }
        open_level(reader, kind, n_left);
}

static void on_array(void *arg, size_t n) {
        begin_level(arg, LEVEL_ARRAY, n);
}

static void on_endless_array(void *arg) {
        begin_level(arg, LEVEL_ARRAY, CBOR_ENDLESS);
}

static void on_map(void *arg, size_t n) {
        begin_level(arg, LEVEL_MAP, n > UINT64_MAX / 4 ? UINT64_MAX / 2 : 2 * (uint64_t)n);
}

static void on_endless_map(void *arg) {
        begin_level(arg, LEVEL_MAP, CBOR_ENDLESS);
}

static void on_break(void *arg) {
        Reader *reader = arg;
        Level *level = innermost(reader);
        LevelKind kind;

        if (!level || level->n_left != CBOR_ENDLESS || reader->is_tagged ||
            (level->kind == LEVEL_MAP && level->n % 2 == 1)) {
                refuse(reader, REASON_BAD_JSON, "an end where there is none");
                return;
        }
        kind = level->kind;
        --reader->depth;
        if (kind == LEVEL_TEXT) {
                put_text(reader, buf_text(&reader->pieces));
        } else if (kind == LEVEL_BYTES) {
                put_bytes(reader, buf_text(&reader->pieces));
        } else {
                buf_append_char(reader->buf, kind == LEVEL_MAP ? '}' : ']');
                end_item(reader);
        }
}

static const struct cbor_callbacks callbacks = {
        .uint8 = on_uint8,
        .uint16 = on_uint16,
        .uint32 = on_uint32,
        .uint64 = on_uint,
        .negint8 = on_negint8,
        .negint16 = on_negint16,
        .negint32 = on_negint32,
        .negint64 = on_negint,
        .byte_string_start = on_bytes_start,
        .byte_string = on_bytes,
        .string = on_text,
        .string_start = on_text_start,
        .indef_array_start = on_endless_array,
        .array_start = on_array,
        .indef_map_start = on_endless_map,
        .map_start = on_map,
        .tag = on_tag,
        .float2 = on_float,
        .float4 = on_float,
        .float8 = on_double,
        .undefined = on_null,
        .null = on_null,
        .boolean = on_bool,
        .indef_break = on_break,
};

/* Tokens that libcbor takes for none: tags of one byte that it has no meaning for (COSE: 16 to 18),
 * and simple values that nobody has given one. How long it is, or 0: it is another. */
static size_t step_unknown(Reader *reader, const unsigned char *at, size_t n_left) {
        if (at[0] >= 0xC6 && at[0] <= 0xD4) {
                on_tag(reader, at[0] - 0xC0U);
                return 1;
        }
        if (at[0] >= 0xE0 && at[0] <= 0xF3) {
                on_null(reader);
                return 1;
        }
        if (at[0] == 0xF8 && n_left > 1 && at[1] >= 32) { /* below they have one byte */
                on_null(reader);
                return 2;
        }
        return 0;
}

/* One token. gcc's analyser does not see that libcbor fills all of what it returns. */
static void step(Reader *reader, const unsigned char *at, size_t n_left, size_t *ret_n_read) {
        struct cbor_decoder_result result;

        *ret_n_read = step_unknown(reader, at, n_left);
        if (*ret_n_read > 0)
                return;
        memset(&result, 0, sizeof(result));
        result = cbor_stream_decode(at, n_left, &callbacks, reader);
        if (result.status == CBOR_DECODER_NEDATA)
                refuse(reader, REASON_BAD_JSON, "CBOR that is cut");
        else if (result.status != CBOR_DECODER_FINISHED)
                refuse(reader, REASON_BAD_JSON, "no CBOR");
        *ret_n_read = result.read;
}

int cbor_to_json(Buf *buf, Text bytes, const char **ret_why) {
        Reader reader = { .buf = buf };
        const unsigned char *at = (const unsigned char *)bytes.data;
        size_t n_left = bytes.n;

        while (n_left > 0 && reader.reason == REASON_NONE && !buf_failed(buf)) {
                size_t n_read = 0;

                step(&reader, at, n_left, &n_read);
                at += n_read;
                n_left -= n_read;
        }
        if (!reader.is_done)
                refuse(&reader, REASON_BAD_JSON, "CBOR that is cut");
        buf->failed = buf->failed || buf_failed(&reader.pieces);
        buf_done(&reader.pieces);
        *ret_why = reader.why;
        return (int)reader.reason;
}
