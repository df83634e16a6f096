#pragma once

/*
 * FillLevel: how full the journal is, and whether the doors should close for a while.
 *
 * High from the high mark, with too little free disk, or once the disk has failed; it ends 10 %
 * below the high mark and with 10 % more than the free disk asked for. A failure (of a sync, or in
 * making a file, but for lack of room) is for good: what the kernel could not write it may have
 * forgotten, and only a new start reads what is there. So the process ends for it. Any thread;
 * atomics.
 */

#include "base/base.h"

typedef struct FillLevel FillLevel;

struct FillLevel {
        int dir_fd; /* borrowed */
        uint64_t high_bytes, low_bytes;
        uint64_t min_free_bytes;
        _Atomic int64_t checked_us; /* the disk, last */
        _Atomic uint64_t free_bytes;
        _Atomic bool is_disk_low;
        _Atomic bool is_broken;
        _Atomic bool is_high;
};

void fill_level_init(FillLevel *water, int dir_fd, uint64_t high_bytes, uint64_t min_free_bytes);
/* Looks at the disk, a few times a second, and at @used_bytes; logs when the answer changes. */
bool fill_level_is_high(FillLevel *water, uint64_t used_bytes, int64_t now_us);
/* May a file of @n_bytes be made? Half of the minimum is for what is under way at high water. */
bool fill_level_allows(FillLevel *water, uint64_t n_bytes);
/* Before it gets low: does the disk need what can be spared? */
bool fill_level_wants_room(const FillLevel *water);
/* The disk failed us; logs it once. */
void fill_level_break(FillLevel *water, const char *what, int error);
bool fill_level_passes(int error); /* no room, for now: not a disk that fails */
bool fill_level_is_broken(const FillLevel *water);
