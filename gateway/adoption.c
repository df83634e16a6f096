#include "gateway/adoption.h"

#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/secret.h"
#include "db/write/adopt.h"
#include "db/write/books.h"
#include "db/write/takeover.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/processor_setup.h"
#include "gateway/store/processor.h"
#include "gateway/succession.h"
#include "model/metrics.h"

#define ADOPTION_TRIES 5 /* where somebody else was in the way */

typedef struct Adoption Adoption;

struct Adoption {
        const Config *config; /* borrowed, as are the next two */
        const char *dir;
        DbConn *conn;
        Adopted *adopted; /* the caller's */
        Journal *journal;
        Queue *outbox; /* closed: nobody looks on */
        int ended_fd, max_ms;
        uint64_t position;
        char instance[SECRET_ID_SIZE], routes_file[PATH_MAX];
};

static void adoption_done(Adoption *adoption) {
        queue_free(adoption->outbox);
        journal_close(adoption->journal);
        if (adoption->ended_fd >= 0)
                close(adoption->ended_fd);
}

/* To open a journal is to make one where there is none. */
static bool adoption_is_journal(const char *dir) {
        JournalDir found = JOURNAL_DIR_INIT;
        int r = journal_dir_look(&found, dir);
        bool is = r == 0 || found.n_names > 0;

        journal_dir_close(&found);
        return is;
}

static int adoption_open(Adoption *adoption) {
        JournalOptions options = adoption->config->journal;
        int r;

        if (!adoption_is_journal(adoption->dir))
                return ADOPTION_E_NO_JOURNAL;
        options.dir = adoption->dir;
        r = journal_open(&adoption->journal, &options);
        if (r == JOURNAL_E_LOCKED)
                return ADOPTION_E_LOCKED;
        if (r > 0)
                return ADOPTION_E_NO_JOURNAL;
        if (r < 0)
                return err_up(r);
        snprintf(adoption->adopted->epoch,
                 sizeof(adoption->adopted->epoch),
                 "%s",
                 journal_epoch(adoption->journal));
        return 0;
}

/* Within the transaction: what others have stored is no message of ours any more, whatever becomes
 * of that; what is left, and may be sent to them, they are to know. */
static int adoption_learn(Adoption *adoption, int slot) {
        const Config *config = adoption->config;
        Journal *journal = adoption->journal;
        uint64_t n = 0, n_new = 0, until_seq, by;
        const Text *held;
        int r;

        adoption->adopted->slot = slot;
        if (slot < config->cluster_slot ||
            slot >= config->cluster_slot + (config->cluster_slots > 1 ? config->cluster_slots : 1))
                return ADOPTION_E_SLOT;
        if (journal_confirm(journal, 0, adoption->position, &by) != 0)
                return ADOPTION_E_DISK;
        journal_learn_begin(journal);
        r = succession_learn(adoption->conn, slot, journal_epoch(journal), 0, journal);
        if (r != 0)
                return ADOPTION_E_DATABASE;
        if (journal_pass_taken(journal, adoption->position, &n, &n_new) != 0)
                return ADOPTION_E_DISK;
        adoption->adopted->n_taken += n;
        until_seq = journal_taken_until(journal, adoption->position); /* of a call before, too */
        if (until_seq > 0)
                r = db_takeover_note_taken(adoption->conn,
                                           journal_epoch(journal),
                                           adoption->position,
                                           until_seq);
        if (r != 0)
                return r > 0 ? ADOPTION_E_DATABASE : r;
        held = journal_held(journal, adoption->position);
        if (!held)
                return err_new(-ENOMEM);
        r = db_adopt_commit(adoption->conn, journal_epoch(journal), *held);
        return r > 0 ? ADOPTION_E_DATABASE : r;
}

