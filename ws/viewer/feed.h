#pragma once

/*
 * WsFeed: the subscriptions of one client and how far each of them is: asking the database,
 * replaying what it missed, taking a snapshot, live, or playing a time that is over (playback.c).
 *
 * A subscription that resumes reads the loop's ring where that reaches back far enough, else pages
 * of the database until it does, at the pace of its own socket; it gets no live event until it has
 * read the ring to its end, which is one turn of the loop with its first live event: no hole and no
 * duplicate. Those of one client that replay do it together, from where the first of them is: one
 * page serves all, and what several want is sent once, in order. What goes out while another one
 * that it matches has had it, or gets it later, names those that it is for (names.c). A client
 * whose backlog is full misses events until there is room, and is then told of its gap.
 *
 * No cursor goes out while something at or before it has not been sent, unless a newer state of the
 * same thing is on its way or a gap tells of it: what overtakes a state that max_hz holds back
 * carries the cursor before that. How things are said is the dialect's business. Loop thread.
 */

#include <sys/queue.h>

#include "base/base.h"
#include "base/buf.h"
#include "model/event.h"
#include "ws/loop/turns.h"
#include "ws/viewer/census_state.h"
#include "ws/viewer/follow_state.h"
#include "ws/viewer/push.h"
#include "ws/viewer/subscription.h"
#include "ws/viewer/tape.h"

#define WS_PLAYBACK_BYTES 262144 /* of a page, but for its last event */

typedef struct WsClient WsClient;
typedef struct WsFeed WsFeed;
typedef struct WsFollow WsFollow;
typedef struct WsPlayback WsPlayback;

struct WsFollow {
        WsSubscription subscription;
        WsFeed *feed; /* borrowed */
        char name[16];
        Buf id; /* of the request, as JSON; empty if none */
        WsFollowState state;
        bool is_recovered;   /* as promised in the answer */
        bool wants_snapshot; /* when the replay is over */
        char epoch[17];      /* of the cursor that it resumes from */
        uint64_t begin_seq;  /* everything after it that matches has been or will be delivered */
        uint64_t seq;        /* so far so done; live: nothing up to here. Both are places */
        uint64_t *since;     /* owned, of each of several journals: nor anything up to here. While
                                its seq is 0 it is told from the database. NULL: nothing beyond seq */
        Cursor *cursor;      /* owned; of several: while it asks whether it can resume from it */

        WsPlayback *playback; /* owned; NULL: it plays nothing */
        bool is_joining;      /* it comes from there by itself: nobody has asked */
        bool is_in_page;      /* the page of the feed was asked for this one, too */
        bool takes;           /* what is being replayed */

        bool is_at_vehicles; /* snapshot, or census: devices are done */
        int64_t after_id;

        bool tells_over; /* when nothing is left of its targets, in place of the end of all */
        bool is_over;    /* nothing is left, and that is to be told */

        /* Of one with a set: */
        bool has_whole; /* all of it was told, so its text is that of what the client has */
        bool is_unsure; /* something of it could not be told: the whole again, when there is room */
        bool is_stale;  /* something has changed: to be compared */
        bool is_moved;  /* its targets have */
        bool has_lost;  /* some of it may have been out of sight since it was compared */
        char had[WS_MEMBERS_TEXT_SIZE]; /* the text that a client showed, until it was compared */
        WsMembers told;                 /* to come in since, while that goes on */
        WsCensus census;
        WsThing looked_at;

        uint64_t n_missed, missed_from, missed_to; /* to be told of, when there is room */

        TAILQ_ENTRY(WsFollow) entry;
};

/* What plays a time that is over, see playback.c. */
struct WsPlayback {
        WsFollow *follow; /* borrowed */
        WsTape tape;
        int64_t wanted_us; /* to be played from there, once the database has it */
        int64_t from_us;   /* played from there: nothing that was received before is read */
        Event *page;       /* a reference, of its Answer; NULL = none */
        size_t i_page;
        bool is_end;      /* the last page was all that there was when it was asked for: */
        int64_t asked_us; /* wall clock */
        bool is_stalled;  /* what is due has no room: to go on as soon as there is */
        WsTurn turn;
};

struct WsFeed {
        WsClient *client; /* borrowed */
        TAILQ_HEAD(, WsFollow) follows;
        size_t n_follows;
        size_t n_paced;    /* things that their max_hz paces */
        size_t n_sets;     /* follows that have one */
        size_t n_members;  /* of all of these */
        uint64_t n_losses; /* of its user, when the registry changed last */
        size_t n_playbacks;
        unsigned n_names;
        size_t n_since;      /* follows that have a since */
        uint64_t *seen;      /* owned; room for what the marks of such a feed say */
        bool is_dropping;    /* the backlog was full, and is not empty enough yet */
        bool has_missed;     /* somebody has a gap to be told of */
        bool has_over;       /* somebody has no targets any more, and is to be told so */
        bool is_paced;       /* in the loop's list of those that hold something back */
        size_t budget;       /* bytes left for this turn */
        unsigned stats_told; /* which statistics it has had, a bit each */

