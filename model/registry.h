#pragma once

/*
 * Registry: who exists, who owns what, and who may see it. In memory, by id, code and name.
 *
 * Belongs to one thread: the processor has one, every ws loop has one, and all are
 * fed with the same RegistryDelta objects in the same order as the messages, so
 * nobody locks and a message is always shown by the rules in force when it was
 * committed. Pointers returned are borrowed until the next registry_apply().
 */

#include "base/base.h"
#include "model/account.h"
#include "model/registry_delta.h"

typedef struct Registry Registry;

MUST_CHECK int registry_new(Registry **ret_registry);
Registry *registry_free(Registry *registry);

/*
 * @ret_narrowed: a user, owner, role or share that was there is gone or changed: check open sockets
 * again (a role that sees more is such a change, too). A row may come before those that it refers
 * to. A state row older (last_seen_us) than the state in memory is ignored, and a whole delta
 * without a row for it leaves the state alone: while the database is away, memory is ahead of it.
 * A device or vehicle whose key is another one is another: the one before is gone.
 */
MUST_CHECK int registry_apply(Registry *registry, const RegistryDelta *delta, bool *ret_narrowed);
bool registry_is_loaded(const Registry *registry); /* a whole delta was applied */

const User *registry_user(const Registry *registry, int64_t id);
const User *registry_user_by_name(const Registry *registry, Text name);
const Device *registry_device(const Registry *registry, int64_t id);
const Device *registry_device_by_token(const Registry *registry, const uint8_t hash[32]);
const Vehicle *registry_vehicle(const Registry *registry, int64_t id);
bool registry_has_group(const Registry *registry, int64_t id);

/*
 * What a text in a topic, a path or a target means: `id:7` the id 7; anything else a name or code,
 * or, if it is nobody's and digits, an id. Digits that are one thing's code and another's id are
 * decided by who asks, and never across owners: NULL where that leaves a doubt.
 *
 * registry_find_X(): whoever asks; both must be the same owner's, then the code is meant.
 * registry_find_X_of(): of this owner, where only one of the two is.
 * registry_find_X_for(): for this user (NULL: sees all), what he sees, what he owns before what he
 * only sees. The caller checks the right to what is found.
 */
const User *registry_find_user(const Registry *registry, Text text);
const Device *registry_find_device(const Registry *registry, Text text);
const Device *registry_find_device_of(const Registry *registry, int64_t owner_id, Text text);
const Device *registry_find_device_for(const Registry *registry, const User *user, Text text);
const Vehicle *registry_find_vehicle(const Registry *registry, Text text);
const Vehicle *registry_find_vehicle_of(const Registry *registry, int64_t owner_id, Text text);
const Vehicle *registry_find_vehicle_for(const Registry *registry, const User *user, Text text);

/* What an admin has set; NULL: as the routes say. */
const Zones *registry_zones(const Registry *registry);

/* @after = 0 begins; NULL ends. In order of id. */
size_t registry_n_devices(const Registry *registry);
size_t registry_n_devices_of(const Registry *registry, int64_t user_id); /* that he owns */
const Device *registry_next_device(const Registry *registry, int64_t after_id);
const Vehicle *registry_next_vehicle(const Registry *registry, int64_t after_id);

/* Of all devices, and the clocks of vehicles: as if never heard of. */
void registry_forget_states(Registry *registry);
void registry_set_state(Registry *registry, int64_t device_id, const DeviceState *state);

void registry_set_clock(Registry *registry, int64_t vehicle_id, const VehicleClock *clock);

DEFINE_CLEANUP(Registry *, registry_free);
