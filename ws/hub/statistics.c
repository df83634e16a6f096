#include "ws/hub/statistics.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/index.h"
#include "base/text.h"
#include "model/metrics.h"
#include "ws/loop/loop.h"
#include "ws/loop/options.h"
#include "ws/loop/questions.h"
#include "ws/viewer/client.h"
#include "ws/viewer/feed.h"
#define HASH_NONFATAL_OOM          1
#define uthash_nonfatal_oom(scope) ((scope)->is_lost = true)
#include <uthash.h>

#define WS_STATISTICS_PATIENCE_MS 60000 /* an answer that takes longer will not come */
#define WS_STATISTICS_MINUTES     5

typedef struct WsStatisticsScope WsStatisticsScope;
typedef struct WsStatisticsTopic WsStatisticsTopic;

/* What the sockets of one user (0: of those who see everything) were sent last. */
struct WsStatisticsScope {
        int64_t user_id;
        uint64_t digest; /* 0 = nothing yet */
        int64_t sent_ms;
        bool is_used;
};

/* One dialect with statistics. */
struct WsStatisticsTopic {
        const WsDialect *dialect;
        QueryKind kind;
        bool repeats; /* also what has not changed, each stats_refresh_ms */
        WsQuestion question;
        WsStatistics *stats; /* borrowed */
        Index *scopes;       /* of user ids */
};

struct WsStatistics {
        WsLoop *loop; /* borrowed */
        WsStatisticsTopic topics[2];
};

static int64_t ws_statistics_now_ms(void) {
        return clock_mono_us() / 1000;
}

int ws_statistics_new(WsStatistics **ret_stats, WsLoop *loop) {
        CLEANUP(ws_statistics_free) WsStatistics *stats = NULL;
        int r = 0;

        stats = calloc(1, sizeof(*stats));
        if (!stats)
                return err_new(-ENOMEM);

        stats->loop = loop;
        stats->topics[0] = (WsStatisticsTopic){
                .dialect = &ws_dialect_people_counter,
                .kind = QUERY_DETECTION_STATS,
        };
        stats->topics[1] = (WsStatisticsTopic){
                .dialect = &ws_dialect_cameras,
                .kind = QUERY_CAMERA_STATS,
                .repeats = true,
        };
        for (size_t i = 0; r == 0 && i < N_ELEMENTS(stats->topics); ++i) {
                stats->topics[i].stats = stats;
                stats->topics[i].question.owner = &stats->topics[i];
                r = index_new(&stats->topics[i].scopes);
        }
        if (r < 0)
                return err_up(r);

        *ret_stats = TAKE(&stats);
        return 0;
}

static void ws_statistics_free_scope(void *arg, void *scope) {
        (void)arg;
        free(scope);
}

WsStatistics *ws_statistics_free(WsStatistics *stats) {
        if (!stats)
                return NULL;

        for (size_t i = 0; i < N_ELEMENTS(stats->topics); ++i) {
                ws_questions_forget(stats->loop->questions, &stats->topics[i].question);
                if (!stats->topics[i].scopes)
                        continue;
                index_each(stats->topics[i].scopes, ws_statistics_free_scope, NULL);
                index_free(stats->topics[i].scopes);
        }
        free(stats);
        return NULL;
}

uint64_t ws_statistics_digest(Text body) {
        static const Text name = { .data = "\"timestamp\":\"", .n = 13 };
        uint64_t digest = TEXT_HASH;

        for (size_t i = 0; i < body.n; ++i) {
                digest = text_hash(digest, body.data + i, 1);
                if (body.n - i >= name.n && memcmp(body.data + i, name.data, name.n) == 0) {
                        const char *end = memchr(body.data + i + name.n, '"', body.n - i - name.n);

                        if (end)
                                i = (size_t)(end - body.data);
                }
        }
        return digest ? digest : 1;
}

static bool ws_statistics_is_scope(const WsStatisticsTopic *topic, const WsList *list) {
        WsScope scope = ws_list_scope(list);

        return ws_list_dialect(list) == (int)topic->dialect->id &&
               (scope == WS_SCOPE_ALL || scope == WS_SCOPE_USER);
}

