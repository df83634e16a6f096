#include "gateway/journal/journal_note.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#define JOURNAL_NOTE_DIGITS 20
#define JOURNAL_NOTE_US     1000000

void journal_note_open(JournalNote *note, int dir_fd, const char *name) {
        char text[JOURNAL_NOTE_DIGITS + 1] = "";

        note->fd = openat(dir_fd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (note->fd < 0) {
                log_warning("journal_note_failed file=%s errno=%d", name, errno);
                return;
        }
        if (pread(note->fd, text, JOURNAL_NOTE_DIGITS, 0) == JOURNAL_NOTE_DIGITS &&
            text_to_number((Text){ text, JOURNAL_NOTE_DIGITS }, UINT64_MAX, &note->seq))
                note->written_seq = note->seq;
}

static void journal_note_write(JournalNote *note) {
        char text[JOURNAL_NOTE_DIGITS + 2];

        if (note->fd < 0 || note->seq == note->written_seq)
                return;
        snprintf(text, sizeof(text), "%020" PRIu64 "\n", note->seq);
        (void)!pwrite(note->fd, text, JOURNAL_NOTE_DIGITS + 1, 0);
        note->written_seq = note->seq;
        note->written_us = clock_mono_us();
}

void journal_note_set(JournalNote *note, uint64_t seq) {
        if (seq <= note->seq)
                return;
        note->seq = seq;
        if (clock_mono_us() - note->written_us >= JOURNAL_NOTE_US)
                journal_note_write(note);
}

void journal_note_put(JournalNote *note, uint64_t seq) {
        note->seq = seq;
        journal_note_write(note);
}

void journal_note_close(JournalNote *note) {
        journal_note_write(note);
        if (note->fd >= 0)
                close(note->fd);
        note->fd = -1;
}
