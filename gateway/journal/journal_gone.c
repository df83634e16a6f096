#include "gateway/journal/journal_gone.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "model/metrics.h"

#define JOURNAL_GONE_US INT64_C(1000000)

/* Without them a start has a new name, or believes that it is alone: each is to be put back by an
 * orderly start before the rest is lost, too. */
static const char *const journal_gone_names[JOURNAL_GONE_FILES] = { "identity", "lock", "numbers" };

static bool journal_gone_has_no_file(const Segment *segment) {
        struct stat st;

        return segment->fd >= 0 && fstat(segment->fd, &st) == 0 && st.st_nlink == 0;
}

static void journal_gone_look_for_names(JournalGone *gone, const JournalDir *dir) {
        struct stat st;

        for (size_t i = 0; i < JOURNAL_GONE_FILES; ++i) {
                const char *name = journal_gone_names[i];
                bool is_there =
                        fstatat(dir->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;

                if (!is_there && gone->was_there[i])
                        log_error("journal_file_gone file=\"%s\" hint=\"somebody removed it: "
                                  "restart "
                                  "once all is stored\"",
                                  name);
                gone->was_there[i] = is_there;
        }
}

static void journal_gone_say(const Segment *segment, bool is_stored) {
        log_error("journal_file_gone file=\"%s\" stored=%s hint=\"%s\"",
                  segment->name,
                  is_stored ? "yes" : "no",
                  is_stored ? "somebody removed it; it was only kept"
                            : "somebody removed it: do not stop this process before it is "
                              "written again, or what it has of it is stored");
}

/* While it is not stored, so that a crash costs nothing of it. Not at once: its writer is told
 * first that it is to write there no more. */
static void journal_gone_write_again(Segment *segment) {
        int r;

        r = segment_write_again(segment);
        if (r == 0)
                log_info("journal_file_written_again file=\"%s\"", segment->name);
        else if (!segment->is_given_up)
                log_error("journal_file_not_written file=\"%s\" errno=%d", segment->name, -r);
        segment->is_gone = r < 0;
        segment->is_given_up = r < 0;
}

bool journal_gone_look(JournalGone *gone,
                       const JournalDir *dir,
                       Segment *oldest,
                       uint64_t stored_raw,
                       int64_t now_us) {
        size_t n_waiting = 0, n_new = 0;

        if (gone->looked_us != 0 && now_us - gone->looked_us < JOURNAL_GONE_US)
                return false;
        gone->looked_us = now_us;
        journal_gone_look_for_names(gone, dir);
        for (Segment *at = oldest; at; at = segment_next(at)) {
                bool is_stored = atomic_load(&at->last_seq) <= stored_raw;

                if (!at->is_gone && journal_gone_has_no_file(at)) {
                        at->is_gone = true;
                        ++n_new;
                        journal_gone_say(at, is_stored);
                } else if (at->is_gone && !is_stored) {
                        journal_gone_write_again(at);
                }
                n_waiting += at->is_gone && !is_stored;
        }
        if (n_waiting == 0 && atomic_load(&gone->n_waiting) > 0)
                log_info("journal_files_stored hint=\"all of them is stored, or written again\"");
        atomic_store(&gone->n_waiting, n_waiting);
        metric_set(METRIC_JOURNAL_FILES_GONE, (int64_t)n_waiting);
        return n_new > 0;
}
