#include "gateway/redelivery.h"

#include "gateway/base/err.h"

#define REDELIVERY_N_IDS 65536

typedef struct RedeliveryEntry RedeliveryEntry;

struct RedeliveryEntry {
        uint64_t hash;
        uint64_t ordinal; /* 0 = never used */
};

struct Redelivery {
        uint64_t ordinal; /* of the newest message */
        RedeliveryEntry entries[REDELIVERY_N_IDS];
};

int redelivery_new(Redelivery **ret_redelivery) {
        Redelivery *redelivery;

        redelivery = calloc(1, sizeof(*redelivery));
        if (!redelivery)
                return err_new(-ENOMEM);

        *ret_redelivery = redelivery;
        return 0;
}

Redelivery *redelivery_free(Redelivery *redelivery) {
        free(redelivery);
        return NULL;
}

void redelivery_forget(Redelivery *redelivery) {
        memset(redelivery, 0, sizeof(*redelivery));
}

void redelivery_note(Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        redelivery->entries[packet_id] = (RedeliveryEntry){
                .hash = hash,
                .ordinal = ++redelivery->ordinal,
        };
}

bool redelivery_is_known(const Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        const RedeliveryEntry *entry = &redelivery->entries[packet_id];

        return entry->ordinal > 0 && entry->hash == hash &&
               redelivery->ordinal - entry->ordinal < REDELIVERY_WINDOW;
}
