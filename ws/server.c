#include "ws/server.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <time.h>
#include <uv.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/queue.h"
#include "base/watch.h"
#include "model/metrics.h"
#include "ws/access/limiter.h"
#include "ws/device/edge.h"
#include "ws/entrances.h"
#include "ws/http/exchange.h"
#include "ws/http/gate.h"
#include "ws/http/http.h"
#include "ws/hub/connections.h"
#include "ws/hub/hub.h"
#include "ws/hub/intake.h"
#include "ws/hub/statistics.h"
#include "ws/hub/viewer.h"
#include "ws/loop/options.h"
#include "ws/net/conn.h"

#define WS_SERVER_FAILURES  1024 /* names under which bad credentials are counted */
#define WS_SERVER_DRAIN_MS  20
#define WS_SERVER_DRAIN_MIN 10 /* sockets closed in each of them */
#define WS_SERVER_SECOND_MS 1000
#define WS_SERVER_SWEEP_MS  250

/* What other threads ask of the loop. */
enum {
        WS_SERVER_STOP = 1 << 0,
        WS_SERVER_DRAIN = 1 << 1,
        WS_SERVER_RELOAD = 1 << 2,
};

struct WsServer {
        WsOptions options;  /* owned strings */
        const WsAuth *auth; /* borrowed: the one that we started with */
        WsAuth *new_keys;   /* owned: of the last ws_server_set_auth(), in use; or NULL */
        Queue *outbox;      /* borrowed */

        Registry *registry;
        WsTickets *tickets;
        WsSharedTickets *shared_tickets; /* NULL: there is one node */
        WsLimiter *failures;             /* of credentials */
        WsAccess access;
        WsHub *hub;
        WsIntake intake;
        WsStatistics *stats;
        WsGate *gate;
        WsHttp *http;
        WsConns *conns;
        WsEntrances entrances;
        uv_loop_t loop;
        uv_async_t wake;
        uv_timer_t tick, second, turn, drain; /* pings; HTTP; statistics; closing */
        uv_timer_t sweep;                     /* deadlines */
        bool has_loop;
        int64_t drain_until_ms;

        pthread_t thread;
        bool is_started;
        atomic_uint asked;                /* WS_SERVER_* */
        atomic_int grace_ms;              /* of the drain */
        _Atomic(WsOptions *) new_options; /* owned; of the reload */
        _Atomic(WsAuth *) new_auth;       /* owned; likewise */
        atomic_int result;
        sem_t drained;
};

static void ws_server_ask(WsServer *server, unsigned what) {
        atomic_fetch_or(&server->asked, what);
        uv_async_send(&server->wake); /* the one libuv call that any thread may make */
}

static void ws_server_on_queue(void *arg) {
        WsServer *server = arg;

        uv_async_send(&server->wake);
}

/* A fault ends the thread, and through the queues everybody else learns of it. */
static void ws_server_fail(WsServer *server, int r) {
        atomic_store(&server->result, r);
        queue_close(server->outbox);
        uv_stop(&server->loop);
}

static void ws_server_check(WsServer *server, int r) {
        if (r < 0)
                ws_server_fail(server, err_up(r));
}

static void ws_server_settle(WsServer *server) {
        ws_loop_settle(&server->hub->loop);
        ws_server_check(server, ws_statistics_poke(server->stats));
}

static void ws_server_take(WsServer *server) {
        bool has_more = false;

        ws_server_check(server, ws_intake_turn(&server->intake, &has_more));
        ws_server_settle(server);
        if (has_more)
                uv_async_send(&server->wake);
}

static int ws_server_on_opened(void *arg, WsConn *conn) {
        WsServer *server = arg;
        WsExchange *session = malloc(sizeof(*session));

        if (!session)
                return err_new(-ENOMEM);
        ws_http_opened(server->http, session, conn);
        ws_conn_set_user(conn, session);
        return 0;
}

static size_t ws_server_on_receive(void *arg, WsConn *conn, char *data, size_t n) {
        WsServer *server = arg;

        return ws_http_receive(server->http, ws_conn_user(conn), data, n);
}

static void ws_server_on_writable(void *arg, WsConn *conn) {
        WsServer *server = arg;

        ws_http_writable(server->http, ws_conn_user(conn));
}

static bool ws_server_is_idle(void *arg, WsConn *conn) {
        const WsExchange *session = ws_conn_user(conn);

        (void)arg;
        return session->state == WS_EXCHANGE_IDLE;
}

static void ws_server_on_closed(void *arg, WsConn *conn) {
        WsExchange *session = ws_conn_user(conn);

        (void)arg;
        if (session)
                ws_http_closed(session);
        free(session);
}

static void ws_server_on_tick(uv_timer_t *timer) {
        WsServer *server = timer->data;

        ws_hub_tick(server->hub);
        ws_server_check(server, ws_hub_turn_heard(server->hub));
        ws_server_settle(server);
}

