#include "gateway/sim/simulate.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/sim/fleet.h"
#include "gateway/sim/recording.h"
#include "mqtt/publisher.h"

#define SIMULATE_WINDOW      200     /* messages that the broker has not acknowledged */
#define SIMULATE_NAP_US      100000  /* how soon a stop is noticed */
#define SIMULATE_RETRY_US    1000000 /* between attempts to reach the broker again */
#define SIMULATE_FLUSH_MS    5000
#define SIMULATE_MAX_GAP_US  5000000 /* no gap of a replay lasts longer, at any speed */
#define SIMULATE_MAX_LAG_US  1000000 /* behind its time by more: forget it, do not rush after it */
#define SIMULATE_DEFAULT_WHO "demo"
#define SIMULATE_VEHICLE     160

typedef struct Simulation Simulation;

struct Simulation {
        const SimulateOptions *options; /* borrowed */
        const volatile bool *stop;      /* borrowed */
        MqttPublisher *publisher;       /* NULL while the broker is away */
        Buf payload;
        int64_t due_us; /* monotonic: when the next message is to go */
        int64_t n_published, n_unroutable;
        int64_t n_unknown; /* of the published: the connection ended before the broker's word */
};

static bool is_over(const Simulation *simulation) {
        int64_t n_max = simulation->options->n_messages;

        return *simulation->stop || (n_max > 0 && simulation->n_published >= n_max);
}

static void wait_until(const Simulation *simulation, int64_t due_us) {
        int64_t left_us;

        while (!*simulation->stop && (left_us = due_us - clock_mono_us()) > 0) {
                int64_t nap_us = left_us < SIMULATE_NAP_US ? left_us : SIMULATE_NAP_US;
                struct timespec nap = { .tv_nsec = nap_us * 1000 };

                nanosleep(&nap, NULL);
        }
}

/* The answers are MqttPublisher's. */
static int connect_once(Simulation *simulation) {
        CLEANUP(mqtt_publisher_free) MqttPublisher *publisher = NULL;
        int r;

        r = mqtt_publisher_new(&publisher, &simulation->options->mqtt, SIMULATE_WINDOW);
        if (r == 0)
                r = mqtt_publisher_connect(publisher);
        if (r == 0)
                simulation->publisher = TAKE(&publisher);
        return r;
}

static int connect_first(Simulation *simulation) {
        int r;

        r = connect_once(simulation);
        switch (r) {
        case 0:
                return 0;
        case MQTT_PUBLISHER_E_OFFLINE:
                log_error("simulate-no-broker url=%s", simulation->options->mqtt.url);
                return SIMULATE_E_OFFLINE;
        case MQTT_PUBLISHER_E_REFUSED:
                log_error("simulate-refused url=%s", simulation->options->mqtt.url);
                return SIMULATE_E_OFFLINE;
        default:
                return err_up(r);
        }
}

/* Until it is there again, or we are to stop. */
static int connect_again(Simulation *simulation) {
        log_warning("simulate-broker-away published=%" PRId64, simulation->n_published);
        simulation->n_unknown += mqtt_publisher_n_unsure(simulation->publisher);
        simulation->publisher = mqtt_publisher_free(simulation->publisher);
        while (!*simulation->stop) {
                int r = connect_once(simulation);

                if (r < 0)
                        return err_up(r);
                if (r == 0) {
                        log_info("simulate-broker-back");
                        return 0;
                }
                wait_until(simulation, clock_mono_us() + SIMULATE_RETRY_US);
        }
        return 0;
}

static int publish_on(Simulation *simulation, const char *topic) {
        while (!*simulation->stop) {
                int r = mqtt_publisher_publish(simulation->publisher,
                                               topic,
                                               buf_text(&simulation->payload),
                                               1,
                                               false);

                if (r == 0) {
                        ++simulation->n_published;
                        return 0;
                }
                if (r > 0)
                        r = connect_again(simulation);
                if (r != 0)
                        return err_up(r);
        }
        return 0;
}

static const Route *nth_route(const Routes *routes, Kind kind, size_t nth) {
        for (size_t i = 0; i < routes_length(routes); ++i) {
                const Route *route = routes_get(routes, i);

                if (route->kind == kind && !route->map && !route->when && nth-- == 0)
                        return route;
        }
        return NULL;
}

static size_t n_routes_of(const Routes *routes, Kind kind) {
        size_t n = 0;

        while (nth_route(routes, kind, n))
                ++n;
        return n;
}

/* The topic of the first route, from the message's own on, that asks for no name which it lacks. */
static int topic_of(const SimulateOptions *options,
                    const SimulatedMessage *message,
                    char **ret_topic) {
        char vehicle[SIMULATE_VEHICLE];
        TopicMatch names = {
                .user = text_of(options->user ? options->user : SIMULATE_DEFAULT_WHO),
                .device = text_of(message->device),
        };
        size_t n = n_routes_of(options->routes, message->kind);
        int r = TOPIC_E_INVALID;

        snprintf(vehicle,
                 sizeof(vehicle),
                 "%s%s",
                 options->prefix && *message->vehicle ? options->prefix : "",
                 message->vehicle);
        names.vehicle = text_of(vehicle);
        for (size_t i = 0; r > 0 && i < n; ++i) {
                const Route *route =
                        nth_route(options->routes, message->kind, (message->nth + i) % n);

                r = route ? topic_template_expand(route->topic, &names, ret_topic)
                          : TOPIC_E_INVALID;
        }
        return r;
}

