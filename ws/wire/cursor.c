#include "ws/wire/cursor.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/text.h"

enum {
        CURSOR_FORM = 1,
        CURSOR_DIGITS = CURSOR_EPOCH_SIZE - 1,
        CURSOR_VARINT = 8, /* bytes of a number below 2^56 */
        CURSOR_BYTES = 2 + CURSOR_MAX * 8 + 8 + CURSOR_MAX * CURSOR_VARINT,
};

#define CURSOR_SEQ_END UINT64_C(10000000000000000) /* what `epoch:seq` has digits for */

typedef struct CursorBytes CursorBytes;

struct CursorBytes {
        uint8_t bytes[CURSOR_BYTES];
        size_t n, at;
};

/* ---- bytes ---------------------------------------------------------------------------------- */

static void cursor_put(CursorBytes *bytes, uint64_t value, size_t n) {
        while (n-- > 0)
                bytes->bytes[bytes->n++] = (uint8_t)(value >> (n * 8) & 0xff);
}

static void cursor_put_varint(CursorBytes *bytes, uint64_t value) {
        for (; value >= 0x80; value >>= 7)
                bytes->bytes[bytes->n++] = (uint8_t)(value & 0x7f) | 0x80;
        bytes->bytes[bytes->n++] = (uint8_t)value;
}

static bool cursor_take(CursorBytes *bytes, size_t n, uint64_t *ret_value) {
        uint64_t value = 0;

        if (bytes->n - bytes->at < n)
                return false;
        while (n-- > 0)
                value = value << 8 | bytes->bytes[bytes->at++];
        *ret_value = value;
        return true;
}

static bool cursor_take_varint(CursorBytes *bytes, uint64_t *ret_value) {
        uint64_t value = 0;

        for (unsigned i = 0; i < CURSOR_VARINT && bytes->at < bytes->n; ++i) {
                uint8_t byte = bytes->bytes[bytes->at++];

                value |= (uint64_t)(byte & 0x7f) << (i * 7);
                if (byte & 0x80)
                        continue;
                *ret_value = value;
                return true;
        }
        return false;
}

/* ---- one journal ---------------------------------------------------------------------------- */

static int cursor_parse_one(Text text, Cursor *ret_cursor) {
        CursorPart *part = &ret_cursor->parts[0];
        Text number;

        if (text.n < CURSOR_DIGITS + 2 || text.n > CURSOR_DIGITS + 1 + 16 ||
            text.data[CURSOR_DIGITS] != ':')
                return CURSOR_E_UNREADABLE;
        for (size_t i = 0; i < CURSOR_DIGITS; ++i) {
                char c = text.data[i];

                if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')))
                        return CURSOR_E_UNREADABLE;
                part->epoch[i] = c;
        }
        part->epoch[CURSOR_DIGITS] = '\0';
        number = (Text){ text.data + CURSOR_DIGITS + 1, text.n - CURSOR_DIGITS - 1 };
        if (!text_to_number(number, UINT64_MAX, &part->seq))
                return CURSOR_E_UNREADABLE;
        ret_cursor->n = 1;
        return 0;
}

/* ---- several -------------------------------------------------------------------------------- */

static bool cursor_knows(const Cursor *cursor, size_t n, const char *epoch) {
        for (size_t i = 0; i < n; ++i)
                if (strcmp(cursor->parts[i].epoch, epoch) == 0)
                        return true;
        return false;
}

static bool cursor_take_epochs(CursorBytes *bytes, Cursor *cursor) {
        for (size_t i = 0; i < cursor->n; ++i) {
                CursorPart *part = &cursor->parts[i];
                uint64_t epoch;

                if (!cursor_take(bytes, 8, &epoch))
                        return false;
                snprintf(part->epoch, sizeof(part->epoch), "%016" PRIx64, epoch);
                if (cursor_knows(cursor, i, part->epoch))
                        return false;
        }
        return true;
}

static bool cursor_take_numbers(CursorBytes *bytes, Cursor *cursor) {
        uint64_t least;

        if (!cursor_take(bytes, 8, &least) || least >= CURSOR_SEQ_END)
                return false;
        for (size_t i = 0; i < cursor->n; ++i) {
                uint64_t beyond;

                if (!cursor_take_varint(bytes, &beyond) || beyond >= CURSOR_SEQ_END - least)
                        return false;
                cursor->parts[i].seq = least + beyond;
        }
        return true;
}

const char *cursor_text(const Cursor *cursor, char ret_text[CURSOR_TEXT_SIZE]) {
        uint64_t least = UINT64_MAX;
        CursorBytes bytes = { 0 };

        assert(cursor->n > 0 && cursor->n <= CURSOR_MAX);
        if (cursor->n == 1) {
                snprintf(ret_text,
                         CURSOR_TEXT_SIZE,
                         "%.16s:%" PRIu64,
                         cursor->parts[0].epoch,
                         cursor->parts[0].seq);
                return ret_text;
        }

        cursor_put(&bytes, CURSOR_FORM, 1);
        cursor_put(&bytes, cursor->n, 1);
        for (size_t i = 0; i < cursor->n; ++i) {
                cursor_put(&bytes, strtoull(cursor->parts[i].epoch, NULL, 16), 8);
                if (cursor->parts[i].seq < least)
                        least = cursor->parts[i].seq;
        }
        cursor_put(&bytes, least, 8);
        for (size_t i = 0; i < cursor->n; ++i)
                cursor_put_varint(&bytes, cursor->parts[i].seq - least);
        base64_write(BASE64_URL, bytes.bytes, bytes.n, ret_text);
        return ret_text;
}

static int cursor_parse_several(Text text, Cursor *ret_cursor) {
        char again[CURSOR_TEXT_SIZE];
        CursorBytes bytes = { .at = 2 };

        if (!base64_read(BASE64_URL, text, bytes.bytes, sizeof(bytes.bytes), &bytes.n) ||
            bytes.n < 2 || bytes.bytes[0] != CURSOR_FORM || bytes.bytes[1] < 2 ||
            bytes.bytes[1] > CURSOR_MAX)
                return CURSOR_E_UNREADABLE;
        ret_cursor->n = bytes.bytes[1];
        if (!cursor_take_epochs(&bytes, ret_cursor) || !cursor_take_numbers(&bytes, ret_cursor))
                return CURSOR_E_UNREADABLE;
        return text_equal(text, text_of(cursor_text(ret_cursor, again))) ? 0 : CURSOR_E_UNREADABLE;
}

int cursor_parse(Text text, Cursor *ret_cursor) {
        if (text.n > CURSOR_DIGITS && text.data[CURSOR_DIGITS] == ':')
                return cursor_parse_one(text, ret_cursor);
        return cursor_parse_several(text, ret_cursor);
}