static void ws_server_on_sweep(uv_timer_t *timer) {
        WsServer *server = timer->data;

        watch_turn();
        ws_conns_sweep(server->conns, clock_mono_us() / 1000);
        ws_entrances_resume(&server->entrances);
}

static void ws_server_count_client(void *arg, WsConn *conn) {
        const WsExchange *session = ws_conn_user(conn);
        size_t *n = arg;

        *n += session && session->client;
}

/* Each place that is taken is that of a connection which exists. */
static void ws_server_audit(WsServer *server) {
        size_t n = 0;

        ws_conns_each(server->conns, ws_server_count_client, &n);
        metric_set(METRIC_WS_PLACES_DRIFT, (int64_t)server->hub->loop.n_clients - (int64_t)n);
        ws_connections_audit(&server->hub->loop);
}

static void ws_server_on_second(uv_timer_t *timer) {
        WsServer *server = timer->data;

        ws_http_tick(server->http);
        ws_server_check(server, ws_hub_second(server->hub));
        ws_server_audit(server);
}

static void ws_server_on_turn(uv_timer_t *timer) {
        WsServer *server = timer->data;

        ws_server_check(server, ws_statistics_tick(server->stats));
}

/* Closes some of those that are left, so many that all are asked to go in half of the time. */
static void ws_server_on_drain(uv_timer_t *timer) {
        WsServer *server = timer->data;
        int64_t left_ms = server->drain_until_ms - clock_mono_us() / 1000;
        const WsList *list = ws_index_find(server->hub->loop.index, 0, WS_SCOPE_EVERYONE, 0);
        size_t n_left = ws_list_length(list);
        size_t n = WS_SERVER_DRAIN_MIN;

        if (server->hub->loop.n_clients == 0 || left_ms <= 0) {
                uv_timer_stop(timer);
                MUST(sem_post(&server->drained));
                return;
        }

        if (n < 2 * n_left * WS_SERVER_DRAIN_MS / (size_t)left_ms + 1)
                n = 2 * n_left * WS_SERVER_DRAIN_MS / (size_t)left_ms + 1;
        for (size_t i = 0; i < n && i < n_left; ++i)
                ws_client_close(ws_list_at(list, i), WS_CLOSE_DRAINING, "draining", METRIC_COUNT);
        ws_server_settle(server);
}

static void ws_server_begin_drain(WsServer *server) {
        server->drain_until_ms = clock_mono_us() / 1000 + atomic_load(&server->grace_ms) * 9 / 10;
        ws_gate_shut(server->gate);
        MUST(uv_timer_start(&server->drain, ws_server_on_drain, 0, WS_SERVER_DRAIN_MS));
}

static void ws_server_start_timers(WsServer *server) {
        uint64_t turn_ms = (uint64_t)server->options.stats_interval_ms;
        uint64_t tick_ms = (uint64_t)ws_loop_tick_ms(&server->hub->loop);

        MUST(uv_timer_start(&server->tick, ws_server_on_tick, tick_ms, tick_ms));
        MUST(uv_timer_start(&server->turn, ws_server_on_turn, turn_ms, turn_ms));
        MUST(uv_timer_start(&server->sweep,
                            ws_server_on_sweep,
                            WS_SERVER_SWEEP_MS,
                            WS_SERVER_SWEEP_MS));
        MUST(uv_timer_start(&server->second,
                            ws_server_on_second,
                            WS_SERVER_SECOND_MS,
                            WS_SERVER_SECOND_MS));
}

/* Everything but where we listen and which files hold the certificate may change. */
static void ws_server_adopt(WsServer *server, WsOptions *fresh) {
        WsOptions old = server->options;
        bool is_same = ws_options_same_place(&old, fresh);

        if (!is_same)
                log_warning("ws_reload_needs_restart "
                            "keys=http.listen,http.health_listen,http.tls_cert,http.tls_key");
        ws_listener_fit(fresh);
        server->options = *fresh; /* hub, gate and http borrow this very struct */
        if (is_same)
                ws_entrances_renew(&server->entrances);
        server->access.failures_per_min = fresh->token_failures_per_min;
        ws_options_done(&old);
        free(fresh);
        ws_server_start_timers(server);
}

/* Gate and http look keys up through server->access at each request; nobody keeps a pointer. */
static void ws_server_adopt_auth(WsServer *server, WsAuth *auth) {
        server->access.auth = auth;
        ws_hub_close_shut(server->hub, ws_gate_leaves_open, auth);
        ws_auth_free(server->new_keys);
        server->new_keys = auth;
}

