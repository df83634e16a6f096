#pragma once

/*
 * Decoder: one message while it is decoded, and typed access to the members of its JSON. Shared by
 * decode.c (the way in) and decode_*.c (a function for each kind); nobody else needs it.
 *
 * Functions return 0, a fault, or the Reason (> 0) why the message cannot be used; record->detail
 * then says what is wrong with which member. A member that is absent or null is not an error: its
 * output is left untouched.
 */

#include "base/arena.h"
#include "base/base.h"
#include "gateway/decode/route.h"
#include "model/record.h"

#define DECODER_MAX_NAME  128  /* bytes of a code, an id, a mode, a type */
#define DECODER_MAX_LABEL 256  /* bytes of a name for people, a source, a location */
#define DECODER_MAX_ITEMS 4096 /* detections in one message, good and bad */

struct json_object;

typedef struct Decoder Decoder;
typedef struct NumberRule NumberRule;

struct Decoder {
        Arena *arena;             /* borrowed */
        const Route *route;       /* borrowed */
        Record *record;           /* borrowed */
        struct json_object *root; /* owned; the payload as JSON, once decoder_parse() was called */
        Text said;                /* by member_time(): in place of the last time, as in Record */
        int fault;                /* of those that answer nothing */
        const char *inside;       /* JSON pointer of what is decoded now; NULL = the root */
        size_t element;           /* of the array that @inside is, counted from 1; 0 = it is none */
};

struct NumberRule {
        const char *name;
        double min, max;
};

extern const NumberRule number_latitude, number_longitude, number_rssi;

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

/* Answers @reason, with a detail: what is said, the place, or a member of what is decoded now and
 * its value. */
int decoder_refuse(Decoder *decoder, Reason reason, const char *format, ...) PRINTF(3, 4);
int decoder_refuse_at(Decoder *decoder, Reason reason, const char *at); /* in the payload */
int decoder_refuse_piece(Decoder *decoder, Reason reason, const char *what, Text piece);
int member_refuse(Decoder *decoder,
                  Reason reason,
                  const char *name,          /* "" = the whole of it */
                  struct json_object *value, /* NULL = not shown */
                  const char *format,
                  ...) PRINTF(5, 6);

/* The payload, checked, as a JSON object (_parse) or whatever it is (_parse_value). */
int decoder_parse(Decoder *decoder);
int decoder_parse_value(Decoder *decoder, Text text);
void decoder_done(Decoder *decoder);
int decoder_plain_text(Decoder *decoder, Text text, Text *ret_text);
int decoder_copy(Decoder *decoder, Text text, Text *ret_copy); /* into the arena */

/* Who sent it: the topic's word or, failing that, the first of @members (up to a NULL) that is
 * there. Nobody is no error: other doors know their device by other means, and resolve.c judges. */
int decoder_name(Decoder *decoder, const char *const members[], Text *name);
bool decoder_is_name(Text name); /* 1 to 128 bytes, no control characters */

Text decoder_trim(Text text); /* without JSON's white space at its ends */

/* NULL if absent or null. */
struct json_object *member_get(struct json_object *object, const char *name);

int member_missing(Decoder *decoder, const char *name);
int member_object(Decoder *decoder, const char *name, struct json_object **ret_object);
int member_text(Decoder *decoder,
                struct json_object *object,
                const char *name,
                size_t max,
                Text *ret_text);
int member_choice(Decoder *decoder, const char *name, const Text choices[], Text *ret_choice);
/* A number, also as text: "13.76" counts as 13.76, in every kind. */
int member_number(Decoder *decoder,
                  struct json_object *object,
                  const NumberRule *rule,
                  double *ret_value);
/* docs/time.md: a time that is none, or that cannot be, costs itself and not its message: the
 * receipt takes its place. Where there is none, the output is left. */
void member_time(Decoder *decoder,
                 struct json_object *object,
                 const char *name,
                 int64_t *ret_time_us);

/* The number in the text of a string: its digits, if it is nothing but a JSON number. */
bool member_digits(struct json_object *string, Text *ret_digits);

/* @object as JSON text in the arena. */
int member_json(Decoder *decoder, struct json_object *object, Text *ret_json);
