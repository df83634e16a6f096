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
        uint64_t last = ring->last_seq > loop->given_seq ? ring->last_seq : loop->given_seq;

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

/* From where it was, NULL: from now on. */
static int ws_feed_begin(WsFeed *feed, WsFollow *follow, const CursorPart *since) {
        WsLoop *loop = feed->client->loop;
        bool is_here = !since || ws_hub_reaches(loop, since);
        int r;

        follow->begin_seq = follow->seq = since ? since->seq : loop->ring.last_seq;
        follow->is_recovered = true;
        if (!since) /* whatever has changed of its set since is nowhere else */
                follow->had[0] = '\0';
        (void)ws_follow_step(&follow->state, is_here ? WS_FOLLOW_ON_NEAR : WS_FOLLOW_ON_FAR);
        if (since) /* what was read ahead for the others is read again for all */
                ws_feed_forget_page(feed);
        if (!is_here) {
                memcpy(follow->epoch, since->epoch, sizeof(follow->epoch));
                ws_client_touch(feed->client);
                return 0;
        }

        r = feed->client->dialect->subscribed(feed->client, follow);
        ws_client_touch(feed->client);
        return err_up(r);
}

int ws_feed_add(WsFeed *feed, WsFollow **followp, const Cursor *since) {
        static const CursorPart foreign; /* of no journal */
        WsFollow *follow = TAKE(followp);
        const CursorPart *from = since ? &foreign : NULL;
        int r;

        ws_feed_enter(feed, follow);
        if (since && since->n == 1)
                from = &since->parts[0];
        r = ws_feed_begin(feed, follow, from);
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
        r = ws_feed_begin(feed, follow, leaves_out ? NULL : &since);
        return err_up(r);
}
