/* Decode: the logs of vehicles: raw, sensor and vehicle. */

#include <float.h>
#include <math.h>

#include "base/buf.h"
#include "base/err.h"
#include "gateway/decode/decoder.h"

typedef struct LogMember LogMember;

struct LogMember {
        const char *name;
        VehicleLogType type;
        size_t offset;          /* of its value in VehicleRecord */
        const NumberRule *rule; /* of a number */
};

static const NumberRule number_battery_voltage = { "battery_voltage", -DBL_MAX, DBL_MAX };
static const NumberRule number_battery_current = { "battery_current", -DBL_MAX, DBL_MAX };
static const NumberRule number_heading = { "heading", 0, 360 };
static const NumberRule number_speed = { "speed", -DBL_MAX, DBL_MAX };

#define LOG_NUMBER(separator, name) \
        { #name, VEHICLE_LOG_NUMBER, offsetof(VehicleRecord, name), &number_##name },
#define LOG_TEXT(separator, name) { #name, VEHICLE_LOG_TEXT, offsetof(VehicleRecord, name), NULL },
#define LOG_FLAG(separator, name) { #name, VEHICLE_LOG_FLAG, offsetof(VehicleRecord, name), NULL },

/* The members that have columns, and so no place in extra. */
static const LogMember log_members[VEHICLE_LOG_MEMBERS] = {
        VEHICLE_LOG_EACH(LOG_NUMBER, LOG_TEXT, LOG_FLAG)
};

static const char *const vehicle_members[] = { "vehicle_code", "vehicle_id", NULL };

static const MemberWord flag_words[] = {
        { "true", TEXT("true") }, { "1", TEXT("true") },      { "on", TEXT("true") },
        { "yes", TEXT("true") },  { "false", TEXT("false") }, { "0", TEXT("false") },
        { "off", TEXT("false") }, { "no", TEXT("false") },    { 0 },
};

/* A map gives it as the member `message`, of whatever type. */
static int decode_mapped_text(Decoder *decoder, Text *ret_text) {
        const JsonNode *value;
        int r = decoder_parse(decoder);

        if (r != 0)
                return r;
        value = member_get(decoder, decoder->root, "message");
        if (!value)
                return decoder_refuse_without(decoder, decoder->root, "message");
        *ret_text = json_text(&decoder->tree, value);
        if (value->type == JSON_STRING)
                r = json_content(&decoder->tree, value, decoder->arena, ret_text);
        return r == 0 ? 0 : err_up(r);
}

int decode_raw_log(Decoder *decoder) {
        Record *record = decoder->record;
        CLEANUP_BUF Buf data = { 0 };
        int r;

        r = decoder->route->map ? decode_mapped_text(decoder, &record->text)
                                : decoder_plain_text(decoder, &record->text);
        if (r != 0)
                return r;

        buf_json_string(&data, record->text);
        if (buf_failed(&data))
                return err_new(-ENOMEM);
        return decoder_copy(decoder, buf_text(&data), &record->data);
}

/* An integer, also as text: 5, 5.0, "5". */
static int decode_sensor_id(Decoder *decoder, int32_t *ret_sensor_id) {
        static const NumberRule rule = { .name = "sensor_id", .min = 0, .max = INT32_MAX };
        double value = (double)NAN;
        int r;

        r = member_number(decoder, decoder->root, &rule, &value);
        if (r != 0)
                return err_up(r);
        if (isnan(value))
                return decoder_refuse_without(decoder, decoder->root, rule.name);
        if (value > floor(value))
                return decoder_refuse_value(decoder,
                                            REASON_WRONG_TYPE,
                                            member_get(decoder, decoder->root, rule.name),
                                            "not an integer");
        *ret_sensor_id = (int32_t)value;
        return 0;
}

int decode_sensor_log(Decoder *decoder) {
        Record *record = decoder->record;
        const JsonNode *data = NULL;
        int r;

        record->sensor = (SensorRecord){ 0 };
        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, vehicle_members, &record->vehicle);
        if (r == 0)
                r = decode_sensor_id(decoder, &record->sensor.sensor_id);
        if (r == 0)
                r = member_object(decoder, "data", &data);
        if (r == 0 && !data)
                r = decoder_refuse_without(decoder, decoder->root, "data");
        if (r != 0)
                return r;
        member_time(decoder,
                    member_get(decoder, data, "timestamp") ? data : decoder->root,
                    "timestamp",
                    &record->time_us);
        return decoder_json(decoder, data, &record->data);
}

