#include "gateway/uplink/sender.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "base/text.h"
#include "base/vec.h"
#include "base/watch.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal.h"
#include "gateway/uplink/hello.h"
#include "gateway/uplink/link.h"
#include "gateway/uplink/losses.h"
#include "gateway/uplink/orders.h"
#include "model/edge/uplink.h"
#include "model/metrics.h"

#define SENDER_RECORDS    512
#define SENDER_BYTES      ((size_t)256 * 1024)  /* of a batch, unless one record is more */
#define SENDER_AHEAD      ((size_t)1024 * 1024) /* that waits for the socket */
#define SENDER_COUNT      10000                 /* records that are counted at a time */
#define SENDER_DROPS      64                    /* at a look, each of so many records */
#define SENDER_TICK_MS    500
#define SENDER_SILENCE_US INT64_C(60000000)  /* of the other side, which pings */
#define SENDER_STALL_US   INT64_C(120000000) /* without anything being stored */

typedef struct SenderBatch SenderBatch;

struct SenderBatch {
        uint64_t last_seq;
        size_t n_bytes;
};

struct UplinkSender {
        UplinkSenderOptions options;
        Journal *journal; /* borrowed */
        pthread_t thread;
        bool is_started;
        int wake_fd;             /* eventfd: it is to end */
        _Atomic int64_t stop_us; /* monotonic: until then; 0: it is not to end */
        _Atomic int result;

        UplinkLink *link; /* NULL: not connected */
        Backoff backoff;
        int64_t heard_us, moved_us; /* monotonic */
        bool is_welcome, has_met_runs;
        bool is_confirmed;                     /* the journal's numbers of this run are */
        uint64_t window;                       /* bytes that may wait for an answer */
        uint64_t stored_seq;                   /* the central one has it, or it was dropped */
        uint64_t dropped_seq;                  /* all up to here were, or are stored */
        uint64_t sent_seq;                     /* read, and sent if it is a message */
        uint64_t chain_seq;                    /* the last that a batch had, or the position */
        SenderBatch *batches;                  /* [n_batches]: not answered */
        size_t n_batches, capacity, n_waiting; /* and their bytes */

        JournalRecord *records; /* [SENDER_RECORDS], scratch */
        Buf batch;              /* likewise */
        UplinkLosses losses;
        char why[UPLINK_LINK_WHY];
        bool is_told; /* that the link is down */
};

int uplink_sender_new(UplinkSender **ret_sender,
                      const UplinkSenderOptions *options,
                      Journal *journal) {
        CLEANUP(uplink_sender_free) UplinkSender *sender = calloc(1, sizeof(*sender));

        if (!sender)
                return err_new(-ENOMEM);
        sender->options = *options;
        sender->journal = journal;
        sender->records = calloc(SENDER_RECORDS, sizeof(*sender->records));
        sender->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (!sender->records || sender->wake_fd < 0)
                return err_new(-ENOMEM);
        *ret_sender = TAKE(&sender);
        return 0;
}

UplinkSender *uplink_sender_free(UplinkSender *sender) {
        if (!sender)
                return NULL;
        uplink_sender_stop(sender, 0);
        uplink_link_free(sender->link);
        if (sender->wake_fd >= 0)
                (void)close(sender->wake_fd);
        free(sender->batches);
        free(sender->records);
        buf_done(&sender->batch);
        free(sender);
        return NULL;
}

int uplink_sender_result(const UplinkSender *sender) {
        return atomic_load(&sender->result);
}

/* ---- what is stored, or let go of ---- */

static uint64_t sender_count(UplinkSender *sender, uint64_t after_seq, uint64_t last_seq) {
        uint64_t n = 0;

        while (after_seq < last_seq)
                n += journal_count_some(sender->journal, &after_seq, last_seq, SENDER_COUNT);
        return n;
}

static void sender_move_to(UplinkSender *sender, uint64_t seq, Metric metric) {
        uint64_t n = sender_count(sender, sender->stored_seq, seq);

        sender->stored_seq = seq;
        journal_note_stored(sender->journal, seq);
        journal_commit(sender->journal, seq);
        metric_add(metric, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, -(int64_t)n);
}

