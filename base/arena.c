#include "base/arena.h"

#include <stdalign.h>

#include "base/err.h"

typedef struct ArenaBlock ArenaBlock;

struct ArenaBlock {
        ArenaBlock *next;
        size_t capacity;
        alignas(max_align_t) char data[];
};

struct Arena {
        size_t block_size;
        ArenaBlock *blocks; /* in order of use */
        ArenaBlock *large;  /* larger than a block: not kept for the next batch */
        ArenaBlock *current;
        size_t used; /* of current */
        size_t n_bytes, n_large_bytes;
};

int arena_new(Arena **ret_arena, size_t block_size) {
        Arena *arena;

        arena = calloc(1, sizeof(*arena));
        if (!arena)
                return err_new(-ENOMEM);

        arena->block_size = block_size > 0 ? block_size : 1;
        *ret_arena = arena;
        return 0;
}

static ArenaBlock *arena_blocks_free(ArenaBlock *block) {
        while (block) {
                ArenaBlock *next = block->next;

                free(block);
                block = next;
        }
        return NULL;
}

Arena *arena_free(Arena *arena) {
        if (!arena)
                return NULL;

        arena_blocks_free(arena->blocks);
        arena_blocks_free(arena->large);
        free(arena);
        return NULL;
}

static ArenaBlock *arena_block_new(size_t capacity) {
        ArenaBlock *block;

        block = malloc(sizeof(*block) + capacity);
        if (!block)
                return NULL;

        block->next = NULL;
        block->capacity = capacity;
        return block;
}

static void *arena_alloc_large(Arena *arena, size_t n) {
        ArenaBlock *block;

        block = arena_block_new(n);
        if (!block)
                return NULL;

        arena->n_large_bytes += n;
        block->next = arena->large;
        arena->large = block;
        return block->data;
}

/* Moves on to the next block, which an earlier batch may have left behind. */
static bool arena_advance(Arena *arena) {
        ArenaBlock *next = arena->current ? arena->current->next : arena->blocks;

        if (!next) {
                next = arena_block_new(arena->block_size);
                if (!next)
                        return false;
                arena->n_bytes += arena->block_size;
                if (arena->current)
                        arena->current->next = next;
                else
                        arena->blocks = next;
        }

        arena->current = next;
        arena->used = 0;
        return true;
}

void *arena_alloc(Arena *arena, size_t n) {
        size_t n_aligned;
        void *memory;

        if (n > SIZE_MAX / 2)
                return NULL;
        n_aligned = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
        if (n_aligned > arena->block_size)
                return arena_alloc_large(arena, n_aligned);

        if ((!arena->current || arena->current->capacity - arena->used < n_aligned) &&
            !arena_advance(arena))
                return NULL;

        memory = arena->current->data + arena->used;
        arena->used += n_aligned;
        return memory;
}

Text arena_copy(Arena *arena, const void *data, size_t n) {
        char *copy;

        copy = n < SIZE_MAX ? arena_alloc(arena, n + 1) : NULL;
        if (!copy)
                return (Text){ 0 };

        if (n > 0)
                memcpy(copy, data, n);
        copy[n] = '\0';
        return (Text){ .data = copy, .n = n };
}

void arena_reset(Arena *arena) {
        arena->large = arena_blocks_free(arena->large);
        arena->n_large_bytes = 0;
        arena->current = NULL;
        arena->used = 0;
}

size_t arena_bytes(const Arena *arena) {
        return arena->n_bytes + arena->n_large_bytes;
}