/* A boolean, also as 0, 1, "true", "OFF". */
static int decode_flag(Decoder *decoder, const char *name, int8_t *ret_flag) {
        Text meaning = { 0 };
        int r = member_word(decoder, name, flag_words, &meaning);

        if (r == 0 && meaning.data)
                *ret_flag = (int8_t)text_equal(meaning, TEXT("true"));
        return r;
}

static void *log_value(VehicleRecord *log, const LogMember *member) {
        return (char *)log + member->offset;
}

static int decode_log_member(Decoder *decoder, const LogMember *member, VehicleRecord *log) {
        const JsonNode *root = decoder->root;

        switch (member->type) {
        case VEHICLE_LOG_NUMBER:
                return member_number(decoder, root, member->rule, log_value(log, member));
        case VEHICLE_LOG_TEXT:
                return member_text(decoder,
                                   root,
                                   member->name,
                                   DECODER_MAX_NAME,
                                   log_value(log, member));
        case VEHICLE_LOG_FLAG:
                return decode_flag(decoder, member->name, log_value(log, member));
        }
        return 0;
}

/* Which of those that have a column it is; NULL: none. */
static const LogMember *log_member(const Decoder *decoder, const JsonNode *name) {
        for (size_t i = 0; i < N_ELEMENTS(log_members); ++i)
                if (json_is(&decoder->tree, name, text_of(log_members[i].name)))
                        return &log_members[i];
        return NULL;
}

static bool log_leaves_out(const Decoder *decoder, const JsonNode *name) {
        return log_member(decoder, name) ||
               (!decoder->record->odd_time && json_is(&decoder->tree, name, TEXT("timestamp")));
}

/* As it stands where it is a boolean already. */
static Text normal_flag(int8_t flag, const JsonNode *value) {
        if (value->type == JSON_TRUE || value->type == JSON_FALSE)
                return (Text){ 0 };
        if (flag < 0)
                return TEXT("null");
        return flag > 0 ? TEXT("true") : TEXT("false");
}

static int normal_number(Decoder *decoder, double number, const JsonNode *value, Text *ret) {
        int r = 0;

        if (isnan(number))
                *ret = TEXT("null");
        else if (value->type == JSON_STRING)
                r = member_digits(decoder, value, ret);
        return r == 0 ? 0 : err_up(r);
}

/* How viewers get a member that has a column: numbers and booleans as such, with the digits that
 * were sent, and null where it was set aside. Absent: as it stands. */
static int log_normal(Decoder *decoder, VehicleRecord *log, const JsonNode *name, Text *ret) {
        const JsonNode *value = name + 1;
        const LogMember *member = log_member(decoder, name);

        *ret = (Text){ 0 };
        if (!member || value->type == JSON_NULL)
                return 0;
        if (member->type == VEHICLE_LOG_NUMBER)
                return normal_number(decoder, *(double *)log_value(log, member), value, ret);
        if (member->type == VEHICLE_LOG_FLAG)
                *ret = normal_flag(*(int8_t *)log_value(log, member), value);
        else if (value->type == JSON_ARRAY || value->type == JSON_OBJECT)
                *ret = TEXT("null");
        return 0;
}

static int log_write(Decoder *decoder, VehicleRecord *log, Buf *buf) {
        const JsonNode *root = decoder->root, *at = root + 1;
        Text normal;

        buf_append_char(buf, '{');
        for (size_t i = 0; i < root->n; i += 2, at = json_next(at + 1)) {
                int r = log_normal(decoder, log, at, &normal);

                if (r != 0)
                        return err_up(r);
                if (i > 0)
                        buf_append_char(buf, ',');
                json_write(buf, &decoder->tree, at);
                buf_append_char(buf, ':');
                if (normal.data)
                        buf_append_text(buf, normal);
                else
                        json_write(buf, &decoder->tree, at + 1);
        }
        buf_append_char(buf, '}');
        return buf_failed(buf) ? err_new(-ENOMEM) : 0;
}

