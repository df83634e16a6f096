#include "gateway/memory/origins.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "base/err.h"
#include "base/index.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/vec.h"

#define ORIGINS_FIRST     8
#define ORIGINS_OF_DEVICE 64 /* runs of one edge */

typedef struct OriginJournal OriginJournal;
typedef struct OriginKey OriginKey;
typedef struct OriginRun OriginRun;

/* Places of our journal, all of which hold something new. */
struct OriginRun {
        uint64_t from_seq, to_seq;
};

struct OriginKey {
        int64_t device_id;
        uint64_t epoch;
};

/* What is known of one run, or journal, of an edge. */
struct OriginJournal {
        OriginKey key;
        uint64_t stored_seq; /* the database had it, when it was opened */
        uint64_t newest_seq; /* of all that was judged */
        uint64_t judged_seq; /* and up to where, in our journal */
        bool is_told;        /* the database has it, and will go on having it */
        bool is_seen;        /* scratch: of what it says now */
        bool is_broken;      /* what was judged last is no news: the run is over */
        OriginRun *runs;     /* ascending */
        size_t n_runs, capacity;
};

struct Origins {
        OriginJournal **journals;
        size_t n_journals, capacity;
        Index *index;           /* of them, by key */
        OriginJournal *last;    /* found; messages come in batches */
        bool is_known;          /* the database has been asked, since all was forgotten */
        _Atomic uint64_t *view; /* borrowed, or */
        _Atomic uint64_t own_view;
        LogPace said;
};

/* Another one than any that a journal has. */
static int origins_see_anew(Origins *origins) {
        uint64_t view;
        int r = secret_random(&view, sizeof(view));

        if (r != 0)
                return err_up(r);
        atomic_store(origins->view, view);
        return 0;
}

int origins_new(Origins **ret_origins, _Atomic uint64_t *view) {
        CLEANUP(origins_free) Origins *origins = calloc(1, sizeof(*origins));
        int r;

        if (!origins)
                return err_new(-ENOMEM);
        origins->view = view ? view : &origins->own_view;
        r = index_new(&origins->index);
        if (r == 0)
                r = origins_see_anew(origins);
        if (r != 0)
                return err_up(r);
        *ret_origins = TAKE(&origins);
        return 0;
}

static void origins_remove(Origins *origins, size_t at) {
        OriginJournal *journal = origins->journals[at];

        index_remove(origins->index, &journal->key, sizeof(journal->key));
        origins->journals[at] = origins->journals[--origins->n_journals];
        origins->last = NULL;
        free(journal->runs);
        free(journal);
}

Origins *origins_free(Origins *origins) {
        if (!origins)
                return NULL;
        while (origins->n_journals > 0)
                origins_remove(origins, origins->n_journals - 1);
        free(origins->journals);
        index_free(origins->index);
        free(origins);
        return NULL;
}

/* NULL: it is not known. */
static OriginJournal *origins_get(const Origins *origins, const Origin *origin) {
        const OriginKey key = { .device_id = origin->device_id, .epoch = origin->epoch };

        if (origins->last && memcmp(&origins->last->key, &key, sizeof(key)) == 0)
                return origins->last;
        return index_get(origins->index, &key, sizeof(key));
}

static int origins_add(Origins *origins, const Origin *origin, OriginJournal **ret_journal) {
        OriginJournal *journal;
        int r;

        if (!VEC_HAS_ROOM(origins->journals, origins->n_journals, origins->capacity, ORIGINS_FIRST))
                return err_new(-ENOMEM);
        journal = calloc(1, sizeof(*journal));
        if (!journal)
                return err_new(-ENOMEM);
        journal->key = (OriginKey){ .device_id = origin->device_id, .epoch = origin->epoch };
        origins->journals[origins->n_journals++] = journal;
        r = index_put(origins->index, &journal->key, sizeof(journal->key), journal);
        if (r != 0)
                return err_up(r);
        *ret_journal = journal;
        return 0;
}

/* The database keeps as many: whoever has more has made them up. The one that was judged longest
 * ago goes; but none that the database has: what it has is refused there, again and again, if it
 * passes for news here. */
static void origins_drop_old(Origins *origins, int64_t device_id) {
        size_t n = 0, oldest = 0;

        for (size_t i = 0; i < origins->n_journals; ++i) {
                const OriginJournal *journal = origins->journals[i];

                if (journal->key.device_id != device_id || journal->is_told)
                        continue;
                if (n++ == 0 || journal->judged_seq < origins->journals[oldest]->judged_seq)
                        oldest = i;
        }
        if (n >= ORIGINS_OF_DEVICE)
                origins_remove(origins, oldest);
}

static int origins_find(Origins *origins, const Origin *origin, OriginJournal **ret_journal) {
        OriginJournal *journal = origins_get(origins, origin);
        int r = 0;

        if (!journal) {
                origins_drop_old(origins, origin->device_id);
                r = origins_add(origins, origin, &journal);
        }
        if (r != 0)
                return err_up(r);
        *ret_journal = origins->last = journal;
        return 0;
}

static bool origins_was_new(const OriginJournal *journal, uint64_t at_seq) {
        for (size_t i = journal->n_runs; i-- > 0;)
                if (at_seq >= journal->runs[i].from_seq)
                        return at_seq <= journal->runs[i].to_seq;
        return false;
}

static int origins_add_place(OriginJournal *journal, uint64_t at_seq) {
        if (journal->n_runs == 0 || journal->is_broken) {
                if (!VEC_HAS_ROOM(journal->runs, journal->n_runs, journal->capacity, ORIGINS_FIRST))
                        return err_new(-ENOMEM);
                journal->runs[journal->n_runs++].from_seq = at_seq;
        }
        journal->runs[journal->n_runs - 1].to_seq = at_seq;
        return 0;
}

