#pragma once

/*
 * Clerk: what the processor has to read before it may store, sent off as errands.
 *
 * Three things: opening the database (what was last known of each thing, rows behind the position,
 * the books), comparing the books now and then, and with that which sensors the vehicles have that
 * were refused one, and looking which records of a batch are rows already. While one of them is
 * out, the connection and the books are the clerk's: the processor only reads the journal, shows,
 * and waits for clerk_take().
 */

#include "base/base.h"
#include "model/record.h"

typedef struct Batch Batch;
typedef struct Books Books;
typedef struct Clerk Clerk;
typedef struct Database Database;
typedef struct Merged Merged;
typedef struct Nodes Nodes;
typedef struct Presence Presence;
typedef struct Sensors Sensors;

typedef enum ClerkJob {
        CLERK_NONE,
        CLERK_OPEN,
        CLERK_CHECK,
        CLERK_LOOK,
} ClerkJob;

MUST_CHECK int clerk_new(Clerk **ret_clerk, Database *database, Books *books, const char *epoch);
Clerk *clerk_free(Clerk *clerk);

/* The database is connected and not lent. @with_latest: also what was last known, and the sensors
 * of all vehicles, births, and what changes of devices come to. */
void clerk_open(Clerk *clerk, uint64_t position, bool with_latest);
/* Also reads the sensors of vehicles that were refused one. */
void clerk_check(Clerk *clerk, uint64_t stored_seq, Sensors *sensors);
void clerk_look(Clerk *clerk, const Batch *batch);

/* What is done and how it ended, as db/ answers; CLERK_NONE: nothing is, yet. */
ClerkJob clerk_take(Clerk *clerk, int *ret_result);
int64_t clerk_age_us(const Clerk *clerk); /* for how long something has been out; 0: nothing is */

/* Of the last opening: records, until the next one. */
size_t clerk_n_latest(const Clerk *clerk);
const Record *clerk_latest(const Clerk *clerk, size_t i);
void clerk_forget_latest(Clerk *clerk);

/* Hands over what the last opening or check read of them, if anything. */
MUST_CHECK int clerk_tell_sensors(Clerk *clerk, Sensors *sensors);

/* Hands over the births that the last opening read, if any. */
MUST_CHECK int clerk_tell_births(Clerk *clerk, Nodes *nodes, Presence *presence);
/* And what changes of devices come to. */
MUST_CHECK int clerk_tell_merged(Clerk *clerk, Merged *merged);

/* May some of @batch be rows, as nobody has looked? */
bool clerk_has_to_look(const Clerk *clerk, const Batch *batch);
/* After a look: marks those that are. */
void clerk_mark(const Clerk *clerk, const Batch *batch);

DEFINE_CLEANUP(Clerk *, clerk_free);
