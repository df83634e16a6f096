#pragma once

/*
 * Arena: memory that lives as long as one batch.
 *
 * Grows in blocks, is emptied in one step and keeps its blocks for the next
 * batch. One thread. arena_alloc() returns NULL when memory is out.
 */

#include "base/base.h"

typedef struct Arena Arena;

MUST_CHECK int arena_new(Arena **ret_arena, size_t block_size);
Arena *arena_free(Arena *arena);

void *arena_alloc(Arena *arena, size_t n); /* aligned for any type, not zeroed */
Text arena_copy(Arena *arena,
                const void *data,
                size_t n); /* NUL added after; data NULL on failure */
void arena_reset(Arena *arena);
size_t arena_bytes(const Arena *arena); /* that it holds, used or not */

DEFINE_CLEANUP(Arena *, arena_free);
