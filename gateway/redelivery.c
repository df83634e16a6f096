#include "gateway/redelivery.h"

#include "gateway/base/err.h"

#define REDELIVERY_N_IDS 65536
/* Within one connection only a broker of old sends again what was not acknowledged for a time. */
#define REDELIVERY_SAME_CONNECTION 1000

typedef struct RedeliveryEntry RedeliveryEntry;

struct RedeliveryEntry {
        uint64_t hash;
        uint64_t ordinal; /* 0 = never used */
};

struct Redelivery {
        uint64_t ordinal;   /* of the newest message */
        uint64_t floor;     /* no packet id is twice behind this one */
        unsigned in_flight; /* at most */

        uint64_t resumed_floor, resumed_ordinal; /* what was in flight is between them */
        uint64_t n_fresh; /* that may come yet until none of it is expected any more */

        uint16_t ids[REDELIVERY_N_IDS]; /* by ordinal */
        RedeliveryEntry entries[REDELIVERY_N_IDS];
};

_Static_assert(sizeof(RedeliveryItem) == 16, "the item is the format");

int redelivery_new(Redelivery **ret_redelivery) {
        Redelivery *redelivery;

        redelivery = calloc(1, sizeof(*redelivery));
        if (!redelivery)
                return err_new(-ENOMEM);

        redelivery->in_flight = REDELIVERY_MAX_IN_FLIGHT;
        *ret_redelivery = redelivery;
        return 0;
}

Redelivery *redelivery_free(Redelivery *redelivery) {
        free(redelivery);
        return NULL;
}

void redelivery_forget(Redelivery *redelivery) {
        unsigned in_flight = redelivery->in_flight;

        memset(redelivery, 0, sizeof(*redelivery));
        redelivery->in_flight = in_flight;
}

/* What is behind it may be in flight. */
static uint64_t redelivery_floor(const Redelivery *redelivery, uint64_t n_max) {
        uint64_t ordinal = redelivery->ordinal;

        return ordinal > n_max && ordinal - n_max > redelivery->floor ? ordinal - n_max
                                                                      : redelivery->floor;
}

void redelivery_resume(Redelivery *redelivery, unsigned n_max) {
        redelivery->in_flight = n_max;
        redelivery->resumed_ordinal = redelivery->ordinal;
        redelivery->resumed_floor = redelivery_floor(redelivery, n_max);
        redelivery->n_fresh = redelivery->resumed_ordinal - redelivery->resumed_floor;
}

/* An id that comes again has been acknowledged, and so has all that was before it. */
static void redelivery_put(Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        RedeliveryEntry *entry = &redelivery->entries[packet_id];

        if (entry->ordinal > redelivery->floor)
                redelivery->floor = entry->ordinal;
        *entry = (RedeliveryEntry){ .hash = hash, .ordinal = ++redelivery->ordinal };
        redelivery->ids[redelivery->ordinal % REDELIVERY_N_IDS] = packet_id;
}

void redelivery_note(Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        redelivery_put(redelivery, packet_id, hash);
        redelivery->n_fresh -= redelivery->n_fresh > 0;
}

static bool redelivery_was_in_flight(const Redelivery *redelivery, const RedeliveryEntry *entry) {
        return redelivery->n_fresh > 0 && entry->ordinal > redelivery->resumed_floor &&
               entry->ordinal <= redelivery->resumed_ordinal;
}

bool redelivery_is_known(Redelivery *redelivery,
                         uint16_t packet_id,
                         uint64_t hash,
                         bool is_marked) {
        const RedeliveryEntry *entry = &redelivery->entries[packet_id];
        uint64_t n_max = redelivery->in_flight < REDELIVERY_SAME_CONNECTION
                                 ? redelivery->in_flight
                                 : REDELIVERY_SAME_CONNECTION;

        if (entry->ordinal == 0 || entry->hash != hash)
                return false;
        if (!redelivery_was_in_flight(redelivery, entry) &&
            !(is_marked && entry->ordinal > redelivery_floor(redelivery, n_max)))
                return false;
        redelivery_put(redelivery, packet_id, hash);
        return true;
}

size_t redelivery_save(const Redelivery *redelivery, RedeliveryItem ret_items[], size_t n_max) {
        uint64_t from =
                redelivery_floor(redelivery,
                                 redelivery->in_flight < n_max ? redelivery->in_flight : n_max);
        size_t n = 0;

        for (uint64_t at = from + 1; at <= redelivery->ordinal; ++at) {
                uint16_t id = redelivery->ids[at % REDELIVERY_N_IDS];

                ret_items[n++] = (RedeliveryItem){
                        .hash = redelivery->entries[id].hash,
                        .packet_id = id,
                };
        }
        return n;
}

void redelivery_load(Redelivery *redelivery, const void *items, size_t n_bytes) {
        const uint8_t *at = items;

        redelivery_forget(redelivery);
        for (; n_bytes >= sizeof(RedeliveryItem); n_bytes -= sizeof(RedeliveryItem)) {
                RedeliveryItem item;

                memcpy(&item, at, sizeof(item));
                at += sizeof(item);
                redelivery_note(redelivery, item.packet_id, item.hash);
        }
}
