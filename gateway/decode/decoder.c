/* Decoder: a message as a whole: its JSON, why it is refused, what is noted, who sent it. */

#include "gateway/decode/decoder.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/place.h"

#define DETAIL_SIZE  448
#define POINTER_SIZE 160
#define SHOWN_SIZE   (PLACE_VALUE_SIZE + 2) /* with quotes */

/* ---- refusing ---- */

int decoder_refuse(Decoder *decoder, Reason reason, const char *format, ...) {
        char detail[DETAIL_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(detail, sizeof(detail), format, args);
        va_end(args);

        decoder->record->detail = arena_copy(decoder->arena, detail, strlen(detail));
        if (!decoder->record->detail.data)
                return err_new(-ENOMEM);
        return (int)reason;
}

/* What was sent: the payload, or an element of it. */
static const char *decoder_what(const Decoder *decoder) {
        return decoder->pointer ? decoder->pointer : "payload";
}

int decoder_refuse_at(Decoder *decoder, Reason reason, const char *at) {
        Text payload = decoder->record->payload;
        char place[PLACE_SIZE];

        if (at < payload.data || at > payload.data + payload.n)
                payload = decoder->body; /* what a map made of it */
        place_write(payload, (size_t)(at - payload.data), place);
        return decoder_refuse(decoder, reason, "%s: %s", decoder_what(decoder), place);
}

int decoder_refuse_piece(Decoder *decoder, Reason reason, const char *what, Text piece) {
        char shown[PLACE_VALUE_SIZE];

        place_value(piece, shown);
        return decoder_refuse(decoder, reason, "%s: %s", what, shown);
}

/* As it is written; what may be large is only named. */
static void value_show(const Decoder *decoder, const JsonNode *value, char ret[SHOWN_SIZE]) {
        Text text = json_text(&decoder->tree, value);
        bool is_string = value->type == JSON_STRING;
        char shown[PLACE_VALUE_SIZE];

        if (is_string)
                text = (Text){ .data = text.data + 1, .n = text.n - 2 };
        else if (value->type == JSON_ARRAY)
                text = TEXT("[...]");
        else if (value->type == JSON_OBJECT)
                text = TEXT("{...}");
        place_value(text, shown);
        snprintf(ret, SHOWN_SIZE, is_string ? "\"%s\"" : "%s", shown);
}

/* "/latitude: not within -90 .. 90: 912". */
PRINTF(4, 0)
static Text value_detail(Decoder *decoder,
                         const JsonNode *value,
                         const char *pointer,
                         const char *format,
                         va_list args) {
        char detail[2 * DETAIL_SIZE], what[DETAIL_SIZE / 2], shown[SHOWN_SIZE];

        vsnprintf(what, sizeof(what), format, args);
        value_show(decoder, value, shown);
        snprintf(detail, sizeof(detail), "%s: %s: %s", pointer, what, shown);
        return arena_copy(decoder->arena, detail, strlen(detail));
}

void decoder_point(const Decoder *decoder, const JsonNode *value, char ret[], size_t size) {
        int n = snprintf(ret, size, "%s", decoder->pointer ? decoder->pointer : "");
        size_t n_before = (size_t)n < size ? (size_t)n : size - 1;

        json_pointer(&decoder->tree, value, ret + n_before, size - n_before);
}

int decoder_refuse_value(Decoder *decoder,
                         Reason reason,
                         const JsonNode *value,
                         const char *format,
                         ...) {
        char pointer[POINTER_SIZE];
        va_list args;

        decoder_point(decoder, value, pointer, sizeof(pointer));
        va_start(args, format);
        decoder->record->detail = value_detail(decoder, value, pointer, format, args);
        va_end(args);
        return decoder->record->detail.data ? (int)reason : err_new(-ENOMEM);
}

const RecordNote *decoder_note_of(const Decoder *decoder, Text target) {
        const Record *record = decoder->record;

        for (size_t i = 0; i < record->n_notes; ++i)
                if (record->notes[i].target.data && text_equal(record->notes[i].target, target))
                        return &record->notes[i];
        return NULL;
}

static int refuse_unmapped(Decoder *decoder, const char *pointer, const RecordNote *note) {
        CLEANUP_BUF Buf detail = { 0 };
        int r;

        buf_append_string(&detail, pointer);
        buf_append_char(&detail, '/');
        buf_append_text(&detail, note->target);
        buf_append_string(&detail, ": nothing comes of ");
        buf_append_string(&detail, note->by);
        buf_append_string(&detail, ": ");
        buf_append_text(&detail, note->detail);
        if (buf_failed(&detail))
                return err_new(-ENOMEM);
        r = decoder_copy(decoder, buf_text(&detail), &decoder->record->detail);
        return r == 0 ? (int)note->reason : err_up(r);
}

int decoder_refuse_without(Decoder *decoder, const JsonNode *object, const char *name) {
        const JsonNode *value = json_member(&decoder->tree, object, text_of(name));
        const RecordNote *unmapped = NULL;
        Record *record = decoder->record;
        char pointer[POINTER_SIZE];

        decoder_point(decoder, value ? value : object, pointer, sizeof(pointer));
        if (!value && object == decoder->root)
                unmapped = decoder_note_of(decoder, text_of(name));
        if (unmapped)
                return refuse_unmapped(decoder, pointer, unmapped);
        for (size_t i = 0; value && i < record->n_notes; ++i)
                if (text_equal(record->notes[i].member, text_of(pointer))) {
                        record->detail = record->notes[i].detail;
                        return (int)record->notes[i].reason;
                }
        return decoder_refuse(decoder,
                              REASON_MISSING_MEMBER,
                              value ? "%s: missing" : "%s/%s: missing",
                              pointer,
                              name);
}

/* ---- setting aside ---- */

static int decoder_note(Decoder *decoder, Reason reason, Text member, Text detail) {
        Record *record = decoder->record;

        if (!member.data || !detail.data)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < record->n_notes; ++i) /* several lines of a map may read it */
                if (text_equal(record->notes[i].member, member) &&
                    text_equal(record->notes[i].detail, detail)) {
                        decoder->noted = &record->notes[i];
                        return 0;
                }
        if (!record->notes) {
                record->notes =
                        arena_alloc(decoder->arena, DECODER_MAX_NOTES * sizeof(*record->notes));
                if (!record->notes)
                        return err_new(-ENOMEM);
        }
        decoder->noted = &record->notes[record->n_notes++];
        *decoder->noted = (RecordNote){ .member = member, .reason = reason, .detail = detail };
        return 0;
}