        WsTurn turn;        /* waits for the database */
        int n_tries;        /* that brought nothing */
        WsFollow *asks_for; /* whose first page it waits for; NULL: of all that replay */
        Event *page;        /* a reference, of its Answer; NULL = none */
        size_t i_page;
        TAILQ_ENTRY(WsFeed) paced;
};

MUST_CHECK int ws_feed_new(WsFeed **ret_feed, WsClient *client);
WsFeed *ws_feed_free(WsFeed *feed);

MUST_CHECK int ws_follow_new(WsFollow **ret_follow);
WsFollow *ws_follow_free(WsFollow *follow);

/* Is it behind all that it has had? */
bool ws_follow_is_past(const WsFollow *follow, const Event *event);
/* It replays: does it get this, of the ring, or of the page? */
bool ws_follow_awaits(const WsFollow *follow, const Event *event, bool is_ring);
void ws_follow_pass(WsFollow *follow, const Event *event, bool is_ring); /* it has had it */

/* Before it is added: what comes and goes is told. @had: the text of what the client has already;
 * absent: it knows nothing. */
void ws_follow_keep_set(WsFollow *follow, Text had);

WsEye ws_feed_eye(const WsFeed *feed);         /* what its client may see, now */
uint64_t ws_feed_n_losses(const WsFeed *feed); /* see User */
/* A message of one kind or another for this client alone. */
MUST_CHECK int ws_feed_push(WsFeed *feed, const WsPush *push);
/* What may be said to be done with when something at the place @seq goes out. A mark of a feed
 * holds until the next one. */
WsMark ws_feed_cursor(const WsFeed *feed, uint64_t seq);
WsMark ws_follow_begin_mark(const WsFollow *follow); /* where it was when it was subscribed */
WsMark ws_feed_begin_mark(const WsFeed *feed,
                          const WsFollow *follow); /* as far as the others are */
/* Is the backlog empty enough for a replay to go on? */
bool ws_feed_has_room(const WsFeed *feed);
/* names.c. Live, is the event for it? */
bool ws_follow_hears(const WsFollow *follow, const Event *event);
/* What has no number: is it for one of them, wherever it is, but for a playback? */
bool ws_feed_minds(const WsFeed *feed, const Event *event);
/* The names of those that an event is for, as a list; nothing: all that it matches. Not live it is
 * for those that take it. */
MUST_CHECK int ws_feed_name(const WsFeed *feed, const Event *event, bool is_live, Buf *names);
MUST_CHECK int ws_feed_catch_up(WsFeed *feed); /* follow.c, as is how far they are */
void ws_follow_retake(WsFollow *follow);       /* the whole of its set, once more */
/* Where those that replay are: the first of them; UINT64_MAX if none does. */
uint64_t ws_feed_at(const WsFeed *feed);

/* It has something that waits for its turn. */
void ws_feed_mark_paced(WsFeed *feed);

/* entry.c. Takes *followp. @since NULL: from now on. */
MUST_CHECK int ws_feed_add(WsFeed *feed, WsFollow **followp, const Cursor *since);
/* Takes *followp, to play what was received from @from_us on. */
void ws_feed_play(WsFeed *feed, WsFollow **followp, WsPlayback **playbackp, int64_t from_us);
/* It is no playback any more: it goes on from where it is, or (@leaves_out) from now. */
MUST_CHECK int ws_feed_join(WsFeed *feed, WsFollow *follow, bool leaves_out);
/* For playbacks: is it for this one? */
MUST_CHECK int ws_follow_wants(WsFollow *follow, const Event *event, bool *ret_wants);
/* Larger than the whole queue: who would have had it is told of that. */
void ws_follow_miss(WsFollow *follow, const Event *event);
/* What was read ahead is not what is wanted now. */
void ws_feed_forget_page(WsFeed *feed);
/* One wanted statistics, and wants them: how many do, and who has to be told. */
void ws_feed_count_stats(WsFeed *feed, bool wanted, bool wants);
/* All that it holds back, whether it is its turn or not. */
MUST_CHECK int ws_feed_send_all_held(WsFeed *feed, WsFollow *follow);
/* census.c. Another view of what goes on where it is: takes of @next what @change says. Not while
 * it asks. */
MUST_CHECK int ws_feed_move(WsFeed *feed, WsFollow *follow, WsSubscription *next, WsChange change);
WsMark ws_feed_place(const WsFeed *feed, const WsFollow *follow); /* to resume it from */
/* May @next, as far as @change goes, reach other things? */
bool ws_census_is_other(const WsSubscription *now, const WsSubscription *next, WsChange change);
WsFollow *ws_feed_find(const WsFeed *feed, Text name); /* NULL: there is none; to be freed */

bool ws_feed_wants(const WsFeed *feed, const Event *event); /* live */
MUST_CHECK int ws_feed_offer(WsFeed *feed, Event *event, WsFrame *frame);
MUST_CHECK int ws_feed_offer_stats(WsFeed *feed, Text json, const char *type);
/* All of them lost @n events after @from_seq, up to @to_seq. */
void ws_feed_rewind(WsFeed *feed, const Event *event); /* which comes only now */
MUST_CHECK int ws_feed_miss(WsFeed *feed, uint64_t from_seq, uint64_t to_seq, uint64_t n);

