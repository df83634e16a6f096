#pragma once

/*
 * Sketch: what comes in that no route takes, by shape (shape.h): how much, since when, and one
 * message of it. Of fixed size, about a KiB a shape, whatever comes.
 *
 * Any thread. Sets of SKETCH_WAYS entries; a shape belongs to one set. In one that is
 * full a new shape takes the place of the rarest and goes on from its count (space-saving): a count
 * is too high by @error at most, and a shape that has more than one in SKETCH_WAYS of the messages
 * of its set is always there. A lock is held for one message or for one entry that is read.
 */

#include "base/base.h"
#include "gateway/explore/shape.h"

#define SKETCH_WAYS   16
#define SKETCH_TOPIC  256 /* bytes of an example; */
#define SKETCH_SAMPLE 512 /* and of its payload */

typedef enum SketchFate {
        SKETCH_KNOWN,
        SKETCH_NEW,
        SKETCH_DISPLACED, /* new, and another shape is forgotten for it */
} SketchFate;

typedef struct Sketch Sketch;
typedef struct SketchEntry SketchEntry;
typedef struct SketchSums SketchSums;

struct SketchEntry {
        uint64_t n_messages, error; /* the first is too high by the second at most */
        int64_t first_us, last_us;  /* since it has its place */
        int64_t minute;             /* of the last message, since 1970 */
        uint32_t n_this, n_before;  /* messages in that one, and in the one before */
        size_t n_bytes;             /* of the payload of which the sample is the beginning */
        uint16_t n_topic, n_sample;
        char shape[SHAPE_SIZE];
        char topic[SKETCH_TOPIC]; /* its beginning; both of the minute's first message */
        char sample[SKETCH_SAMPLE];
};

struct SketchSums {
        uint64_t n_messages;
        uint64_t n_displaced; /* shapes that gave way to another */
        size_t n_entries;
};

/* @n_shapes, up to a multiple of SKETCH_WAYS. -ENOMEM, -EIO. */
MUST_CHECK int sketch_new(Sketch **ret_sketch, size_t n_shapes);
Sketch *sketch_free(Sketch *sketch);

SketchFate sketch_take(Sketch *sketch, Text topic, Text payload, int64_t now_us);
void sketch_forget(Sketch *sketch); /* everything */

size_t sketch_size(const Sketch *sketch); /* shapes that it has room for */
/* @i below that; false: nothing is there. */
bool sketch_get(Sketch *sketch, size_t i, SketchEntry *ret_entry);
SketchSums sketch_sums(Sketch *sketch);
/* Messages in the last whole minute; in the one that goes on, if it is the first. */
uint32_t sketch_per_minute(const SketchEntry *entry, int64_t now_us);

DEFINE_CLEANUP(Sketch *, sketch_free);