static int publish(Simulation *simulation, const SimulatedMessage *message) {
        char *topic = NULL;
        int r;

        r = topic_of(simulation->options, message, &topic);
        if (r == TOPIC_E_INVALID) {
                ++simulation->n_unroutable;
                return 0;
        }
        if (r != 0)
                return err_up(r);
        r = publish_on(simulation, topic);
        free(topic);
        return r;
}

/* The next message goes @after_us behind the one before. */
static void keep_time(Simulation *simulation, int64_t after_us) {
        int64_t now_us = clock_mono_us();

        simulation->due_us += after_us;
        if (simulation->due_us < now_us - SIMULATE_MAX_LAG_US)
                simulation->due_us = now_us;
        wait_until(simulation, simulation->due_us);
}

static int run_fleet(Simulation *simulation) {
        CLEANUP(fleet_free) Fleet *fleet = NULL;
        double rate = simulation->options->rate;
        int64_t interval_us = rate > 0 ? (int64_t)(1e6 / rate) : 0;
        SimulatedMessage message;
        int r;

        r = fleet_new(&fleet, simulation->options, clock_now_us());
        if (r == FLEET_E_SILENT) {
                log_error("simulate-nothing-to-publish");
                return SIMULATE_E_NOTHING;
        }
        while (r == 0 && !is_over(simulation)) {
                buf_reset(&simulation->payload);
                r = fleet_next(fleet, clock_now_us(), &simulation->payload, &message);
                if (r == 0)
                        r = publish(simulation, &message);
                keep_time(simulation, interval_us);
        }
        return r == 0 ? 0 : err_up(r);
}

/* Of the recording, scaled, and not too long. */
static int64_t gap_us(double speed, int64_t from_us, int64_t to_us) {
        double gap;

        if (speed <= 0 || to_us <= from_us)
                return 0;
        gap = (double)(to_us - from_us) / speed;
        return gap < SIMULATE_MAX_GAP_US ? (int64_t)gap : SIMULATE_MAX_GAP_US;
}

static int run_rows(Simulation *simulation, Replay *replay) {
        int64_t recorded_us = INT64_MAX;

        while (!is_over(simulation)) {
                SimulatedMessage message;
                int r;

                buf_reset(&simulation->payload);
                r = replay_next(replay, &simulation->payload, &message);
                if (r == REPLAY_E_END)
                        return 0;
                if (r == REPLAY_E_FILE)
                        return SIMULATE_E_FILE;
                if (r != 0)
                        return err_up(r);

                keep_time(simulation,
                          gap_us(simulation->options->speed, recorded_us, message.time_us));
                recorded_us = message.time_us;
                r = publish(simulation, &message);
                if (r != 0)
                        return err_up(r);
        }
        return 0;
}

/* What was published is only then published when the broker has acknowledged it. */
static int simulation_finish(Simulation *simulation, uint64_t n_rows, uint64_t n_skipped) {
        int r = 0;

        if (simulation->publisher)
                r = mqtt_publisher_flush(simulation->publisher, SIMULATE_FLUSH_MS);
        if (r > 0)
                log_warning("simulate-unacknowledged");
        if (r > 0 && simulation->publisher)
                simulation->n_unknown += mqtt_publisher_n_unsure(simulation->publisher);
        printf("published %" PRId64 ", rows %" PRIu64 ", skipped %" PRIu64,
               simulation->n_published - simulation->n_unknown,
               n_rows,
               n_skipped + (uint64_t)simulation->n_unroutable);
        if (simulation->n_unknown > 0)
                printf(", of %" PRId64 " more the broker did not say that it has them",
                       simulation->n_unknown);
        printf("\n");
        fflush(stdout);
        if (r < 0)
                return err_up(r);
        return simulation->n_unknown > 0 ? SIMULATE_E_OFFLINE : 0;
}

static int simulation_run(Simulation *simulation) {
        CLEANUP(replay_close) Replay *replay = NULL;
        int r = 0, f;

        if (simulation->options->replay)
                r = replay_open(&replay, simulation->options->replay);
        if (r == REPLAY_E_FILE)
                return SIMULATE_E_FILE;
        if (r == 0)
                r = connect_first(simulation);
        if (r != 0)
                return r;

        r = replay ? run_rows(simulation, replay) : run_fleet(simulation);
        f = simulation_finish(simulation,
                              replay ? replay_n_rows(replay) : 0,
                              replay ? replay_n_skipped(replay) : 0);
        return r != 0 ? r : f;
}

int simulate_run(const SimulateOptions *options, const volatile bool *stop) {
        Simulation simulation = { .options = options, .stop = stop, .due_us = clock_mono_us() };
        int r;

        r = simulation_run(&simulation);
        mqtt_publisher_free(simulation.publisher);
        buf_done(&simulation.payload);
        return r;
}
