#include "gateway/store/clerk.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/vec.h"
#include "db/follow/directory.h"
#include "db/write/books.h"
#include "db/write/partitions.h"
#include "gateway/memory/presence.h"
#include "gateway/memory/sensors.h"
#include "gateway/store/batch.h"
#include "gateway/store/books.h"
#include "gateway/store/database.h"
#include "gateway/store/merged.h"
#include "gateway/store/nodes.h"

#define CLERK_BLOCK   ((size_t)64 * 1024)
#define CLERK_REFUSED 16 /* vehicles whose sensors are read in one check */

typedef struct ClerkSensor ClerkSensor;

struct ClerkSensor {
        int64_t vehicle_id;
        int32_t sensor_id;
};

typedef struct ClerkBirth ClerkBirth;

struct ClerkBirth { /* in the arena */
        uint64_t seq;
        Text thing, payload;
};

typedef struct ClerkMerged ClerkMerged;

struct ClerkMerged { /* in the arena */
        int64_t device_id;
        uint64_t seq;
        Text document;
};

struct Clerk {
        Database *database; /* borrowed, as are the next two */
        Books *books;
        const char *epoch;
        ClerkJob job;     /* what is out */
        int64_t begun_us; /* monotonic */

        uint64_t position; /* opening */
        bool with_latest;
        Arena *arena; /* of the texts of @latest, @births and @merged */
        Record *latest;
        size_t n_latest, latest_capacity;
        ClerkBirth *births;
        size_t n_births, births_capacity;
        ClerkMerged *merged;
        size_t n_merged, merged_capacity;
        uint64_t there_seq; /* rows behind the position were found, up to this number */

        uint64_t stored_seq; /* checking */
        int64_t refused[CLERK_REFUSED];
        size_t n_refused;
        ClerkSensor *sensors; /* of these, or of all */
        size_t n_sensors, sensors_capacity;

        DbRange range; /* looking */
        uint64_t *seqs;
        size_t n_seqs, seqs_capacity;
        uint64_t looked_seq; /* up to here */
};

int clerk_new(Clerk **ret_clerk, Database *database, Books *books, const char *epoch) {
        Clerk *clerk = calloc(1, sizeof(*clerk));

        if (!clerk)
                return err_new(-ENOMEM);
        clerk->database = database;
        clerk->books = books;
        clerk->epoch = epoch;
        *ret_clerk = clerk;
        return 0;
}

Clerk *clerk_free(Clerk *clerk) {
        if (!clerk)
                return NULL;
        clerk_forget_latest(clerk);
        free(clerk->sensors);
        free(clerk->seqs);
        free(clerk);
        return NULL;
}

/* ---- on the errand's thread --------------------------------------------------------------- */

/* What is read is handed out when all of it is there. */
static void clerk_on_restored(void *arg, const Record *record) {
        Clerk *clerk = arg;

        if (VEC_HAS_ROOM(clerk->latest, clerk->n_latest, clerk->latest_capacity, 64))
                clerk->latest[clerk->n_latest++] =
                        *record; /* else it comes with its next message */
}

static int clerk_on_birth(void *arg, Text thing, uint64_t seq, Text payload) {
        Clerk *clerk = arg;
        ClerkBirth birth = {
                .seq = seq,
                .thing = arena_copy(clerk->arena, thing.data, thing.n),
                .payload = arena_copy(clerk->arena, payload.data, payload.n),
        };

        if (!birth.thing.data || !birth.payload.data ||
            !VEC_HAS_ROOM(clerk->births, clerk->n_births, clerk->births_capacity, 64))
                return err_new(-ENOMEM);
        clerk->births[clerk->n_births++] = birth;
        return 0;
}

static int clerk_on_merged(void *arg, int64_t device_id, uint64_t seq, Text document) {
        Clerk *clerk = arg;
        ClerkMerged merged = {
                .device_id = device_id,
                .seq = seq,
                .document = arena_copy(clerk->arena, document.data, document.n),
        };

        if (!merged.document.data ||
            !VEC_HAS_ROOM(clerk->merged, clerk->n_merged, clerk->merged_capacity, 64))
                return err_new(-ENOMEM);
        clerk->merged[clerk->n_merged++] = merged;
        return 0;
}

