#pragma once

/*
 * Stream: how fast a long answer may come, from the thread that reads it out of the database to the
 * loop whose client reads it.
 *
 * The chunks go through the outbox like any answer; this is their flow control. The reader takes
 * room for each chunk and waits when there is none; the loop grants room again as its socket takes
 * what it was sent, so that at most @window chunks of an answer exist at a time. Either end may
 * give up: the loop cancels (the client is gone), which also wakes a reader that waits for the
 * database; the reader breaks it (the outbox had no room). Shared by reference count.
 */

#include "base/base.h"

#define STREAM_CHUNK 65536 /* bytes of one chunk, at most */

typedef struct Stream Stream;

enum {
        STREAM_E_CANCELLED = 1,
        STREAM_E_TIMEOUT,
};

MUST_CHECK int stream_new(Stream **ret_stream, int window);
Stream *stream_ref(Stream *stream);
Stream *stream_unref(Stream *stream);

/* The loop's end. */
void stream_grant(Stream *stream, int n_chunks);
void stream_cancel(Stream *stream);
bool stream_is_broken(Stream *stream); /* the rest will never come */

/* The reader's end. From begin to end a cancel also writes to the eventfd @wake_fd. */
MUST_CHECK int stream_begin(Stream *stream, int wake_fd); /* 0, STREAM_E_CANCELLED */
void stream_end(Stream *stream);
MUST_CHECK int stream_take(Stream *stream, int timeout_ms); /* 0 or STREAM_E_* */
bool stream_is_cancelled(Stream *stream);
void stream_break(Stream *stream);

DEFINE_CLEANUP(Stream *, stream_unref);
