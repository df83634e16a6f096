/* Decoder: the members of a payload, by type, range and length. */

#include <math.h>
#include <stdio.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "gateway/decode/decoder.h"

#define CHOICES_SIZE 160

const NumberRule number_latitude = { .name = "latitude", .min = -90, .max = 90 };
const NumberRule number_longitude = { .name = "longitude", .min = -180, .max = 180 };
const NumberRule number_rssi = { .name = "rssi", .min = -200, .max = 50 };

const JsonNode *member_get(const Decoder *decoder, const JsonNode *object, const char *name) {
        const JsonNode *value = json_member(&decoder->tree, object, text_of(name));

        return value && value->type != JSON_NULL ? value : NULL;
}

int member_object(Decoder *decoder, const char *name, const JsonNode **ret_object) {
        const JsonNode *value = member_get(decoder, decoder->root, name);

        if (!value)
                return 0;
        if (value->type != JSON_OBJECT)
                return decoder_set_aside(decoder, REASON_WRONG_TYPE, value, "not an object");
        *ret_object = value;
        return 0;
}

static int string_of(Decoder *decoder, const JsonNode *string, Text *ret_text) {
        int r = json_content(&decoder->tree, string, decoder->arena, ret_text);

        return r == 0 ? 0 : err_up(r);
}

/* ---- text and words ---- */

int member_text(Decoder *decoder,
                const JsonNode *object,
                const char *name,
                size_t max,
                Text *ret_text) {
        const JsonNode *value = member_get(decoder, object, name);
        Text text;
        int r = 0;

        if (!value)
                return 0;
        if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
                return decoder_set_aside(decoder, REASON_WRONG_TYPE, value, "not text");
        text = json_text(&decoder->tree, value);
        if (value->type == JSON_STRING)
                r = string_of(decoder, value, &text);
        if (r != 0)
                return err_up(r);
        if (text.n > max)
                return decoder_set_aside(decoder,
                                         REASON_OUT_OF_RANGE,
                                         value,
                                         "longer than %zu bytes",
                                         max);
        *ret_text = text;
        return 0;
}

Text member_meaning(Text word, const MemberWord words[]) {
        word = text_bare(word);
        for (size_t i = 0; words[i].word; ++i)
                if (word.n == strlen(words[i].word) &&
                    strncasecmp(words[i].word, word.data, word.n) == 0)
                        return words[i].meaning;
        return (Text){ 0 };
}

/* The words that mean themselves. */
static int member_refuse_word(Decoder *decoder, const JsonNode *value, const MemberWord words[]) {
        char known[CHOICES_SIZE] = "";
        size_t n = 0;

        for (size_t i = 0; words[i].word && n < sizeof(known); ++i)
                if (text_equal(text_of(words[i].word), words[i].meaning))
                        n += (size_t)snprintf(known + n,
                                              sizeof(known) - n,
                                              "%s%s",
                                              n == 0 ? "" : ", ",
                                              words[i].word);
        return decoder_set_aside(decoder, REASON_OUT_OF_RANGE, value, "not one of %s", known);
}

static int member_said_one(Decoder *decoder, const char *name, Text *said) {
        const JsonNode *value = member_get(decoder, decoder->root, name);

        if (said->n > 0 || !value || value->type != JSON_STRING ||
            json_text(&decoder->tree, value).n > DECODER_MAX_LABEL)
                return 0;
        return err_up(member_text(decoder, decoder->root, name, DECODER_MAX_LABEL, said));
}

int member_said(Decoder *decoder) {
        int r = member_said_one(decoder, "name", &decoder->record->said_name);

        return r == 0 ? member_said_of_device(decoder) : r;
}

int member_said_of_device(Decoder *decoder) {
        int r = member_said_one(decoder, "device_name", &decoder->record->said_name);

        if (r == 0)
                r = member_said_one(decoder, "location", &decoder->record->said_location);
        return r;
}

int member_word(Decoder *decoder, const char *name, const MemberWord words[], Text *ret_meaning) {
        const JsonNode *value = member_get(decoder, decoder->root, name);
        Text word, meaning;
        int r = 0;

        if (!value)
                return 0;
        if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
                return decoder_set_aside(decoder, REASON_WRONG_TYPE, value, "not a word");
        word = json_text(&decoder->tree, value);
        if (value->type == JSON_STRING)
                r = string_of(decoder, value, &word);
        if (r != 0)
                return err_up(r);
        meaning = member_meaning(decoder_trim(word), words);
        if (!meaning.data)
                return member_refuse_word(decoder, value, words);
        *ret_meaning = meaning;
        return 0;
}

/* ---- numbers ---- */

int member_digits(Decoder *decoder, const JsonNode *value, Text *ret_digits) {
        Text text;
        int r;

        *ret_digits = (Text){ 0 };
        if (value->type == JSON_NUMBER)
                *ret_digits = json_text(&decoder->tree, value);
        if (value->type != JSON_STRING)
                return 0;
        r = string_of(decoder, value, &text);
        if (r == 0)
                r = json_digits(decoder_trim(text), decoder->arena, ret_digits);
        return r == 0 ? 0 : err_up(r);
}

/* NAN: it is none. */
static int number_of(Decoder *decoder, const JsonNode *value, double *ret_number) {
        Text digits;
        int r;

        *ret_number = (double)NAN;
        r = member_digits(decoder, value, &digits);
        if (r == 0 && digits.data)
                r = json_number(digits, decoder->arena, ret_number);
        return r == 0 ? 0 : err_up(r);
}

