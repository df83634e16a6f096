#pragma once

/*
 * DbNames: what devices called themselves lately, so that the same words cost nothing.
 *
 * Remembered for a minute: a name that the database passed over, or that somebody has taken away,
 * is then written again (docs/decisions/051-names-that-somebody-chose.md). Memory of the rows. One
 * thread.
 */

#include "base/base.h"
#include "model/record.h"

#define DB_NAMES    4096
#define DB_NAMES_US INT64_C(60000000)

typedef struct DbName DbName;
typedef struct DbNames DbNames;

struct DbName {
        int64_t device_id; /* 0 = free */
        uint64_t hash;     /* of what it said last */
};

struct DbNames {
        DbName slots[DB_NAMES]; /* two devices that share one take turns in it */
        int64_t until_us;       /* monotonic */
};

/* Is what a message says of its device to be written? Then it is remembered as such. An old
 * message, which was taken in again, says nothing of now. */
bool db_names_are_news(DbNames *names, const Record *record, int64_t now_us);
void db_names_forget(DbNames *names); /* a batch was rolled back */
