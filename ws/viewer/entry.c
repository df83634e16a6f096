/* WsFeed: how subscriptions begin: from now on, from where they were, or with a time that is over.
 */

#include <stdio.h>

#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

/* Is what came after the cursor here, or still to come? What no message has had yet is a cursor
 * that we have not given, or not remembered: the database is asked, which knows no better. */
static bool ws_hub_reaches(const WsLoop *loop, const CursorPart *since) {
        const WsRing *ring = &loop->ring;
        uint64_t given = loop->numbers.journals[0].given_seq;
        uint64_t last = ring->last_seq > given ? ring->last_seq : given;

        return loop->options->epoch && strcmp(since->epoch, loop->options->epoch) == 0 &&
               since->seq <= last &&
               (since->seq >= ring->last_seq || ws_ring_covers(ring, since->seq));
}

void ws_feed_count_stats(WsFeed *feed, bool wanted, bool wants) {
        WsLoop *loop = feed->client->loop;

        loop->n_stats_follows = loop->n_stats_follows + wants - wanted;
        if (!wants || wanted)
                return;
        feed->stats_told = 0;
        loop->stats_wanted = true;
}

static void ws_feed_enter(WsFeed *feed, WsFollow *follow) {
        follow->feed = feed;
        snprintf(follow->name, sizeof(follow->name), "s%u", ++feed->n_names);
        TAILQ_INSERT_TAIL(&feed->follows, follow, entry);
        ++feed->n_follows;
        feed->n_losses = ws_feed_n_losses(feed);
        follow->subscription.n_paced = &feed->n_paced;
        follow->subscription.members.n_all = follow->subscription.is_set ? &feed->n_members : NULL;
        if (follow->subscription.is_set && feed->n_sets++ == 0 &&
            feed->client->dialect->door != WS_DOOR_POLL) {
                ws_client_put_off_progress(feed->client);
                ws_client_schedule(feed->client);
        }
        ws_feed_count_stats(feed,
                            false,
                            ws_subscription_wants_stats(&follow->subscription,
                                                        WS_SUBSCRIPTION_STATS));
}

/* On from where it is: with all that comes next at hand, or once the database knows. */
static int ws_feed_go(WsFeed *feed, WsFollow *follow, bool is_here) {
        int r = 0;

        follow->is_recovered = true;
        (void)ws_follow_step(&follow->state, is_here ? WS_FOLLOW_ON_NEAR : WS_FOLLOW_ON_FAR);
        if (is_here)
                r = feed->client->dialect->subscribed(feed->client, follow);
        ws_client_touch(feed->client);
        return err_up(r);
}

static int ws_feed_begin_now(WsFeed *feed, WsFollow *follow) {
        follow->begin_seq = follow->seq = feed->client->loop->ring.last_seq;
        follow->had[0] = '\0'; /* whatever has changed of its set since is nowhere else */
        return err_up(ws_feed_go(feed, follow, true));
}

/* From where it was; what was read ahead for the others is read again for all. */
static int ws_feed_begin(WsFeed *feed, WsFollow *follow, const CursorPart *since) {
        bool is_here = ws_hub_reaches(feed->client->loop, since);

        follow->begin_seq = follow->seq = since->seq;
        ws_feed_forget_page(feed);
        if (!is_here)
                memcpy(follow->epoch, since->epoch, sizeof(follow->epoch));
        return err_up(ws_feed_go(feed, follow, is_here));
}

/* The same over several journals. @cursor NULL: from where its playback is. */
static int ws_feed_begin_several(WsFeed *feed, WsFollow *follow, const Cursor *cursor) {
        int r = 0;

        if (cursor)
                r = ws_since_begin(follow, cursor);
        if (r < 0)
                return err_up(r);
        ws_feed_forget_page(feed);
        return err_up(ws_feed_go(feed, follow, ws_since_find(follow)));
}

int ws_feed_add(WsFeed *feed, WsFollow **followp, const Cursor *since) {
        static const CursorPart foreign; /* of no journal */
        WsFollow *follow = TAKE(followp);
        int r;

        ws_feed_enter(feed, follow);
        if (!since)
                r = ws_feed_begin_now(feed, follow);
        else if (ws_numbers_are_several(&feed->client->loop->numbers))
                r = ws_feed_begin_several(feed, follow, since);
        else
                r = ws_feed_begin(feed, follow, since->n == 1 ? &since->parts[0] : &foreign);
        return err_up(r);
}

void ws_feed_play(WsFeed *feed, WsFollow **followp, WsPlayback **playbackp, int64_t from_us) {
        WsFollow *follow = TAKE(followp);

        ws_feed_enter(feed, follow);
        follow->playback = TAKE(playbackp);
        ++feed->n_playbacks;
        ws_feed_mark_paced(feed);
        ws_playback_find(follow->playback, from_us);
}

int ws_feed_join(WsFeed *feed, WsFollow *follow, bool leaves_out) {
        const char *epoch = feed->client->loop->options->epoch;
        CursorPart since = { .seq = follow->seq };
        int r;

        if (epoch)
                strncpy(since.epoch, epoch, sizeof(since.epoch) - 1);
        follow->playback = ws_playback_free(follow->playback);
        --feed->n_playbacks;
        (void)ws_follow_step(&follow->state, WS_FOLLOW_ON_JOIN);
        if (leaves_out) {
                ws_since_end(follow);
                r = ws_feed_begin_now(feed, follow);
        } else if (follow->since) {
                r = ws_feed_begin_several(feed, follow, NULL);
        } else {
                r = ws_feed_begin(feed, follow, &since);
        }
        return err_up(r);
}
