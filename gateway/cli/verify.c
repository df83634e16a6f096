#include "gateway/cli/verify.h"

#include <limits.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "db/follow/directory.h"
#include "db/write/mend.h"
#include "db/write/partitions.h"
#include "gateway/config/config.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route_note.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/memory/lateness.h"
#include "gateway/memory/presence.h"
#include "gateway/store/batch.h"
#include "gateway/store/nodes.h"
#include "model/registry.h"

#define VERIFY_CHUNK  1000
#define VERIFY_ROUNDS 20 /* in which to catch up with a gateway that goes on storing */

struct Verify {
        const Config *config; /* borrowed */
        DbConn *conn;         /* borrowed */
        VerifyFn fn;
        void *arg;

        Journal *journal; /* a copy, now and then a newer one */
        char epoch[JOURNAL_EPOCH_SIZE];
        Registry *registry;
        Lateness *latest;
        Former *former; /* what was accepted before is read as it was meant */
        Judge *judge;
        Nodes *nodes; /* what names aliases had at each number */
        Presence *presence;
        Batch *batch;
        DbMend *mend;
        Record *missing[VERIFY_CHUNK]; /* of the chunk */
        size_t n_missing;
        DbStateRow states[VERIFY_CHUNK];
        char detail[64];
        VerifyCounts counts;
};

static int verify_copy_journal(Verify *verify) {
        int r;

        if (verify->batch)
                batch_reset(verify->batch);
        verify->journal = journal_close(verify->journal);
        r = journal_open_copy(&verify->journal, verify->config->journal.dir);
        if (r > 0)
                return VERIFY_E_JOURNAL;
        return r == 0 ? 0 : err_up(r);
}

static int verify_load_routes(Verify *verify) {
        char path[PATH_MAX];
        int r;

        r = former_new(&verify->former);
        if (r != 0)
                return err_up(r);
        snprintf(path, sizeof(path), "%s/routes", verify->config->journal.dir);
        r = route_note_load(path,
                            verify->former,
                            verify->config->routes,
                            journal_first_seq(verify->journal),
                            journal_last_seq(verify->journal),
                            0);
        return r == 0 ? 0 : err_up(r);
}

static int verify_load_registry(Verify *verify) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        bool narrowed;
        int r;

        r = db_directory_load(verify->conn, &delta);
        if (r == 0)
                r = registry_apply(verify->registry, delta, &narrowed);
        return r < 0 ? err_up(r) : r;
}

/* Those from before what the journal has: the others are met on the way. */
static int verify_on_birth(void *arg, Text thing, uint64_t seq, Text payload) {
        Verify *verify = arg;
        int r = 0;

        if (seq >= journal_first_seq(verify->journal))
                return 0;
        if (presence_is_key(thing))
                r = presence_restore(verify->presence, thing, payload, seq);
        else
                r = nodes_restore(verify->nodes, thing, seq, payload);
        return r == 0 ? 0 : err_up(r);
}

static int verify_load_births(Verify *verify) {
        const NodesOptions options = { .max_things = verify->config->sparkplug_max_things,
                                       .max_metrics = verify->config->sparkplug_max_metrics };
        int r = nodes_new(&verify->nodes, &options);

        if (r == 0)
                r = presence_new(&verify->presence);
        if (r == 0)
                r = db_directory_births(verify->conn, verify_on_birth, verify);
        return r < 0 ? err_up(r) : r;
}

