#include "base/stream.h"

#include <stdatomic.h>
#include <sys/eventfd.h>

#include "base/deadline.h"
#include "base/err.h"

struct Stream {
        atomic_uint n_refs;
        pthread_mutex_t lock;
        pthread_cond_t changed;
        int n_room;     /* {lock} chunks that may be sent */
        bool cancelled; /* {lock} by the loop */
        bool broken;    /* {lock} by the reader */
        int wake_fd;    /* {lock} the reader's; -1 = nobody reads */
};

int stream_new(Stream **ret_stream, int window) {
        Stream *stream;

        assert(window > 0);
        stream = calloc(1, sizeof(*stream));
        if (!stream)
                return err_new(-ENOMEM);

        atomic_init(&stream->n_refs, 1);
        stream->n_room = window;
        stream->wake_fd = -1;
        MUST(pthread_mutex_init(&stream->lock, NULL));
        MUST(pthread_cond_init(&stream->changed, NULL));
        *ret_stream = stream;
        return 0;
}

Stream *stream_ref(Stream *stream) {
        if (stream)
                atomic_fetch_add_explicit(&stream->n_refs, 1, memory_order_relaxed);
        return stream;
}

Stream *stream_unref(Stream *stream) {
        if (!stream || atomic_fetch_sub_explicit(&stream->n_refs, 1, memory_order_acq_rel) != 1)
                return NULL;

        MUST(pthread_cond_destroy(&stream->changed));
        MUST(pthread_mutex_destroy(&stream->lock));
        free(stream);
        return NULL;
}

void stream_grant(Stream *stream, int n_chunks) {
        pthread_mutex_lock(&stream->lock);
        stream->n_room += n_chunks;
        pthread_cond_signal(&stream->changed);
        pthread_mutex_unlock(&stream->lock);
}

/* The write is made under the lock: after stream_end() nobody writes to the reader's eventfd. */
void stream_cancel(Stream *stream) {
        pthread_mutex_lock(&stream->lock);
        stream->cancelled = true;
        if (stream->wake_fd >= 0)
                (void)eventfd_write(stream->wake_fd, 1);
        pthread_cond_signal(&stream->changed);
        pthread_mutex_unlock(&stream->lock);
}

bool stream_is_broken(Stream *stream) {
        bool broken;

        pthread_mutex_lock(&stream->lock);
        broken = stream->broken;
        pthread_mutex_unlock(&stream->lock);
        return broken;
}

int stream_begin(Stream *stream, int wake_fd) {
        bool cancelled;

        pthread_mutex_lock(&stream->lock);
        cancelled = stream->cancelled;
        if (!cancelled)
                stream->wake_fd = wake_fd;
        pthread_mutex_unlock(&stream->lock);
        return cancelled ? STREAM_E_CANCELLED : 0;
}

void stream_end(Stream *stream) {
        pthread_mutex_lock(&stream->lock);
        stream->wake_fd = -1;
        pthread_mutex_unlock(&stream->lock);
}

int stream_take(Stream *stream, int timeout_ms) {
        struct timespec deadline = deadline_in(timeout_ms);
        int r = 0;

        pthread_mutex_lock(&stream->lock);
        while (stream->n_room == 0 && !stream->cancelled && r == 0)
                if (!deadline_wait(&stream->changed, &stream->lock, &deadline))
                        r = STREAM_E_TIMEOUT;
        if (stream->cancelled) {
                r = STREAM_E_CANCELLED;
        } else if (stream->n_room > 0) {
                --stream->n_room;
                r = 0;
        }
        pthread_mutex_unlock(&stream->lock);
        return r;
}

bool stream_is_cancelled(Stream *stream) {
        bool cancelled;

        pthread_mutex_lock(&stream->lock);
        cancelled = stream->cancelled;
        pthread_mutex_unlock(&stream->lock);
        return cancelled;
}

void stream_break(Stream *stream) {
        pthread_mutex_lock(&stream->lock);
        stream->broken = true;
        pthread_mutex_unlock(&stream->lock);
}
