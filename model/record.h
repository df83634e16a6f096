#pragma once

/*
 * Record: one received message as the processor understands it.
 *
 * decode fills it from topic and payload, the processor resolves the names to
 * ids, the store writes it, and an Event (event.h) is made of it for the viewers.
 * Every Text is borrowed: from the journal or from the arena of the batch; all
 * of it is gone when the batch is done. A number that is absent or null is NAN, a
 * boolean that is absent or null is -1, a Text that is absent has data == NULL.
 */

#include "base/base.h"
#include "model/device_clock.h"
#include "model/vehicle_log.h"

typedef enum Kind {
        KIND_NONE,
        KIND_DEVICE_STATUS,
        KIND_RAW_LOG,
        KIND_SENSOR_LOG,
        KIND_VEHICLE_LOG,
        KIND_BLE_DETECTIONS,
        KIND_TELEMETRY,
        KIND_CAMERA_EVENT,
        KIND_ALERT,
        KIND_COMMAND_ACK,
        KIND_COMMAND_STATE, /* of our own making: what became of a command (dispatcher.h, edge.h) */
        KIND_COUNT
} Kind;

const char *kind_name(Kind kind); /* "device_status", ... ; "none" */
Kind kind_from_name(Text name);   /* KIND_NONE if unknown */

/* Why a message, or one item of it, was set aside: the reason code in dead_letters. */
typedef enum Reason {
        REASON_NONE,
        REASON_BAD_JSON, /* not RFC 8259, or not the shape that the kind asks for at top level */
        REASON_BAD_UTF8,
        REASON_NUL_CHARACTER, /* a NUL byte or \u0000 */
        REASON_TOO_LARGE,
        REASON_TOO_DEEP,
        REASON_MISSING_MEMBER,
        REASON_WRONG_TYPE,
        REASON_OUT_OF_RANGE,
        REASON_BAD_TIME, /* not given any more; letters of before have it */
        REASON_UNKNOWN_DEVICE,
        REASON_UNKNOWN_VEHICLE,
        REASON_UNKNOWN_USER,
        REASON_WRONG_OWNER,
        REASON_UNKNOWN_COMMAND,
        REASON_UNKNOWN_SENSOR, /* and its vehicle may have no more */
        REASON_UNKNOWN_ALIAS,  /* Sparkplug: no birth has said what its metrics are called */
        REASON_NO_ROUTE,
        REASON_DB_REJECTED, /* PostgreSQL refused the row; detail has the SQLSTATE */
        REASON_COUNT
} Reason;

const char *reason_name(Reason reason); /* "bad_json", ... */

/* Why a message about a node says nothing of now. */
typedef enum Stale {
        STALE_NOT,
        STALE_LATE,  /* of a session, or a life, that was over */
        STALE_AGAIN, /* it was said before */
} Stale;

/* What a message leaves in tables beside its row. */
typedef enum RecordSide {
        RECORD_ROW,   /* nothing: the row itself */
        RECORD_NOTES, /* on what of it was set aside */
        RECORD_BIRTH,
        RECORD_MERGED,
        RECORD_CLOCK,
        RECORD_LETTER,  /* what of it is a dead letter */
        RECORD_GOES,    /* that the letter goes which was taken in again */
        RECORD_OUTCOME, /* and what came of it, for who asked */
        RECORD_SIDES
} RecordSide;

typedef struct StatusRecord StatusRecord;
typedef struct SensorRecord SensorRecord;
typedef struct VehicleRecord VehicleRecord;
typedef struct Detection Detection;
typedef struct DetectionsRecord DetectionsRecord;
typedef struct CameraRecord CameraRecord;
typedef struct AlertRecord AlertRecord;
typedef struct AckRecord AckRecord;
typedef struct RecordNote RecordNote;
typedef struct Record Record;
typedef struct Origin Origin;
typedef struct SparkplugTable SparkplugTable; /* gateway/sparkplug/table.h */

struct StatusRecord {
        Text status; /* online, offline, warning, error */
        double temperature, humidity, latitude, longitude;
        Text extra; /* JSON object of the members that have no column; absent if none */
};

struct SensorRecord {
        int32_t sensor_id;
};

