/* Decoder: the JSON of a payload and its members, by type, range and length. */

#include <json-c/json.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/timestamp.h"
#include "gateway/decode/decoder.h"
#include "gateway/decode/json_check.h"
#include "gateway/decode/place.h"

#define DETAIL_SIZE        448
#define POINTER_SIZE       160
#define CHOICES_SIZE       160
#define MEMBER_SHOWN_SIZE  (PLACE_VALUE_SIZE + 2) /* with quotes */
#define UNIX_MILLISECONDS  1e11 /* larger numbers are milliseconds: as seconds, beyond year 5138 */
#define UNIX_MIN_S         (-62135596800.0) /* year 1 */
#define UNIX_MAX_S         253402300800.0   /* year 10000 */
#define MICROSECONDS_PER_S 1e6

const NumberRule number_latitude = { .name = "latitude", .min = -90, .max = 90 };
const NumberRule number_longitude = { .name = "longitude", .min = -180, .max = 180 };
const NumberRule number_rssi = { .name = "rssi", .min = -200, .max = 50 };

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

int decoder_refuse_at(Decoder *decoder, Reason reason, const char *at) {
        Text payload = decoder->record->payload;
        char place[PLACE_SIZE];

        place_write(payload, (size_t)(at - payload.data), place);
        return decoder_refuse(decoder, reason, "payload: %s", place);
}

int decoder_refuse_piece(Decoder *decoder, Reason reason, const char *what, Text piece) {
        char shown[PLACE_VALUE_SIZE];

        place_value(piece, shown);
        return decoder_refuse(decoder, reason, "%s: %s", what, shown);
}

/* "/detections/3/rssi", as RFC 6901 writes it. */
static void member_pointer(const Decoder *decoder, const char *name, char ret[POINTER_SIZE]) {
        size_t n =
                (size_t)snprintf(ret, POINTER_SIZE, "%s", decoder->inside ? decoder->inside : "");

        if (decoder->element > 0)
                n += (size_t)snprintf(ret + n, POINTER_SIZE - n, "/%zu", decoder->element - 1);
        if (*name)
                ret[n++] = '/';
        for (; *name && n < POINTER_SIZE - 2; ++name) {
                bool is_special = *name == '~' || *name == '/';

                ret[n++] = is_special ? '~' : *name;
                if (is_special)
                        ret[n++] = *name == '~' ? '0' : '1';
        }
        ret[n] = '\0';
}

/* As it is written; what may be large is only named. */
static void member_show(struct json_object *value, char ret[MEMBER_SHOWN_SIZE]) {
        bool is_string = json_object_is_type(value, json_type_string);
        char text[PLACE_VALUE_SIZE];

        if (json_object_is_type(value, json_type_array))
                place_value(TEXT("[...]"), text);
        else if (json_object_is_type(value, json_type_object))
                place_value(TEXT("{...}"), text);
        else
                place_value(text_of(json_object_get_string(value)), text);
        snprintf(ret, MEMBER_SHOWN_SIZE, is_string ? "\"%s\"" : "%s", text);
}

int member_refuse(Decoder *decoder,
                  Reason reason,
                  const char *name,
                  struct json_object *value,
                  const char *format,
                  ...) {
        char pointer[POINTER_SIZE], what[DETAIL_SIZE], shown[MEMBER_SHOWN_SIZE];
        va_list args;

        va_start(args, format);
        vsnprintf(what, sizeof(what), format, args);
        va_end(args);
        member_pointer(decoder, name, pointer);
        if (!value)
                return decoder_refuse(decoder, reason, "%s: %s", pointer, what);
        member_show(value, shown);
        return decoder_refuse(decoder, reason, "%s: %s: %s", pointer, what, shown);
}

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

/* @text has passed json_check(), so that json-c refuses it only when memory is out. */
int decoder_parse_value(Decoder *decoder, Text text) {
        struct json_tokener *tokener = json_tokener_new_ex(JSON_MAX_DEPTH + 2);

        if (!tokener)
                return err_new(-ENOMEM);
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        decoder->root = json_tokener_parse_ex(tokener, text.data, (int)text.n);
        json_tokener_free(tokener);
        return decoder->root ? 0 : err_new(-ENOMEM);
}

int decoder_parse(Decoder *decoder) {
        Text text = decoder_trim(decoder->record->payload);
        Reason reason;
        size_t at;

        if (text.n == 0)
                return decoder_refuse(decoder, REASON_BAD_JSON, "empty payload");
        reason = json_check_at(text, &at);
        if (reason != REASON_NONE)
                return decoder_refuse_at(decoder, reason, text.data + at);
        if (text.data[0] != '{')
                return decoder_refuse_piece(decoder,
                                            REASON_BAD_JSON,
                                            "payload: not an object",
                                            text);
        return decoder_parse_value(decoder, text);
}

