#include "gateway/read/reader.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/queue.h"
#include "model/event.h"
#include "model/metrics.h"

enum {
        READER_CONNECT_MS = 2000, /* one attempt; the asker gets its 503 after it */
        READER_RETRY_MS = 1000,   /* no new attempt before; until then 503 at once */
        READER_OUTBOX_MS = 1000,  /* an outbox that stays full loses the answer */
};

int reader_init(Reader *reader, const ReaderOptions *options) {
        const DbConnOptions conn = {
                .url = options->database_url,
                .name = options->name,
                .connect_timeout_ms = READER_CONNECT_MS,
                .statement_timeout_ms = options->statement_timeout_ms,
        };
        int r;

        *reader = (Reader){ .options = *options };
        reader->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (reader->wake_fd < 0)
                return err_new(-errno);
        r = db_conn_new(&reader->conn, &conn);
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(reader->conn, reader->wake_fd);
        return 0;
}

void reader_end(Reader *reader) {
        atomic_store(&reader->is_ending, true);
        if (reader->wake_fd >= 0)
                (void)eventfd_write(reader->wake_fd, 1);
}

void reader_done(Reader *reader) {
        reader->conn = db_conn_free(reader->conn);
        if (reader->wake_fd >= 0)
                close(reader->wake_fd);
        reader->wake_fd = -1;
}

/* The attempt was broken off by us: that says nothing about the database. */
static bool reader_is_called_off(const Reader *reader) {
        struct pollfd wake = { .fd = reader->wake_fd, .events = POLLIN };

        return poll(&wake, 1, 0) > 0;
}

static void reader_note_open(Reader *reader) {
        if (reader->is_reported)
                log_info("query_database_connected lane=%s", reader->options.name);
        reader->is_reported = false;
}

static void reader_note_away(Reader *reader) {
        if (reader_is_called_off(reader))
                return;
        if (!reader->is_reported)
                log_warning("query_database_away lane=%s error=\"%s\"",
                            reader->options.name,
                            db_conn_error(reader->conn));
        reader->is_reported = true;
        reader->retry_at_us = clock_mono_us() + READER_RETRY_MS * INT64_C(1000);
}

/* A pooler without a server behind it lets everybody in: it is there once it has heard us. A
 * greeting that is refused does no harm. */
static int reader_open(Reader *reader) {
        int r;

        r = db_conn_connect_wait(reader->conn, READER_CONNECT_MS);
        if (r == 0 && reader->options.greeting)
                r = db_conn_script(reader->conn, reader->options.greeting);
        if (r < 0)
                return err_up(r);
        return db_conn_is_open(reader->conn) ? 0 : READER_E_AWAY;
}

int reader_connect(Reader *reader) {
        int r;

        if (db_conn_is_open(reader->conn))
                return 0;
        if (clock_mono_us() < reader->retry_at_us)
                return READER_E_AWAY;
        r = reader_open(reader);
        switch (r) {
        case 0:
                reader_note_open(reader);
                return 0;
        case READER_E_AWAY:
                reader_note_away(reader);
                return READER_E_AWAY;
        default:
                return err_up(r);
        }
}

void reader_calm(Reader *reader) {
        eventfd_t n;

        (void)eventfd_read(reader->wake_fd, &n);
        if (atomic_load(&reader->is_ending))
                (void)eventfd_write(reader->wake_fd, 1);
}

void reader_say_refused(Reader *reader) {
        unsigned long long n_more;

        if (log_may(reader->options.said, &n_more))
                log_warning("query_refused lane=%s sqlstate=%s error=\"%s\" more=%llu",
                            reader->options.name,
                            db_conn_sqlstate(reader->conn),
                            db_conn_error(reader->conn),
                            n_more);
}

int reader_send(Reader *reader, Answer **answerp) {
        CLEANUP(event_unref) Event *event = NULL;
        int r;

        r = event_new_answer(&event, answerp, answer_free);
        if (r < 0)
                return err_up(r);
        r = queue_push(reader->options.outbox, event, READER_OUTBOX_MS);
        switch (r) {
        case 0:
                (void)TAKE(&event);
                return 0;
        case QUEUE_E_FULL:
                metric_add(METRIC_OUTBOX_DROPPED, 1);
                return READER_E_LOST;
        case QUEUE_E_CLOSED:
                return READER_E_LOST;
        default:
                return err_up(r);
        }
}