/* Is what was before it known, or as the edge was told by the database as it is? Then another
 * gateway has stored that, or the run before this one ended there. */
static bool origins_follows(const Origins *origins, OriginJournal *journal, const Origin *origin) {
        if (origin->after_seq <= journal->newest_seq)
                return true;
        if (origin->view != origins_view(origins))
                return false;
        if (journal->newest_seq > 0)
                journal->stored_seq = origin->after_seq;
        journal->newest_seq = origin->after_seq;
        return true;
}

static void origins_say_early(Origins *origins, uint64_t known_seq, const Origin *origin) {
        unsigned long long n_more;

        if (log_may(&origins->said, &n_more))
                log_warning("uplink_early device=%lld journal=%016" PRIx64 " known=%" PRIu64
                            " after=%" PRIu64 " more=%llu hint=\"the database is an older one "
                            "than this edge was told of: it goes back to where that is\"",
                            (long long)origin->device_id,
                            origin->epoch,
                            known_seq,
                            origin->after_seq,
                            n_more);
}

int origins_judge(Origins *origins,
                  const Origin *origin,
                  uint64_t at_seq,
                  uint32_t place,
                  bool *ret_is_new) {
        OriginJournal *journal = NULL;
        bool follows, is_new;
        int r;

        r = origins_find(origins, origin, &journal);
        if (r != 0)
                return err_up(r);
        if (origin->seq <= journal->stored_seq || at_seq <= journal->judged_seq) {
                *ret_is_new = origin->seq > journal->stored_seq && origins_was_new(journal, at_seq);
                return 0;
        }
        follows = origins_follows(origins, journal, origin);
        if (!follows && !origins->is_known) {
                *ret_is_new = true; /* as long as nobody can be asked */
                return 0;
        }
        if (!follows)
                origins_say_early(origins, journal->newest_seq, origin);
        is_new = follows &&
                 (origin->seq > journal->newest_seq ||
                  (place > 0 && origin->seq == journal->newest_seq && !journal->is_broken));
        if (is_new)
                r = origins_add_place(journal, at_seq);
        if (r != 0)
                return err_up(r);
        if (is_new)
                journal->newest_seq = origin->seq;
        journal->is_broken = !is_new;
        journal->judged_seq = at_seq;
        *ret_is_new = is_new;
        return 0;
}

bool origins_is_open(const Origins *origins, const Origin *origin, uint64_t at_seq) {
        const OriginJournal *journal;

        if (!origins || origin->seq == 0)
                return false;
        journal = origins_get(origins, origin);
        return !journal || origin->seq <= journal->stored_seq || at_seq > journal->judged_seq;
}

uint64_t origins_view(const Origins *origins) {
        return atomic_load(origins->view);
}

static int origins_tell_one(Origins *origins, const Origin *position) {
        OriginJournal *journal = origins_get(origins, position);
        int r = 0;

        if (!journal)
                r = origins_add(origins, position, &journal);
        if (r != 0)
                return err_up(r);
        journal->is_told = true;
        journal->stored_seq = position->seq;
        if (journal->newest_seq < position->seq)
                journal->newest_seq = position->seq;
        return 0;
}

/* Is less there than was? */
static bool origins_is_older(const Origins *origins, const Origin *positions, size_t n) {
        bool is_older = false;

        for (size_t i = 0; i < origins->n_journals; ++i)
                origins->journals[i]->is_seen = false;
        for (size_t i = 0; i < n; ++i) {
                OriginJournal *journal = origins_get(origins, &positions[i]);

                if (!journal)
                        continue;
                journal->is_seen = true;
                is_older = is_older || journal->stored_seq > positions[i].seq;
        }
        for (size_t i = 0; i < origins->n_journals; ++i)
                is_older = is_older ||
                           (!origins->journals[i]->is_seen && origins->journals[i]->stored_seq > 0);
        return is_older;
}

int origins_tell(Origins *origins, const Origin *positions, size_t n) {
        int r = 0;

        if (origins_is_older(origins, positions, n))
                origins_forget(origins);
        for (size_t i = 0; i < origins->n_journals; ++i)
                origins->journals[i]->is_told = false;
        for (size_t i = 0; r == 0 && i < n; ++i)
                r = origins_tell_one(origins, &positions[i]);
        origins->is_known = true;
        return r == 0 ? 0 : err_up(r);
}

void origins_forget(Origins *origins) {
        while (origins->n_journals > 0)
                origins_remove(origins, origins->n_journals - 1);
        origins->is_known = false;
        if (origins_see_anew(origins) != 0)
                atomic_fetch_add(origins->view, 1);
}

void origins_stored(Origins *origins, uint64_t seq) {
        for (size_t i = 0; i < origins->n_journals; ++i) {
                OriginJournal *journal = origins->journals[i];
                size_t n = 0;

                while (n + 1 < journal->n_runs && journal->runs[n].to_seq <= seq)
                        ++n;
                if (n == 0)
                        continue;
                journal->n_runs -= n;
                memmove(journal->runs, journal->runs + n, journal->n_runs * sizeof(*journal->runs));
        }
}

void origins_move(Origins *origins, uint64_t stored_seq, uint64_t by) {
        const RecordShift shift = { .stored_seq = stored_seq, .by = by };

        for (size_t i = 0; i < origins->n_journals; ++i) {
                OriginJournal *journal = origins->journals[i];

                record_move(&shift, &journal->judged_seq);
                for (size_t k = 0; k < journal->n_runs; ++k) {
                        record_move(&shift, &journal->runs[k].from_seq);
                        record_move(&shift, &journal->runs[k].to_seq);
                }
        }
}
