#include "gateway/store/follower.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/watch.h"
#include "db/edit/letters.h"
#include "db/follow/directory.h"
#include "db/follow/pulse.h"
#include "db/follow/registration.h"
#include "model/metrics.h"

#define FOLLOWER_CONNECT_MS   5000
#define FOLLOWER_STATEMENT_MS 10000
#define FOLLOWER_PULSE_MS     2000 /* for a beat to be sent */
#define FOLLOWER_BEATS        2    /* missed, or heard, in a row, until it is believed */
#define FOLLOWER_LOCK_MS      200  /* for a table that is locked: then the others' turn */
#define FOLLOWER_NEWS         64
#define FOLLOWER_PUSH_MS      1000
#define FOLLOWER_IDLE_MS      1000
#define FOLLOWER_AGAIN_MS     500 /* until a table that was locked is tried again */
#define FOLLOWER_PAUSE_MIN_MS 100
#define FOLLOWER_PAUSE_MAX_MS 2000

struct Follower {
        FollowerOptions options;
        Queue *questions, *news;
        pthread_t thread;
        unsigned place; /* metrics.h */
        bool has_thread;
        int wake_fd; /* eventfds: a question; the end */
        int stop_fd;
        atomic_bool is_started;
        _Atomic int result;

        /* All below belongs to the thread. */
        DbConn *conn;
        DbDirectory *directory;
        LogPace said;               /* that a device is refused */
        bool is_loaded;             /* on this connection */
        bool is_reported;           /* that it does not follow */
        FollowerQuestion *question; /* the one to be answered; owned */
        int64_t due_us;             /* monotonic: not before; 0 = at once */
        Backoff backoff;

        DbPulse *pulse;
        int64_t beat_us; /* monotonic: when the next is due */
        int n_missed;    /* beats, in a row */
        int n_heard;
        bool is_deaf;
        int64_t lost_us; /* monotonic: since when nothing is loaded; 0 = it is, or never was */
};

/* ---- what is handed over ------------------------------------------------------------------ */

static FollowerQuestion *question_free(FollowerQuestion *question) {
        free(question);
        return NULL;
}

static FollowerNews *news_free(FollowerNews *news) {
        if (!news)
                return NULL;
        registry_delta_unref(news->delta);
        free(news);
        return NULL;
}

DEFINE_CLEANUP(FollowerQuestion *, question_free);
DEFINE_CLEANUP(FollowerNews *, news_free);

static void follower_free_question(void *item) {
        question_free(item);
}

static void follower_free_news(void *item) {
        news_free(item);
}

static bool follower_is_stopped(const Follower *follower) {
        struct pollfd fd = { .fd = follower->stop_fd, .events = POLLIN };

        return poll(&fd, 1, 0) > 0;
}

/* Takes the delta over. Waits for room, since nothing of it may be missed. */
static int follower_tell(Follower *follower, const FollowerNews *news, RegistryDelta **deltap) {
        CLEANUP(news_free) FollowerNews *copy = malloc(sizeof(*copy));

        if (!copy)
                return err_new(-ENOMEM);
        *copy = *news;
        copy->delta = deltap ? TAKE(deltap) : NULL;
        for (;;) {
                switch (queue_push(follower->news, copy, FOLLOWER_PUSH_MS)) {
                case 0:
                        copy = NULL;
                        return 0;
                case QUEUE_E_FULL:
                        watch_turn();
                        continue;
                default: /* closed: nobody wants to know any more */
                        return 0;
                }
        }
}

static int follower_answer(Follower *follower, const FollowerNews *news, RegistryDelta **deltap) {
        FollowerNews answer = *news;

        answer.kind = follower->question->kind;
        answer.seq = follower->question->seq;
        follower->question = question_free(follower->question);
        follower->backoff = (Backoff){ 0 };
        return follower_tell(follower, &answer, deltap);
}

/* ---- the connection ----------------------------------------------------------------------- */

