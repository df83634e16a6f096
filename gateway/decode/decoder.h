#pragma once

/*
 * Decoder: one message while it is decoded, and typed access to the members of its JSON. Shared by
 * decode.c (the way in) and decode_*.c (a function for each kind); nobody else needs it.
 *
 * Judged is only what is used, and what is odd costs itself: a member_…() leaves its output as it
 * was where the member is absent, null, or of no use; the last is noted (record->notes). Functions
 * return 0, a fault, or the Reason (> 0) why the message as a whole cannot be used; record->detail
 * then says what is wrong with which member.
 */

#include "base/arena.h"
#include "base/base.h"
#include "gateway/decode/json_tree.h"
#include "gateway/decode/route.h"
#include "model/record.h"

#define DECODER_MAX_NAME   128  /* bytes of a code, an id, a mode, a type */
#define DECODER_MAX_LABEL  256  /* bytes of a name for people, a source, a location */
#define DECODER_MAX_ITEMS  4096 /* detections in one message, good and bad */
#define DECODER_MAX_GROWTH 3    /* times max_bytes: what U+FFFD in place of each byte takes */
#define DECODER_MAX_NOTES  16   /* members that are noted; more of them are set aside, too */
#define DECODER_MAX_ASIDES 64   /* times that is looked for, from the front of the text */

typedef struct Decoder Decoder;
typedef struct MemberWord MemberWord;
typedef struct NumberRule NumberRule;

struct Decoder {
        Arena *arena;       /* borrowed */
        const Route *route; /* borrowed */
        Record *record;     /* borrowed */
        Parsed *parsed;     /* borrowed: the body as somebody has read it already; NULL = nobody */
        Text body;          /* the payload without a BOM at its front and NULs at its end */
        JsonTree tree;      /* owned; of the body, once decoder_parse() was called */
        const JsonNode *root;
        const JsonTree
                *whole;      /* of which the body is an element (elements.h); NULL = none of any */
        const JsonNode *key; /* and its name there, of an object's */
        const char *pointer; /* and where it is: stands before those of what is in it */
        Text said;           /* by member_time(): in place of the last time, as in Record */
        RecordNote *noted;   /* borrowed from the record: the last; NULL: it had no room for that */
        int fault;           /* of those that answer nothing */
        unsigned n_asides;   /* that were looked at for a note; many may be of one name */
        bool has_time;       /* a map said when: no member does */
};

struct NumberRule {
        const char *name;
        double min, max;
};

/* A word, in any case of its letters, and what it means; the last of a list has none. */
struct MemberWord {
        const char *word;
        Text meaning;
};

extern const NumberRule number_latitude, number_longitude, number_rssi;

/* What is the same for all of it: topic, size, and the payload as JSON (decode.c). The record is
 * begun, and then the decoder's. A Reason if nothing of it can be used. */
int decoder_head(Decoder *decoder, const TopicMatch *match, const Record *envelope, Record *record);
/* The body by map and kind: the record is all that it can be. The decoder is done with. */
int decoder_tail(Decoder *decoder, const TopicMatch *match);

/* What the route's map makes of the body is the body from then on. */
int decode_map(Decoder *decoder, const TopicMatch *match);
/* The body, which is Sparkplug B, as JSON. */
int decode_sparkplug(Decoder *decoder);

/* One function a kind. */
int decode_device_status(Decoder *decoder);
int decode_raw_log(Decoder *decoder);
int decode_sensor_log(Decoder *decoder);
int decode_vehicle_log(Decoder *decoder);
int decode_ble_detections(Decoder *decoder);
int decode_telemetry(Decoder *decoder);
int decode_camera_event(Decoder *decoder);
int decode_alert(Decoder *decoder);
int decode_command_ack(Decoder *decoder);
int decode_command_state(Decoder *decoder);

/* ---- the message as a whole (decoder.c) ---- */

/* Answers @reason, with a detail: what is said, the place, or a value. */
int decoder_refuse(Decoder *decoder, Reason reason, const char *format, ...) PRINTF(3, 4);
int decoder_refuse_at(Decoder *decoder, Reason reason, const char *at); /* in the payload */
/* The JSON pointer of a value, as it is in what came. */
void decoder_point(const Decoder *decoder, const JsonNode *value, char ret[], size_t size);
int decoder_refuse_piece(Decoder *decoder, Reason reason, const char *what, Text piece);
int decoder_refuse_body(Decoder *decoder, const char *why); /* all of it, which is JSON */
/* Is it noted why a map gave no such member? */
const RecordNote *decoder_note_of(const Decoder *decoder, Text target);
int decoder_refuse_value(Decoder *decoder,
                         Reason reason,
                         const JsonNode *value,
                         const char *format,
                         ...) PRINTF(4, 5);