/* What went from here, as it was stored, and is in no database any more; until the next start. */
static void sender_name_gaps(UplinkSender *sender, uint64_t position) {
        uint64_t after_seq, last_seq;

        metric_set(METRIC_JOURNAL_GAPS, 0);
        while (journal_find_hole(sender->journal, position, &after_seq, &last_seq)) {
                log_error("journal_gap after=%" PRIu64 " last=%" PRIu64 " position=%" PRIu64
                          " hint=\"the central database is older than what this journal has kept: "
                          "these numbers are in neither, unless the central gateway's journal has "
                          "them\"",
                          after_seq,
                          last_seq,
                          position);
                metric_add(METRIC_JOURNAL_GAP, 1);
                metric_add(METRIC_JOURNAL_GAPS, 1);
                position = last_seq;
        }
}

/* The central one has an older database than it had: what is still here goes out again. */
static void sender_go_back(UplinkSender *sender, uint64_t position) {
        uint64_t n = sender_count(sender, position, sender->stored_seq);

        metric_add(METRIC_DB_OLDER, 1);
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        log_warning("uplink_older position=%" PRIu64 " stored=%" PRIu64 " to_send_again=%" PRIu64,
                    position,
                    sender->stored_seq,
                    n);
        sender->stored_seq = position;
        journal_rewind(sender->journal, position);
        sender_name_gaps(sender, position);
}

/* Some of the oldest, so that what is new has room. */
static void sender_drop_some(UplinkSender *sender) {
        static LogPace said;
        unsigned long long n_more;
        size_t n;

        n = journal_read(sender->journal,
                         sender->stored_seq,
                         sender->records,
                         SENDER_RECORDS,
                         SIZE_MAX);
        if (n == 0)
                return;
        if (log_may(&said, &n_more))
                log_warning("uplink_dropping after=%" PRIu64 " more=%llu hint=\"the journal is "
                            "full: the oldest of it goes\"",
                            sender->stored_seq,
                            n_more);
        sender_move_to(sender, sender->records[n - 1].seq, METRIC_UPLINK_DROPPED);
        sender->dropped_seq = sender->stored_seq;
        if (sender->sent_seq < sender->stored_seq)
                sender->sent_seq = sender->stored_seq;
}

static void sender_drop(UplinkSender *sender) {
        for (int i = 0; i < SENDER_DROPS && sender->options.drops; ++i) {
                if (!journal_is_high(sender->journal))
                        return;
                sender_drop_some(sender);
        }
}

static void sender_look(UplinkSender *sender) {
        int64_t now_us = clock_mono_us();
        size_t n = journal_read(sender->journal, sender->stored_seq, sender->records, 1, SIZE_MAX);
        int64_t age_us = n > 0 ? clock_now_us() - sender->records[0].received_us : 0;

        metric_set(METRIC_UPLINK_LAG_SECONDS, age_us > 0 ? age_us : 0);
        journal_look(sender->journal, now_us);
        journal_commit(sender->journal, sender->stored_seq);
        sender_drop(sender);
}

/* ---- the connection ---- */

/* Part of why may be the other side's words. */
static void sender_say_down(const char *why, int wait_ms) {
        char text[UPLINK_LINK_WHY];

        snprintf(text, sizeof(text), "%s", why);
        for (char *at = text; *at; ++at)
                if (*at == '"' || *at < ' ' || *at > '~')
                        *at = *at == '"' ? '\'' : '?';
        log_warning("uplink_down reason=\"%s\" again_ms=%d", text, wait_ms);
}

static int sender_lose(UplinkSender *sender, const char *why) {
        int wait_ms = backoff_fail_apart(&sender->backoff,
                                         sender->options.backoff_min_ms,
                                         sender->options.backoff_max_ms);

        if (!sender->is_told)
                sender_say_down(why, wait_ms);
        sender->is_told = true;
        if (sender->link)
                metric_set(METRIC_UPLINK_CONNECTED, 0);
        sender->link = uplink_link_free(sender->link);
        sender->is_welcome = false;
        return 0;
}

static int sender_hello(UplinkSender *sender) {
        buf_reset(&sender->batch);
        uplink_hello_write(sender->journal, &sender->batch);
        if (buf_failed(&sender->batch))
                return err_new(-ENOMEM);
        return err_up(uplink_link_send(sender->link, UPLINK_TEXT, buf_text(&sender->batch)));
}