int verify_new(Verify **ret_verify, const Config *config, DbConn *conn, VerifyFn fn, void *arg) {
        CLEANUP(verify_free) Verify *verify = NULL;
        int r;

        verify = calloc(1, sizeof(*verify));
        if (!verify)
                return err_new(-ENOMEM);
        verify->config = config;
        verify->conn = conn;
        verify->fn = fn;
        verify->arg = arg;
        r = verify_copy_journal(verify);
        if (r == 0)
                snprintf(verify->epoch,
                         sizeof(verify->epoch),
                         "%s",
                         journal_epoch(verify->journal));
        if (r == 0)
                r = registry_new(&verify->registry);
        if (r == 0)
                r = lateness_new(&verify->latest);
        if (r == 0)
                r = verify_load_routes(verify);
        if (r == 0)
                r = judge_new(&verify->judge);
        if (r == 0)
                r = batch_new(&verify->batch, VERIFY_CHUNK);
        if (r == 0)
                r = db_mend_new(&verify->mend, conn, verify->epoch);
        if (r == 0)
                r = verify_load_registry(verify);
        if (r == 0)
                r = verify_load_births(verify);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_verify = TAKE(&verify);
        return 0;
}

Verify *verify_free(Verify *verify) {
        if (!verify)
                return NULL;
        db_mend_free(verify->mend);
        batch_free(verify->batch);
        lateness_free(verify->latest);
        former_free(verify->former);
        nodes_free(verify->nodes);
        presence_free(verify->presence);
        judge_free(verify->judge);
        registry_free(verify->registry);
        journal_close(verify->journal);
        free(verify);
        return NULL;
}

const char *verify_epoch(const Verify *verify) {
        return verify->epoch;
}

bool verify_hole(const Verify *verify,
                 uint64_t after_seq,
                 uint64_t *ret_after_seq,
                 uint64_t *ret_last_seq) {
        return journal_find_hole(verify->journal, after_seq, ret_after_seq, ret_last_seq);
}

/* ---- what should be where ----------------------------------------------------------------- */

static const char *verify_table(const Record *record) {
        static const char *const tables[KIND_COUNT] = {
                [KIND_DEVICE_STATUS] = "device_status_logs",
                [KIND_RAW_LOG] = "raw_logs",
                [KIND_SENSOR_LOG] = "sensor_logs",
                [KIND_VEHICLE_LOG] = "vehicle_logs",
                [KIND_BLE_DETECTIONS] = "ble_detections",
                [KIND_TELEMETRY] = "telemetry",
                [KIND_CAMERA_EVENT] = "camera_events",
                [KIND_ALERT] = "alerts",
                [KIND_COMMAND_ACK] = "command_events",
                [KIND_COMMAND_STATE] = "command_events",
        };

        return record->reason == REASON_NONE ? tables[record->kind] : "dead_letters";
}

static bool verify_is_expired(const Verify *verify, const Record *record) {
        const Config *config = verify->config;
        const char *table = verify_table(record);
        int64_t age_us = clock_now_us() - record->received_us;

        for (size_t i = 0; table && i < config->n_retention; ++i)
                if (strcmp(config->retention[i].table, table) == 0)
                        return config->retention[i].days > 0 &&
                               age_us > config->retention[i].days * CLOCK_DAY_US;
        return false;
}

/* 0 and *ret_leaves_none, or as db/ answers. */
static int verify_leaves_none(Verify *verify, const Record *record, bool *ret_leaves_none) {
        const DetectionsRecord *detections = &record->detections;
        bool is_command = record->kind == KIND_COMMAND_ACK || record->kind == KIND_COMMAND_STATE;

        /* A letter that was taken in again stays a letter until its message is stored. */
        *ret_leaves_none = record->duplicate || verify_is_expired(verify, record);
        if (record->kind == KIND_BLE_DETECTIONS && record->reason == REASON_NONE &&
            detections->n_items == 0 && detections->n_set_aside == 0)
                *ret_leaves_none = true;
        if (!is_command || *ret_leaves_none)
                return 0;
        if (record->reason != REASON_NONE) { /* its device is gone, and its command with it */
                *ret_leaves_none = record->reason == REASON_UNKNOWN_DEVICE;
                return 0;
        }
        return db_books_knows_news(verify->conn, record, ret_leaves_none);
}

