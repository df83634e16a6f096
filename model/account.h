#pragma once

/*
 * Accounts: users, devices and vehicles as the database has them, and who may see what. Pure.
 */

#include "base/base.h"
#include "base/clock.h"
#include "model/device_clock.h"

typedef struct Audience Audience;
#define DEVICE_HEARD_US (300 * INT64_C(1000000))

typedef struct User User;
typedef struct Device Device;
typedef struct Vehicle Vehicle;
typedef struct VehicleClock VehicleClock;
typedef struct GroupRef GroupRef;
typedef struct DeviceState DeviceState;
typedef struct Zones Zones;

typedef enum Role {
        ROLE_VIEWER, /* sees what is shared with it or its own; changes nothing */
        ROLE_USER,
        ROLE_ADMIN, /* sees everything */
} Role;

const char *role_name(Role role);
bool role_from_name(const char *name, Role *ret_role);

/* What a device's token is found by. */
typedef enum TokenForm {
        TOKEN_KEYED,  /* ours: HMAC-SHA-256(pepper, token) */
        TOKEN_SHA256, /* others': of the token */
        TOKEN_BCRYPT, /* others': by nothing, see docs/decisions/050-tokens-of-others.md */
} TokenForm;

/* Who, besides admins, may see one device or vehicle: ids of active users that are not admins,
 * ascending. */
struct Audience {
        size_t n;
        const int64_t *user_ids;
};

/* Where the zones of detections begin. */
struct Zones {
        double near_dbm, medium_dbm; /* at or above is near, medium; below is far */
};

#define DEVICE_AWAY "offline" /* the status that stands only until something else comes */

struct DeviceState {
        char status[16];      /* as it said; "" = it never did, or DEVICE_AWAY stands no more */
        int64_t last_seen_us; /* receive time of the newest message; CLOCK_UNKNOWN */
        int64_t time_us;      /* the newest that its clock has said in a status; CLOCK_UNKNOWN */
        int64_t status_us;    /* time of the newest status, its own or not, or since when that
                               stands no more; CLOCK_UNKNOWN */
        int64_t clock_set_us; /* when its clock was last found to have been set back; CLOCK_UNKNOWN
                               */
        double temperature, humidity, latitude, longitude; /* NAN = unknown */
        DeviceClock clock;
        ClockRun back; /* statuses that seem to be late; in memory alone */
};

DeviceState device_state_unknown(void); /* of a device never heard of */
/* Has anything come of it in the DEVICE_HEARD_US before @at_us? */
bool device_is_heard(const DeviceState *state, int64_t at_us);
/* What it said last. One that never says a status, or has sent something since it said that it is
 * away, is online as long as it is heard. */
const char *device_status_name(const DeviceState *state, int64_t at_us);

struct User {
        int64_t id;
        const char *name;
        const char *identifier; /* another name, in topics alone; NULL = none */
        Role role;
        bool is_active;
        int64_t generation;     /* what his tokens must name */
        int64_t tokens_from_us; /* those that name none must be issued later; 0 = any */
        int64_t id_since_us; /* those that name none but his id were another's before; 0 = none */
        uint64_t n_losses;   /* moves on when he sees less than before; rows leave it 0 */
};

struct GroupRef {
        int64_t id;
        const char *name;
};

struct Device {
        int64_t id;
        int64_t user_id;   /* owner; 0 = nobody */
        const char *key;   /* uuid text; */
        uint64_t key_hash; /* thing_key_hash() of it: the registry's to fill in */
        const char *code, *name, *product_type, *device_type, *firmware_version, *location,
                *manufacturer, *model; /* name .. model may be NULL */
        bool is_active;
        bool has_token;
        bool may_uplink; /* it is a gateway, and may bring what is its owner's */
        TokenForm token_form;
        uint8_t token_hash[32];
        int64_t token_generation; /* another one: the token before has ended */
        Audience audience;
        const GroupRef *groups; /* by id */
        size_t n_groups;
        DeviceState state;
};

/* By what is said in its name and not in a device's. */
struct VehicleClock {
        DeviceClock now, noted; /* as the database was given it */
};

struct Vehicle {
        int64_t id;
        int64_t user_id;   /* owner; 0 = nobody */
        uint64_t key_hash; /* of its key, likewise; 0: nothing is known */
        const char *code, *name;
        bool is_active;
        Audience audience;
        VehicleClock clock;
};

/* What is remembered outside of the database beside the id of a device or vehicle, which may be
 * another's there one day: it lies in journals, and is the same for ever. 0: it has no key. */
uint64_t thing_key_hash(const char *key);
/* Are these of one thing, as far as that is known? */
bool thing_is_same(uint64_t key_hash, uint64_t other);
/* Does somebody see less of it, or it less itself, where the one row follows the other? */
bool device_narrows(const Device *before, const Device *after);
bool device_is_scanner(const Device *device);           /* of people, by its type */
bool device_is_called(const Device *device, Text text); /* by its code, `id:7`, or its bare id */

bool audience_has(const Audience *audience, int64_t user_id);
bool user_sees_device(const User *user,
                      const Device *device); /* active admin, or active and in the audience */
bool user_sees_vehicle(const User *user, const Vehicle *vehicle);