struct VehicleRecord {
#define RECORD_NUMBER(separator, name) double name;
#define RECORD_TEXT(separator, name)   Text name;
#define RECORD_FLAG(separator, name)   int8_t name;
        VEHICLE_LOG_EACH(RECORD_NUMBER, RECORD_TEXT, RECORD_FLAG)
        Text extra; /* JSON object of the members that have no column; absent if none */
};

struct Detection {
        char device_hash[65]; /* 64 lower-case hex digits and NUL */
        double rssi;          /* dBm */
        const char *zone;     /* "near", "medium", "far": static */
        int64_t time_us;
        Text said_time; /* as in Record */
        bool is_there;  /* likewise */
};

struct DetectionsRecord {
        Detection *items; /* the good ones */
        size_t n_items;
        struct {
                Reason reason;
                Text bytes;  /* the item's JSON */
                Text detail; /* for people */
                bool is_there;
        } * set_aside; /* the bad ones */
        size_t n_set_aside;
};

struct CameraRecord {
        Text event_type;
        Text person_name; /* data.person_name; absent if none or null */
        double confidence;
};

struct AlertRecord {
        Text severity;   /* critical, warning, info */
        Text alert_type; /* absent if none */
        Text message, source;
        double latitude, longitude;
        Text extra; /* JSON object: every member but alert_type, message and timestamp; "{}" if none
                     */
};

struct AckRecord {
        Text command_id;
        Text status; /* command_ack: ok, error, executing */
        Text state;  /* what the command thereby is: published, delivered, executing, done, ... */
        Text message;
};

/* A member that was not used, of a message that is stored all the same. */
struct RecordNote {
        Text member; /* its JSON pointer: "/data/latitude" */
        Reason reason;
        Text detail;    /* for people; absent if none */
        Text target;    /* of a map: the member that came to nothing by it; absent: none did, */
        const char *by; /* and the operation, static */
};

/* Another gateway's journal, and a number in it (uplink.h). */
struct Origin {
        int64_t device_id;  /* which it is here; 0 = the message came to us */
        uint64_t epoch;     /* of its journal */
        uint64_t after_seq; /* what came before it, or what the edge was told that we have */
        uint64_t seq;       /* 0: a dead letter of it that is taken in again */
        uint64_t view;      /* by which state of the database it was told so (origins.h) */
        bool is_whole;      /* this is the last, or only, message of what has that number */
};

struct Record {
        uint64_t seq;
        int64_t received_us;
        int64_t time_us; /* device time; when it first came where the payload has none */
        Kind kind;
        Text topic, payload; /* as received */
        const char *route; /* name of the route: static for the life of the configuration; NULL for
                              other doors */

        Text said_name, said_location; /* what its device is called, and where it is, as it says;
                                          absent: nothing */
        Text said_maker, said_model, said_firmware; /* and what it is, likewise */
        Text user, vehicle, device; /* as the topic or, failing that, the payload names them; absent
                                       if it does not */
        int64_t user_id, vehicle_id, device_id; /* resolved by the processor; 0 = none */
        uint64_t vehicle_key, device_key;       /* key_hash of these, likewise */
        bool is_there;       /* the database has it already: nothing of it is written again */
        bool retained;       /* kept by the broker from before: what was, not what is */
        int64_t journal_id;  /* of what is read from the database: whose seq is; 0: not said */
        int64_t letter_id;   /* a dead letter that is taken in again; 0 = news */
        int64_t first_us;    /* of a letter, or of what has an origin: when it first came */
        Origin origin;       /* the gateway that brought it, which speaks for what is its owner's */
        uint64_t sender_key; /* as in Inbound: of what has that origin, or of device_id */
        bool is_of_former;   /* and that is another's by now */
        bool letter_stays;   /* it is several messages, and this is not the last of them */
        int64_t element; /* of the message that came: which, from 1; 0 = all of it. The payload is
                            the message as JSON with this element alone */
        const SparkplugTable *terms; /* what its birth said; NULL: nothing is known */
        int64_t node_seq, bd_seq;    /* Sparkplug: its counter, and the session; -1: it says none */
        bool may_ask;                /* Sparkplug: its node may be asked to be born again */
        Text birth;                  /* Sparkplug: whose birth it is; absent: it is none */
        Text birth_said;             /* what is remembered of it; absent: its payload */
        Stale stale;                 /* Sparkplug: why it is a duplicate */
        bool is_history;             /* it says itself that it is nothing of now */
        bool has_clock;              /* time_us is the device's own, and believed */
        bool odd_time;               /* it gave a time that is none, or that cannot be */
        Text said_time;   /* that time as it said it, in place of which time_us is the receipt;
                             absent if time_us is its own, or it said none */
        int64_t clock_us; /* the time that it gave, believed or not; CLOCK_UNKNOWN: none */
        bool has_zone;    /* and said with which offset from UTC */
        int64_t slack_us; /* what a clock may be off by: time.ahead */
        DeviceClock
                clock;    /* of its vehicle, as this message leaves it; unjudged: it says nothing */
        bool notes_clock; /* and the database is to know it */
        bool late;        /* older than the latest state: stored, does not move it */
        bool unchanged;   /* command_ack, command_state: the command was as far already, or further:
                             nothing is shown; set by the store */
        bool may_register; /* a device that is not known may be created by it */
        bool ignored;      /* duplicate, as no route wants its topic, or it is an element that is
                              null, or an array without any */
        bool duplicate;    /* a letter whose message is stored already, or what a broker kept and
                              nobody needs: nothing is written */