static int clerk_restore(Clerk *clerk) {
        int r;

        r = arena_new(&clerk->arena, CLERK_BLOCK);
        if (r == 0)
                r = db_directory_restore(database_conn(clerk->database),
                                         clerk->arena,
                                         clerk_on_restored,
                                         clerk);
        if (r == 0)
                r = db_directory_births(database_conn(clerk->database), clerk_on_birth, clerk);
        if (r == 0)
                r = db_directory_merged(database_conn(clerk->database), clerk_on_merged, clerk);
        return r < 0 ? err_up(r) : r;
}

static int clerk_on_sensor(void *arg, int64_t vehicle_id, int32_t sensor_id) {
        Clerk *clerk = arg;

        if (!VEC_HAS_ROOM(clerk->sensors, clerk->n_sensors, clerk->sensors_capacity, 64))
                return err_new(-ENOMEM);
        clerk->sensors[clerk->n_sensors++] =
                (ClerkSensor){ .vehicle_id = vehicle_id, .sensor_id = sensor_id };
        return 0;
}

/* Of all, or of those that were refused one. */
static int clerk_read_sensors(Clerk *clerk, bool all) {
        int r;

        clerk->n_sensors = 0;
        r = db_directory_sensors(database_conn(clerk->database),
                                 all ? NULL : clerk->refused,
                                 clerk->n_refused,
                                 clerk_on_sensor,
                                 clerk);
        return r < 0 ? err_up(r) : r;
}

/* Rows behind the position should not be there: whoever put them there, they stay the only ones. */
static int clerk_find_rows(Clerk *clerk) {
        int r;

        clerk->there_seq = clerk->looked_seq = 0;
        r = db_books_newest(database_conn(clerk->database),
                            clerk->epoch,
                            clerk->position,
                            &clerk->there_seq);
        if (r == 0 && clerk->there_seq > 0)
                log_error("rows_behind_position position=%llu newest=%llu",
                          (unsigned long long)clerk->position,
                          (unsigned long long)clerk->there_seq);
        return r < 0 ? err_up(r) : r;
}

static int clerk_do_open(void *arg) {
        Clerk *clerk = arg;
        int r;

        r = db_partitions_make_today(database_conn(clerk->database));
        if (r == DB_E_REJECTED) /* the first batch will see */
                r = 0;
        if (r == 0 && clerk->with_latest)
                r = clerk_restore(clerk);
        if (r == 0 && clerk->with_latest)
                r = clerk_read_sensors(clerk, true);
        if (r == 0)
                r = clerk_find_rows(clerk);
        if (r == 0)
                r = books_open(clerk->books,
                               clerk->position,
                               db_store_own_seq(database_store(clerk->database)));
        return r < 0 ? err_up(r) : r;
}

static int clerk_do_check(void *arg) {
        Clerk *clerk = arg;
        int r;

        r = books_check(clerk->books, clerk->stored_seq);
        if (r == 0 && clerk->n_refused > 0)
                r = clerk_read_sensors(clerk, false);
        if (r == DB_E_REJECTED && clerk->n_refused > 0) { /* a lock: another time */
                clerk->n_refused = clerk->n_sensors = 0;
                r = 0;
        }
        return r < 0 ? err_up(r) : r;
}

static int clerk_on_there(void *arg, uint64_t seq) {
        Clerk *clerk = arg;

        if (!VEC_HAS_ROOM(clerk->seqs, clerk->n_seqs, clerk->seqs_capacity, 64))
                return err_new(-ENOMEM);
        clerk->seqs[clerk->n_seqs++] = seq;
        return 0;
}

static int clerk_do_look(void *arg) {
        Clerk *clerk = arg;
        int r;

        clerk->n_seqs = 0;
        r = db_books_present(database_conn(clerk->database),
                             clerk->epoch,
                             &clerk->range,
                             clerk_on_there,
                             clerk);
        return r < 0 ? err_up(r) : r;
}

/* ---- on the processor's ------------------------------------------------------------------- */

static void clerk_begin(Clerk *clerk, ClerkJob job, ErrandFn fn) {
        clerk->job = job;
        clerk->begun_us = clock_mono_us();
        database_lend(clerk->database, fn, clerk);
}

void clerk_open(Clerk *clerk, uint64_t position, bool with_latest) {
        clerk_forget_latest(clerk);
        clerk->n_refused = clerk->n_sensors = 0;
        clerk->position = position;
        clerk->with_latest = with_latest;
        clerk_begin(clerk, CLERK_OPEN, clerk_do_open);
}