/* A member without which the message is of no use: missing, or what was noted of it. */
int decoder_refuse_without(Decoder *decoder, const JsonNode *object, const char *name);

/* Notes that @value is not used. 0 or -ENOMEM. */
MUST_CHECK int decoder_set_aside(Decoder *decoder,
                                 Reason reason,
                                 const JsonNode *value,
                                 const char *format,
                                 ...) PRINTF(4, 5);

/* The same of what is from no payload: @what is "topic". */
MUST_CHECK int decoder_set_aside_text(Decoder *decoder,
                                      Reason reason,
                                      const char *what,
                                      const char *why,
                                      Text text);

/* The body as a JSON object (_parse) or whatever JSON it is (_parse_value). */
int decoder_parse(Decoder *decoder);
int decoder_parse_value(Decoder *decoder);
void decoder_done(Decoder *decoder);

/* The body as text for people: the content of a JSON string, or all of it. */
int decoder_plain_text(Decoder *decoder, Text *ret_text);

MUST_CHECK int decoder_copy(Decoder *decoder, Text text, Text *ret_copy); /* into the arena */
MUST_CHECK int decoder_json(Decoder *decoder, const JsonNode *value, Text *ret_json);
/* The members of @object but those that @is_left_out() says, as an object. */
MUST_CHECK int decoder_rest(Decoder *decoder,
                            const JsonNode *object,
                            bool (*is_left_out)(const Decoder *decoder, const JsonNode *name),
                            Text *ret_json);

/* Who sent it: the topic's word or, failing that, the first of @members (up to a NULL) that is
 * there. Nobody is no error: other doors know their device by other means, and resolve.c judges. */
MUST_CHECK int decoder_name(Decoder *decoder, const char *const members[], Text *name);
bool decoder_is_name(Text name); /* 1 to 128 bytes, no control characters */

Text decoder_trim(Text text); /* without JSON's white space at its ends */

/* ---- members (decode_member.c); all: 0 or -ENOMEM ---- */

/* NULL if absent or null. */
const JsonNode *member_get(const Decoder *decoder, const JsonNode *object, const char *name);

MUST_CHECK int member_object(Decoder *decoder, const char *name, const JsonNode **ret_object);
/* Text; a number or boolean as it is written. */
MUST_CHECK int member_text(Decoder *decoder,
                           const JsonNode *object,
                           const char *name,
                           size_t max,
                           Text *ret_text);
/* What the device says that it is called, and where it is, unless that was announced. Of kinds that
 * may have something else under these names: only text counts, and nothing is set aside. */
MUST_CHECK int member_said(Decoder *decoder);
/* The same where a `name` is as often that of a measurement: only `device_name` is one. */
MUST_CHECK int member_said_of_device(Decoder *decoder);
MUST_CHECK int member_word(Decoder *decoder,
                           const char *name,
                           const MemberWord words[],
                           Text *ret_meaning);
/* A number, also as text: "13.76" counts as 13.76, in every kind. */
MUST_CHECK int member_number(Decoder *decoder,
                             const JsonNode *object,
                             const NumberRule *rule,
                             double *ret_value);
/* docs/time.md: a time that is none, or that cannot be, costs itself and not its message: the
 * receipt takes its place. Where there is none, the output is left. */
void member_time(Decoder *decoder, const JsonNode *object, const char *name, int64_t *ret_time_us);

/* When, whatever the members say: judged as member_time() does. CLOCK_UNKNOWN: @said is no time. */
MUST_CHECK int decoder_take_time(Decoder *decoder, int64_t time_us, Text said);

/* What a word of the list means, whatever the case of its letters; data == NULL: none of them. */
Text member_meaning(Text word, const MemberWord words[]);
/* The digits of a number, or of text that is nothing but one: as JSON has them. Absent: no number.
 */
MUST_CHECK int member_digits(Decoder *decoder, const JsonNode *value, Text *ret_digits);