        unsigned left_out;    /* by RecordSide: what the database does not take, and goes without */
        Text left_out_detail; /* for people; absent if nothing is left out */

        Reason reason; /* not REASON_NONE: this is a dead letter, and nothing below is valid */
        Text detail;   /* for people; absent if none */

        RecordNote *notes; /* members that were set aside: of a message that is no letter */
        size_t n_notes;
        Text misnamed; /* the detail of the last that should have named whose it is; absent: none */

        Text data;   /* JSON value shown to viewers as "data": raw_log a string, telemetry the
                        payload's very bytes, sensor_log and camera_event their data, vehicle_log the
                        normalised object, device_status its extra */
        Text text;   /* raw_log: the text as stored */
        bool merges; /* telemetry: it says what has changed */
        Text merged; /* and what is known altogether, shown in place of data; absent: it does not
                        merge, or could not */
        uint64_t merged_seq; /* which message was laid over it last: this one, or a later one */
        union {
                StatusRecord status;
                SensorRecord sensor;
                VehicleRecord vehicle_log;
                DetectionsRecord detections;
                CameraRecord camera;
                AlertRecord alert;
                AckRecord ack; /* command_ack, command_state */
        };
};

/* Do their names say the same? */
static inline bool record_names_same(const Record *record, const Record *other) {
        return record->user_id == other->user_id && record->vehicle_id == other->vehicle_id &&
               record->device_id == other->device_id && record->vehicle_key == other->vehicle_key &&
               record->device_key == other->device_key;
}

/* When the message first came in, whatever became of it then. */
static inline int64_t record_first_us(const Record *record) {
        bool is_second_hand = record->letter_id != 0 || record->origin.device_id != 0;

        return is_second_hand ? record->first_us : record->received_us;
}

static inline bool record_leaves_out(const Record *record, RecordSide side) {
        return record->left_out & 1U << side;
}

/* A letter that was taken in again, and can be neither a row nor another letter, or not go: it
 * stays, and is all that there is of it. */
static inline bool record_keeps_letter(const Record *record) {
        if (record->letter_id == 0 || record->letter_stays || record->reason == REASON_NONE)
                return false;
        return record_leaves_out(record, RECORD_GOES) || record_leaves_out(record, RECORD_LETTER);
}

/* Neither a row nor a letter: the journal keeps it. */
static inline bool record_is_refused(const Record *record) {
        if (!record_leaves_out(record, RECORD_LETTER) || record_keeps_letter(record))
                return false;
        return record->reason != REASON_NONE || record->detections.n_items == 0;
}

/* Where the message stands in the order of its thing: a clock that is ahead counts as now. */
static inline int64_t record_order_us(const Record *record) {
        int64_t first_us = record_first_us(record);

        return record->time_us < first_us ? record->time_us : first_us;
}

/* What is not stored yet gets larger numbers where others have stored some of those meanwhile. Who
 * remembers by number moves along; what is of the past stays, and so does 0, which is none. */
typedef struct RecordShift RecordShift;

struct RecordShift {
        uint64_t stored_seq, by;
};

static inline void record_move(const RecordShift *shift, uint64_t *seq) {
        if (*seq > shift->stored_seq)
                *seq += shift->by;
}