void decoder_done(Decoder *decoder) {
        json_object_put(decoder->root);
        decoder->root = NULL;
}

struct json_object *member_get(struct json_object *object, const char *name) {
        struct json_object *value = NULL;

        json_object_object_get_ex(object, name, &value);
        return value;
}

int member_missing(Decoder *decoder, const char *name) {
        return member_refuse(decoder, REASON_MISSING_MEMBER, name, NULL, "missing");
}

int member_object(Decoder *decoder, const char *name, struct json_object **ret_object) {
        struct json_object *value = member_get(decoder->root, name);

        if (!value)
                return 0;
        if (!json_object_is_type(value, json_type_object))
                return member_refuse(decoder, REASON_WRONG_TYPE, name, value, "not an object");
        *ret_object = value;
        return 0;
}

static Text string_of(struct json_object *value) {
        return (Text){ .data = json_object_get_string(value),
                       .n = (size_t)json_object_get_string_len(value) };
}

int decoder_copy(Decoder *decoder, Text text, Text *ret_copy) {
        Text copy = arena_copy(decoder->arena, text.data, text.n);

        if (!copy.data)
                return err_new(-ENOMEM);
        *ret_copy = copy;
        return 0;
}

int member_text(Decoder *decoder,
                struct json_object *object,
                const char *name,
                size_t max,
                Text *ret_text) {
        struct json_object *value = member_get(object, name);
        Text text;

        if (!value)
                return 0;
        if (!json_object_is_type(value, json_type_string))
                return member_refuse(decoder, REASON_WRONG_TYPE, name, value, "not a string");

        text = string_of(value);
        if (text.n > max)
                return member_refuse(decoder,
                                     REASON_OUT_OF_RANGE,
                                     name,
                                     value,
                                     "longer than %zu bytes",
                                     max);
        return decoder_copy(decoder, text, ret_text);
}

static int member_choice_refuse(Decoder *decoder,
                                const char *name,
                                const Text choices[],
                                struct json_object *value) {
        char known[CHOICES_SIZE];
        size_t n = 0;

        for (size_t i = 0; choices[i].data && n < sizeof(known); ++i)
                n += (size_t)snprintf(known + n,
                                      sizeof(known) - n,
                                      "%s%.*s",
                                      i == 0 ? "" : ", ",
                                      (int)choices[i].n,
                                      choices[i].data);
        return member_refuse(decoder, REASON_OUT_OF_RANGE, name, value, "not one of %s", known);
}

int member_choice(Decoder *decoder, const char *name, const Text choices[], Text *ret_choice) {
        struct json_object *value = member_get(decoder->root, name);

        if (!value)
                return 0;
        if (!json_object_is_type(value, json_type_string))
                return member_refuse(decoder, REASON_WRONG_TYPE, name, value, "not a string");

        for (size_t i = 0; choices[i].data; ++i)
                if (text_equal(string_of(value), choices[i])) {
                        *ret_choice = choices[i];
                        return 0;
                }
        return member_choice_refuse(decoder, name, choices, value);
}

bool member_digits(struct json_object *string, Text *ret_digits) {
        Text text = decoder_trim(string_of(string));

        if (text.n == 0 || text.n > DECODER_MAX_NAME)
                return false;
        if (text.data[0] != '-' && (text.data[0] < '0' || text.data[0] > '9'))
                return false;
        if (json_check(text) != REASON_NONE)
                return false;
        *ret_digits = text;
        return true;
}

static bool number_of(struct json_object *value, double *ret_number) {
        Text digits;

        switch (json_object_get_type(value)) {
        case json_type_double:
        case json_type_int:
                *ret_number = json_object_get_double(value);
                return true;
        case json_type_string:
                if (!member_digits(value, &digits))
                        return false;
                *ret_number = strtod(digits.data, NULL); /* ends at json-c's NUL or white space */
                return true;
        case json_type_null:
        case json_type_boolean:
        case json_type_object:
        case json_type_array:
        default:
                return false;
        }
}

int member_number(Decoder *decoder,
                  struct json_object *object,
                  const NumberRule *rule,
                  double *ret_value) {
        struct json_object *value = member_get(object, rule->name);
        double number;

        if (!value)
                return 0;
        if (!number_of(value, &number))
                return member_refuse(decoder, REASON_WRONG_TYPE, rule->name, value, "not a number");
        if (!isfinite(number) || number < rule->min || number > rule->max)
                return member_refuse(decoder,
                                     REASON_OUT_OF_RANGE,
                                     rule->name,
                                     value,
                                     "not within %g .. %g",
                                     rule->min,
                                     rule->max);
        *ret_value = number;
        return 0;
}

/* Unix time, in seconds or milliseconds. */
static bool time_of_number(double number, int64_t *ret_time_us) {
        if (fabs(number) > UNIX_MILLISECONDS)
                number /= 1000;
        if (!(number >= UNIX_MIN_S && number < UNIX_MAX_S))
                return false;
        *ret_time_us = llround(number * MICROSECONDS_PER_S);
        return true;
}