static void ws_server_on_wake(uv_async_t *wake) {
        WsServer *server = wake->data;
        unsigned asked = atomic_exchange(&server->asked, 0);
        WsOptions *fresh = atomic_exchange(&server->new_options, NULL);
        WsAuth *auth = atomic_exchange(&server->new_auth, NULL);

        if (fresh)
                ws_server_adopt(server, fresh);
        if (auth)
                ws_server_adopt_auth(server, auth);
        if (asked & WS_SERVER_STOP) {
                uv_stop(&server->loop);
                return;
        }
        if (asked & WS_SERVER_DRAIN)
                ws_server_begin_drain(server);
        ws_server_take(server);
}

static int ws_server_open_loop(WsServer *server) {
        uv_timer_t *const timers[] = {
                &server->tick, &server->second, &server->turn, &server->drain, &server->sweep
        };

        if (uv_loop_init(&server->loop) != 0)
                return err_new(-ENOMEM);

        server->has_loop = true;
        MUST(uv_async_init(&server->loop, &server->wake, ws_server_on_wake));
        server->wake.data = server;
        for (size_t i = 0; i < N_ELEMENTS(timers); ++i) {
                MUST(uv_timer_init(&server->loop, timers[i]));
                timers[i]->data = server;
        }
        return 0;
}

static int ws_server_build(WsServer *server) {
        int r;

        r = registry_new(&server->registry);
        if (r == 0)
                r = ws_tickets_new(&server->tickets,
                                   (size_t)server->options.tickets,
                                   (size_t)server->options.tickets_per_user);
        if (r == 0 && server->options.has_peers)
                r = ws_shared_tickets_new(&server->shared_tickets, (size_t)server->options.tickets);
        if (r == 0)
                r = ws_limiter_new(&server->failures, WS_SERVER_FAILURES);
        if (r == 0)
                r = ws_conns_new(&server->conns,
                                 &server->loop,
                                 &(WsConnHandler){
                                         .arg = server,
                                         .opened = ws_server_on_opened,
                                         .receive = ws_server_on_receive,
                                         .writable = ws_server_on_writable,
                                         .ended = ws_http_ended,
                                         .is_idle = ws_server_is_idle,
                                         .late = ws_http_late,
                                         .strange = ws_exchange_strange,
                                         .bare = ws_exchange_bare,
                                         .closed = ws_server_on_closed,
                                 });
        if (r == 0)
                r = ws_hub_new(&server->hub, server->registry);
        if (r < 0)
                return err_up(r);

        server->access = (WsAccess){
                .auth = server->auth,
                .registry = server->registry,
                .tickets = server->tickets,
                .shared = server->shared_tickets,
                .failures = server->failures,
                .failures_per_min = server->options.token_failures_per_min,
        };
        server->hub->loop.options = &server->options;
        r = ws_numbers_open(&server->hub->loop.numbers, server->options.epoch);
        if (r < 0)
                return err_up(r);
        server->intake = (WsIntake){ .outbox = server->outbox,
                                     .hub = server->hub,
                                     .options = &server->options };
        server->hub->questions.ask = server->options.ask;
        server->hub->questions.ask_arg = server->options.ask_arg;
        server->hub->loop.access = &server->access;
        r = ws_statistics_new(&server->stats, &server->hub->loop);
        if (r == 0)
                r = ws_gate_new(&server->gate, &server->hub->loop, &server->access);
        if (r == 0)
                r = ws_http_new(&server->http, &server->options, &server->access, server->gate);
        return err_up(r);
}

int ws_server_new(WsServer **ret_server,
                  const WsOptions *options,
                  const WsAuth *auth,
                  Queue *outbox) {
        CLEANUP(ws_server_free) WsServer *server = NULL;
        int r;

        server = calloc(1, sizeof(*server));
        if (!server)
                return err_new(-ENOMEM);

        server->auth = auth;
        server->outbox = outbox;
        MUST(sem_init(&server->drained, 0, 0));
        r = ws_options_copy(&server->options, options);
        if (r == 0)
                ws_listener_fit(&server->options);
        if (r == 0)
                r = ws_server_open_loop(server);
        if (r == 0)
                r = ws_server_build(server);
        if (r < 0)
                return err_up(r);
        r = ws_entrances_open(&server->entrances, &server->loop, &server->options, server->conns);
        if (r != 0)
                return r < 0 ? err_up(r) : WS_SERVER_E_START;

        queue_set_wake(outbox, ws_server_on_queue, server);
        *ret_server = TAKE(&server);
        return 0;
}

static void ws_server_farewell(WsServer *server) {
        const WsList *list = ws_index_find(server->hub->loop.index, 0, WS_SCOPE_EVERYONE, 0);

        ws_loop_settle(&server->hub->loop);
        for (size_t i = 0; i < ws_list_length(list); ++i)
                ws_viewer_farewell(ws_list_at(list, i));
}

