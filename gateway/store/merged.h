#pragma once

/*
 * Merged: what is known of devices whose messages say what has changed: a document each, over which
 * every message is laid (overlay.h), by the number of the last one.
 *
 * What has a smaller number than that is in it already, whoever reads it again. There are at most
 * as many documents, each as long, as the options say: a message of one more device stands for
 * itself; a document that would be longer begins anew with what came. Stored with the batch
 * (record->merged). One thread.
 */

#include "base/base.h"
#include "model/record.h"
#include "model/registry.h"

typedef struct Arena Arena;
typedef struct Merged Merged;
typedef struct MergedOptions MergedOptions;

struct MergedOptions {
        int max_devices;
        int64_t max_bytes; /* of a document */
};

MUST_CHECK int merged_new(Merged **ret_merged, const MergedOptions *options);
Merged *merged_free(Merged *merged);

/* A message that merges, of a device, and is not late: sets what it comes to. Where there is no
 * room, those of devices that are gone are forgotten first. */
MUST_CHECK int merged_lay(Merged *merged, const Registry *registry, Arena *arena, Record *record);

/* What a database has; nothing where a later one is known. */
MUST_CHECK int merged_restore(Merged *merged, int64_t device_id, uint64_t seq, Text document);
/* Of the last row of a device: what it came to. @goes_on: messages are laid over each other still,
 * and what came behind, by a route that does not, is less than that. Borrowed, until the next call
 * of another. */
void merged_look(const Merged *merged, bool goes_on, Record *record);

size_t merged_length(const Merged *merged);
/* What is behind @stored_seq has numbers that are larger by @by from here on. */
void merged_move(Merged *merged, uint64_t stored_seq, uint64_t by);

DEFINE_CLEANUP(Merged *, merged_free);
