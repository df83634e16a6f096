#pragma once

/*
 * Resolve: from the names in a Record to the ids of the registry, and whether it may speak for
 * them. Pure.
 *
 * A device or vehicle under `users/{user}/…` must belong to that user; an inactive one is unknown.
 */

#include "base/base.h"
#include "model/record.h"
#include "model/registry.h"

/* Sets user_id, vehicle_id and device_id; or, where that cannot be, reason and detail. Ids that are
 * set already stay, if they are still of whom they were. A record that has a reason keeps it. */
void resolve(const Registry *registry, Record *record);

/* The part of it that needs no registry: is anything named that it could be about? */
void resolve_subject(Record *record);

/* May a device register itself under it? *ret_why: static, where it may not. */
bool resolve_may_register(Text name, Text *ret_why);

/* Is this a reason that a fresher registry might take back? */
bool resolve_depends_on_registry(Reason reason);