/* A list of clients with subscriptions, of a scope that no list before it asks for. */
static bool ws_statistics_is_feed(const WsIndex *index,
                                  const WsStatisticsTopic *topic,
                                  const WsList *list) {
        WsScope scope = ws_list_scope(list);
        int dialect = ws_list_dialect(list);

        if (dialect < WS_DIALECT_NATIVE || (scope != WS_SCOPE_ALL && scope != WS_SCOPE_USER) ||
            ws_index_find(index, (int)topic->dialect->id, scope, ws_list_id(list)))
                return false;
        for (int other = WS_DIALECT_NATIVE; other < dialect; ++other)
                if (ws_index_find(index, other, scope, ws_list_id(list)))
                        return false;
        return true;
}

static bool ws_statistics_counts(const WsStatistics *stats,
                                 const WsStatisticsTopic *topic,
                                 const WsList *list) {
        return ws_statistics_is_scope(topic, list) ||
               (stats->loop->n_stats_follows > 0 &&
                ws_statistics_is_feed(stats->loop->index, topic, list));
}

static int ws_statistics_collect(const WsStatistics *stats,
                                 const WsStatisticsTopic *topic,
                                 Query *query) {
        const WsIndex *index = stats->loop->index;
        const WsList *list = NULL;
        size_t n = 0;

        while ((list = ws_index_next(index, list)))
                n += ws_statistics_counts(stats, topic, list);
        query->user_ids = calloc(n + 1, sizeof(int64_t));
        if (!query->user_ids)
                return err_new(-ENOMEM);

        while ((list = ws_index_next(index, list)))
                if (ws_statistics_counts(stats, topic, list))
                        query->user_ids[query->n_user_ids++] = ws_list_id(list);
        return 0;
}

static int ws_statistics_scope(WsStatisticsTopic *topic,
                               int64_t user_id,
                               WsStatisticsScope **ret_scope) {
        WsStatisticsScope *scope = index_get_id(topic->scopes, user_id);
        int r;

        if (!scope) {
                scope = calloc(1, sizeof(*scope));
                if (!scope)
                        return err_new(-ENOMEM);
                scope->user_id = user_id;
                r = index_put_id(topic->scopes, user_id, scope);
                if (r < 0) {
                        free(scope);
                        return err_up(r);
                }
        }

        scope->is_used = true;
        *ret_scope = scope;
        return 0;
}

