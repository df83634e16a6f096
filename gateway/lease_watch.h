#pragma once

/*
 * LeaseWatch: whether somebody else's slot has lapsed, by what has been seen of it.
 *
 * It has for whoever has watched it without a sign of life for as long as the owner's lease and two
 * looks more, without a gap in which one would not have been seen. By our monotonic clock alone. In
 * caller's memory ({ 0 }: nothing is watched); of the lease's thread, but for the two that compute.
 */

#include "base/base.h"
#include "db/write/slots.h"

typedef struct LeaseWatch LeaseWatch;

/* What was last seen of whoever has it. */
struct LeaseWatch {
        bool is_on;
        bool is_alive; /* it gave a sign of life while we watched */
        uint64_t fence, beats;
        int64_t since_us, seen_us; /* monotonic: that nothing changes, and the last look */
};

/* A part of a lease, at most so long. */
int lease_watch_part_ms(int lease_ms, int n_parts, int max_ms);
int lease_watch_look_ms(int lease_ms);    /* between two looks */
int lease_watch_connect_ms(int lease_ms); /* for a connection to the database */

void lease_watch_see(LeaseWatch *watch, const DbSlot *slot);
bool lease_watch_has_lapsed(const LeaseWatch *watch, int lease_ms);

/* A slot is ours, which we had with @fence and last gave the sign of life @beats for: was it
 * another one's since? The fence also goes up where a dead one's journal is adopted; of a database
 * that was put back both are lower. */
bool lease_watch_was_others(uint64_t fence, uint64_t beats, const DbSlot *slot);