/* Of equal ones, however many there are, one is noted. */
static bool decoder_notes_more(Decoder *decoder) {
        decoder->noted = NULL;
        return decoder->record->n_notes < DECODER_MAX_NOTES &&
               decoder->n_asides++ < DECODER_MAX_ASIDES;
}

int decoder_set_aside(Decoder *decoder,
                      Reason reason,
                      const JsonNode *value,
                      const char *format,
                      ...) {
        char pointer[POINTER_SIZE];
        va_list args;
        Text detail;
        int r;

        if (!decoder_notes_more(decoder))
                return 0;
        decoder_point(decoder, value, pointer, sizeof(pointer));
        va_start(args, format);
        detail = value_detail(decoder, value, pointer, format, args);
        va_end(args);
        r = decoder_note(decoder,
                         reason,
                         arena_copy(decoder->arena, pointer, strlen(pointer)),
                         detail);
        return r == 0 ? 0 : err_up(r);
}

int decoder_set_aside_text(Decoder *decoder,
                           Reason reason,
                           const char *what,
                           const char *why,
                           Text text) {
        char detail[DETAIL_SIZE], shown[PLACE_VALUE_SIZE];
        int r;

        if (!decoder_notes_more(decoder))
                return 0;
        place_value(text, shown);
        snprintf(detail, sizeof(detail), "%s: %s: %s", what, why, shown);
        r = decoder_note(decoder,
                         reason,
                         arena_copy(decoder->arena, what, strlen(what)),
                         arena_copy(decoder->arena, detail, strlen(detail)));
        return r == 0 ? 0 : err_up(r);
}

