#include "gateway/trier.h"

#include <pthread.h>

#include "base/err.h"
#include "gateway/config/config.h"
#include "gateway/read/query_lane.h"
#include "gateway/trial/trial.h"
#include "model/metrics.h"

#define TRIER_NICE 10

struct Trier {
        QueryLane *lane;
        uint32_t n_elements;
        pthread_mutex_t lock;
        Routes *routes; /* {lock} */
};

static Routes *trier_routes(Trier *trier) {
        Routes *routes;

        pthread_mutex_lock(&trier->lock);
        routes = trier->routes ? routes_ref(trier->routes) : NULL;
        pthread_mutex_unlock(&trier->lock);
        return routes;
}

void trier_set_routes(Trier *trier, Routes *routes) {
        pthread_mutex_lock(&trier->lock);
        routes_unref(trier->routes);
        trier->routes = routes_ref(routes);
        pthread_mutex_unlock(&trier->lock);
}

/* ConfigSayFn */
static void trier_say(void *arg, int line, const char *text) {
        View *view = arg;

        view_object(view, NULL);
        if (line > 0)
                view_int(view, "line", line);
        else
                view_json(view, "line", (Text){ 0 });
        view_string(view, "text", text);
        view_object_end(view);
}

/* What came of it, as the only body of the answer. */
static int trier_tell(View *view, int status, Answer *answer) {
        Text text;
        int r = view_finish(view, &text);

        if (r != 0)
                return err_up(r);
        buf_append_text(&answer->bodies[0], text);
        if (buf_failed(&answer->bodies[0]))
                return err_new(-ENOMEM);
        answer->status = status;
        return 0;
}

/* The routes to try it with; *ret_routes NULL: the answer says what is wrong. */
static int trier_read(Trier *trier, const QueryTry *attempt, Answer *answer, Routes **ret_routes) {
        CLEANUP_VIEW View view = { 0 };
        bool is_topic = trial_is_topic(buf_text(&attempt->topic));
        int r = CONFIG_E_INVALID;

        *ret_routes = NULL;
        view_init(&view, true);
        view_array(&view, "errors");
        if (!is_topic)
                trier_say(&view, 0, "topic: none to publish to; allowed: " TRIAL_TOPIC_RULE);
        else if (attempt->has_config)
                r = config_try(ret_routes, buf_text(&attempt->config), trier_say, &view);
        else
                *ret_routes = trier_routes(trier);
        if (*ret_routes || r < 0)
                return *ret_routes ? 0 : err_up(r);
        view_array_end(&view);
        return err_up(trier_tell(&view, 422, answer));
}

static int trier_try(Trier *trier, const QueryTry *attempt, Answer *answer) {
        CLEANUP_TRIAL Trial trial = { .max_elements = trier->n_elements };
        CLEANUP(routes_unref) Routes *routes = NULL;
        bool is_taken;
        int r;

        r = trier_read(trier, attempt, answer, &routes);
        if (r != 0 || !routes)
                return err_up(r);
        trial.routes = routes;
        r = trial_begin(&trial, buf_text(&attempt->topic), true);
        if (r == 0)
                r = trial_run(&trial, buf_text(&attempt->payload), &is_taken);
        return r == 0 ? err_up(trier_tell(&trial.view, 200, answer)) : err_up(r);
}

/* Of the lane: a fault is a 503. */
static int trier_answer(Reader *reader, const Query *query) {
        CLEANUP(answer_free) Answer *answer = NULL;
        int r;

        r = answer_new(&answer, query);
        if (r < 0)
                return err_up(r);
        r = trier_try(reader->options.arg, query->attempt, answer);
        if (r != 0) {
                err_up(r);
                answer->status = 503;
        }
        r = reader_send(reader, &answer);
        return r == READER_E_LOST ? 0 : err_up(r);
}

int trier_new(Trier **ret_trier, const TrierOptions *options, Queue *outbox) {
        CLEANUP(trier_free) Trier *trier = NULL;
        int r;

        trier = calloc(1, sizeof(*trier));
        if (!trier)
                return err_new(-ENOMEM);
        MUST(pthread_mutex_init(&trier->lock, NULL));
        trier->n_elements = options->n_elements;
        r = query_lane_new(&trier->lane,
                           &(QueryLaneOptions){
                                   .reader = { .name = "trier",
                                               .database_url = options->database_url,
                                               .arg = trier,
                                               .outbox = outbox },
                                   .n_threads = 1,
                                   .capacity = options->capacity,
                                   .n_share = options->n_share,
                                   .nice = TRIER_NICE,
                                   .waiting = METRIC_QUERY_WAITING,
                                   .answer = trier_answer,
                           });
        if (r < 0)
                return err_up(r);
        *ret_trier = TAKE(&trier);
        return 0;
}

void trier_stop(Trier *trier) {
        query_lane_stop(trier->lane);
}

Trier *trier_free(Trier *trier) {
        if (!trier)
                return NULL;
        query_lane_free(trier->lane);
        routes_unref(trier->routes);
        MUST(pthread_mutex_destroy(&trier->lock));
        free(trier);
        return NULL;
}

int trier_ask(Trier *trier, Query **queryp) {
        return query_lane_push(trier->lane, queryp) == 0 ? 0 : TRIER_E_FULL;
}