static int sender_connect(UplinkSender *sender) {
        CLEANUP(secret_free) char *token = NULL;
        int r;

        watch_rest(); /* a name, or a handshake, may take its time */
        r = secret_read_file(sender->options.token_file, &token);
        if (r > 0)
                return sender_lose(sender,
                                   "uplink.token_file cannot be read, or others may read it");
        if (r == 0)
                r = uplink_link_open(&sender->link,
                                     &(UplinkLinkOptions){ .url = sender->options.url,
                                                           .token = token,
                                                           .ca_file = sender->options.ca_file,
                                                           .verify = sender->options.verify,
                                                           .timeout_ms = sender->options.timeout_ms,
                                                           .wake_fd = sender->wake_fd },
                                     sender->why);
        if (r > 0)
                return sender_lose(sender, sender->why);
        if (r == 0)
                r = sender_hello(sender);
        if (r != 0)
                return err_up(r);
        sender->heard_us = sender->moved_us = clock_mono_us();
        sender->n_batches = sender->n_waiting = 0;
        return 0;
}

/* ---- what is said ---- */

/* The whole number behind "name": in what a central gateway writes. */
static bool sender_member(Text json, const char *name, uint64_t *ret_number) {
        const char *at = memmem(json.data, json.n, name, strlen(name));
        size_t n = 0, left;

        if (!at)
                return false;
        at += strlen(name);
        left = json.n - (size_t)(at - json.data);
        while (n < left && at[n] >= '0' && at[n] <= '9')
                ++n;
        return text_to_number((Text){ at, n }, INT64_MAX, ret_number);
}

static bool sender_is(Text json, const char *type) {
        return memmem(json.data, json.n, type, strlen(type)) != NULL;
}

static int sender_welcome(UplinkSender *sender, uint64_t position) {
        uint64_t by;

        if (journal_confirm(sender->journal, 0, position, &by) != 0)
                return sender_lose(sender, "the journal cannot note its numbers");
        sender->is_confirmed = true;
        if (position > sender->stored_seq)
                sender_move_to(sender, position, METRIC_COMMITTED);
        else if (position < sender->stored_seq && sender->stored_seq > sender->dropped_seq)
                sender_go_back(sender,
                               position > sender->dropped_seq ? position : sender->dropped_seq);
        sender->sent_seq = sender->stored_seq;
        sender->chain_seq = position;
        sender->is_welcome = true;
        sender->is_told = false;
        sender->backoff = (Backoff){ 0 };
        metric_set(METRIC_UPLINK_CONNECTED, 1);
        metric_set(METRIC_UPLINK_COPIED, 0); /* it will be said, if so */
        metric_add(METRIC_UPLINK_CONNECTS, 1);
        log_info("uplink_connected position=%" PRIu64, position);
        return 0;
}

static void sender_stored(UplinkSender *sender, uint64_t position) {
        size_t n = 0;

        while (n < sender->n_batches && sender->batches[n].last_seq <= position)
                sender->n_waiting -= sender->batches[n++].n_bytes;
        sender->n_batches -= n;
        memmove(sender->batches, sender->batches + n, sender->n_batches * sizeof(*sender->batches));
        if (position <= sender->stored_seq)
                return; /* no news: it does not count as going on */
        sender_move_to(sender, position, METRIC_COMMITTED);
        sender->moved_us = clock_mono_us();
}

static int sender_hear_text(UplinkSender *sender, Text text) {
        static const Text command = TEXT("{\"type\":\"command\",");
        uint64_t position, window;

        if (sender->is_welcome && sender->options.orders && text.n > command.n &&
            memcmp(text.data, command.data, command.n) == 0)
                return err_up(uplink_orders_put(sender->options.orders, text));
        if (sender->is_welcome && sender_is(text, "{\"type\":\"copied\"")) {
                uplink_hello_copied();
                return 0;
        }
        if (sender->is_welcome && sender_is(text, "{\"type\":\"heard\""))
                uplink_losses_heard(&sender->losses);
        if (!sender_member(text, "\"position\":", &position))
                return 0; /* of a later version */
        if (!sender->is_welcome && sender_is(text, "\"welcome\"") &&
            sender_member(text, "\"window\":", &window)) {
                sender->window = window;
                uplink_losses_welcome(&sender->losses, text);
                if (!uplink_hello_is_met(text, &sender->has_met_runs))
                        return sender_lose(sender, "this one is older than that before it");
                return err_up(sender_welcome(sender, position));
        }
        if (sender->is_welcome && sender_is(text, "\"stored\"") && position <= sender->sent_seq)
                sender_stored(sender, position);
        return 0;
}

/* Who pings and does not read has no answer. */
static int sender_answer(UplinkSender *sender, Text ping) {
        if (uplink_link_unsent(sender->link) > 2 * SENDER_AHEAD)
                return 0;
        return err_up(uplink_link_send(sender->link, UPLINK_PONG, ping));
}