/* What no JSON can hold is none of what viewers and the database get. */
static int decoder_note_odd(Decoder *decoder) {
        const JsonTree *tree = &decoder->tree;
        int r = 0;

        for (const JsonNode *at = decoder->root; r == 0 && at < tree->nodes + tree->n; ++at)
                switch ((Reason)at->odd) {
                case REASON_NONE:
                        break;
                case REASON_BAD_UTF8:
                        r = decoder_set_aside(decoder, at->odd, at, "not all of it is UTF-8");
                        break;
                case REASON_BAD_JSON:
                        r = decoder_set_aside(decoder,
                                              at->odd,
                                              at,
                                              "has a control character that is not escaped");
                        break;
                case REASON_NUL_CHARACTER:
                        if (!at->is_padded) /* as C programs send their buffers */
                                r = decoder_set_aside(decoder, at->odd, at, "has a NUL character");
                        break;
                case REASON_TOO_DEEP:
                        r = decoder_set_aside(decoder,
                                              at->odd,
                                              at,
                                              "below %d levels",
                                              JSON_MAX_DEPTH);
                        break;
                default:
                        r = decoder_set_aside(decoder, at->odd, at, "no number that JSON can have");
                        break;
                }
        return r == 0 ? 0 : err_up(r);
}

/* ---- the body ---- */

Text decoder_trim(Text text) {
        static const char space[] = " \t\r\n";

        while (text.n > 0 && memchr(space, text.data[0], sizeof(space) - 1)) {
                ++text.data;
                --text.n;
        }
        while (text.n > 0 && memchr(space, text.data[text.n - 1], sizeof(space) - 1))
                --text.n;
        return text;
}

int decoder_parse_value(Decoder *decoder) {
        JsonFault fault;
        int r;

        if (decoder_trim(decoder->body).n == 0)
                return decoder_refuse(decoder, REASON_BAD_JSON, "empty payload");
        if (decoder->parsed) {
                decoder->tree = decoder->parsed->tree;
                *decoder->parsed = (Parsed){ 0 };
                decoder->parsed = NULL;
                r = 0;
        } else {
                r = json_tree_read(&decoder->tree, decoder->body, &fault);
        }
        if (r > 0)
                return decoder_refuse_at(decoder, fault.reason, decoder->body.data + fault.at);
        if (r < 0)
                return err_up(r);
        decoder->root = json_root(&decoder->tree);
        return decoder->root->has_odd ? decoder_note_odd(decoder) : 0;
}

int decoder_refuse_body(Decoder *decoder, const char *why) {
        char what[POINTER_SIZE + 64];

        snprintf(what, sizeof(what), "%s: %s", decoder_what(decoder), why);
        return decoder_refuse_piece(decoder,
                                    REASON_BAD_JSON,
                                    what,
                                    json_text(&decoder->tree, decoder->root));
}

int decoder_parse(Decoder *decoder) {
        int r = decoder_parse_value(decoder);

        if (r != 0 || decoder->root->type == JSON_OBJECT)
                return r;
        return decoder_refuse_body(decoder, "not an object");
}

void decoder_done(Decoder *decoder) {
        json_tree_done(&decoder->tree);
        decoder->root = NULL;
}

