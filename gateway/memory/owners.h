#pragma once

/*
 * Owners: how many devices the messages of one user may still create.
 *
 * A user whose name is in the topic has a share of what the others leave of registry.max_devices,
 * and of what a minute lets in. Of topics that name no user nobody knows whose they are: for them
 * the limits of all count alone. One thread.
 */

#include "base/base.h"

typedef struct Owners Owners;
typedef struct OwnersOptions OwnersOptions;

struct OwnersOptions {
        int max_devices, per_minute; /* of all; 0 = no limit */
        int share;                   /* percent */
};

MUST_CHECK int owners_new(Owners **ret_owners, const OwnersOptions *options);
Owners *owners_free(Owners *owners);

/* @n_own: devices that the user has; @n_all: that there are. */
size_t owners_room(const Owners *owners, int64_t user_id, size_t n_own, size_t n_all);
void owners_pay(Owners *owners, int64_t user_id, size_t n); /* they are to be created */

DEFINE_CLEANUP(Owners *, owners_free);