static int verify_mark_there(void *arg, uint64_t seq) {
        Record *record = batch_find(*(const Batch **)arg, seq);

        if (record)
                record->is_there = true;
        return 0;
}

static bool verify_is_list(const Record *record) {
        return record->kind == KIND_BLE_DETECTIONS && record->reason == REASON_NONE &&
               !record->duplicate;
}

static int verify_mark_item(void *arg, uint64_t seq, int item, bool is_letter) {
        Record *record = batch_find(*(const Batch **)arg, seq);
        DetectionsRecord *list = record ? &record->detections : NULL;

        if (!record || !verify_is_list(record))
                return 0;
        for (size_t i = 0; !is_letter && i < list->n_items; ++i)
                list->items[i].is_there |= (int)i == item;
        for (size_t i = 0; is_letter && i < list->n_set_aside; ++i)
                list->set_aside[i].is_there |= item < 0 || (int)i == item;
        return 0;
}

/* A message that is several rows is there if each of them is. */
static bool verify_is_whole(const Record *record) {
        const DetectionsRecord *list = &record->detections;
        bool is_whole = true;

        for (size_t i = 0; i < list->n_items; ++i)
                is_whole &= list->items[i].is_there;
        for (size_t i = 0; i < list->n_set_aside; ++i)
                is_whole &= list->set_aside[i].is_there;
        return is_whole;
}

static int verify_find_items(Verify *verify, const DbRange *range) {
        const Batch *batch = verify->batch;
        bool has_lists = false;
        int r = 0;

        for (size_t i = 0; i < batch_length(batch); ++i)
                has_lists |= verify_is_list(batch_record(batch, i));
        if (has_lists)
                r = db_books_items(verify->conn, verify->epoch, range, verify_mark_item, &batch);
        for (size_t i = 0; has_lists && r == 0 && i < batch_length(batch); ++i) {
                Record *record = batch_record(batch, i);

                if (verify_is_list(record))
                        record->is_there &= verify_is_whole(record);
        }
        return r < 0 ? err_up(r) : r;
}

static int verify_find_there(Verify *verify) {
        const Batch *batch = verify->batch;
        DbRange range = batch_range(batch);
        int r;

        r = db_books_present(verify->conn, verify->epoch, &range, verify_mark_there, &batch);
        if (r == 0)
                r = verify_find_items(verify, &range);
        return r < 0 ? err_up(r) : r;
}

/* Those of the chunk that should be there and are not. */
static int verify_find_missing(Verify *verify) {
        int r;

        verify->n_missing = 0;
        r = verify_find_there(verify);
        for (size_t i = 0; r == 0 && i < batch_length(verify->batch); ++i) {
                Record *record = batch_record(verify->batch, i);
                bool leaves_none = false;

                if (record->is_there)
                        continue;
                r = verify_leaves_none(verify, record, &leaves_none);
                if (!leaves_none)
                        verify->missing[verify->n_missing++] = record;
        }
        return r < 0 ? err_up(r) : r;
}

/* ---- storing it --------------------------------------------------------------------------- */

/* Or somebody was faster, and it was never missing. */
static void verify_count_stored(Verify *verify, const Record *record) {
        if (record->is_there)
                --verify->counts.n_missing;
        else
                ++verify->counts.n_stored;
}

static void verify_add_state(Verify *verify, DbBatch *batch, const Record *record) {
        const Device *device;

        if (record->reason != REASON_NONE || record->device_id == 0 ||
            record->kind == KIND_COMMAND_STATE)
                return;
        device = registry_device(verify->registry, record->device_id);
        for (size_t i = 0; device && i < batch->n_states; ++i)
                if (verify->states[i].device_id == device->id)
                        return;
        if (device)
                verify->states[batch->n_states++] =
                        (DbStateRow){ .device_id = device->id, .state = device->state };
}