int decoder_plain_text(Decoder *decoder, Text *ret_text) {
        Text text = decoder_trim(decoder->body);
        JsonFault fault;
        Reason reason;
        size_t at;
        int r;

        reason = json_check_text_at(decoder->body, &at);
        if (reason != REASON_NONE)
                return decoder_refuse_at(decoder, reason, decoder->body.data + at);
        *ret_text = decoder->body;
        if (text.n == 0 || text.data[0] != '"')
                return 0;
        r = json_tree_read(&decoder->tree, text, &fault);
        if (r < 0)
                return err_up(r);
        if (r > 0) /* it only begins like one */
                return 0;
        decoder->root = json_root(&decoder->tree);
        if (decoder->root->has_odd) {
                r = decoder_note_odd(decoder);
                if (r != 0)
                        return err_up(r);
        }
        r = json_content(&decoder->tree, decoder->root, decoder->arena, ret_text);
        return r == 0 ? 0 : err_up(r);
}

int decoder_copy(Decoder *decoder, Text text, Text *ret_copy) {
        Text copy = arena_copy(decoder->arena, text.data, text.n);

        if (!copy.data)
                return err_new(-ENOMEM);
        *ret_copy = copy;
        return 0;
}

int decoder_json(Decoder *decoder, const JsonNode *value, Text *ret_json) {
        CLEANUP_BUF Buf buf = { 0 };

        if (!value->has_odd) {
                *ret_json = json_text(&decoder->tree, value);
                return 0;
        }
        json_write(&buf, &decoder->tree, value);
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        return decoder_copy(decoder, buf_text(&buf), ret_json);
}

int decoder_rest(Decoder *decoder,
                 const JsonNode *object,
                 bool (*is_left_out)(const Decoder *, const JsonNode *),
                 Text *ret_json) {
        CLEANUP_BUF Buf buf = { 0 };
        const JsonNode *at = object + 1;

        buf_append_char(&buf, '{');
        for (size_t i = 0; i < object->n; i += 2, at = json_next(at + 1)) {
                if (is_left_out(decoder, at))
                        continue;
                if (buf.n > 1)
                        buf_append_char(&buf, ',');
                json_write(&buf, &decoder->tree, at);
                buf_append_char(&buf, ':');
                json_write(&buf, &decoder->tree, at + 1);
        }
        buf_append_char(&buf, '}');
        if (buf_failed(&buf))
                return err_new(-ENOMEM);
        return decoder_copy(decoder, buf_text(&buf), ret_json);
}

/* ---- who ---- */

bool decoder_is_name(Text name) {
        if (name.n == 0 || name.n > DECODER_MAX_NAME)
                return false;
        for (size_t i = 0; i < name.n; ++i)
                if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
                        return false;
        return true;
}

static bool is_whole_number(const JsonNode *value, Text text) {
        return value->type == JSON_NUMBER && !memchr(text.data, '.', text.n) &&
               !memchr(text.data, 'e', text.n) && !memchr(text.data, 'E', text.n);
}

/* Should the message lack whom it is of, that is why. */
static int decoder_misname(Decoder *decoder,
                           Reason reason,
                           const JsonNode *value,
                           const char *why) {
        int r = decoder_set_aside(decoder, reason, value, "%s", why);

        if (r == 0 && decoder->noted)
                decoder->record->misnamed = decoder->noted->detail;
        return r == 0 ? 0 : err_up(r);
}

/* A name may be written as a number: it is then an id. */
int decoder_name(Decoder *decoder, const char *const members[], Text *name) {
        const JsonNode *value = NULL;
        Text text;
        int r = 0;

        if (name->data)
                return 0;
        for (size_t i = 0; members[i] && !value; ++i)
                value = member_get(decoder, decoder->root, members[i]);
        if (!value)
                return 0;

        text = json_text(&decoder->tree, value);
        if (value->type == JSON_STRING)
                r = json_content(&decoder->tree, value, decoder->arena, &text);
        else if (!is_whole_number(value, text))
                return decoder_misname(decoder, REASON_WRONG_TYPE, value, "not a name");
        if (r != 0)
                return err_up(r);
        if (!decoder_is_name(text))
                return decoder_misname(decoder,
                                       REASON_OUT_OF_RANGE,
                                       value,
                                       "empty, too long or with control characters");
        *name = text;
        return 0;
}
