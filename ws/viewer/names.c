/*
 * WsFeed: for which of a client's subscriptions an event is that goes out.
 *
 * A push without names is for all that it matches, and one frame serves all clients. Where one of
 * them has had it, or gets it later with what it misses, the push says whom it is for.
 */

#include "base/err.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"

static bool ws_follow_matches(const WsFollow *follow, const Event *event) {
        return ws_subscription_matches(&follow->subscription,
                                       follow->feed->client->loop->registry,
                                       event);
}

/* Live is what is behind all that it has read. */
static bool ws_follow_expects(const WsFollow *follow, const Event *event) {
        return follow->state == WS_FOLLOW_LIVE &&
               (event->behind || ws_follow_is_past(follow, event));
}

bool ws_follow_hears(const WsFollow *follow, const Event *event) {
        return ws_follow_expects(follow, event) && ws_follow_matches(follow, event);
}

/* A box shows what is inside, as far as that is known. */
static bool ws_follow_minds(const WsFollow *follow, const Event *event) {
        const WsSubscription *subscription = &follow->subscription;
        const WsThing thing = { event->vehicle_id, event->device_id };

        return !follow->playback && ws_follow_matches(follow, event) &&
               (!subscription->has_box || ws_members_have(&subscription->members, thing));
}

bool ws_feed_minds(const WsFeed *feed, const Event *event) {
        const WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_minds(follow, event))
                        return true;
        return false;
}

/* Would its client take for its own what is not meant for it? Not before it knows the name; and
 * what is played has a mark of its own. */
static bool ws_follow_is_misled(const WsFollow *follow, const Event *event, bool is_live) {
        if (follow->state == WS_FOLLOW_ASKS || follow->playback)
                return false;
        if (is_live ? ws_follow_expects(follow, event) : follow->takes)
                return false;
        return ws_follow_matches(follow, event);
}

static bool ws_feed_misleads(const WsFeed *feed, const Event *event, bool is_live) {
        const WsFollow *follow;

        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (ws_follow_is_misled(follow, event, is_live))
                        return true;
        return false;
}

int ws_feed_name(const WsFeed *feed, const Event *event, bool is_live, Buf *names) {
        JsonOut out = { .buf = names };
        const WsFollow *follow;

        if (feed->n_follows < 2 || !ws_feed_misleads(feed, event, is_live))
                return 0;

        json_out_array(&out, NULL);
        TAILQ_FOREACH(follow, &feed->follows, entry)
                if (is_live ? ws_follow_hears(follow, event) : follow->takes)
                        json_out_string(&out, NULL, follow->name);
        json_out_array_end(&out);
        return buf_failed(names) ? err_new(-ENOMEM) : 0;
}