static void follower_pause(Follower *follower) {
        (void)backoff_fail(&follower->backoff, FOLLOWER_PAUSE_MIN_MS, FOLLOWER_PAUSE_MAX_MS);
        follower->due_us = follower->backoff.until_us;
}

/* Said by the processor as well when the database is away; but this one may be alone. */
static void follower_report(Follower *follower) {
        if (!follower->is_reported && !follower_is_stopped(follower))
                log_warning("registry_not_followed sqlstate=%s error=\"%s\"",
                            db_conn_sqlstate(follower->conn),
                            db_conn_error(follower->conn));
        follower->is_reported = true;
}

/* A short absence is nothing that the world has to know. */
static void follower_show(const Follower *follower) {
        int64_t for_us = follower->lost_us != 0 ? clock_mono_us() - follower->lost_us : 0;

        metric_set(METRIC_REGISTRY_STALE,
                   follower->is_deaf || for_us > FOLLOWER_BEATS * INT64_C(1000) *
                                                         follower->options.heartbeat_ms);
}

static void follower_lose(Follower *follower) {
        follower_report(follower);
        db_conn_disconnect(follower->conn);
        if (follower->is_loaded)
                follower->lost_us = clock_mono_us();
        follower->is_loaded = false;
        follower_pause(follower);
}

/* As db/ answers: 0 goes on; what is refused now, or gone, comes again after a pause. */
static int follower_settle(Follower *follower, int r) {
        switch (r) {
        case 0:
                return 0;
        case DB_E_BUSY:
                follower_report(follower);
                follower_pause(follower);
                return 0;
        case DB_E_REFUSED:
                follower_pause(follower);
                return 0;
        default:
                if (r < 0)
                        return err_up(r);
                follower_lose(follower);
                return 0;
        }
}

