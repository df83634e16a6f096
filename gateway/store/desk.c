#include "gateway/store/desk.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route.h"
#include "gateway/decode/route_note.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/memory/lateness.h"
#include "gateway/memory/origins.h"
#include "gateway/memory/presence.h"
#include "gateway/memory/sensors.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/merged.h"
#include "gateway/store/nodes.h"
#include "gateway/store/outbox.h"
#include "gateway/store/showing.h"

#define DESK_FORMER_US INT64_C(60000000) /* until a filter is taken back, generously */

void desk_wake(Desk *desk) {
        uint64_t one = 1;

        (void)!write(desk->wake_fd, &one, sizeof(one));
}

static void desk_on_news(void *arg) {
        desk_wake(arg);
}

/* What is in the journal, or on its way from the broker, was accepted under these. */
static int desk_load_routes(Desk *desk) {
        const char *path = desk->options.routes_file;
        int r;

        if (!path)
                return 0;
        r = route_note_load(path,
                            desk->former,
                            desk->routes,
                            journal_first_seq(desk->journal),
                            journal_last_seq(desk->journal),
                            clock_now_us() + DESK_FORMER_US);
        if (r != 0)
                return err_up(r);
        if (former_length(desk->former) > 0)
                log_info("routes_changed tables=%zu hint=\"what was accepted before is read by the "
                         "routes of then\"",
                         former_length(desk->former));
        route_note_save(path, desk->former, desk->routes);
        return 0;
}

int desk_change_routes(Desk *desk, Routes *routes) {
        int r = 0;

        if (!route_note_is_same(desk->routes, routes))
                r = route_note_add(desk->former,
                                   desk->routes,
                                   journal_last_seq(desk->journal),
                                   clock_now_us() + DESK_FORMER_US);
        routes_unref(desk->routes);
        desk->routes = routes;
        if (r == 0 && desk->options.routes_file)
                route_note_save(desk->options.routes_file, desk->former, routes);
        return r == 0 ? 0 : err_up(r);
}

/* What a message is understood by, and shown with. */
static int desk_init_messages(Desk *desk, Queue *outbox) {
        int r;

        r = lateness_new(&desk->latest);
        if (r == 0)
                r = judge_new(&desk->judge);
        if (r == 0)
                r = sensors_new(&desk->sensors, (size_t)desk->options.max_sensors);
        if (r == 0)
                r = nodes_new(&desk->nodes, &desk->options.nodes);
        if (r == 0)
                r = origins_new(&desk->origins, desk->options.edges_view);
        if (r == 0)
                r = presence_new(&desk->presence);
        if (r == 0)
                r = merged_new(&desk->merged, &desk->options.merged);
        if (r == 0)
                r = former_new(&desk->former);
        if (r == 0)
                r = desk_load_routes(desk);
        if (r == 0)
                r = outbox_new(&desk->outbox, outbox, &desk->options.outbox);
        if (r == 0)
                r = showing_new(&desk->showing, desk->outbox, desk->judge, desk->journal);
        return r == 0 ? 0 : err_up(r);
}

static int desk_init_known(Desk *desk) {
        const KnownOptions options = {
                .database_url = desk->options.database_url,
                .heartbeat_ms = desk->options.heartbeat_ms,
                .new_per_minute = desk->options.new_per_minute,
                .max_devices = desk->options.max_devices,
                .user_share = desk->options.user_share,
                .outbox = desk->outbox,
                .database = desk->database,
                .wake = desk_on_news,
                .wake_arg = desk,
        };
        int r = known_new(&desk->known, &options);

        return r == 0 ? 0 : err_up(r);
}

static const Text *desk_flights(void *arg, uint64_t after_seq, uint64_t last_seq) {
        Desk *desk = arg;

        return journal_flights(desk->journal, after_seq, last_seq);
}

/* What has to do with the database. */
static int desk_init_store(Desk *desk) {
        const char *epoch = journal_epoch(desk->journal);
        int r;

        r = database_new(&desk->database,
                         desk->options.database_url,
                         epoch,
                         &desk->options.holder,
                         desk->options.migrate);
        if (r == 0)
                r = books_new(&desk->books,
                              desk->journal,
                              database_conn(desk->database),
                              desk->options.check_ms);
        if (r == 0)
                r = clerk_new(&desk->clerk, desk->database, desk->books, epoch);
        if (r == 0)
                r = desk_init_known(desk);
        if (r == 0)
                r = lane_new(&desk->lane,
                             database_conn(desk->database),
                             database_store(desk->database),
                             desk->options.max_batch);
        if (r != 0)
                return err_up(r);
        if (!desk->options.holder.adopts) /* what others are to know, they know already */
                db_store_keep_flights(database_store(desk->database), desk_flights, desk);
        db_store_limit_people(database_store(desk->database), desk->options.max_people);
        db_store_limit_notes(database_store(desk->database), desk->options.max_notes);
        return 0;
}

int desk_new(Desk **ret_desk,
             const ProcessorOptions *options,
             Journal *journal,
             Routes *routes,
             Queue *outbox) {
        CLEANUP(desk_free) Desk *desk = calloc(1, sizeof(*desk));
        int r;

        if (!desk)
                return err_new(-ENOMEM);
        desk->options = *options;
        desk->journal = journal;
        desk->routes = routes_ref(routes);
        desk->is_to_restore = true;
        desk->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (desk->wake_fd < 0)
                return err_new(-errno);
        r = desk_init_messages(desk, outbox);
        if (r == 0)
                r = desk_init_store(desk);
        if (r != 0)
                return err_up(r);
        *ret_desk = TAKE(&desk);
        return 0;
}

Desk *desk_free(Desk *desk) {
        if (!desk)
                return NULL;
        known_free(desk->known);
        showing_free(desk->showing);
        lane_free(desk->lane);
        database_free(desk->database); /* first what is out */
        clerk_free(desk->clerk);
        books_free(desk->books);
        outbox_free(desk->outbox);
        lateness_free(desk->latest);
        judge_free(desk->judge);
        sensors_free(desk->sensors);
        nodes_free(desk->nodes);
        origins_free(desk->origins);
        presence_free(desk->presence);
        merged_free(desk->merged);
        former_free(desk->former);
        routes_unref(desk->routes);
        if (desk->wake_fd >= 0)
                close(desk->wake_fd);
        free(desk);
        return NULL;
}

BatchContext desk_context(Desk *desk, bool is_final) {
        BatchContext context = {
                .journal = desk->journal,
                .by = { .routes = desk->routes,
                        .former = desk->former,
                        .nodes = desk->nodes,
                        .origins = desk->origins,
                        .presence = desk->presence },
                .latest = desk->latest,
                .judge = desk->judge,
                .sensors = desk->sensors,
                .merged = desk->merged,
                .is_final = is_final,
        };

        known_fill(desk->known, &context);
        return context;
}
