#include "gateway/store/waiting.h"

#include <poll.h>

#include "base/clock.h"
#include "base/watch.h"
#include "gateway/journal/journal.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/showing.h"
#include "gateway/store/storing.h"

#define WAITING_MAX_US INT64_C(1000000)

enum {
        WAITING_FOR_NOTHING = -1, /* in place of a descriptor: there is more to read already */
        WAITING_FOR_OTHERS = -2,  /* nothing is read before something else has come */
};

/* When the store has something to do again, also if nothing comes. */
static int64_t waiting_due_us(const Desk *desk) {
        if (database_pause_us(desk->database) >= 0)
                return database_pause_us(desk->database);
        if (storing_age_us(desk) > 0 && !desk->stall.is_on)
                return desk->options.stall_ms * INT64_C(1000) - storing_age_us(desk);
        if (storing_delay_us(desk) > 0)
                return storing_delay_us(desk);
        return WAITING_MAX_US;
}

int waiting_ms(const Waiting *waiting, const Desk *desk) {
        int64_t wait_us = waiting->stands_by ? WAITING_MAX_US : waiting_due_us(desk);

        if (waiting->stop_at_us != 0 && waiting->stop_at_us - clock_mono_us() < wait_us)
                wait_us = waiting->stop_at_us - clock_mono_us();
        if (wait_us > WAITING_MAX_US)
                wait_us = WAITING_MAX_US;
        return wait_us > 0 ? (int)((wait_us + 999) / 1000) : 0;
}

/* The descriptor that says when there is more to read. */
static int waiting_journal_fd(Desk *desk) {
        if (storing_is_passed(desk))
                return journal_poll_fd(desk->journal, showing_seq(desk->showing));
        if (!database_is_ready(desk->database) || storing_delay_us(desk) > 0 ||
            database_is_lent(desk->database) || known_age_us(desk->known) > 0)
                return WAITING_FOR_OTHERS;
        if (lane_is_idle(desk->lane) || lane_has_room(desk->lane))
                return journal_poll_fd(desk->journal, lane_loaded_seq(desk->lane));
        return WAITING_FOR_OTHERS;
}

/* What was shown ahead of the store can be stored now. */
static bool waiting_is_behind(const Desk *desk) {
        return database_is_ready(desk->database) &&
               lane_loaded_seq(desk->lane) < showing_seq(desk->showing) &&
               storing_age_us(desk) == 0;
}

void waiting_turn(const Waiting *waiting, Desk *desk) {
        int journal_fd = waiting_journal_fd(desk);
        struct pollfd fds[] = {
                { .fd = desk->wake_fd, .events = POLLIN },
                { .fd = journal_fd, .events = POLLIN },
                { .fd = -1 },
        };

        if (journal_fd == WAITING_FOR_NOTHING || waiting_is_behind(desk))
                return;
        database_wants(desk->database, &fds[2]);
        watch_turn();
        (void)poll(fds, N_ELEMENTS(fds), waiting->has_more ? 0 : waiting_ms(waiting, desk));
}