static int sender_hear(UplinkSender *sender) {
        UplinkOpcode opcode;
        Text payload;
        int r = 0;

        while (r == 0 && sender->link && uplink_link_next(sender->link, &opcode, &payload)) {
                sender->heard_us = clock_mono_us();
                if (opcode == UPLINK_TEXT) {
                        r = sender_hear_text(sender, payload);
                } else if (opcode == UPLINK_PING) {
                        r = sender_answer(sender, payload);
                } else if (opcode == UPLINK_CLOSE) {
                        snprintf(sender->why,
                                 sizeof(sender->why),
                                 "closed %d: %.*s",
                                 payload.n >= 2
                                         ? (uint8_t)payload.data[0] << 8 | (uint8_t)payload.data[1]
                                         : 0,
                                 payload.n > 2 ? (int)payload.n - 2 : 0,
                                 payload.n > 2 ? payload.data + 2 : "");
                        r = sender_lose(sender, sender->why);
                }
        }
        return r == 0 ? 0 : err_up(r);
}

/* ---- what goes out ---- */

/* One that no batch can hold is longer than every route allows: its beginning says so. */
static UplinkRecord sender_record(const JournalRecord *record) {
        size_t most =
                UPLINK_BATCH_BYTES - UPLINK_HEAD_BYTES - UPLINK_RECORD_BYTES - record->topic.n;

        return (UplinkRecord){
                .seq = record->seq,
                .received_us = record->received_us,
                .is_retained = record->is_retained,
                .topic = record->topic,
                .payload = { record->payload.data,
                             record->payload.n < most ? record->payload.n : most },
        };
}

static int sender_send_batch(UplinkSender *sender, bool *ret_sent) {
        uint64_t last_seq = sender->chain_seq;
        size_t n;
        int r;

        n = journal_read(sender->journal,
                         sender->sent_seq,
                         sender->records,
                         SENDER_RECORDS,
                         SENDER_BYTES);
        *ret_sent = n > 0;
        if (n == 0)
                return 0;
        buf_reset(&sender->batch);
        uplink_batch_begin(&sender->batch, sender->chain_seq);
        for (size_t i = 0; i < n; ++i) {
                UplinkRecord record = sender_record(&sender->records[i]);

                sender->sent_seq = record.seq;
                if (sender->records[i].place + 1 < sender->records[i].n_messages)
                        continue; /* of several in one the last stands for all */
                uplink_batch_add(&sender->batch, &record);
                last_seq = record.seq;
        }
        if (last_seq == sender->chain_seq)
                return buf_failed(&sender->batch) ? err_new(-ENOMEM) : 0;
        if (buf_failed(&sender->batch) ||
            !VEC_HAS_ROOM(sender->batches, sender->n_batches, sender->capacity, 64))
                return err_new(-ENOMEM);
        uplink_batch_seal(&sender->batch,
                          crc32c(0,
                                 uplink_batch_summed(&sender->batch).data,
                                 uplink_batch_summed(&sender->batch).n));
        r = uplink_link_send(sender->link, UPLINK_BINARY, buf_text(&sender->batch));
        if (r != 0)
                return err_up(r);
        if (sender->n_batches == 0)
                sender->moved_us = clock_mono_us();
        sender->batches[sender->n_batches++] =
                (SenderBatch){ .last_seq = last_seq, .n_bytes = sender->batch.n };
        sender->n_waiting += sender->batch.n;
        sender->chain_seq = last_seq;
        metric_add(METRIC_UPLINK_BATCHES, 1);
        return 0;
}

static bool sender_may_send(const UplinkSender *sender) {
        return sender->is_welcome && sender->n_waiting < sender->window &&
               uplink_link_unsent(sender->link) < SENDER_AHEAD;
}

static int sender_send(UplinkSender *sender) {
        bool is_sent = true;
        int r = 0;

        while (r == 0 && is_sent && sender_may_send(sender))
                r = sender_send_batch(sender, &is_sent);
        return r == 0 ? 0 : err_up(r);
}

static int sender_tell_losses(UplinkSender *sender) {
        if (!sender->link || !sender->is_welcome)
                return 0;
        buf_reset(&sender->batch);
        if (!uplink_losses_write(&sender->losses, &sender->batch))
                return 0;
        if (buf_failed(&sender->batch))
                return err_new(-ENOMEM);
        return err_up(uplink_link_send(sender->link, UPLINK_TEXT, buf_text(&sender->batch)));
}