void clerk_check(Clerk *clerk, uint64_t stored_seq, Sensors *sensors) {
        clerk->stored_seq = stored_seq;
        clerk->n_sensors = 0;
        clerk->n_refused = sensors_take_refused(sensors, clerk->refused, CLERK_REFUSED);
        clerk_begin(clerk, CLERK_CHECK, clerk_do_check);
}

void clerk_look(Clerk *clerk, const Batch *batch) {
        clerk->range = batch_range(batch);
        clerk_begin(clerk, CLERK_LOOK, clerk_do_look);
}

ClerkJob clerk_take(Clerk *clerk, int *ret_result) {
        ClerkJob job = clerk->job;

        if (job == CLERK_NONE || !database_take_back(clerk->database, ret_result))
                return CLERK_NONE;
        clerk->job = CLERK_NONE;
        if (job == CLERK_LOOK && *ret_result == 0)
                clerk->looked_seq = clerk->range.last_seq;
        return job;
}

int64_t clerk_age_us(const Clerk *clerk) {
        return clerk->job == CLERK_NONE ? 0 : clock_mono_us() - clerk->begun_us;
}

size_t clerk_n_latest(const Clerk *clerk) {
        return clerk->n_latest;
}

const Record *clerk_latest(const Clerk *clerk, size_t i) {
        assert(i < clerk->n_latest);
        return &clerk->latest[i];
}

void clerk_forget_latest(Clerk *clerk) {
        free(clerk->latest);
        clerk->latest = NULL;
        clerk->n_latest = clerk->latest_capacity = 0;
        free(clerk->births);
        clerk->births = NULL;
        clerk->n_births = clerk->births_capacity = 0;
        free(clerk->merged);
        clerk->merged = NULL;
        clerk->n_merged = clerk->merged_capacity = 0;
        clerk->arena = arena_free(clerk->arena);
}

/* What messages behind the check have brought meanwhile stays. */
int clerk_tell_sensors(Clerk *clerk, Sensors *sensors) {
        int r = 0;

        for (size_t i = 0; i < clerk->n_refused; ++i)
                sensors_forget(sensors, clerk->refused[i], clerk->stored_seq);
        for (size_t i = 0; r == 0 && i < clerk->n_sensors; ++i)
                r = sensors_add(sensors,
                                clerk->sensors[i].vehicle_id,
                                clerk->sensors[i].sensor_id,
                                0);
        free(clerk->sensors);
        clerk->sensors = NULL;
        clerk->n_sensors = clerk->sensors_capacity = clerk->n_refused = 0;
        return r == 0 ? 0 : err_up(r);
}

int clerk_tell_births(Clerk *clerk, Nodes *nodes, Presence *presence) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < clerk->n_births; ++i) {
                const ClerkBirth *birth = &clerk->births[i];

                if (presence_is_key(birth->thing))
                        r = presence_restore(presence, birth->thing, birth->payload, birth->seq);
                else
                        r = nodes_restore(nodes, birth->thing, birth->seq, birth->payload);
        }
        for (size_t i = 0; r == 0 && i < clerk->n_births; ++i)
                (void)nodes_restore_count(nodes,
                                          clerk->births[i].thing,
                                          clerk->births[i].seq,
                                          clerk->births[i].payload);
        return r == 0 ? 0 : err_up(r);
}

int clerk_tell_merged(Clerk *clerk, Merged *merged) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < clerk->n_merged; ++i)
                r = merged_restore(merged,
                                   clerk->merged[i].device_id,
                                   clerk->merged[i].seq,
                                   clerk->merged[i].document);
        return r == 0 ? 0 : err_up(r);
}

bool clerk_has_to_look(const Clerk *clerk, const Batch *batch) {
        uint64_t first_seq = batch_record(batch, 0)->seq;

        return first_seq <= clerk->there_seq && batch_last_seq(batch) > clerk->looked_seq;
}

void clerk_mark(const Clerk *clerk, const Batch *batch) {
        for (size_t i = 0; i < clerk->n_seqs; ++i) {
                Record *record = batch_find(batch, clerk->seqs[i]);

                if (record)
                        record->is_there = true;
        }
}
