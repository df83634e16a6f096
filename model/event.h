#pragma once

/*
 * Event: one item of the outbox, on its way from the processor (or the query
 * thread) to the ws loops.
 *
 * Immutable and shared by reference count from the moment it is pushed. Its texts
 * live in its own memory. Who may see a message is not in it: the hub asks its own
 * registry, which the outbox keeps in step.
 */

#include "base/base.h"
#include "model/record.h"
#include "model/registry.h"

typedef struct Answer Answer;
typedef struct Event Event;

typedef enum EventType {
        EVENT_MESSAGE,  /* a message that a device sent */
        EVENT_RESTORED, /* the last known message of a device or vehicle, read back at start: never
                           broadcast, only remembered */
        EVENT_REGISTRY, /* @delta */
        EVENT_ANSWER,   /* @answer, of the readers (query.h) */
        EVENT_ACKNOWLEDGED, /* an alert is, by @message at @time_us: @alert. Has no number, and is
                               not remembered */
        EVENT_COMMAND, /* a command for @device_id's own socket, if it is here: @command_id, and
                          @data as it goes down; void from @time_us on */
        EVENT_OPEN,    /* what has the number @seq was not shown, and may be yet, with @behind set:
                          nobody may go on from a later one; 0: nothing is open any more */
        EVENT_GAP,     /* the outbox was full: @n_items messages up to @seq were not shown; of none,
                         at start: numbers go on behind @seq, and up to @last_seq they are given
                         away already */
} EventType;

struct Event {
        _Atomic unsigned n_refs;
        EventType type;
        Kind kind;
        bool persisted; /* committed before it was shown */
        bool late;      /* older than the latest state */
        bool behind;    /* what has later numbers was shown before it */
        bool again;     /* a dead letter that was taken in again */
        bool is_mute;   /* nobody is shown it: it tells that its device lives */
        bool is_whole;  /* telemetry: all that is known of its device, out of changes; */
        bool is_change; /* and this is such a change, or too long to be one */
        uint16_t slot;  /* whose journal has @seq */
        uint64_t epoch; /* of that journal; 0: the one that is known of the slot */
        uint64_t seq, last_seq;
        uint64_t before_seq; /* of several journals: the one that was shown before it where it comes
                                from; 0: nothing is known of that */
        int64_t journal_id;  /* as in Record */
        uint64_t place; /* in the order in which a loop shows events: the loop's to fill in, once */
        int64_t received_us;
        int64_t time_us;
        int64_t vehicle_id, device_id; /* 0 = none */
        uint64_t vehicle_key,
                device_key; /* key_hash of these; 0: they are as the database has them */
        int32_t sensor_id;
        uint32_t n_items;           /* ble_detections: records saved */
        DeviceState state;          /* device_status: the whole state after this message */
        DeviceClock clock;          /* of its vehicle, likewise; unjudged: nothing is known */
        double latitude, longitude; /* vehicle_log: where it is; NAN = it does not say */

        Text said_time;  /* as in Record; of ble_detections each has its own, in its row */
        Text data;       /* as Record.data, or merged; alert: Record.alert.extra; absent if none */
        Text event_type; /* camera_event; alert: its alert_type; command_*: the state that it is in
                            now */
        Text severity;   /* alert */
        Text message;    /* alert, command_* */
        Text command_id; /* command_* */
        Text alert;      /* EVENT_ACKNOWLEDGED: which, as epoch:seq */

        RegistryDelta *delta;                   /* owned reference */
        Answer *answer;                         /* owned */
        Answer *(*free_answer)(Answer *answer); /* which knows events, as answers have some */
};

enum {
        EVENT_E_UNREADABLE = 1,
};

/* Copies what it keeps of @record, which is no dead letter. @state NULL: unknown. Until it is
 * pushed its members may still be set (EVENT_RESTORED). */
MUST_CHECK int event_new_message(Event **ret_event,
                                 const Record *record,
                                 const DeviceState *state,
                                 bool persisted);
MUST_CHECK int event_new_registry(Event **ret_event,
                                  RegistryDelta *delta); /* takes a reference of its own */
MUST_CHECK int event_new_answer(Event **ret_event,
                                Answer **answerp,
                                Answer *(*free_answer)(Answer *answer)); /* answer_free() */
MUST_CHECK int event_new_command(Event **ret_event,
                                 int64_t device_id,
                                 int64_t expires_us,
                                 Text command_id,
                                 Text data);
/* As the database tells of it (schema/0043_alert_acks.sql): "<epoch:seq> <vehicle> <device> <us>
 * <name>"; EVENT_E_UNREADABLE: it is something else. */
MUST_CHECK int event_new_acknowledged(Event **ret_event, Text said);
MUST_CHECK int event_new_open(Event **ret_event, uint64_t seq);
MUST_CHECK int event_new_gap(Event **ret_event, uint64_t seq, uint32_t n_items);

/* Is it of the things that have these ids by now? */
bool event_is_of_now(const Event *event, const Registry *registry);

Event *event_ref(Event *event);
Event *event_unref(Event *event);

DEFINE_CLEANUP(Event *, event_unref);
