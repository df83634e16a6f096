#pragma once

/*
 * Bucket: so many at once, and as many more as time brings back.
 *
 * A bucket knows only until when all that was taken of it is paid for; what it holds comes with
 * each call, so that a changed limit counts at once. `{ 0 }` is a full one. The clock is the
 * caller's, and goes forward. Memory of the caller; one thread.
 */

#include "base/base.h"

typedef struct Bucket Bucket;
typedef struct BucketRate BucketRate;

struct Bucket {
        int64_t paid_ns;
};

struct BucketRate {
        int64_t n, period_us; /* so many come back in so long; both above 0 */
        int64_t burst;        /* and so many may be taken at once */
};

int64_t bucket_left(const Bucket *bucket, const BucketRate *rate, int64_t now_us); /* 0 or more */
bool bucket_is_full(const Bucket *bucket, int64_t now_us);

/* 0: taken. Else nothing is, and @n are there in so many microseconds. */
int64_t bucket_take(Bucket *bucket, const BucketRate *rate, int64_t n, int64_t now_us);
/* Whether they are there or not: it takes the longer until there is one. */
void bucket_pay(Bucket *bucket, const BucketRate *rate, int64_t n, int64_t now_us);
void bucket_give_back(Bucket *bucket, const BucketRate *rate, int64_t n);