/* libuv closes handles a turn later: ask all to close, and turn until nothing is left. */
static void ws_server_close_loop(WsServer *server) {
        uv_handle_t *const handles[] = {
                (uv_handle_t *)&server->wake,   (uv_handle_t *)&server->tick,
                (uv_handle_t *)&server->second, (uv_handle_t *)&server->turn,
                (uv_handle_t *)&server->drain,  (uv_handle_t *)&server->sweep,
        };

        ws_entrances_close(&server->entrances);
        if (server->hub)
                ws_server_farewell(server);
        if (server->conns)
                ws_conns_close(server->conns);
        for (size_t i = 0; i < N_ELEMENTS(handles); ++i)
                uv_close(handles[i], NULL);
        (void)uv_run(&server->loop, UV_RUN_DEFAULT);
        MUST(uv_loop_close(&server->loop));
}

static void *ws_server_main(void *arg) {
        WsServer *server = arg;

        watch_enter("sockets");
        ws_server_start_timers(server);
        (void)uv_run(&server->loop, UV_RUN_DEFAULT);
        watch_leave();
        return NULL;
}

int ws_server_start(WsServer *server) {
        int r;

        r = pthread_create(&server->thread, NULL, ws_server_main, server);
        if (r != 0)
                return err_new(-r);

        server->is_started = true;
        uv_async_send(&server->wake); /* for what was pushed before */
        log_info("ws_listening port=%d tls=%d",
                 server->entrances.ports[WS_ENTRANCE_ALL],
                 server->options.tls_cert != NULL);
        if (server->entrances.ports[WS_ENTRANCE_HEALTH] != 0)
                log_info("ws_health_listening port=%d",
                         server->entrances.ports[WS_ENTRANCE_HEALTH]);
        return 0;
}

WsServer *ws_server_free(WsServer *server) {
        WsOptions *fresh;

        if (!server)
                return NULL;

        if (server->is_started) {
                ws_server_ask(server, WS_SERVER_STOP);
                MUST(pthread_join(server->thread, NULL));
        }
        queue_set_wake(server->outbox, NULL, NULL);
        if (server->has_loop) /* the thread is gone: its loop is ours */
                ws_server_close_loop(server);
        ws_http_free(server->http);
        ws_gate_free(server->gate);
        ws_statistics_free(server->stats);
        ws_hub_free(server->hub);
        ws_tickets_free(server->tickets);
        ws_shared_tickets_free(server->shared_tickets);
        ws_limiter_free(server->failures);
        ws_conns_free(server->conns);
        ws_entrances_done(&server->entrances);
        registry_free(server->registry);
        fresh = atomic_exchange(&server->new_options, NULL);
        if (fresh)
                ws_options_done(fresh);
        free(fresh);
        ws_auth_free(atomic_exchange(&server->new_auth, NULL));
        ws_auth_free(server->new_keys);
        ws_options_done(&server->options);
        MUST(sem_destroy(&server->drained));
        free(server);
        return NULL;
}

int ws_server_port(const WsServer *server) {
        return server->entrances.ports[WS_ENTRANCE_ALL];
}

int ws_server_health_port(const WsServer *server) {
        return server->entrances.ports[WS_ENTRANCE_HEALTH];
}

int ws_server_result(const WsServer *server) {
        return atomic_load(&server->result);
}

int ws_server_reload(WsServer *server, const WsOptions *options) {
        WsOptions *fresh = calloc(1, sizeof(*fresh));
        WsOptions *stale;
        int r;

        if (!fresh)
                return err_new(-ENOMEM);
        r = ws_options_copy(fresh, options);
        if (r < 0) {
                free(fresh);
                return err_up(r);
        }

        stale = atomic_exchange(&server->new_options, fresh);
        if (stale) /* a reload that the loop has not come to yet */
                ws_options_done(stale);
        free(stale);
        ws_server_ask(server, WS_SERVER_RELOAD);
        return 0;
}

void ws_server_set_auth(WsServer *server, WsAuth **authp) {
        ws_auth_free(
                atomic_exchange(&server->new_auth, TAKE(authp))); /* one the loop has not seen */
        ws_server_ask(server, WS_SERVER_RELOAD);
}

void ws_server_drain(WsServer *server, int grace_ms) {
        struct timespec until;

        if (!server->is_started || grace_ms <= 0)
                return;

        MUST(clock_gettime(CLOCK_MONOTONIC, &until));
        until.tv_sec += grace_ms / 1000;
        until.tv_nsec += (long)(grace_ms % 1000) * 1000000;
        if (until.tv_nsec >= 1000000000) {
                ++until.tv_sec;
                until.tv_nsec -= 1000000000;
        }
        atomic_store(&server->grace_ms, grace_ms);
        ws_server_ask(server, WS_SERVER_DRAIN);
        while (sem_clockwait(&server->drained, CLOCK_MONOTONIC, &until) != 0 && errno == EINTR)
                continue;
}
