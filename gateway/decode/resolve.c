#include "gateway/decode/resolve.h"

#include "base/name.h"

static void resolve_refuse(Record *record, Reason reason, Text detail) {
        record->reason = reason;
        record->detail = detail;
}

/* Why nothing was found. */
static Text resolve_doubt(Text name) {
        if (name_spelt_id(name) == 0)
                return TEXT("there is none of this name");
        return TEXT("no code or id, or one's code and another owner's id: say id:5 for the id 5");
}

/* An owner in the topic speaks only for what is its own. */
static bool resolve_owner_differs(const Record *record, int64_t owner_id) {
        return record->user.data && record->user_id != owner_id;
}

static void resolve_user(const Registry *registry, Record *record) {
        const User *user;

        if (!record->user.data)
                return;
        user = registry_find_user(registry, record->user);
        if (!user || !user->is_active)
                resolve_refuse(record, REASON_UNKNOWN_USER, resolve_doubt(record->user));
        else
                record->user_id = user->id;
}

static const Device *resolve_find_device(const Registry *registry, const Record *record) {
        const Device *device;

        device = record->device_id != 0
                         ? registry_device(registry, record->device_id)
                         : registry_find_device_of(registry, record->user_id, record->device);
        return device && device->is_active ? device : NULL;
}

static void resolve_device(const Registry *registry, Record *record) {
        const Device *device;

        if (!record->device.data && record->device_id == 0)
                return;
        device = resolve_find_device(registry, record);
        if (!device) {
                resolve_refuse(record, REASON_UNKNOWN_DEVICE, resolve_doubt(record->device));
        } else if (resolve_owner_differs(record, device->user_id)) {
                resolve_refuse(record, REASON_WRONG_OWNER, TEXT("the device is another user's"));
        } else {
                record->device_id = device->id;
                record->device_key = device->key_hash;
        }
}

static void resolve_vehicle(const Registry *registry, Record *record) {
        const Vehicle *vehicle;

        if (!record->vehicle.data)
                return;
        vehicle = registry_find_vehicle_of(registry, record->user_id, record->vehicle);
        if (!vehicle || !vehicle->is_active) {
                resolve_refuse(record, REASON_UNKNOWN_VEHICLE, resolve_doubt(record->vehicle));
        } else if (resolve_owner_differs(record, vehicle->user_id)) {
                resolve_refuse(record, REASON_WRONG_OWNER, TEXT("the vehicle is another user's"));
        } else {
                record->vehicle_id = vehicle->id;
                record->vehicle_key = vehicle->key_hash;
        }
}

/* Nothing says whose it is, or what should is no name. */
static void resolve_refuse_nameless(Record *record, Reason reason, Text detail) {
        resolve_refuse(record, reason, record->misnamed.data ? record->misnamed : detail);
}

/* Every kind is about a vehicle or a device; an alert may be about either. */
void resolve_subject(Record *record) {
        bool has_vehicle = record->vehicle_id != 0 || record->vehicle.data;
        bool has_device = record->device_id != 0 || record->device.data;

        switch (record->kind) {
        case KIND_RAW_LOG:
        case KIND_SENSOR_LOG:
        case KIND_VEHICLE_LOG:
                if (!has_vehicle)
                        resolve_refuse_nameless(record,
                                                REASON_UNKNOWN_VEHICLE,
                                                TEXT("no vehicle is named"));
                return;
        case KIND_ALERT:
                has_device = has_device || has_vehicle;
                break;
        default:
                break;
        }
        if (!has_device)
                resolve_refuse_nameless(record, REASON_UNKNOWN_DEVICE, TEXT("no device is named"));
}

/* Does it name a thing that is not of @edge? */
static bool resolve_is_of_others(const Registry *registry,
                                 const Device *edge,
                                 const Record *record) {
        const Device *device = registry_device(registry, record->device_id);
        const Vehicle *vehicle = registry_vehicle(registry, record->vehicle_id);

        if (device && device->id != edge->id &&
            (edge->user_id == 0 || device->user_id != edge->user_id))
                return true;
        return vehicle && (edge->user_id == 0 || vehicle->user_id != edge->user_id);
}

/* What another gateway brought is of its owner, or nothing; nor does it make devices for others. */
static void resolve_origin(const Registry *registry, Record *record) {
        const Device *edge = registry_device(registry, record->origin.device_id);

        if (!edge || !edge->is_active || !edge->may_uplink)
                resolve_refuse(record,
                               REASON_WRONG_OWNER,
                               TEXT("the gateway that brought it may bring nothing"));
        else if (resolve_is_of_others(registry, edge, record))
                resolve_refuse(record,
                               REASON_WRONG_OWNER,
                               TEXT("the gateway that brought it is another user's"));
        else if (edge->user_id == 0 || record->user_id != edge->user_id)
                record->may_register = false;
}

static void resolve_names(const Registry *registry, Record *record) {
        if (record->kind == KIND_COMMAND_STATE) { /* our own word; of an inactive device, too */
                record->device_key = record->sender_key;
                return;
        }
        resolve_user(registry, record);
        if (record->reason == REASON_NONE)
                resolve_device(registry, record);
        if (record->reason == REASON_NONE)
                resolve_vehicle(registry, record);
        if (record->reason == REASON_NONE)
                resolve_subject(record);
}

/* Of whom it came: the device of its door, or the edge. What is about a device by name says nothing
 * of that here. */
static int64_t resolve_sender(const Record *record) {
        return record->origin.device_id != 0 ? record->origin.device_id : record->device_id;
}

/* A database that was put back gives out again the ids of those that it does not know. */
static bool resolve_is_of_former(const Registry *registry, const Record *record) {
        const Device *device =
                record->sender_key != 0 ? registry_device(registry, resolve_sender(record)) : NULL;

        return device && device->key_hash != 0 && device->key_hash != record->sender_key;
}

void resolve(const Registry *registry, Record *record) {
        record->is_of_former = resolve_is_of_former(registry, record);
        if (record->reason != REASON_NONE)
                return;
        if (record->is_of_former)
                resolve_refuse(record,
                               REASON_UNKNOWN_DEVICE,
                               TEXT("its sender is no more; the id is another's by now"));
        else
                resolve_names(registry, record);
        if (!record->is_of_former && record->origin.device_id != 0)
                resolve_origin(registry, record);
}

/* The same rule as for what people add: base/name.h. */
bool resolve_may_register(Text name, Text *ret_why) {
        if (!name_refusal(name))
                return true;
        if (name_is_number(name))
                *ret_why = TEXT("a number registers no device, and has to be the code or the id of "
                                "one: id:5 says the id 5");
        else if (!name_is_printable(name))
                *ret_why = TEXT("a name with what no topic may have registers no device");
        else
                *ret_why = TEXT("a name with + or #, or with a space or what nobody sees at one of "
                                "its ends, registers no device");
        return false;
}

bool resolve_depends_on_registry(Reason reason) {
        return reason == REASON_UNKNOWN_DEVICE || reason == REASON_UNKNOWN_VEHICLE ||
               reason == REASON_UNKNOWN_USER || reason == REASON_WRONG_OWNER;
}
