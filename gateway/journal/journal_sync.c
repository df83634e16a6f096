#include "gateway/journal/journal_sync.h"

#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "gateway/journal/journal_options.h"
#include "model/metrics.h"

int journal_sync_segment(FillLevel *water, Segment *segment) {
        int r;

        r = segment_sync(segment);
        if (r < 0) {
                fill_level_break(water, "sync", -r);
                return JOURNAL_E_FULL;
        }
        if (r == 0)
                metric_add(METRIC_JOURNAL_FSYNCS, 1);
        return 0;
}

/*
 * Whoever appends publishes first and then looks at is_dirty; here it is cleared first and then
 * looked at what is published. So one of the two always sees the other (sequentially consistent).
 */
static void journal_sync_all(JournalSync *sync) {
        atomic_store(&sync->is_dirty, false);
        if (!sync->segment)
                sync->segment = atomic_exchange(&sync->first, NULL);

        while (sync->segment) {
                /* Asked for first: a segment that has a next one is complete. */
                Segment *next = segment_next(sync->segment);

                if (journal_sync_segment(sync->water, sync->segment) != 0 || !next)
                        return;
                segment_ref(next);
                segment_unref(sync->segment);
                sync->segment = next;
        }
}

/* Sleeps until something is dirty, waits the interval, writes it all. */
static void *journal_sync_run(void *arg) {
        JournalSync *sync = arg;
        struct pollfd fd = { .fd = sync->fd, .events = POLLIN };
        eventfd_t ignored;

        (void)pthread_setname_np(pthread_self(), "journal-sync");
        (void)metrics_enter(sync->place);
        while (!atomic_load(&sync->is_closing)) {
                if (poll(&fd, 1, -1) > 0)
                        (void)eventfd_read(sync->fd, &ignored);
                if (!atomic_load(&sync->is_closing))
                        (void)poll(&fd, 1, sync->interval_ms);
                journal_sync_all(sync);
        }
        return NULL;
}

int journal_sync_start(JournalSync *sync, FillLevel *water, int interval_ms) {
        int r;

        sync->water = water;
        sync->interval_ms = interval_ms;
        sync->place = metrics_place();
        sync->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (sync->fd < 0)
                return err_new(-errno);
        r = pthread_create(&sync->thread, NULL, journal_sync_run, sync);
        if (r != 0)
                return err_new(-r);
        sync->is_running = true;
        return 0;
}

void journal_sync_done(JournalSync *sync) {
        if (sync->is_running) {
                atomic_store(&sync->is_closing, true);
                (void)eventfd_write(sync->fd, 1);
                MUST(pthread_join(sync->thread, NULL));
                journal_sync_all(sync);
        }
        sync->is_running = false;
        sync->segment = segment_unref(sync->segment);
        segment_unref(atomic_exchange(&sync->first, NULL));
        if (sync->fd >= 0)
                close(sync->fd);
        sync->fd = -1;
}

void journal_sync_begin_at(JournalSync *sync, Segment *segment) {
        atomic_store(&sync->first, segment_ref(segment));
}

void journal_sync_note(JournalSync *sync) {
        if (sync->is_running && !atomic_load(&sync->is_dirty) &&
            !atomic_exchange(&sync->is_dirty, true))
                (void)eventfd_write(sync->fd, 1);
}
