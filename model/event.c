#include "model/event.h"

#include <math.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/text.h"

static Event *event_alloc(EventType type, size_t n_texts) {
        Event *event;

        event = calloc(1, sizeof(*event) + n_texts);
        if (!event)
                return NULL;

        atomic_init(&event->n_refs, 1);
        event->type = type;
        return event;
}

/* Borrows the texts that a viewer may be shown. */
static void event_view(Event *view, const Record *record) {
        view->data = record->merged.data ? record->merged : record->data;
        if (record->kind != KIND_BLE_DETECTIONS)
                view->said_time = record->said_time;
        switch (record->kind) {
        case KIND_SENSOR_LOG:
                view->sensor_id = record->sensor.sensor_id;
                break;
        case KIND_VEHICLE_LOG:
                view->latitude = record->vehicle_log.latitude;
                view->longitude = record->vehicle_log.longitude;
                break;
        case KIND_BLE_DETECTIONS:
                view->n_items = (uint32_t)record->detections.n_items;
                break;
        case KIND_CAMERA_EVENT:
                view->event_type = record->camera.event_type;
                break;
        case KIND_ALERT:
                view->data = record->alert.extra;
                view->event_type = record->alert.alert_type;
                view->severity = record->alert.severity;
                view->message = record->alert.message;
                break;
        case KIND_COMMAND_ACK:
        case KIND_COMMAND_STATE:
                view->command_id = record->ack.command_id;
                view->event_type = record->ack.state.data ? record->ack.state : record->ack.status;
                view->message = record->ack.message;
                break;
        default:
                break;
        }
}

/* Copies to *atp and moves it behind; what is absent stays so. */
static Text event_copy(Text text, char **atp) {
        Text copy = { .data = *atp, .n = text.n };

        if (!text.data)
                return (Text){ 0 };
        if (text.n > 0)
                memcpy(*atp, text.data, text.n);
        *atp += text.n;
        return copy;
}

int event_new_message(Event **ret_event,
                      const Record *record,
                      const DeviceState *state,
                      bool persisted) {
        Event view = { .latitude = (double)NAN, .longitude = (double)NAN };
        Event *event;
        char *at;

        event_view(&view, record);
        event = event_alloc(EVENT_MESSAGE,
                            view.data.n + view.event_type.n + view.severity.n + view.message.n +
                                    view.command_id.n + view.said_time.n);
        if (!event)
                return err_new(-ENOMEM);

        event->kind = record->kind;
        event->persisted = persisted;
        event->late = record->late;
        event->again = record->letter_id != 0;
        event->is_whole = record->merged.data != NULL;
        event->is_change = record->merges;
        event->seq = event->place = record->seq;
        event->journal_id = record->journal_id;
        event->received_us = record->received_us;
        event->time_us = record->time_us;
        event->vehicle_id = record->vehicle_id;
        event->device_id = record->device_id;
        event->vehicle_key = record->vehicle_key;
        event->device_key = record->device_key;
        event->sensor_id = view.sensor_id;
        event->n_items = view.n_items;
        event->latitude = view.latitude;
        event->longitude = view.longitude;
        event->clock = record->clock;
        event->state = state ? *state : device_state_unknown();

        at = (char *)(event + 1);
        event->data = event_copy(view.data, &at);
        event->event_type = event_copy(view.event_type, &at);
        event->severity = event_copy(view.severity, &at);
        event->message = event_copy(view.message, &at);
        event->command_id = event_copy(view.command_id, &at);
        event->said_time = event_copy(view.said_time, &at);

        *ret_event = event;
        return 0;
}

/* Up to the next space, which is passed. */
static bool event_word(Text *rest, Text *ret_word) {
        const char *end = rest->n > 0 ? memchr(rest->data, ' ', rest->n) : NULL;

        if (!end || end == rest->data)
                return false;
        *ret_word = (Text){ rest->data, (size_t)(end - rest->data) };
        *rest = (Text){ end + 1, rest->n - ret_word->n - 1 };
        return true;
}