/* Goes on with what is not live, as far as there is room. */
MUST_CHECK int ws_feed_pump(WsFeed *feed);
bool ws_feed_is_hungry(const WsFeed *feed); /* call again as soon as the socket takes more */
bool ws_feed_is_live(const WsFeed *feed);
bool ws_feed_counts(const WsFeed *feed);       /* a set of one that is live has to be compared */
bool ws_feed_has_snapshot(const WsFeed *feed); /* half told */
WsMark ws_feed_seq(const WsFeed *feed);        /* everything up to here has been dealt with */

MUST_CHECK int ws_feed_tell_progress(WsFeed *feed); /* if nothing waits to be told */
/* What was held back, or is played, and is due. */
MUST_CHECK int ws_feed_turn(WsFeed *feed, int64_t now_us);
/* A right was taken away, or something is gone: closes the client if nothing is left of what it
 * named. */
void ws_feed_narrow(WsFeed *feed);

/* snapshot.c. What a snapshot has told is a member of the set, if there is one. */
void ws_snapshot_begin(WsFollow *follow); /* at the first thing, with nothing told */
/* The next part of the whole, in the state WS_FOLLOW_SNAPSHOT; the last one is the end of it. */
MUST_CHECK int ws_snapshot_part(WsFollow *follow);
/* The next part of what is no member yet; *ret_more: that was not all. */
MUST_CHECK int ws_snapshot_news(WsFollow *follow, bool *ret_more);
/* One thing that comes in, when all up to @mark is said. */
MUST_CHECK int ws_snapshot_thing(WsFollow *follow, WsThing thing, WsMark mark);

/* census.c. Live, does the event move something of its set, whether it is to be shown or not? */
bool ws_census_watches(const WsFollow *follow, const Event *event);
/* The event has moved its thing so: says it if it has to be said, behind @mark. */
MUST_CHECK int ws_census_move(WsFollow *follow, const Event *event, WsPlace place, WsMark mark);
/* Something has changed (@delta NULL: anything): its sets are to be compared, if that may matter.
 */
void ws_census_doubt(WsFeed *feed, const RegistryDelta *delta);
void ws_census_doubt_all(WsLoop *loop, const RegistryDelta *delta); /* everybody's */
bool ws_census_is_due(const WsFollow *follow);
MUST_CHECK int ws_census_turn(WsFeed *feed); /* as far as there is room */
/* It has lost all its targets, and all that came before that was told. */
bool ws_census_is_over(const WsFollow *follow);
MUST_CHECK int ws_census_end_all(WsFeed *feed); /* of those tells it, and ends them */

/* since.c: how far they are over several journals. With one of them there is nothing of it. */
MUST_CHECK int ws_since_begin(WsFollow *follow, const Cursor *cursor);
void ws_since_end(WsFollow *follow);
/* Is what the cursor lacks here? Then its seq says from where on. */
bool ws_since_find(WsFollow *follow);
/* The database has told all of each journal up to @upto, in order. */
void ws_since_reach(WsFollow *follow, const uint64_t upto[], size_t n);
void ws_since_settle(WsFeed *feed); /* who is live, and past it, needs it no more */
/* As ws_feed_cursor(), of all places if @place is 0; with @event, which those that await it get
 * with this. */
WsMark ws_since_mark(const WsFeed *feed, uint64_t place, const Event *event, bool is_ring);
WsMark ws_since_played(const WsFollow *follow, const Event *event); /* of a playback */
/* Where those that are told from the database are: the least of each journal. */
void ws_since_least(const WsFeed *feed, uint64_t ret_least[]);

/* playback.c; @now_us is of the monotonic clock, @wall_us of the other. */
MUST_CHECK int ws_playback_new(WsPlayback **ret_playback, WsFollow *follow, double rate);
WsPlayback *ws_playback_free(WsPlayback *playback);

size_t ws_playback_n_of_user(const WsClient *client); /* that the user of this one has */

/* Plays from @from_us, once the database has answered: see ws_dialect.played. */
void ws_playback_find(WsPlayback *playback, int64_t from_us);
void ws_playback_hold(WsPlayback *playback, int64_t now_us);
void ws_playback_go(WsPlayback *playback, double rate, int64_t now_us);
int64_t ws_playback_at(const WsPlayback *playback, int64_t now_us); /* what is said of it */

/* What is due. It may be one no more after that. */
MUST_CHECK int ws_playback_turn(WsPlayback *playback, int64_t now_us, int64_t wall_us);
/* What it has asked for; @event of a @status of 200. */
MUST_CHECK int ws_playback_take(WsPlayback *playback, int status, Event *event);

/* The page that the feed waited for. */
MUST_CHECK int ws_feed_take_page(WsFeed *feed, Event *answer);
MUST_CHECK int ws_feed_take_refusal(WsFeed *feed, int status);

DEFINE_CLEANUP(WsFeed *, ws_feed_free);
DEFINE_CLEANUP(WsFollow *, ws_follow_free);