static int follower_open(Follower *follower, RegistryDelta **ret_delta) {
        int r;

        r = db_directory_open(follower->directory, ret_delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (follower->is_reported)
                log_info("registry_followed");
        follower->is_reported = false;
        follower->is_loaded = true;
        follower->lost_us = 0;
        follower->backoff = (Backoff){ 0 };
        return 0;
}

static int follower_load(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        FollowerNews news = { .kind = FOLLOWER_CHANGE, .known_us = clock_now_us() };
        int r;

        r = follower_open(follower, &delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        db_pulse_forget(follower->pulse);
        return follower_tell(follower, &news, &delta);
}

static int follower_connect(Follower *follower) {
        int r = 0;

        if (!db_conn_is_open(follower->conn)) {
                if (follower->is_loaded)
                        follower->lost_us = clock_mono_us();
                follower->is_loaded = false;
                r = db_conn_connect_wait(follower->conn, FOLLOWER_CONNECT_MS);
        }
        if (r == 0 && !follower->is_loaded)
                r = follower_load(follower);
        return r < 0 ? err_up(r) : r;
}

static int follower_poll(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        int r;

        r = db_directory_poll(follower->directory, &delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (db_directory_is_behind(follower->directory) && follower->due_us == 0)
                follower->due_us = clock_mono_us() + FOLLOWER_AGAIN_MS * INT64_C(1000);
        if (!delta)
                return 0;
        return follower_tell(follower, &(FollowerNews){ .kind = FOLLOWER_CHANGE }, &delta);
}

/* ---- the pulse ---------------------------------------------------------------------------- */

/* Nobody says what has changed: everything is read, and told if it is not as it was. */
static int follower_look_around(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        FollowerNews news = { .kind = FOLLOWER_CHANGE, .known_us = clock_now_us() };
        int r;

        r = follower_open(follower, &delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (!db_directory_differs(follower->directory))
                delta = registry_delta_unref(delta);
        return follower_tell(follower, &news, delta ? &delta : NULL);
}

static void follower_set_deaf(Follower *follower, bool is_deaf) {
        if (is_deaf && !follower->is_deaf)
                log_error("registry_stale heartbeat_ms=%d hint=\"notifications of PostgreSQL do "
                          "not "
                          "arrive: is there a pooler in transaction mode, or a proxy, in between? "
                          "Everything is read again at each beat\"",
                          follower->options.heartbeat_ms);
        if (!is_deaf && follower->is_deaf)
                log_info("registry_heard");
        follower->is_deaf = is_deaf;
}

/* A beat that could not be sent proves nothing either way. */
static int follower_beat(Follower *follower) {
        bool is_missed = db_pulse_is_awaited(follower->pulse);
        int r;

        follower->beat_us = clock_mono_us() + follower->options.heartbeat_ms * INT64_C(1000);
        follower->n_missed = is_missed ? follower->n_missed + 1 : 0;
        follower->n_heard = is_missed ? 0 : follower->n_heard + 1;
        if (follower->n_missed >= FOLLOWER_BEATS)
                follower_set_deaf(follower, true);
        else if (follower->n_heard > FOLLOWER_BEATS)
                follower_set_deaf(follower, false);

        r = db_pulse_beat(follower->pulse);
        if (r < 0)
                return err_up(r);
        if (r == 0 && !is_missed && !follower->is_deaf)
                return 0;
        r = follower_look_around(follower);
        return r < 0 ? err_up(r) : r;
}

/* ---- questions ---------------------------------------------------------------------------- */

static int follower_sync(Follower *follower) {
        FollowerNews news = { .known_us = clock_now_us() };
        int r;

        r = db_directory_sync(follower->directory);
        if (r == 0)
                r = follower_poll(follower);
        if (r != 0 || db_directory_is_behind(follower->directory))
                return r < 0 ? err_up(r) : r; /* a change that cannot be read yet may be the one */
        return follower_answer(follower, &news, NULL);
}

static int follower_load_again(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        FollowerNews news = { .known_us = clock_now_us() };
        int r;

        r = follower_open(follower, &delta);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return follower_answer(follower, &news, &delta);
}

static int follower_refused(Follower *follower) {
        FollowerNews news = { .kind = FOLLOWER_REFUSED };

        snprintf(news.sqlstate, sizeof(news.sqlstate), "%s", db_conn_sqlstate(follower->conn));
        snprintf(news.error, sizeof(news.error), "%s", db_conn_error(follower->conn));
        follower_pause(follower);
        return follower_tell(follower, &news, NULL);
}

/* What is not taken in one with the others asks for itself when it is its turn. */
static int follower_register_more(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        int r;

        if (follower->question->more.n == 0)
                return 0;
        r = db_register_devices(follower->conn, follower->question->more.data, &delta);
        if (r < 0 || r == DB_E_OFFLINE)
                return r < 0 ? err_up(r) : r;
        return r == 0 ? follower_tell(follower, &(FollowerNews){ .kind = FOLLOWER_CHANGE }, &delta)
                      : 0;
}

/* If the device still is not there after a definite answer, its message is a dead letter. As long
 * as there is none, it is asked again. */
static int follower_register(Follower *follower) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const FollowerQuestion *question = follower->question;
        DbRegistration registration = { .code = question->code,
                                        .name = question->name,
                                        .user_id = question->user_id,
                                        .device_type = question->device_type };
        unsigned long long n_more;
        int r;

        r = db_register_device(follower->conn, &registration, &delta);
        switch (r) {
        case DB_E_REJECTED:
                if (log_may(&follower->said, &n_more))
                        log_warning("register_refused error=\"%s\" more=%llu",
                                    db_conn_error(follower->conn),
                                    n_more);
                return follower_answer(follower, &(FollowerNews){ 0 }, NULL);
        case DB_E_REFUSED:
                return follower_refused(follower);
        case 0:
                r = follower_register_more(follower);
                return r == 0 ? follower_answer(follower, &(FollowerNews){ 0 }, &delta) : r;
        default:
                return r < 0 ? err_up(r) : r;
        }
}

static int follower_find_letter(Follower *follower) {
        FollowerNews news = { 0 };
        int r;

        r = db_letters_exists(follower->conn,
                              follower->question->letter_id,
                              follower->question->letter_us,
                              &news.exists);
        if (r == DB_E_REJECTED)
                return follower_refused(follower);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        return follower_answer(follower, &news, NULL);
}

static int follower_look(Follower *follower) {
        void *item;

        if (!follower->question && queue_pop(follower->questions, &item, 1, 0) == 1)
                follower->question = item;
        if (!follower->question)
                return 0;
        switch (follower->question->kind) {
        case FOLLOWER_FRESH:
                return follower_sync(follower);
        case FOLLOWER_LOAD:
                return follower_load_again(follower);
        case FOLLOWER_REGISTER:
                return follower_register(follower);
        case FOLLOWER_LETTER:
                return follower_find_letter(follower);
        default:
                return err_new(-EINVAL);
        }
}

/* ---- the thread --------------------------------------------------------------------------- */

static int follower_turn(Follower *follower) {
        bool is_due = clock_mono_us() >= follower->due_us;
        int r = 0;

        if (!atomic_load(&follower->is_started) || (!is_due && !follower->is_loaded))
                return 0;
        if (is_due)
                follower->due_us = 0;
        r = follower_connect(follower);
        if (r == 0)
                r = follower_poll(follower);
        if (r == 0 && clock_mono_us() >= follower->beat_us)
                r = follower_beat(follower);
        if (r == 0 && is_due)
                r = follower_look(follower);
        r = follower_settle(follower, r);
        follower_show(follower);
        return r < 0 ? err_up(r) : r;
}

static int follower_timeout_ms(const Follower *follower) {
        int64_t now_us = clock_mono_us();
        int64_t left_us = FOLLOWER_IDLE_MS * INT64_C(1000);

        if (follower->due_us == 0 && queue_length(follower->questions) > 0)
                return 0;
        if (follower->due_us != 0 && follower->due_us - now_us < left_us)
                left_us = follower->due_us - now_us;
        if (follower->is_loaded && follower->beat_us - now_us < left_us)
                left_us = follower->beat_us - now_us;
        return left_us > 0 ? (int)((left_us + 999) / 1000) : 0;
}

static void follower_wait(Follower *follower) {
        struct pollfd fds[] = {
                { .fd = follower->stop_fd, .events = POLLIN },
                { .fd = follower->wake_fd, .events = POLLIN },
                { .fd = follower->is_loaded ? db_conn_fd(follower->conn) : -1, .events = POLLIN },
        };
        eventfd_t ignored;

        watch_turn();
        (void)poll(fds, N_ELEMENTS(fds), follower_timeout_ms(follower));
        (void)eventfd_read(follower->wake_fd, &ignored);
}

static void *follower_main(void *arg) {
        Follower *follower = arg;
        int r = 0;

        watch_enter("registry");
        (void)metrics_enter(follower->place);
        while (r == 0 && !follower_is_stopped(follower)) {
                r = follower_turn(follower);
                if (r == 0)
                        follower_wait(follower);
        }
        watch_leave();
        atomic_store(&follower->result, r);
        queue_close(follower->news);
        return NULL;
}

/* ---- life --------------------------------------------------------------------------------- */

static int follower_init(Follower *follower) {
        DbConnOptions options = {
                .url = follower->options.database_url,
                .name = "registry",
                .connect_timeout_ms = FOLLOWER_CONNECT_MS,
                .statement_timeout_ms = FOLLOWER_STATEMENT_MS,
                .lock_timeout_ms = FOLLOWER_LOCK_MS,
        };
        int r;

        follower->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        follower->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (follower->wake_fd < 0 || follower->stop_fd < 0)
                return err_new(-errno);
        r = db_conn_new(&follower->conn, &options);
        options.name = "pulse";
        options.connect_timeout_ms = options.statement_timeout_ms = FOLLOWER_PULSE_MS;
        if (r == 0)
                r = db_pulse_new(&follower->pulse, &options);
        if (r == 0)
                r = db_directory_new(&follower->directory, follower->conn, follower->pulse);
        if (r == 0)
                r = queue_new(&follower->questions, FOLLOWER_QUESTIONS, follower_free_question);
        if (r == 0)
                r = queue_new(&follower->news, FOLLOWER_NEWS, follower_free_news);
        if (r != 0)
                return err_up(r);
        db_conn_set_stop(follower->conn, follower->stop_fd);
        db_pulse_set_stop(follower->pulse, follower->stop_fd);
        queue_set_wake(follower->news, follower->options.wake, follower->options.wake_arg);
        return 0;
}

int follower_new(Follower **ret_follower, const FollowerOptions *options) {
        CLEANUP(follower_free) Follower *follower = NULL;
        int r;

        follower = calloc(1, sizeof(*follower));
        if (!follower)
                return err_new(-ENOMEM);
        follower->options = *options;
        follower->wake_fd = follower->stop_fd = -1;
        r = follower_init(follower);
        if (r != 0)
                return err_up(r);
        follower->place = metrics_place();
        r = pthread_create(&follower->thread, NULL, follower_main, follower);
        if (r != 0)
                return err_new(-r);
        follower->has_thread = true;
        *ret_follower = TAKE(&follower);
        return 0;
}

Follower *follower_free(Follower *follower) {
        if (!follower)
                return NULL;
        if (follower->stop_fd >= 0)
                (void)eventfd_write(follower->stop_fd, 1);
        if (follower->news)
                queue_close(follower->news);
        if (follower->has_thread)
                MUST(pthread_join(follower->thread, NULL));
        question_free(follower->question);
        queue_free(follower->questions);
        queue_free(follower->news);
        db_directory_free(follower->directory);
        db_pulse_free(follower->pulse);
        db_conn_free(follower->conn);
        if (follower->wake_fd >= 0)
                (void)close(follower->wake_fd);
        if (follower->stop_fd >= 0)
                (void)close(follower->stop_fd);
        free(follower);
        return NULL;
}

static void follower_wake(Follower *follower) {
        (void)eventfd_write(follower->wake_fd, 1);
}

void follower_start(Follower *follower) {
        atomic_store(&follower->is_started, true);
        follower_wake(follower);
}

/* Into the memory behind it. */
static Text question_keep(char **atp, Text text) {
        char *at = *atp;

        if (!text.data)
                return text;
        memcpy(at, text.data, text.n);
        *atp += text.n;
        return (Text){ .data = at, .n = text.n };
}

int follower_ask(Follower *follower, const FollowerQuestion *question) {
        CLEANUP(question_free)
        FollowerQuestion *copy =
                calloc(1,
                       sizeof(*copy) + question->code.n + question->name.n + question->more.n + 1);
        char *at;

        if (!copy)
                return err_new(-ENOMEM);
        *copy = *question;
        at = (char *)(copy + 1);
        copy->code = question_keep(&at, question->code);
        copy->name = question_keep(&at, question->name);
        copy->more = question_keep(&at, question->more); /* the last: with a NUL behind it */
        if (queue_push(follower->questions, copy, 0) != 0)
                return err_new(-ENOBUFS); /* more than FOLLOWER_QUESTIONS: a bug of ours */
        copy = NULL;
        follower_wake(follower);
        return 0;
}

bool follower_take(Follower *follower, FollowerNews *ret_news) {
        CLEANUP(news_free) FollowerNews *news = NULL;
        void *item;

        if (queue_pop(follower->news, &item, 1, 0) == 0)
                return false;
        news = item;
        *ret_news = *news;
        news->delta = NULL;
        return true;
}

int follower_result(const Follower *follower) {
        return atomic_load(&follower->result);
}