static bool event_number(Text *rest, int64_t *ret_number) {
        uint64_t number;
        Text word;

        if (!event_word(rest, &word) || !text_to_number(word, INT64_MAX, &number))
                return false;
        *ret_number = (int64_t)number;
        return true;
}

int event_new_acknowledged(Event **ret_event, Text said) {
        CLEANUP(event_unref) Event *event = event_alloc(EVENT_ACKNOWLEDGED, said.n);
        Text alert;
        char *at;

        if (!event)
                return err_new(-ENOMEM);
        if (!event_word(&said, &alert) || !event_number(&said, &event->vehicle_id) ||
            !event_number(&said, &event->device_id) || !event_number(&said, &event->time_us) ||
            said.n == 0)
                return EVENT_E_UNREADABLE;

        event->kind = KIND_ALERT; /* it comes to who the alert came to */
        event->persisted = true;
        at = (char *)(event + 1);
        event->alert = event_copy(alert, &at);
        event->message = event_copy(said, &at);
        *ret_event = TAKE(&event);
        return 0;
}

int event_new_registry(Event **ret_event, RegistryDelta *delta) {
        Event *event;

        event = event_alloc(EVENT_REGISTRY, 0);
        if (!event)
                return err_new(-ENOMEM);

        event->delta = registry_delta_ref(delta);
        *ret_event = event;
        return 0;
}

int event_new_answer(Event **ret_event, Answer **answerp, Answer *(*free_answer)(Answer *answer)) {
        Event *event;

        event = event_alloc(EVENT_ANSWER, 0);
        if (!event)
                return err_new(-ENOMEM);

        event->answer = TAKE(answerp);
        event->free_answer = free_answer;
        *ret_event = event;
        return 0;
}

int event_new_command(Event **ret_event,
                      int64_t device_id,
                      int64_t expires_us,
                      Text command_id,
                      Text data) {
        Event *event;
        char *at;

        event = event_alloc(EVENT_COMMAND, command_id.n + data.n);
        if (!event)
                return err_new(-ENOMEM);

        event->device_id = device_id;
        event->time_us = expires_us;
        at = (char *)(event + 1);
        event->command_id = event_copy(command_id, &at);
        event->data = event_copy(data, &at);
        *ret_event = event;
        return 0;
}

int event_new_open(Event **ret_event, uint64_t seq) {
        Event *event;

        event = event_alloc(EVENT_OPEN, 0);
        if (!event)
                return err_new(-ENOMEM);

        event->seq = seq;
        *ret_event = event;
        return 0;
}

int event_new_gap(Event **ret_event, uint64_t seq, uint32_t n_items) {
        Event *event;

        event = event_alloc(EVENT_GAP, 0);
        if (!event)
                return err_new(-ENOMEM);

        event->seq = seq;
        event->n_items = n_items;
        *ret_event = event;
        return 0;
}

bool event_is_of_now(const Event *event, const Registry *registry) {
        const Vehicle *vehicle =
                event->vehicle_key != 0 ? registry_vehicle(registry, event->vehicle_id) : NULL;
        const Device *device =
                event->device_key != 0 ? registry_device(registry, event->device_id) : NULL;

        return (!vehicle || thing_is_same(event->vehicle_key, vehicle->key_hash)) &&
               (!device || thing_is_same(event->device_key, device->key_hash));
}

Event *event_ref(Event *event) {
        if (event)
                atomic_fetch_add_explicit(&event->n_refs, 1, memory_order_relaxed);
        return event;
}

Event *event_unref(Event *event) {
        if (!event || atomic_fetch_sub_explicit(&event->n_refs, 1, memory_order_acq_rel) != 1)
                return NULL;

        registry_delta_unref(event->delta);
        if (event->answer)
                event->free_answer(event->answer);
        free(event);
        return NULL;
}
