#include "gateway/allowance.h"

#include "base/err.h"

#define ALLOWANCE_MIN 64 /* slots: a power of two */

typedef struct AllowanceSlot AllowanceSlot;

struct AllowanceSlot {
        int64_t device_id; /* 0 = free */
        struct {
                uint64_t last_seq;
                size_t n_bytes;
        } older, newer;
};

struct Allowance {
        AllowanceSlot *slots; /* owned */
        size_t n_slots, n_used;
};

int allowance_new(Allowance **ret_allowance) {
        CLEANUP(allowance_free) Allowance *allowance = calloc(1, sizeof(*allowance));

        if (!allowance)
                return err_new(-ENOMEM);
        allowance->slots = calloc(ALLOWANCE_MIN, sizeof(*allowance->slots));
        if (!allowance->slots)
                return err_new(-ENOMEM);
        allowance->n_slots = ALLOWANCE_MIN;
        *ret_allowance = TAKE(&allowance);
        return 0;
}

Allowance *allowance_free(Allowance *allowance) {
        if (!allowance)
                return NULL;
        free(allowance->slots);
        free(allowance);
        return NULL;
}

/* The slot of the device, or the free one where it belongs. */
static AllowanceSlot *allowance_slot(AllowanceSlot *slots, size_t n_slots, int64_t device_id) {
        size_t i = ((uint64_t)device_id * UINT64_C(0x9e3779b97f4a7c15)) >> 20 & (n_slots - 1);

        while (slots[i].device_id != 0 && slots[i].device_id != device_id)
                i = (i + 1) & (n_slots - 1);
        return &slots[i];
}

static void allowance_settle(AllowanceSlot *slot, uint64_t passed_seq) {
        for (int i = 0; i < 2 && slot->older.n_bytes > 0 && slot->older.last_seq <= passed_seq;
             ++i) {
                slot->older.n_bytes = slot->newer.n_bytes;
                slot->older.last_seq = slot->newer.last_seq;
                slot->newer.n_bytes = 0;
        }
}

size_t allowance_waiting(Allowance *allowance, int64_t device_id, uint64_t passed_seq) {
        AllowanceSlot *slot = allowance_slot(allowance->slots, allowance->n_slots, device_id);

        allowance_settle(slot, passed_seq);
        return slot->older.n_bytes + slot->newer.n_bytes;
}

/* Leaves out those of whom nothing waits. */
static int allowance_rehash(Allowance *allowance, uint64_t passed_seq) {
        size_t n_slots = ALLOWANCE_MIN, n_used = 0;
        AllowanceSlot *slots;

        for (size_t i = 0; i < allowance->n_slots; ++i) {
                allowance_settle(&allowance->slots[i], passed_seq);
                n_used += allowance->slots[i].older.n_bytes > 0;
        }
        while (n_slots < 4 * (n_used + 1))
                n_slots *= 2;
        slots = calloc(n_slots, sizeof(*slots));
        if (!slots)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < allowance->n_slots; ++i)
                if (allowance->slots[i].older.n_bytes > 0)
                        *allowance_slot(slots, n_slots, allowance->slots[i].device_id) =
                                allowance->slots[i];
        free(allowance->slots);
        allowance->slots = slots;
        allowance->n_slots = n_slots;
        allowance->n_used = n_used;
        return 0;
}

int allowance_charge(Allowance *allowance,
                     int64_t device_id,
                     uint64_t seq,
                     size_t n_bytes,
                     uint64_t passed_seq) {
        AllowanceSlot *slot;
        int r;

        if (allowance->n_used * 2 >= allowance->n_slots) {
                r = allowance_rehash(allowance, passed_seq);
                if (r != 0)
                        return err_up(r);
        }
        slot = allowance_slot(allowance->slots, allowance->n_slots, device_id);
        allowance->n_used += slot->device_id == 0;
        slot->device_id = device_id;
        allowance_settle(slot, passed_seq);
        if (slot->older.n_bytes == 0) {
                slot->older.n_bytes = n_bytes;
                slot->older.last_seq = seq;
        } else {
                slot->newer.n_bytes += n_bytes;
                slot->newer.last_seq = seq;
        }
        return 0;
}