/* One transaction. DB_E_REJECTED: nothing of it was stored. */
static int verify_store_some(Verify *verify, Record *const *records, size_t n, bool with_states) {
        DbBatch batch = { .records = records, .n_records = n, .states = verify->states };
        uint64_t seq;
        int r;

        for (size_t i = 0; with_states && i < n; ++i)
                verify_add_state(verify, &batch, records[i]);
        r = db_mend_begin(verify->mend, &seq);
        if (r == 0)
                r = verify_find_there(verify); /* somebody may have been faster */
        if (r == 0)
                r = db_mend_store(verify->mend, &batch);
        if (r == 0)
                r = db_mend_commit(verify->mend);
        return r < 0 ? err_up(r) : r;
}

static bool verify_is_refused(int answer) {
        return answer == DB_E_REJECTED || answer == DB_E_REFUSED;
}

/* What is refused as it is becomes a letter, as it would have then. */
static int verify_try_letter(Verify *verify, Record *record) {
        snprintf(verify->detail,
                 sizeof(verify->detail),
                 "SQLSTATE %s",
                 db_conn_sqlstate(verify->conn));
        record->reason = REASON_DB_REJECTED;
        record->detail = text_of(verify->detail);
        return verify_store_some(verify, &record, 1, false);
}

/* It stays missing, and the others go on. */
static void verify_refuse(Verify *verify, const Record *record, int answer) {
        ++verify->counts.n_refused;
        verify->fn(verify->arg,
                   record,
                   answer == DB_E_REJECTED ? db_conn_error(verify->conn)
                                           : "a trigger keeps it out, without a word");
}

static int verify_store_one(Verify *verify, Record *record) {
        int r;

        record->is_there = false;
        r = verify_store_some(verify, &record, 1, true);
        if (r == DB_E_REJECTED) /* perhaps for its device's state, without which it is stored */
                r = verify_store_some(verify, &record, 1, false);
        if (r == DB_E_REJECTED && record->reason == REASON_NONE)
                r = verify_try_letter(verify, record);
        if (verify_is_refused(r)) {
                verify_refuse(verify, record, r);
                return 0;
        }
        if (r == 0)
                verify_count_stored(verify, record);
        return r < 0 ? err_up(r) : r;
}

static int verify_store(Verify *verify) {
        int r = 0;

        for (size_t i = 0; r == 0 && i < verify->n_missing; ++i)
                r = db_partitions_make(verify->conn,
                                       verify->missing[i]->received_us,
                                       verify->missing[i]->received_us);
        if (r == 0)
                r = verify_store_some(verify, verify->missing, verify->n_missing, true);
        if (verify_is_refused(r)) {
                r = 0;
                for (size_t i = 0; r == 0 && i < verify->n_missing; ++i)
                        r = verify_store_one(verify, verify->missing[i]);
                return r < 0 ? err_up(r) : r;
        }
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        for (size_t i = 0; i < verify->n_missing; ++i)
                verify_count_stored(verify, verify->missing[i]);
        return 0;
}

/* ---- the walk ----------------------------------------------------------------------------- */

/* Records of (*after_seq, last_seq]; *after_seq moves on. */
static int verify_chunk(Verify *verify, uint64_t *after_seq, uint64_t last_seq, bool store) {
        const BatchContext context = {
                .journal = verify->journal,
                .by = { .routes = verify->config->routes,
                        .former = verify->former,
                        .nodes = verify->nodes,
                        .presence = verify->presence,
                        .zones = registry_zones(verify->registry) },
                .registry = verify->registry,
                .latest = verify->latest,
                .judge = verify->judge,
        };
        const BatchSpan span = {
                .after_seq = *after_seq,
                .until_seq = last_seq,
                .n_max = VERIFY_CHUNK,
                .young_us = INT64_MAX,
        };
        int r;

        r = batch_load(verify->batch, &context, &span);
        if (r != 0)
                return err_up(r);
        if (batch_length(verify->batch) == 0) {
                *after_seq = last_seq;
                return 0;
        }
        *after_seq = batch_last_seq(verify->batch);
        judge_forget(verify->judge, *after_seq);
        if (verify->counts.n_compared == 0)
                verify->counts.first_seq = batch_record(verify->batch, 0)->seq;
        verify->counts.last_seq = *after_seq;
        verify->counts.n_compared += batch_length(verify->batch);

        r = verify_find_missing(verify);
        if (r != 0 || verify->n_missing == 0)
                return r < 0 ? err_up(r) : r;
        verify->counts.n_missing += verify->n_missing;
        for (size_t i = 0; i < verify->n_missing; ++i)
                verify->fn(verify->arg, verify->missing[i], NULL);
        if (!store)
                return 0;
        r = verify_store(verify);
        return r < 0 ? err_up(r) : r;
}