/* What a clock without battery, an uptime, or a week that rolled over says is no time. */
static bool time_is_believed(const Decoder *decoder, int64_t time_us) {
        int64_t first_us = record_first_us(decoder->record);
        int64_t ahead_us = decoder->route->max_ahead_us;
        int64_t age_us = decoder->route->max_age_us;

        return time_us <= first_us + (ahead_us > 0 ? ahead_us : ROUTE_MAX_AHEAD_US) &&
               time_us >= first_us - (age_us > 0 ? age_us : ROUTE_MAX_AGE_US);
}

/* In the hour that is repeated the reading nearer to the receipt, unless that is still to come. */
static bool time_of_text(const Decoder *decoder, Text text, int64_t *ret_time_us) {
        int64_t first_us = record_first_us(decoder->record);
        int64_t first_reading_us;

        if (timestamp_parse_near(text, decoder->route->zone, first_us, ret_time_us) != 0)
                return false;
        if (!time_is_believed(decoder, *ret_time_us) &&
            timestamp_parse(text, decoder->route->zone, &first_reading_us) == 0 &&
            time_is_believed(decoder, first_reading_us))
                *ret_time_us = first_reading_us;
        return true;
}

/* A time that is none, as it was said. */
static void time_set_aside(Decoder *decoder, struct json_object *value) {
        Text said = text_of(json_object_get_string(value));
        int r;

        if (said.n > DECODER_MAX_NAME) {
                said.n = DECODER_MAX_NAME;
                while (((unsigned char)said.data[said.n] & 0xc0) == 0x80) /* within a character */
                        --said.n;
        }
        r = decoder_copy(decoder, said, &decoder->said);
        if (r < 0)
                decoder->fault = r;
        decoder->record->odd_time = true;
}

/* What the device's clock shows: what its message says, or else the newest that is in it. */
static void time_show(Record *record, int64_t time_us, bool has_zone, bool is_own) {
        if (!is_own && time_us <= record->clock_us)
                return;
        record->clock_us = time_us;
        record->has_zone = has_zone;
}

void member_time(Decoder *decoder,
                 struct json_object *object,
                 const char *name,
                 int64_t *ret_time_us) {
        struct json_object *value = member_get(object, name);
        Record *record = decoder->record;
        bool is_own = ret_time_us == &record->time_us;
        bool is_text = json_object_is_type(value, json_type_string);
        int64_t time_us = 0;
        double number;
        bool is_time;

        if (!value)
                return;
        is_time = is_text ? time_of_text(decoder, string_of(value), &time_us)
                          : number_of(value, &number) && time_of_number(number, &time_us);
        if (is_time)
                time_show(record,
                          time_us,
                          is_text && timestamp_has_offset(string_of(value)),
                          is_own);

        decoder->said = (Text){ 0 };
        if (is_time && time_is_believed(decoder, time_us)) {
                *ret_time_us = time_us;
        } else {
                *ret_time_us = record_first_us(record);
                time_set_aside(decoder, value);
        }
        if (is_own) {
                record->has_clock = !decoder->said.data;
                record->said_time = decoder->said;
        }
}

int member_json(Decoder *decoder, struct json_object *object, Text *ret_json) {
        Text json;

        json.data = json_object_to_json_string_length(object,
                                                      JSON_C_TO_STRING_PLAIN |
                                                              JSON_C_TO_STRING_NOSLASHESCAPE,
                                                      &json.n);
        if (!json.data)
                return err_new(-ENOMEM);
        return decoder_copy(decoder, json, ret_json);
}

bool decoder_is_name(Text name) {
        if (name.n == 0 || name.n > DECODER_MAX_NAME)
                return false;
        for (size_t i = 0; i < name.n; ++i)
                if ((unsigned char)name.data[i] < 0x20 || name.data[i] == 0x7f)
                        return false;
        return true;
}

/* A name may be written as a number: it is then an id. */
int decoder_name(Decoder *decoder, const char *const members[], Text *name) {
        struct json_object *value = NULL;
        Text text;
        size_t i;

        if (name->data)
                return 0;
        for (i = 0; members[i] && !value; ++i)
                value = member_get(decoder->root, members[i]);
        if (!value)
                return 0;

        if (!json_object_is_type(value, json_type_string) &&
            !json_object_is_type(value, json_type_int))
                return member_refuse(decoder,
                                     REASON_WRONG_TYPE,
                                     members[i - 1],
                                     value,
                                     "not a name");

        text = text_of(json_object_get_string(value));
        if (!decoder_is_name(text))
                return member_refuse(decoder,
                                     REASON_OUT_OF_RANGE,
                                     members[i - 1],
                                     value,
                                     "empty, too long or with control characters");
        return decoder_copy(decoder, text, name);
}