/* To the sockets of one list that have had none yet or, @is_news, to all of it. */
static int ws_statistics_send(const WsList *list, WsFrame *frame, bool is_news) {
        for (size_t i = 0; i < ws_list_length(list); ++i) {
                WsClient *client = ws_list_at(list, i);
                int r;

                if (!is_news && !client->wants_stats)
                        continue;
                client->wants_stats = false;
                if (!(client->types & WS_TYPE_STATISTICS))
                        continue;
                r = ws_client_offer(client, frame);
                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

/* To those of the scope whose subscriptions want statistics. */
static int ws_statistics_tell_feeds(const WsStatistics *stats,
                                    const WsStatisticsTopic *topic,
                                    int64_t user_id,
                                    bool is_news) {
        unsigned bit = 1U << (topic - stats->topics);
        int r = 0;

        for (int dialect = WS_DIALECT_NATIVE;
             stats->loop->n_stats_follows > 0 && dialect < WS_DIALECT_COUNT;
             ++dialect) {
                const WsList *list = ws_index_find(stats->loop->index,
                                                   dialect,
                                                   user_id == 0 ? WS_SCOPE_ALL : WS_SCOPE_USER,
                                                   user_id);

                for (size_t i = 0; r == 0 && i < ws_list_length(list); ++i) {
                        WsFeed *feed = ws_list_at(list, i)->feed;

                        if (!feed || (!is_news && (feed->stats_told & bit)))
                                continue;
                        feed->stats_told |= bit;
                        r = ws_feed_offer_stats(feed,
                                                buf_text(&stats->loop->text),
                                                topic->kind == QUERY_CAMERA_STATS
                                                        ? "statistics_update"
                                                        : "stats_update");
                }
        }
        return err_up(r);
}

/* At the turn nearest to when it is due: half a turn early rather than half a turn late. */
static bool ws_statistics_is_due(const WsStatistics *stats,
                                 const WsStatisticsTopic *topic,
                                 int64_t age_ms) {
        const WsOptions *options = stats->loop->options;

        return topic->repeats &&
               age_ms + options->stats_interval_ms / 2 >= options->stats_refresh_ms;
}

static int ws_statistics_deliver(WsStatistics *stats,
                                 WsStatisticsTopic *topic,
                                 int64_t user_id,
                                 Text body) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        uint64_t digest = ws_statistics_digest(body);
        int64_t now_ms = ws_statistics_now_ms();
        Buf *buf = &stats->loop->text;
        WsStatisticsScope *scope = NULL;
        const WsList *list;
        bool is_news;
        int r;

        list = ws_index_find(stats->loop->index,
                             (int)topic->dialect->id,
                             user_id == 0 ? WS_SCOPE_ALL : WS_SCOPE_USER,
                             user_id);
        if (!list && stats->loop->n_stats_follows == 0)
                return 0;
        r = ws_statistics_scope(topic, user_id, &scope);
        if (r < 0)
                return err_up(r);

        is_news = digest != scope->digest ||
                  ws_statistics_is_due(stats, topic, now_ms - scope->sent_ms);
        if (is_news) {
                scope->digest = digest;
                scope->sent_ms = now_ms;
        }
        buf_reset(buf);
        topic->dialect->format_stats(body, buf);
        if (buf_failed(buf))
                return err_new(-ENOMEM);
        r = ws_frame_new(&frame, buf_text(buf), ws_frame_key(KIND_COUNT, 0, 0));
        if (r == 0)
                r = ws_statistics_send(list, frame, is_news);
        if (r == 0)
                r = ws_statistics_tell_feeds(stats, topic, user_id, is_news);
        return err_up(r);
}

/* Forgets a scope whose last socket is gone. */
static void ws_statistics_prune(void *arg, void *value) {
        WsStatisticsTopic *topic = arg;
        WsStatisticsScope *scope = value;

        if (scope->is_used) {
                scope->is_used = false;
                return;
        }
        index_remove_id(topic->scopes, scope->user_id);
        free(scope);
}

/* Without one the next turn asks again, as where the database is away. */
static int ws_statistics_answer(void *owner, Event *event) {
        WsStatisticsTopic *topic = owner;
        const Answer *answer = event ? event->answer : NULL;
        int r = 0;

        if (!answer || answer->status != 200)
                return 0;
        for (size_t i = 0; r == 0 && i < answer->n_bodies; ++i)
                if (answer->bodies[i].n > 0)
                        r = ws_statistics_deliver(topic->stats,
                                                  topic,
                                                  answer->user_ids[i],
                                                  buf_text(&answer->bodies[i]));
        index_each(topic->scopes, ws_statistics_prune, topic);
        return err_up(r);
}

static int ws_statistics_ask(WsStatistics *stats, WsStatisticsTopic *topic) {
        CLEANUP(query_free) Query *query = NULL;
        int r;

        if (topic->question.id != 0 ||
            (stats->loop->n_open[topic->dialect->id] == 0 && stats->loop->n_stats_follows == 0))
                return 0;

        r = query_new(&query, topic->kind);
        if (r < 0)
                return err_up(r);
        r = ws_statistics_collect(stats, topic, query);
        if (r < 0)
                return err_up(r);

        query->minutes = WS_STATISTICS_MINUTES;
        query->style = stats->loop->options->counter;
        r = ws_questions_ask(stats->loop->questions,
                             &topic->question,
                             &query,
                             WS_STATISTICS_PATIENCE_MS,
                             ws_statistics_answer);
        return r == WS_QUESTIONS_E_FULL ? 0 : err_up(r); /* the next turn tries again */
}

int ws_statistics_tick(WsStatistics *stats) {
        for (size_t i = 0; i < N_ELEMENTS(stats->topics); ++i) {
                int r = ws_statistics_ask(stats, &stats->topics[i]);

                if (r < 0)
                        return err_up(r);
        }
        return 0;
}

int ws_statistics_poke(WsStatistics *stats) {
        WsStatisticsTopic *topic = &stats->topics[1];
        int r;

        if (!stats->loop->stats_wanted || topic->question.id != 0)
                return 0;

        stats->loop->stats_wanted = false;
        r = ws_statistics_ask(stats, topic);
        return err_up(r);
}
