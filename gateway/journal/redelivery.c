#include "gateway/journal/redelivery.h"

#include "base/err.h"

#define REDELIVERY_N_IDS 65536
/* Within one connection only a broker of old sends again what was not acknowledged for a time. */
#define REDELIVERY_SAME_CONNECTION 1000

typedef struct RedeliveryEntry RedeliveryEntry;

struct RedeliveryEntry {
        uint64_t hash;
        uint64_t ordinal; /* among the messages, in the order in which they first came; 0 = none */
        uint64_t turn;    /* among all that came, again or not: when this one came last */
        bool is_open;     /* it came in an earlier connection, and may still be in flight */
        bool is_expected; /* and be sent again without DUP */
        uint32_t way;     /* that the packet ids had come when it came first */
        uint64_t seq;     /* see redelivery_note_as() */
};

struct Redelivery {
        uint64_t ordinal;    /* of the newest message */
        uint64_t turn;       /* of what came last */
        uint64_t begin_turn; /* of the connection; what came later came in it */
        uint64_t acked_turn; /* what came in it up to here has been acknowledged */
        unsigned in_flight;  /* at most */
        uint64_t n_fresh;    /* that may come yet until nothing of before is expected any more */
        uint64_t n_held;     /* noted among them, that came to others */

        uint32_t way;          /* that the packet ids have come: they only go up, and round */
        uint64_t down_ordinal; /* of the newest message whose id went down in its connection */
        uint16_t newest_id;
        bool is_begun; /* a message has come in this connection for the first time */

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

uint64_t redelivery_hash(uint32_t body_crc, size_t n_topic, size_t n_payload) {
        return (uint64_t)body_crc << 32 | ((uint32_t)n_payload ^ (uint32_t)n_topic << 16);
}

void redelivery_forget(Redelivery *redelivery) {
        unsigned in_flight = redelivery->in_flight;

        memset(redelivery, 0, sizeof(*redelivery));
        redelivery->in_flight = in_flight;
}

static bool redelivery_came_before(const Redelivery *redelivery, const RedeliveryEntry *entry) {
        return entry->turn <= redelivery->begin_turn;
}

/* The broker may not have heard its acknowledgement. */
static bool redelivery_is_unheard(const Redelivery *redelivery, const RedeliveryEntry *entry) {
        return redelivery_came_before(redelivery, entry) ? entry->is_open
                                                         : entry->turn > redelivery->acked_turn;
}

/* And may still have it in flight, together with at most @n_max - 1 that are newer, and those that
 * are held: these are older, wherever they stand. */
static bool redelivery_is_open(const Redelivery *redelivery,
                               const RedeliveryEntry *entry,
                               uint64_t n_max) {
        return entry->ordinal != 0 &&
               redelivery->ordinal - entry->ordinal < n_max + redelivery->n_held &&
               redelivery_is_unheard(redelivery, entry);
}

/* It may have more in flight than it was allowed (docs/facts.md). Where its ids have gone up ever
 * since, and not come round yet, this one cannot have been given to another message. */
static bool redelivery_is_unused(const Redelivery *redelivery, const RedeliveryEntry *entry) {
        return entry->ordinal != 0 && entry->ordinal >= redelivery->down_ordinal &&
               redelivery->way - entry->way < REDELIVERY_MAX_IN_FLIGHT &&
               redelivery_is_unheard(redelivery, entry);
}

/* The message of that ordinal; NULL: its packet id was used again. */
static RedeliveryEntry *redelivery_at(Redelivery *redelivery, uint64_t ordinal) {
        RedeliveryEntry *entry = &redelivery->entries[redelivery->ids[ordinal % REDELIVERY_N_IDS]];

        return entry->ordinal == ordinal ? entry : NULL;
}

static uint64_t redelivery_oldest(const Redelivery *redelivery, uint64_t n_max) {
        return redelivery->ordinal > n_max ? redelivery->ordinal - n_max + 1 : 1;
}

/* The oldest that may be in flight, however many these are. */
static uint64_t redelivery_first(const Redelivery *redelivery, uint64_t n_max) {
        uint64_t first = redelivery_oldest(redelivery, REDELIVERY_N_IDS);
        uint64_t oldest = redelivery_oldest(redelivery, n_max + redelivery->n_held);

        if (oldest < first)
                oldest = first;
        if (first < redelivery->down_ordinal)
                first = redelivery->down_ordinal;
        return first < oldest ? first : oldest;
}

void redelivery_resume(Redelivery *redelivery, unsigned n_max) {
        bool is_expected = redelivery->n_fresh > 0;
        uint64_t n_expected = 0;

        for (uint64_t at = redelivery_first(redelivery, n_max); at <= redelivery->ordinal; ++at) {
                RedeliveryEntry *entry = redelivery_at(redelivery, at);
                bool is_open;

                if (!entry)
                        continue;
                is_open = redelivery_is_open(redelivery, entry, n_max);
                entry->is_open = is_open || redelivery_is_unused(redelivery, entry);
                entry->is_expected = is_open && (!redelivery_came_before(redelivery, entry) ||
                                                 (is_expected && entry->is_expected));
                n_expected += entry->is_expected;
        }
        redelivery->is_begun = false;
        redelivery->in_flight = n_max;
        redelivery->n_fresh = n_expected;
        redelivery->begin_turn = redelivery->acked_turn = redelivery->turn;
}

void redelivery_resume_again(Redelivery *redelivery) {
        redelivery_resume(redelivery, redelivery->in_flight);
}

/* A broker that has lost its memory may begin a connection where it was before. */
static void redelivery_follow(Redelivery *redelivery, uint16_t packet_id) {
        uint16_t step = (uint16_t)(packet_id - redelivery->newest_id);

        if (step > 0 && step <= REDELIVERY_N_IDS / 2)
                redelivery->way += step;
        else if (redelivery->is_begun)
                redelivery->down_ordinal = redelivery->ordinal;
        redelivery->newest_id = packet_id;
        redelivery->is_begun = true;
}

/* An id that is used again has been acknowledged, and so has all that came before it in the
 * connection: acknowledgements are sent, and arrive, in order. */
void redelivery_note_as(Redelivery *redelivery, uint16_t packet_id, uint64_t hash, uint64_t seq) {
        RedeliveryEntry *entry = &redelivery->entries[packet_id];

        if (entry->turn > redelivery->acked_turn)
                redelivery->acked_turn = entry->turn;
        ++redelivery->ordinal;
        redelivery_follow(redelivery, packet_id);
        *entry = (RedeliveryEntry){
                .hash = hash,
                .ordinal = redelivery->ordinal,
                .turn = ++redelivery->turn,
                .way = redelivery->way,
                .seq = seq,
        };
        redelivery->ids[redelivery->ordinal % REDELIVERY_N_IDS] = packet_id;
        redelivery->n_fresh -= redelivery->n_fresh > 0;
}

void redelivery_note(Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        redelivery_note_as(redelivery, packet_id, hash, 0);
}

void redelivery_note_again(Redelivery *redelivery, uint16_t packet_id) {
        RedeliveryEntry *entry = &redelivery->entries[packet_id];

        if (entry->ordinal != 0)
                entry->turn = ++redelivery->turn;
}

/* It was sent before anything that came to us, and its place among that is not known: it is
 * expected, and tells nothing of the way that the ids have come. */
void redelivery_note_held(Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        redelivery->entries[packet_id] = (RedeliveryEntry){
                .hash = hash,
                .ordinal = ++redelivery->ordinal,
                .is_open = true,
                .is_expected = true,
                .way = redelivery->way,
        };
        redelivery->ids[redelivery->ordinal % REDELIVERY_N_IDS] = packet_id;
        if (redelivery->n_held < REDELIVERY_N_IDS)
                ++redelivery->n_held;
        ++redelivery->n_fresh;
}

bool redelivery_may_come(const Redelivery *redelivery, uint16_t packet_id) {
        const RedeliveryEntry *entry = &redelivery->entries[packet_id];

        return redelivery_is_open(redelivery, entry, redelivery->in_flight) ||
               redelivery_is_unused(redelivery, entry);
}

bool redelivery_is_last(const Redelivery *redelivery, uint16_t packet_id, uint64_t hash) {
        const RedeliveryEntry *entry = &redelivery->entries[packet_id];

        return entry->ordinal != 0 && entry->hash == hash;
}

uint64_t redelivery_seq(const Redelivery *redelivery, uint16_t packet_id) {
        return redelivery->entries[packet_id].seq;
}

/* It keeps its place among the messages: the broker may have to send it once more, and what came
 * between it and now as well. */
bool redelivery_is_known(Redelivery *redelivery,
                         uint16_t packet_id,
                         uint64_t hash,
                         bool is_marked) {
        RedeliveryEntry *entry = &redelivery->entries[packet_id];
        bool is_expected = redelivery->n_fresh > 0 && redelivery_came_before(redelivery, entry) &&
                           entry->is_expected;
        uint64_t n_max = redelivery->in_flight;

        if (entry->hash != hash || !(is_expected || is_marked))
                return false;
        if (!is_expected && n_max > REDELIVERY_SAME_CONNECTION)
                n_max = REDELIVERY_SAME_CONNECTION;
        if (!redelivery_is_open(redelivery, entry, is_expected ? REDELIVERY_N_IDS : n_max) &&
            !(redelivery_came_before(redelivery, entry) && redelivery_is_unused(redelivery, entry)))
                return false;
        entry->turn = ++redelivery->turn;
        return true;
}

size_t redelivery_save(const Redelivery *redelivery, RedeliveryItem ret_items[], size_t n_max) {
        uint64_t n_wanted = redelivery->in_flight < n_max ? redelivery->in_flight : n_max;
        uint64_t first = redelivery_first(redelivery, n_wanted);
        size_t n = 0;

        if (first < redelivery_oldest(redelivery, n_max))
                first = redelivery_oldest(redelivery, n_max);
        for (uint64_t at = first; at <= redelivery->ordinal; ++at) {
                uint16_t id = redelivery->ids[at % REDELIVERY_N_IDS];
                const RedeliveryEntry *entry = &redelivery->entries[id];

                if (entry->ordinal == at && (redelivery_is_open(redelivery, entry, n_wanted) ||
                                             redelivery_is_unused(redelivery, entry)))
                        ret_items[n++] = (RedeliveryItem){ .hash = entry->hash, .packet_id = id };
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
