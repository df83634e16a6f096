#pragma once

/*
 * Storing: one batch after the other goes into the database, while it is ready.
 *
 * While a transaction is under way the next batch is decoded. Between two of them the clerk is sent
 * off, if something is to be read first, and a record that only the database can settle is asked
 * about; nothing here waits for either. Belongs to the processor's thread.
 */

#include "base/base.h"

typedef struct Desk Desk;

/* What can be done now. @is_ending: nothing waits for more. As db/ answers. */
MUST_CHECK int storing_turn(Desk *desk, bool is_ending);

/* Live does not wait for the store. */
bool storing_lags(const Desk *desk);
/* So it goes ahead; but what another one may have been sent as well is shown by who stores it. */
bool storing_is_passed(const Desk *desk);
/* For how long the store has been waiting for the database, whichever way. */
int64_t storing_age_us(const Desk *desk);
/* How long a small batch still waits for more (database.max_delay); 0 = not at all. */
int64_t storing_delay_us(const Desk *desk);
