#pragma once

/*
 * SlotKeys: to which of several slots a topic belongs (model/slot.h), by the routes that were
 * configured at the start.
 *
 * The key is what the first of these routes that takes the topic says of it; of Sparkplug it is
 * GROUP/NODE, whatever a route says; without a route it is the topic. What was discovered, or came
 * by a reload, is not looked at: every gateway has to come to the same. Immutable: any thread.
 */

#include "base/base.h"

#define SLOT_KEYS_HASH_SIZE 17 /* 16 hex digits and NUL */

typedef struct Routes Routes;
typedef struct SlotKeys SlotKeys;

/* @n_slots: 1 to SLOT_MAX. Takes a reference of @routes. */
MUST_CHECK int slot_keys_new(SlotKeys **ret_keys, Routes *routes, unsigned n_slots);
SlotKeys *slot_keys_free(SlotKeys *keys);

/* *ret_slot: 0 to n_slots - 1. 0 or -ENOMEM. */
MUST_CHECK int slot_keys_find(const SlotKeys *keys, Text topic, unsigned *ret_slot);
/* What a device is called that another door than MQTT knows, and speaks for. */
unsigned slot_keys_of_device(const SlotKeys *keys, int64_t device_id);
/* Of all templates, in order, and of what their routes ignore: who has another comes to other
 * slots. Of one slot it is "". */
const char *slot_keys_hash(const SlotKeys *keys);

DEFINE_CLEANUP(SlotKeys *, slot_keys_free);