/* ---- the thread ---- */

static bool sender_is_done(const UplinkSender *sender) {
        int64_t stop_us = atomic_load(&sender->stop_us);

        if (stop_us == 0)
                return false;
        return !sender->is_welcome || clock_mono_us() >= stop_us ||
               sender->stored_seq >= journal_last_seq(sender->journal);
}

static int sender_watch(UplinkSender *sender) {
        int64_t now_us = clock_mono_us();

        if (!sender->link)
                return 0;
        if (now_us - sender->heard_us > SENDER_SILENCE_US)
                return sender_lose(sender, "nothing was heard for a minute");
        if (sender->n_batches > 0 && now_us - sender->moved_us > SENDER_STALL_US)
                return sender_lose(sender, "nothing was stored for two minutes");
        return 0;
}

/* Until there is something to do; not long. */
static void sender_wait(UplinkSender *sender) {
        struct pollfd fds[3] = { { .fd = sender->wake_fd, .events = POLLIN },
                                 { .fd = -1 },
                                 { .fd = -1 } };
        int wait_ms = SENDER_TICK_MS, left_ms = backoff_left_ms(&sender->backoff);

        if (atomic_load(&sender->stop_us) != 0)
                fds[0].fd = -1; /* it is readable for good */
        if (sender->link) {
                fds[1].fd = uplink_link_fd(sender->link);
                fds[1].events = uplink_link_events(sender->link);
        } else if (left_ms < wait_ms) {
                wait_ms = left_ms;
        }
        if (sender->link && sender_may_send(sender)) {
                fds[2].fd = journal_poll_fd(sender->journal, sender->sent_seq);
                fds[2].events = POLLIN;
                if (fds[2].fd < 0)
                        wait_ms = 0;
        }
        (void)poll(fds, 3, wait_ms);
}

static int sender_turn(UplinkSender *sender) {
        int r = 0, down = 0;

        if (!sender->link && backoff_left_ms(&sender->backoff) == 0)
                r = sender_connect(sender);
        if (r == 0 && sender->link)
                r = down = uplink_link_turn(sender->link, sender->why);
        if (r >= 0)
                r = sender_hear(sender);
        if (r == 0 && down > 0 && sender->link)
                r = sender_lose(sender, sender->why);
        if (r == 0 && sender->link)
                r = sender_send(sender);
        if (r == 0 && sender->link && uplink_link_unsent(sender->link) > 0)
                r = uplink_link_turn(sender->link, sender->why) < 0 ? -EIO : 0;
        if (r == 0)
                r = sender_watch(sender);
        return r == 0 ? 0 : err_up(r);
}

static void *sender_main(void *arg) {
        UplinkSender *sender = arg;
        int64_t looked_us = 0;
        int r = 0;

        watch_enter("uplink");
        while (r == 0 && !sender_is_done(sender)) {
                watch_turn();
                r = sender_turn(sender);
                if (r == 0 && clock_mono_us() - looked_us > SENDER_TICK_MS * INT64_C(1000)) {
                        looked_us = clock_mono_us();
                        sender_look(sender);
                        r = sender_tell_losses(sender);
                }
                watch_rest();
                if (r == 0)
                        sender_wait(sender);
        }
        watch_leave();
        if (r != 0)
                atomic_store(&sender->result, r);
        return NULL;
}

int uplink_sender_start(UplinkSender *sender) {
        uint64_t n;
        int r;

        r = uplink_hello_begin(sender->journal);
        if (r != 0)
                return err_up(r);
        sender->stored_seq = journal_noted_seq(sender->journal);
        n = journal_count_after(sender->journal, sender->stored_seq);
        metric_add(METRIC_RECEIVED_RECOVERED, (int64_t)n);
        metric_add(METRIC_IN_JOURNAL, (int64_t)n);
        log_info("uplink_begins stored=%" PRIu64 " to_send=%" PRIu64, sender->stored_seq, n);
        r = pthread_create(&sender->thread, NULL, sender_main, sender);
        if (r != 0)
                return err_new(-r);
        sender->is_started = true;
        return 0;
}

void uplink_sender_stop(UplinkSender *sender, int grace_ms) {
        if (!sender->is_started)
                return;
        sender->is_started = false;
        atomic_store(&sender->stop_us, clock_mono_us() + grace_ms * INT64_C(1000) + 1);
        (void)eventfd_write(sender->wake_fd, 1);
        MUST(pthread_join(sender->thread, NULL));
}