static int adoption_try(Adoption *adoption) {
        int slot = 0;
        int r;

        r = db_adopt_begin(adoption->conn,
                           journal_epoch(adoption->journal),
                           &slot,
                           &adoption->position);
        switch (r) {
        case 0:
                r = adoption_learn(adoption, slot);
                if (r != 0)
                        db_adopt_cancel(adoption->conn);
                return r;
        case DB_E_NOT_FOUND:
                return journal_last_seq(adoption->journal) == 0 ? ADOPTION_E_EMPTY
                                                                : ADOPTION_E_UNKNOWN;
        case DB_E_BUSY:
                return ADOPTION_E_OWNED;
        default:
                return r < 0 ? r : ADOPTION_E_DATABASE;
        }
}

/* Whoever takes the slot over at this moment may be in the way. */
static int adoption_tell(Adoption *adoption) {
        int r = ADOPTION_E_DATABASE;

        for (int i = 0;
             i < ADOPTION_TRIES && r == ADOPTION_E_DATABASE && db_conn_is_open(adoption->conn);
             ++i)
                r = adoption_try(adoption);
        return r;
}

static void adoption_on_ended(void *arg) {
        const Adoption *adoption = arg;

        (void)eventfd_write(adoption->ended_fd, 1);
}

static int adoption_prepare(Adoption *adoption) {
        int r = secret_id(adoption->instance);

        if (r == 0)
                r = queue_new(&adoption->outbox, 1, NULL);
        if (r != 0)
                return err_up(r);
        queue_close(adoption->outbox);
        adoption->ended_fd = eventfd(0, EFD_CLOEXEC);
        if (adoption->ended_fd < 0)
                return err_new(-errno);
        if (snprintf(adoption->routes_file,
                     sizeof(adoption->routes_file),
                     "%s/routes",
                     adoption->dir) >= (int)sizeof(adoption->routes_file))
                return ADOPTION_E_NO_JOURNAL;
        return 0;
}

/* Until all is stored, or it cannot go on. */
static int adoption_store(Adoption *adoption) {
        CLEANUP(processor_free) Processor *processor = NULL;
        ProcessorOptions options = processor_setup(adoption->config);
        struct pollfd fd = { .fd = adoption->ended_fd, .events = POLLIN };
        int r;

        options.holder = (DbHolder){ .slot = adoption->adopted->slot,
                                     .instance = adoption->instance,
                                     .adopts = true };
        options.routes_file = adoption->routes_file;
        options.outbox.is_mute = true;
        options.ended = adoption_on_ended;
        options.ended_arg = adoption;
        r = processor_new(&processor,
                          &options,
                          adoption->journal,
                          adoption->config->routes,
                          adoption->outbox);
        if (r != 0)
                return err_up(r);
        processor_set_standing(processor, PROCESSOR_STORES);
        processor_stop(processor, adoption->max_ms);
        while (poll(&fd, 1, -1) < 0)
                continue;
        return processor_result(processor) == 0 ? 0 : ADOPTION_E_ENDED;
}

/* What has become of it, as the database has it. */
static int adoption_count(Adoption *adoption, uint64_t n_before) {
        Adopted *adopted = adoption->adopted;
        DbBooks books;
        int r;

        r = db_books_read(adoption->conn, adopted->epoch, &books);
        if (r != 0)
                return r < 0 ? err_up(r) : ADOPTION_E_DATABASE;
        adopted->n_left = journal_count_after(adoption->journal, books.seq);
        adopted->n_stored = n_before - adopted->n_left;
        adopted->n_stored -=
                adopted->n_again < adopted->n_stored ? adopted->n_again : adopted->n_stored;
        return 0;
}

static int adoption_finish(Adoption *adoption) {
        bool is_done = false;
        int r;

        r = db_adopt_end(adoption->conn,
                         adoption->adopted->epoch,
                         journal_last_seq(adoption->journal),
                         &is_done);
        if (r != 0)
                return r < 0 ? err_up(r) : ADOPTION_E_DATABASE;
        return is_done ? 0 : ADOPTION_E_ENDED;
}

