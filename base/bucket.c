#include "base/bucket.h"

/* Nanoseconds in which so many come back. */
static int64_t bucket_cost(const BucketRate *rate, int64_t n) {
        assert(rate->n > 0 && rate->period_us > 0);
        return n * rate->period_us * 1000 / rate->n;
}

static int64_t bucket_left_ns(const Bucket *bucket, const BucketRate *rate, int64_t now_us) {
        int64_t debt_ns = bucket->paid_ns - now_us * 1000;

        return bucket_cost(rate, rate->burst) - (debt_ns > 0 ? debt_ns : 0);
}

int64_t bucket_left(const Bucket *bucket, const BucketRate *rate, int64_t now_us) {
        int64_t left_ns = bucket_left_ns(bucket, rate, now_us);
        int64_t one_ns = bucket_cost(rate, 1);
        int64_t left = left_ns > 0 && one_ns > 0 ? left_ns / one_ns : 0;

        return left < rate->burst ? left : rate->burst;
}

bool bucket_is_full(const Bucket *bucket, int64_t now_us) {
        return bucket->paid_ns <= now_us * 1000;
}

void bucket_pay(Bucket *bucket, const BucketRate *rate, int64_t n, int64_t now_us) {
        if (bucket_is_full(bucket, now_us))
                bucket->paid_ns = now_us * 1000;
        bucket->paid_ns += bucket_cost(rate, n);
}

int64_t bucket_take(Bucket *bucket, const BucketRate *rate, int64_t n, int64_t now_us) {
        int64_t missing_ns = bucket_cost(rate, n) - bucket_left_ns(bucket, rate, now_us);

        if (missing_ns > 0)
                return (missing_ns + 999) / 1000;
        bucket_pay(bucket, rate, n, now_us);
        return 0;
}

void bucket_give_back(Bucket *bucket, const BucketRate *rate, int64_t n) {
        bucket->paid_ns -= bucket_cost(rate, n);
}
