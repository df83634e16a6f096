#include "gateway/journal/journal_writers.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

#define JOURNAL_WRITERS_NAME 16 /* of a file */
#define JOURNAL_WRITERS_LINE "%63[0-9A-Za-z-] %" SCNu64 " %d\n"

static FILE *journal_writers_file(const JournalWriters *writers, const char *name, int flags) {
        int fd = openat(writers->dir_fd, name, flags | O_CLOEXEC | O_NOFOLLOW, 0600);
        FILE *file = fd < 0 ? NULL : fdopen(fd, flags == O_RDONLY ? "r" : "w");

        if (fd >= 0 && !file)
                (void)close(fd);
        return file;
}

static void journal_writers_read(JournalWriters *writers) {
        FILE *file = journal_writers_file(writers, writers->file, O_RDONLY);
        JournalWriter *at = writers->items;
        int is_claimed;

        if (!file)
                return;
        while (writers->n < JOURNAL_WRITERS_MAX &&
               /* NOLINTNEXTLINE(cert-err34-c): widths are bounded. */
               fscanf(file, JOURNAL_WRITERS_LINE, at->id, &at->begin_seq, &is_claimed) == 3) {
                at->is_claimed = is_claimed != 0;
                ++at;
                ++writers->n;
        }
        (void)fclose(file);
}

/* Written beside and moved over: there is always a whole one. */
static bool journal_writers_write(const JournalWriters *writers) {
        char name[JOURNAL_WRITERS_NAME];
        FILE *file;
        bool is_written;

        snprintf(name, sizeof(name), "%s.new", writers->file);
        file = journal_writers_file(writers, name, O_WRONLY | O_CREAT | O_TRUNC);
        is_written = file;
        for (size_t i = 0; is_written && i < writers->n; ++i)
                is_written = fprintf(file,
                                     "%s %" PRIu64 " %d\n",
                                     writers->items[i].id,
                                     writers->items[i].begin_seq,
                                     writers->items[i].is_claimed) > 0;
        is_written = is_written && fflush(file) == 0 && fsync(fileno(file)) == 0;
        if (file)
                is_written = fclose(file) == 0 && is_written;
        is_written = is_written &&
                     renameat(writers->dir_fd, name, writers->dir_fd, writers->file) == 0 &&
                     fsync(writers->dir_fd) == 0;
        if (!is_written)
                log_warning("journal_writers_not_noted errno=%d hint=\"a copy of the journal would "
                            "not be noticed\"",
                            errno);
        return is_written;
}

static void journal_writers_print(JournalWriters *writers) {
        size_t n_ids = 0, n_begins = 0;

        for (size_t i = 0; i < writers->n; ++i) {
                const char *separator = i == 0 ? "{" : ",";

                n_ids += (size_t)snprintf(writers->ids + n_ids,
                                          sizeof(writers->ids) - n_ids,
                                          "%s%s",
                                          separator,
                                          writers->items[i].id);
                n_begins += (size_t)snprintf(writers->begins + n_begins,
                                             sizeof(writers->begins) - n_begins,
                                             "%s%" PRIu64,
                                             separator,
                                             writers->items[i].begin_seq);
        }
        snprintf(writers->ids + n_ids, sizeof(writers->ids) - n_ids, "}");
        snprintf(writers->begins + n_begins, sizeof(writers->begins) - n_begins, "}");
}

/* The newest of all; where there are too many, the oldest goes. */
static void journal_writers_add(JournalWriters *writers, uint64_t last_seq) {
        size_t n_kept = writers->n < JOURNAL_WRITERS_MAX ? writers->n : writers->n - 1;

        memmove(writers->items + 1, writers->items, n_kept * sizeof(*writers->items));
        writers->items[0] = (JournalWriter){ .begin_seq = last_seq };
        writers->n = n_kept + 1;
}

static void journal_writers_name(JournalWriters *writers, const char *id) {
        snprintf(writers->items[0].id, sizeof(writers->items[0].id), "%s", id);
        if (!journal_writers_write(writers))
                writers->n = 0;
        else
                journal_writers_print(writers);
}

void journal_writers_begin(JournalWriters *writers, int dir_fd, const char *id, uint64_t last_seq) {
        *writers = (JournalWriters){ .file = "writers", .dir_fd = dir_fd };
        journal_writers_read(writers);
        if (writers->n == 0 || writers->items[0].is_claimed)
                journal_writers_add(writers, last_seq);
        journal_writers_name(writers, id);
}

/* Where there are too many, what was never said to anybody goes by the new name; else what the
 * oldest has numbered goes by the name of the next one. */
void journal_writers_begin_run(JournalWriters *writers,
                               int dir_fd,
                               const char *id,
                               uint64_t last_seq) {
        bool is_full;

        *writers = (JournalWriters){ .file = "runs", .dir_fd = dir_fd };
        journal_writers_read(writers);
        is_full = writers->n == JOURNAL_WRITERS_MAX;
        if (writers->n == 0 || (last_seq > writers->items[0].begin_seq &&
                                (!is_full || writers->items[0].is_claimed))) {
                uint64_t oldest_seq = is_full ? writers->items[writers->n - 1].begin_seq : 0;

                journal_writers_add(writers, last_seq);
                if (is_full)
                        writers->items[writers->n - 1].begin_seq = oldest_seq;
        }
        journal_writers_name(writers, id);
}

void journal_writers_claim(JournalWriters *writers) {
        if (writers->n == 0 || writers->items[0].is_claimed)
                return;
        writers->items[0].is_claimed = true;
        if (!journal_writers_write(writers))
                writers->n = 0;
}

bool journal_writers_settle(JournalWriters *writers) {
        size_t n = writers->n;

        if (n == 0 || writers->is_settled)
                return true;
        writers->n = 1;
        writers->is_settled = journal_writers_write(writers);
        if (!writers->is_settled)
                writers->n = n;
        else
                journal_writers_print(writers);
        return writers->is_settled;
}
