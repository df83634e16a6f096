/* WsFeed: how far subscriptions are over several journals.
 *
 * One that comes with a cursor, perhaps of another gateway, has had more of one journal and less of
 * another than was shown here at any place. So it has the numbers of its cursor beside its place,
 * until it is live and all that it has had was shown here, too.
 */

#include "base/err.h"
#include "model/query.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

static const WsNumbers *ws_since_numbers(const WsFollow *follow) {
        return &follow->feed->client->loop->numbers;
}

/* One journal alone names it as far as it is: the others have no number above that which is
 * missing, since all go by the clock. */
static void ws_since_read(WsFollow *follow, const Cursor *cursor) {
        const WsNumbers *numbers = ws_since_numbers(follow);
        bool is_ours = cursor->n == numbers->n;

        *follow->cursor = (Cursor){ .n = numbers->n };
        for (size_t i = 0; i < numbers->n; ++i) {
                CursorPart *part = &follow->cursor->parts[i];

                if (is_ours)
                        *part = cursor->parts[i];
                else if (cursor->n == 1)
                        memcpy(part->epoch, numbers->journals[i].epoch, sizeof(part->epoch));
                if (cursor->n == 1)
                        part->seq = cursor->parts[0].seq;
                follow->since[i] = part->seq;
        }
}

/* Which of the slots is that of the one journal? Of an older one nobody knows: it was the first. */
static void ws_since_read_one(WsFollow *follow, const CursorPart *one) {
        const WsNumbers *numbers = ws_since_numbers(follow);

        for (size_t i = 0; i < numbers->n; ++i)
                if (strcmp(numbers->journals[i].epoch, one->epoch) == 0)
                        return;
        memcpy(follow->cursor->parts[0].epoch, one->epoch, sizeof(one->epoch));
}

static int ws_since_make(WsFollow *follow) {
        WsFeed *feed = follow->feed;
        size_t n = ws_since_numbers(follow)->n;

        if (!feed->seen)
                feed->seen = calloc(CURSOR_MAX, sizeof(*feed->seen));
        feed->n_since += !follow->since;
        free(follow->since);
        follow->since = calloc(n, sizeof(*follow->since));
        if (!feed->seen || !follow->since) {
                feed->n_since -= !follow->since;
                return err_new(-ENOMEM);
        }
        return 0;
}

int ws_since_begin(WsFollow *follow, const Cursor *cursor) {
        int r;

        r = ws_since_make(follow);
        if (r < 0)
                return err_up(r);
        if (!cursor)
                return 0;
        free(follow->cursor);
        follow->cursor = malloc(sizeof(*follow->cursor));
        if (!follow->cursor)
                return err_new(-ENOMEM);
        ws_since_read(follow, cursor);
        if (cursor->n == 1)
                ws_since_read_one(follow, &cursor->parts[0]);
        return 0;
}

void ws_since_end(WsFollow *follow) {
        free(follow->cursor);
        follow->cursor = NULL;
        if (!follow->since)
                return;
        free(follow->since);
        follow->since = NULL;
        --follow->feed->n_since;
}

/* A number that nothing has had here is known to the database, or to nobody. Whose slot was taken
 * over while we looked on has shown here all that is before it: who comes from there goes on like
 * those who were here. */
static bool ws_since_is_known(const WsFollow *follow) {
        const WsNumbers *numbers = ws_since_numbers(follow);

        for (size_t i = 0; i < numbers->n; ++i) {
                const WsJournal *journal = &numbers->journals[i];
                uint64_t last = journal->last_seq > journal->given_seq ? journal->last_seq
                                                                       : journal->given_seq;

                if (!journal->is_begun || follow->since[i] > last ||
                    (follow->cursor && !ws_numbers_know(numbers,
                                                        i,
                                                        follow->cursor->parts[i].epoch,
                                                        follow->since[i])))
                        return false;
        }
        return true;
}

static bool ws_since_is_at_hand(WsFollow *follow) {
        const WsRing *ring = &follow->feed->client->loop->ring;
        uint64_t place = ws_numbers_find(ws_since_numbers(follow), follow->since);

        if (place == 0 || !ws_ring_covers(ring, place))
                return false;
        follow->seq = place;
        return true;
}