int member_number(Decoder *decoder,
                  const JsonNode *object,
                  const NumberRule *rule,
                  double *ret_value) {
        const JsonNode *value = member_get(decoder, object, rule->name);
        double number;
        int r;

        if (!value)
                return 0;
        r = number_of(decoder, value, &number);
        if (r != 0)
                return err_up(r);
        if (isnan(number))
                return decoder_set_aside(decoder, REASON_WRONG_TYPE, value, "not a number");
        if (!isfinite(number) || number < rule->min || number > rule->max)
                return decoder_set_aside(decoder,
                                         REASON_OUT_OF_RANGE,
                                         value,
                                         "not within %g .. %g",
                                         rule->min,
                                         rule->max);
        *ret_value = number;
        return 0;
}

/* ---- times ---- */

/* What a clock without battery, an uptime, or a week that rolled over says is no time. */
static bool time_is_believed(const Decoder *decoder, int64_t time_us) {
        int64_t first_us = record_first_us(decoder->record);
        int64_t age_us = decoder->route->max_age_us;

        return time_us <= first_us + route_ahead_us(decoder->route) &&
               time_us >= first_us - (age_us > 0 ? age_us : ROUTE_MAX_AGE_US);
}

static bool time_of_text(const Decoder *decoder, Text text, int64_t *ret_time_us) {
        return timestamp_parse_near(text_bare(text),
                                    decoder->route->zone,
                                    record_first_us(decoder->record),
                                    route_ahead_us(decoder->route),
                                    ret_time_us) == 0;
}

/* A time that is none, as it was said. */
static int time_set_aside(Decoder *decoder, Text said) {
        int r;

        if (said.n > DECODER_MAX_NAME) {
                said.n = DECODER_MAX_NAME;
                while (((unsigned char)said.data[said.n] & 0xc0) == 0x80) /* within a character */
                        --said.n;
        }
        r = decoder_copy(decoder, said, &decoder->said);
        decoder->record->odd_time = true;
        return r == 0 ? 0 : err_up(r);
}

/* What the device's clock shows: what its message says, or else the newest that is in it. */
static void time_show(Record *record, int64_t time_us, bool has_zone, bool is_own) {
        if (!is_own && time_us <= record->clock_us)
                return;
        record->clock_us = time_us;
        record->has_zone = has_zone;
}

/* As text or as a number, which may be text as well. */
static int time_read(Decoder *decoder,
                     const JsonNode *value,
                     Text said,
                     int64_t *ret_time_us,
                     bool *ret_is_time,
                     bool *ret_has_zone) {
        bool is_text = value->type == JSON_STRING && time_of_text(decoder, said, ret_time_us);
        double number = (double)NAN;
        int r = 0;

        if (!is_text)
                r = number_of(decoder, value, &number);
        if (r != 0)
                return err_up(r);
        *ret_is_time = is_text || timestamp_of_number(number, ret_time_us);
        *ret_has_zone = is_text && timestamp_has_offset(text_bare(said));
        return 0;
}

/* @time_us: of what was said; CLOCK_UNKNOWN: that is none. */
static int time_judge(Decoder *decoder,
                      int64_t time_us,
                      Text said,
                      bool has_zone,
                      int64_t *ret_time_us) {
        Record *record = decoder->record;
        bool is_own = ret_time_us == &record->time_us;
        int r = 0;

        decoder->said = (Text){ 0 };
        if (time_us != CLOCK_UNKNOWN)
                time_show(record, time_us, has_zone, is_own);
        if (time_us != CLOCK_UNKNOWN && time_is_believed(decoder, time_us)) {
                *ret_time_us = time_us;
        } else {
                *ret_time_us = record_first_us(record);
                r = time_set_aside(decoder, said);
        }
        if (is_own) {
                record->has_clock = !decoder->said.data;
                record->said_time = decoder->said;
        }
        return r == 0 ? 0 : err_up(r);
}

static int member_time_of(Decoder *decoder, const JsonNode *value, int64_t *ret_time_us) {
        Text said = json_text(&decoder->tree, value);
        bool is_time = false, has_zone = false;
        int64_t time_us = 0;
        int r = 0;

        if (value->type == JSON_STRING)
                r = string_of(decoder, value, &said);
        else if (value->has_odd)
                r = decoder_json(decoder, value, &said);
        if (r == 0)
                r = time_read(decoder, value, said, &time_us, &is_time, &has_zone);
        if (r == 0)
                r = time_judge(decoder,
                               is_time ? time_us : CLOCK_UNKNOWN,
                               said,
                               has_zone,
                               ret_time_us);
        return r == 0 ? 0 : err_up(r);
}

void member_time(Decoder *decoder, const JsonNode *object, const char *name, int64_t *ret_time_us) {
        bool is_given = decoder->has_time && ret_time_us == &decoder->record->time_us;
        const JsonNode *value = is_given ? NULL : member_get(decoder, object, name);
        int r = value ? member_time_of(decoder, value, ret_time_us) : 0;

        if (r < 0)
                decoder->fault = r;
}

int decoder_take_time(Decoder *decoder, int64_t time_us, Text said) {
        int r = time_judge(decoder,
                           time_us,
                           said,
                           timestamp_has_offset(text_bare(said)),
                           &decoder->record->time_us);

        decoder->has_time = true;
        return r == 0 ? 0 : err_up(r);
}