/* Of what cannot be stored because it is not there any more. */
static void adoption_find_losses(Adoption *adoption) {
        Adopted *adopted = adoption->adopted;
        uint64_t after_seq = adoption->position, from, last;

        adopted->n_damaged = journal_find_damage(adoption->journal,
                                                 adoption->position,
                                                 &adopted->damaged_after_seq,
                                                 &adopted->damaged_until_seq);
        for (; journal_find_hole(adoption->journal, after_seq, &from, &last); after_seq = last) {
                log_error("journal_gap after=%" PRIu64 " last=%" PRIu64 " position=%" PRIu64,
                          from,
                          last,
                          adoption->position);
                if (adopted->n_gaps++ == 0)
                        adopted->gap_after_seq = from;
                adopted->gap_last_seq = last;
        }
}

static int adoption_go(Adoption *adoption) {
        Adopted *adopted = adoption->adopted;
        int64_t n_again = metric_get(METRIC_DUPLICATE);
        uint64_t n_before;
        int r, stored = 0;

        r = adoption_open(adoption);
        if (r == 0)
                r = adoption_prepare(adoption);
        if (r == 0)
                r = adoption_tell(adoption);
        if (r != 0)
                return r;
        adoption_find_losses(adoption);
        n_before = journal_count_after(adoption->journal, adoption->position);
        if (n_before > 0)
                stored = adoption_store(adoption);
        adopted->n_again = (uint64_t)(metric_get(METRIC_DUPLICATE) - n_again);
        r = adoption_count(adoption, n_before);
        if (r == 0 && stored == 0)
                r = adoption_finish(adoption);
        return r == 0 ? stored : r;
}

int adoption_run(const Config *config,
                 const char *dir,
                 DbConn *conn,
                 int max_ms,
                 Adopted *ret_adopted) {
        __attribute__((cleanup(adoption_done))) Adoption adoption = {
                .config = config,
                .dir = dir,
                .conn = conn,
                .adopted = ret_adopted,
                .ended_fd = -1,
                .max_ms = max_ms,
        };

        *ret_adopted = (Adopted){ 0 };
        return adoption_go(&adoption);
}

/* ---- at the start ---- */

/* "": it has none, or not yet. */
static void adoption_epoch(const char *dir, char ret_epoch[JOURNAL_EPOCH_SIZE]) {
        JournalDir found = JOURNAL_DIR_INIT;
        char identity[PATH_MAX];

        *ret_epoch = '\0';
        if (snprintf(identity, sizeof(identity), "%s/identity", dir) >= (int)sizeof(identity) ||
            access(identity, F_OK) != 0)
                return;
        if (journal_dir_look(&found, dir) == 0)
                snprintf(ret_epoch, JOURNAL_EPOCH_SIZE, "%016" PRIx64, found.identity.epoch);
        journal_dir_close(&found);
}

/* What is left is counted again once it has its turn. */
static void adoption_uncount(int64_t in_journal) {
        int64_t n = metric_get(METRIC_IN_JOURNAL) - in_journal;

        metric_add(METRIC_IN_JOURNAL, -n);
        metric_add(METRIC_RECEIVED_RECOVERED, -n);
}

void adoption_at_start(const Config *config, const char *dir, DbConn *conn, int max_ms) {
        int64_t in_journal = metric_get(METRIC_IN_JOURNAL);
        char epoch[JOURNAL_EPOCH_SIZE];
        bool is_due = false;
        Adopted adopted;
        int r;

        adoption_epoch(dir, epoch);
        if (!*epoch || db_adopt_is_due(conn, epoch, &is_due) != 0 || !is_due)
                return;
        log_info("leftovers_begin epoch=%s", epoch);
        r = adoption_run(config, dir, conn, max_ms, &adopted);
        adoption_uncount(in_journal);
        if (r == 0 || r == ADOPTION_E_ENDED)
                log_info("leftovers_stored epoch=%s slot=%d stored=%" PRIu64 " duplicates=%" PRIu64
                         " by_others=%" PRIu64 " left=%" PRIu64,
                         epoch,
                         adopted.slot,
                         adopted.n_stored,
                         adopted.n_again,
                         adopted.n_taken,
                         adopted.n_left);
        else
                log_warning("leftovers_kept epoch=%s answer=%d hint=\"they are stored when this "
                            "gateway has the slot again, or at its next start\"",
                            epoch,
                            r);
}