static int verify_range(Verify *verify, uint64_t after_seq, uint64_t last_seq, bool store) {
        int r = 0;

        while (r == 0 && after_seq < last_seq)
                r = verify_chunk(verify, &after_seq, last_seq, store);
        return r < 0 ? err_up(r) : r;
}

/*
 * With the position standing still: what came since is compared as well, and if all of it is there
 * the books are settled for everything that the journal has. *ret_again: something was missing.
 */
static int verify_settle(Verify *verify, uint64_t *done_seq, bool *ret_again) {
        const char *epoch = verify->epoch;
        uint64_t n_before = verify->counts.n_missing;
        uint64_t from_seq = 0, hole_seq, seq;
        int r;

        r = db_mend_begin(verify->mend, &seq);
        if (r == 0)
                r = verify_copy_journal(verify);
        if (r == 0)
                r = verify_range(verify, *done_seq, seq, false);
        *ret_again = verify->counts.n_missing > n_before;
        if (r == 0 && *ret_again) {
                verify->counts.n_missing = n_before; /* they are found, and counted, once more */
                return db_mend_commit(verify->mend);
        }
        /* Only what lies behind all holes is known to be whole. */
        while (r == 0 && journal_find_hole(verify->journal, from_seq, &hole_seq, &from_seq) &&
               from_seq < seq)
                continue;
        if (r == 0)
                r = db_mend_agree(verify->mend);
        if (r == 0)
                r = db_books_settle(verify->conn,
                                    epoch,
                                    from_seq,
                                    seq,
                                    "verified",
                                    &verify->counts.n_settled);
        if (r == 0)
                r = db_mend_commit(verify->mend);
        return r < 0 ? err_up(r) : r;
}

static int verify_store_all(Verify *verify, uint64_t done_seq) {
        bool again = true;
        int r = 0;

        for (int i = 0; r == 0 && again; ++i) {
                DbBooks books;

                if (i == VERIFY_ROUNDS)
                        return DB_E_BUSY;
                r = verify_settle(verify, &done_seq, &again);
                if (r != 0 || !again)
                        break;
                r = db_books_read(verify->conn, verify->epoch, &books);
                if (r == 0)
                        r = verify_range(verify, done_seq, books.seq, true);
                done_seq = books.seq;
        }
        return r < 0 ? err_up(r) : r;
}

int verify_run(Verify *verify, bool store, VerifyCounts *ret_counts) {
        uint64_t after_seq;
        DbBooks books = { 0 };
        int r;

        r = db_books_read(verify->conn, verify->epoch, &books);
        if (r == DB_E_NOT_FOUND) /* nothing of this journal was ever stored there */
                r = 0;
        else if (r == 0)
                r = verify_range(verify, 0, books.seq, store);
        if (r == 0 && store && books.seq > 0 && verify->counts.n_refused == 0)
                r = verify_store_all(verify, books.seq);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        after_seq = books.seq;
        verify->counts.n_waiting =
                journal_count_some(verify->journal, &after_seq, UINT64_MAX, SIZE_MAX);
        *ret_counts = verify->counts;
        return 0;
}
