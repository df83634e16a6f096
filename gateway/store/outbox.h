#pragma once

/*
 * Outbox: what the processor hands to the ws loop, and what happens when the loop cannot keep up.
 *
 * Messages wait for room for at most @wait_ms and are then dropped for the viewers, never for the
 * database: the next that fits is preceded by an EVENT_GAP that says how many are missing. Registry
 * changes are never dropped: they wait until they fit or the queue is closed.
 *
 * Where a loop shows several slots, each message names its slot, its journal, and the one that was
 * shown before it of the same slot; and whoever carries what is shown to other gateways hears of it
 * here, also of what the queue has no room for: our viewers miss it, those of others do not.
 * Belongs to the processor's thread.
 */

#include "base/base.h"
#include "model/event.h"
#include "model/registry.h"

typedef struct Batch Batch;
typedef struct Outbox Outbox;
typedef struct OutboxOptions OutboxOptions;
typedef struct Queue Queue;

struct OutboxOptions {
        int wait_ms;
        bool is_mute;       /* only what is known of users and devices is told, no messages */
        bool is_of_several; /* what follows counts */
        uint16_t slot;
        uint64_t epoch;          /* of its journal */
        bool hides_registry;     /* another one tells what is known of users and devices */
        void (*shown)(void *arg, /* must not wait; @event is borrowed: a message, EVENT_OPEN, or */
                      Event *event); /* EVENT_GAP of none. NULL: nobody is to hear of it */
        void *shown_arg;
};

MUST_CHECK int outbox_new(Outbox **ret_outbox, Queue *queue, const OutboxOptions *options);
Outbox *outbox_free(Outbox *outbox);

/* The records [from, to) of the batch that are no dead letters. */
MUST_CHECK int outbox_show(Outbox *outbox,
                           const Batch *batch,
                           size_t from,
                           size_t to,
                           bool persisted);
/* One record that was passed over when it was its turn. Never dropped. */
MUST_CHECK int outbox_show_behind(Outbox *outbox, const Batch *batch, size_t i);
/* The first number that is passed over and may be shown yet; 0: there is none. */
MUST_CHECK int outbox_show_open(Outbox *outbox, uint64_t seq);
/* What is up to @seq was shown in another life: viewers that come back ask the database for it. */
MUST_CHECK int outbox_show_position(Outbox *outbox, uint64_t seq, uint64_t last_seq);
/* What was shown behind @seq comes once more, under other numbers: who follows us hears so with the
 * next message. */
void outbox_go_back(Outbox *outbox, uint64_t seq);
MUST_CHECK int outbox_show_registry(Outbox *outbox, RegistryDelta *delta);
MUST_CHECK int outbox_show_restored(Outbox *outbox, const Record *record);

DEFINE_CLEANUP(Outbox *, outbox_free);