/* Byte for byte, unless something in it was written as something else, or set aside. */
static int normalise(Decoder *decoder, VehicleRecord *log) {
        const JsonNode *root = decoder->root, *at = root + 1;
        CLEANUP_BUF Buf buf = { 0 };
        Text normal = { .data = root->has_odd ? "" : NULL };
        int r = 0;

        for (size_t i = 0; r == 0 && !normal.data && i < root->n; i += 2, at = json_next(at + 1))
                r = log_normal(decoder, log, at, &normal);
        if (r != 0)
                return err_up(r);
        if (!normal.data) {
                decoder->record->data = json_text(&decoder->tree, root);
                return 0;
        }
        r = log_write(decoder, log, &buf);
        if (r == 0)
                r = decoder_copy(decoder, buf_text(&buf), &decoder->record->data);
        return r == 0 ? 0 : err_up(r);
}

static bool log_has(VehicleRecord *log, const LogMember *member) {
        switch (member->type) {
        case VEHICLE_LOG_NUMBER:
                return !isnan(*(double *)log_value(log, member));
        case VEHICLE_LOG_TEXT:
                return ((Text *)log_value(log, member))->data;
        case VEHICLE_LOG_FLAG:
                return *(int8_t *)log_value(log, member) >= 0;
        }
        return false;
}

static bool log_is_empty(VehicleRecord *log) {
        for (size_t i = 0; i < N_ELEMENTS(log_members); ++i)
                if (log_has(log, &log_members[i]))
                        return false;
        return true;
}

/* A row of nothing but NULL is none. */
static int refuse_empty(Decoder *decoder) {
        for (size_t i = 0; i < N_ELEMENTS(log_members); ++i) {
                const char *name = log_members[i].name;
                const JsonNode *value = json_member(&decoder->tree, decoder->root, text_of(name));

                if ((value && (value->type != JSON_NULL || value->odd)) ||
                    (!value && decoder_note_of(decoder, text_of(name))))
                        return decoder_refuse_without(decoder, decoder->root, name);
        }
        return decoder_refuse_piece(decoder,
                                    REASON_MISSING_MEMBER,
                                    "payload: no member of a vehicle log (battery_voltage, "
                                    "latitude, "
                                    "mode, ...)",
                                    json_text(&decoder->tree, decoder->root));
}

static void log_clear(VehicleRecord *log) {
        *log = (VehicleRecord){ 0 };
        for (size_t i = 0; i < N_ELEMENTS(log_members); ++i)
                if (log_members[i].type == VEHICLE_LOG_NUMBER)
                        *(double *)log_value(log, &log_members[i]) = (double)NAN;
                else if (log_members[i].type == VEHICLE_LOG_FLAG)
                        *(int8_t *)log_value(log, &log_members[i]) = -1;
}

int decode_vehicle_log(Decoder *decoder) {
        Record *record = decoder->record;
        VehicleRecord *log = &record->vehicle_log;
        int r;

        log_clear(log);
        r = decoder_parse(decoder);
        if (r == 0)
                r = decoder_name(decoder, vehicle_members, &record->vehicle);
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(log_members); ++i)
                r = decode_log_member(decoder, &log_members[i], log);
        if (r != 0)
                return r;
        member_time(decoder, decoder->root, "timestamp", &record->time_us);
        if (log_is_empty(log))
                r = refuse_empty(decoder);
        if (r == 0)
                r = normalise(decoder, log);
        if (r == 0)
                r = decoder_rest(decoder, decoder->root, log_leaves_out, &log->extra);
        if (r == 0 && log->extra.n == 2)
                log->extra = (Text){ 0 };
        return r;
}
