#include "model/slot.h"

#include "base/text.h"

#define SLOT_MIX_ONE UINT64_C(0xff51afd7ed558ccd)
#define SLOT_MIX_TWO UINT64_C(0xc4ceb9fe1a85ec53)

Text slot_key(const TopicMatch *match, Text topic) {
        if (match->vehicle.n > 0)
                return match->vehicle;
        return match->device.n > 0 ? match->device : topic;
}

/* Names that differ in their last digit alone are to be far from each other. */
static uint64_t slot_mix(uint64_t hash) {
        hash ^= hash >> 33;
        hash *= SLOT_MIX_ONE;
        hash ^= hash >> 33;
        hash *= SLOT_MIX_TWO;
        return hash ^ hash >> 33;
}

unsigned slot_of(Text key, unsigned n_slots) {
        assert(n_slots > 0 && n_slots <= SLOT_MAX);
        return (unsigned)(slot_mix(text_hash(TEXT_HASH, key.data, key.n)) % n_slots);
}