bool ws_since_find(WsFollow *follow) {
        bool is_here = ws_since_is_known(follow) && ws_since_is_at_hand(follow);

        if (!is_here)
                follow->seq = 0;
        follow->begin_seq = follow->seq;
        if (!is_here)
                return false;
        free(follow->cursor);
        follow->cursor = NULL;
        return true;
}

void ws_since_reach(WsFollow *follow, const uint64_t upto[], size_t n) {
        for (size_t i = 0; follow->since && i < n; ++i)
                if (follow->since[i] < upto[i])
                        follow->since[i] = upto[i];
        if (follow->since && ws_numbers_are_begun(ws_since_numbers(follow)))
                (void)ws_since_is_at_hand(follow);
}

void ws_since_settle(WsFeed *feed) {
        const WsNumbers *numbers = &feed->client->loop->numbers;
        WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry) {
                bool is_past = follow->since && follow->state == WS_FOLLOW_LIVE;

                for (size_t i = 0; is_past && i < numbers->n; ++i)
                        is_past = numbers->journals[i].last_seq >= follow->since[i];
                if (is_past)
                        ws_since_end(follow);
        }
}

/* ---- what a mark says ----------------------------------------------------------------------- */

/* What one of them has had when something at @place goes out. */
static void ws_since_had(const WsFollow *follow,
                         uint64_t place,
                         const Event *event,
                         bool is_ring,
                         uint64_t ret_had[]) {
        const WsNumbers *numbers = ws_since_numbers(follow);
        const WsHold *oldest = TAILQ_FIRST(&follow->subscription.held);
        bool awaits = event && ws_follow_awaits(follow, event, is_ring);
        size_t slot = event ? ws_numbers_slot(numbers, event) : 0;

        if (oldest && oldest->before_seq < place)
                place = oldest->before_seq;
        if (ws_follow_lags(follow->state) && follow->seq < place && !(awaits && is_ring))
                place = follow->seq;
        ws_numbers_seen(numbers, place, ret_had);
        for (size_t i = 0; follow->since && i < numbers->n; ++i)
                if (ret_had[i] < follow->since[i])
                        ret_had[i] = follow->since[i];
        if (awaits && ret_had[slot] < event->seq)
                ret_had[slot] = event->seq;
}

WsMark ws_since_mark(const WsFeed *feed, uint64_t place, const Event *event, bool is_ring) {
        const WsNumbers *numbers = &feed->client->loop->numbers;
        const WsFollow *follow;
        bool is_first = true;

        assert(feed->seen);
        memset(feed->seen, 0, CURSOR_MAX * sizeof(*feed->seen));
        if (place == 0)
                place = numbers->last_place;
        if (place < WS_NUMBERS_FIRST)
                return (WsMark){ .place = place, .seen = feed->seen };
        TAILQ_FOREACH(follow, &feed->follows, entry) {
                uint64_t had[CURSOR_MAX];

                if (follow->playback)
                        continue;
                ws_since_had(follow, place, event, is_ring, had);
                for (size_t i = 0; i < numbers->n; ++i)
                        if (is_first || had[i] < feed->seen[i])
                                feed->seen[i] = had[i];
                is_first = false;
        }
        if (is_first)
                ws_numbers_seen(numbers, place, feed->seen);
        return (WsMark){ .place = place, .seen = feed->seen };
}

WsMark ws_since_played(const WsFollow *follow, const Event *event) {
        const WsNumbers *numbers = ws_since_numbers(follow);
        uint64_t *seen = follow->feed->seen;

        if (!follow->since)
                return ws_mark(event->place);
        memcpy(seen, follow->since, numbers->n * sizeof(*seen));
        seen[ws_numbers_slot(numbers, event)] = event->seq;
        return (WsMark){ .place = event->place, .seen = seen };
}

void ws_since_least(const WsFeed *feed, uint64_t ret_least[]) {
        size_t n = feed->client->loop->numbers.n;
        const WsFollow *follow;

        for (size_t i = 0; i < n; ++i)
                ret_least[i] = UINT64_MAX;
        TAILQ_FOREACH(follow, &feed->follows, entry)
                for (size_t i = 0; follow->since && follow->state == WS_FOLLOW_REPLAYS &&
                                   follow->seq == 0 && i < n;
                     ++i)
                        if (follow->since[i] < ret_least[i])
                                ret_least[i] = follow->since[i];
}
