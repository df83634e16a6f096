#include "gateway/read/answer_stream.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/watch.h"
#include "db/read/reading.h"
#include "db/trouble.h"
#include "gateway/read/reader.h"
#include "model/metrics.h"

enum {
        ANSWER_STREAM_SLICE_MS = 500, /* between looks at whether we are to stop */
};

typedef struct AnswerStream AnswerStream;

struct AnswerStream {
        Reader *reader;     /* borrowed */
        const Query *query; /* borrowed */
        int64_t deadline_us;
        Buf body;     /* read and not sent yet */
        bool is_left; /* nobody is there to be told */
        int status;   /* why there is no more; 0 while all is well */
};

/* Whoever takes piece after piece, and never so slowly that we wait, has the connection as well. */
static bool answer_stream_goes_on(AnswerStream *answer) {
        if (answer->status == 0 && atomic_load(&answer->reader->is_ending))
                answer->status = 503;
        else if (answer->status == 0 && clock_mono_us() > answer->deadline_us)
                answer->status = 504;
        return answer->status == 0 && !answer->is_left;
}

/* Waits until who reads has room for one more chunk; false: there will be none. */
static bool answer_stream_wait(AnswerStream *answer) {
        while (answer_stream_goes_on(answer)) {
                watch_turn();
                switch (stream_take(answer->query->stream, ANSWER_STREAM_SLICE_MS)) {
                case 0:
                        return true;
                case STREAM_E_CANCELLED:
                        answer->is_left = true;
                        break;
                default:
                        break;
                }
        }
        return false;
}

/* Whatever is lost here breaks the stream, of which the loop learns by itself. */
static int answer_stream_push(AnswerStream *answer, Answer **chunkp) {
        int r;

        r = reader_send(answer->reader, chunkp);
        if (r == READER_E_LOST) {
                stream_break(answer->query->stream);
                answer->is_left = true;
                return 0;
        }
        return err_up(r);
}

/* The first @n bytes of what was read. */
static int answer_stream_send(AnswerStream *answer, size_t n, bool is_last) {
        CLEANUP(answer_free) Answer *chunk = NULL;
        Buf *body = &answer->body;
        int r;

        r = answer_new(&chunk, answer->query);
        if (r < 0)
                return err_up(r);
        chunk->status = 200;
        chunk->is_last = is_last;
        buf_append(&chunk->chunk, body->data, n);
        if (buf_failed(&chunk->chunk))
                return err_new(-ENOMEM);
        memmove(body->data, body->data + n, body->n - n);
        body->n -= n;
        metric_add(METRIC_HISTORY_BYTES, (int64_t)n);
        r = answer_stream_push(answer, &chunk);
        return err_up(r);
}

static int answer_stream_fail(AnswerStream *answer) {
        CLEANUP(answer_free) Answer *chunk = NULL;
        int r;

        r = answer_new(&chunk, answer->query);
        if (r < 0)
                return err_up(r);
        chunk->status = answer->status;
        chunk->is_last = true;
        r = answer_stream_push(answer, &chunk);
        return err_up(r);
}

/* What is worth a chunk, and at the end the rest. */
static int answer_stream_flush(AnswerStream *answer, bool is_last) {
        const Buf *body = &answer->body;
        bool is_over = false;
        int r = 0;

        while (r == 0 && !is_over && (is_last || body->n >= STREAM_CHUNK)) {
                size_t n = body->n < STREAM_CHUNK ? body->n : STREAM_CHUNK;

                is_over = is_last && n == body->n;
                if (!answer_stream_wait(answer))
                        break;
                r = answer_stream_send(answer, n, is_over);
                is_over = is_over || answer->is_left;
        }
        return err_up(r);
}

/* What a refusal of the database means to who asked. */
static int answer_stream_status(AnswerStream *answer, int r) {
        switch (r) {
        case DB_E_NOT_FOUND: /* the cursor's journal */
                return 400;
        case DB_E_REJECTED:
                if (db_trouble_is_timeout(db_conn_sqlstate(answer->reader->conn)))
                        return 504;
                reader_say_refused(answer->reader);
                return 500;
        default:
                return 503;
        }
}

/* A connection that was idle may have died unseen: that deserves a second try. */
static int answer_stream_open(AnswerStream *answer, DbReading **ret_reading) {
        int r = DB_E_OFFLINE;

        for (int i = 0; i < 2 && r == DB_E_OFFLINE; ++i) {
                if (stream_is_cancelled(answer->query->stream))
                        break;
                r = reader_connect(answer->reader);
                if (r == READER_E_AWAY)
                        return DB_E_OFFLINE;
                if (r == 0)
                        r = db_reading_new(ret_reading,
                                           answer->reader->conn,
                                           answer->query->history);
        }
        return r;
}

static int answer_stream_read(AnswerStream *answer) {
        CLEANUP(db_reading_free) DbReading *reading = NULL;
        bool is_last = false;
        int r;

        r = answer_stream_open(answer, &reading);
        answer->deadline_us =
                clock_mono_us() + answer->reader->options.stream_timeout_ms * INT64_C(1000);
        while (r == 0 && !is_last && answer_stream_goes_on(answer)) {
                r = db_reading_next(reading, &answer->body, &is_last);
                if (r == 0)
                        r = answer_stream_flush(answer, is_last);
        }
        if (r < 0)
                return err_up(r);
        if (r > 0)
                answer->status = answer_stream_status(answer, r);
        return 0;
}

/* What is left to say; @r: a fault, or 0. */
static int answer_stream_end(AnswerStream *answer, int r) {
        if (answer->is_left || stream_is_cancelled(answer->query->stream)) {
                metric_add(METRIC_HISTORY_CANCELLED, 1);
                return err_up(r);
        }
        if (r < 0)
                answer->status = 500;
        metric_add(answer->status == 0 ? METRIC_HISTORY_DONE : METRIC_HISTORY_FAILED, 1);
        if (answer->status != 0 && answer_stream_fail(answer) < 0)
                stream_break(answer->query->stream);
        return err_up(r);
}

int answer_stream(Reader *reader, const Query *query) {
        AnswerStream answer = { .reader = reader, .query = query };
        int r;

        if (stream_begin(query->stream, reader->wake_fd) != 0) {
                metric_add(METRIC_HISTORY_CANCELLED, 1);
                return 0;
        }
        metric_add(METRIC_HISTORY_READING, 1);
        r = answer_stream_read(&answer);
        stream_end(query->stream);
        reader_calm(reader);
        r = answer_stream_end(&answer, r);
        metric_add(METRIC_HISTORY_READING, -1);
        buf_done(&answer.body);
        return err_up(r);
}
