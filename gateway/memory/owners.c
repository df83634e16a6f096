#include "gateway/memory/owners.h"

#include "base/bucket.h"
#include "base/clock.h"
#include "base/err.h"

#define OWNERS_BUCKETS   256 /* users who created some in the last minute; of more the rested go */
#define OWNERS_MINUTE_US INT64_C(60000000)

typedef struct OwnersBucket OwnersBucket;

struct OwnersBucket {
        int64_t user_id;
        Bucket bucket;
};

struct Owners {
        OwnersOptions options;
        OwnersBucket buckets[OWNERS_BUCKETS];
};

int owners_new(Owners **ret_owners, const OwnersOptions *options) {
        Owners *owners = calloc(1, sizeof(*owners));

        if (!owners)
                return err_new(-ENOMEM);
        owners->options = *options;
        *ret_owners = owners;
        return 0;
}

Owners *owners_free(Owners *owners) {
        free(owners);
        return NULL;
}

/* Of so many in all, so many are others': a share of the rest, and one at least. */
static size_t owners_of_all(const Owners *owners, size_t n_own, size_t n_all) {
        size_t n_most = (size_t)owners->options.max_devices;
        size_t n_others = n_all - n_own;
        size_t n_left = n_most > n_others ? n_most - n_others : 0;
        size_t n_allowed = (n_left * (size_t)owners->options.share + 99) / 100;

        if (n_most == 0)
                return SIZE_MAX;
        return n_allowed > n_own ? n_allowed - n_own : 0;
}

/* In a minute, which one may have at once. */
static BucketRate owners_rate(const Owners *owners) {
        int64_t n = (int64_t)owners->options.per_minute * owners->options.share / 100;

        n = n > 0 ? n : 1;
        return (BucketRate){ n, OWNERS_MINUTE_US, n };
}

static const OwnersBucket *owners_find(const Owners *owners, int64_t user_id) {
        for (size_t i = 0; i < OWNERS_BUCKETS; ++i)
                if (owners->buckets[i].user_id == user_id)
                        return &owners->buckets[i];
        return NULL;
}

static size_t owners_of_minute(const Owners *owners, int64_t user_id) {
        const OwnersBucket *own = owners_find(owners, user_id);
        const BucketRate rate = owners_rate(owners);

        if (owners->options.per_minute == 0)
                return SIZE_MAX;
        return (size_t)(own ? bucket_left(&own->bucket, &rate, clock_mono_us()) : rate.burst);
}

size_t owners_room(const Owners *owners, int64_t user_id, size_t n_own, size_t n_all) {
        size_t n_all_left, n_minute_left;

        if (user_id == 0)
                return SIZE_MAX;
        n_all_left = owners_of_all(owners, n_own, n_all);
        n_minute_left = owners_of_minute(owners, user_id);
        return n_all_left < n_minute_left ? n_all_left : n_minute_left;
}

void owners_pay(Owners *owners, int64_t user_id, size_t n) {
        const BucketRate rate = owners_rate(owners);
        OwnersBucket *own = &owners->buckets[0];

        if (user_id == 0 || owners->options.per_minute == 0)
                return;
        for (size_t i = 0; i < OWNERS_BUCKETS && own->user_id != user_id; ++i)
                if (owners->buckets[i].user_id == user_id ||
                    owners->buckets[i].bucket.paid_ns < own->bucket.paid_ns)
                        own = &owners->buckets[i];
        if (own->user_id != user_id)
                *own = (OwnersBucket){ .user_id = user_id };
        bucket_pay(&own->bucket, &rate, (int64_t)n, clock_mono_us());
}
