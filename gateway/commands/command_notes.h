#pragma once

/*
 * CommandNotes: what the dispatcher's thread has to say is journalled, as a device's word is.
 *
 * All of it on that thread. A journal that is full is waited for, until the thread is to stop: what
 * could not be said is still to be said then, and the database knows of what.
 */

#include "base/base.h"
#include "model/inbound.h"

typedef struct CommandNotes CommandNotes;

struct CommandNotes {
        InboundFn inbound;
        void *arg;   /* of @inbound */
        int stop_fd; /* readable: to stop */
};

bool command_notes_is_stopped(const CommandNotes *notes, int timeout_ms);
/* 0, INBOUND_E_FULL (stopped before there was room), or what @inbound answers. */
MUST_CHECK int command_notes_take(const CommandNotes *notes, const Inbound *inbound);
/* The same, of a command: @state is one of protocol.md's, @message may be NULL. */
MUST_CHECK int command_notes_say(const CommandNotes *notes,
                                 const char *id,
                                 int64_t device_id,
                                 const char *state,
                                 const char *message);
