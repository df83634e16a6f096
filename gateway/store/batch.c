#include "gateway/store/batch.h"

#include <stdio.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/ids.h"
#include "gateway/decode/elements.h"
#include "gateway/decode/resolve.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/memory/lateness.h"
#include "gateway/memory/latest.h"
#include "gateway/memory/origins.h"
#include "gateway/memory/owners.h"
#include "gateway/memory/sensors.h"
#include "gateway/store/merged.h"
#include "model/metrics.h"

#define BATCH_ARENA_BLOCK ((size_t)256 * 1024)
#define BATCH_MAX_BYTES   ((size_t)4 * 1024 * 1024) /* of journal records in one batch */
#define BATCH_DETAIL_SIZE 128

struct Batch {
        BatchState state;
        Arena *arena;
        size_t capacity;
        size_t n;
        BatchWant want;
        Record wanting;
        const Record *ahead[BATCH_AHEAD];
        size_t n_ahead;

        JournalRecord *read; /* scratch of batch_load() */
        Elements elements;   /* likewise */
        Record *records;     /* [capacity] */
        Record **rows; /* [capacity], rows[i] == &records[i]: the shape that the store takes */
        const DeviceState **states; /* [capacity], in the arena */
        BatchFate *fates;           /* [capacity] */
};

static void batch_go(Batch *batch, BatchEvent event) {
        bool can_be = batch_step(&batch->state, event);

        assert(can_be);
        (void)can_be;
}

static void batch_decide(const Batch *batch, size_t i, BatchVerdict verdict) {
        bool can_be = batch_fate_step(&batch->fates[i], verdict);

        assert(can_be);
        (void)can_be;
}

int batch_new(Batch **ret_batch, size_t capacity) {
        CLEANUP(batch_free) Batch *batch = NULL;
        int r;

        batch = calloc(1, sizeof(*batch));
        if (!batch)
                return err_new(-ENOMEM);
        r = arena_new(&batch->arena, BATCH_ARENA_BLOCK);
        if (r != 0)
                return err_up(r);

        batch->capacity = capacity;
        batch->read = calloc(capacity, sizeof(batch->read[0]));
        batch->records = calloc(capacity, sizeof(batch->records[0]));
        batch->rows = calloc(capacity, sizeof(batch->rows[0]));
        batch->states = calloc(capacity, sizeof(batch->states[0]));
        batch->fates = calloc(capacity, sizeof(batch->fates[0]));
        if (!batch->read || !batch->records || !batch->rows || !batch->states || !batch->fates)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < capacity; ++i)
                batch->rows[i] = &batch->records[i];
        *ret_batch = TAKE(&batch);
        return 0;
}

Batch *batch_free(Batch *batch) {
        if (!batch)
                return NULL;
        free(batch->read);
        free(batch->records);
        free(batch->rows);
        free(batch->states);
        free(batch->fates);
        elements_done(&batch->elements);
        arena_free(batch->arena);
        free(batch);
        return NULL;
}

void batch_reset(Batch *batch) {
        elements_done(&batch->elements);
        arena_reset(batch->arena);
        batch_go(batch, BATCH_ON_RESET);
        batch->n = batch->n_ahead = 0;
        batch->want = BATCH_WANTS_NOTHING;
}

/* Has the user whom the topic names room for one more, beside those that are to be created? */
static bool batch_owner_has_room(const Batch *batch,
                                 const BatchContext *context,
                                 const Record *record) {
        size_t n = batch->want == BATCH_WANTS_REGISTER && batch->wanting.user_id == record->user_id;

        if (!context->owners || record->user_id == 0)
                return true;
        for (size_t i = 0; i < batch->n_ahead; ++i)
                n += batch->ahead[i]->user_id == record->user_id;
        return owners_room(context->owners,
                           record->user_id,
                           registry_n_devices_of(context->registry, record->user_id),
                           registry_n_devices(context->registry)) > n;
}

static bool batch_may_register(const Batch *batch, const BatchContext *context, Record *record) {
        if (record->seq == context->registered_seq ||
            !resolve_may_register(record->device, &record->detail))
                return false;
        if (context->n_may_register > 0 && batch_owner_has_room(batch, context, record))
                return true;
        metric_add(METRIC_REGISTRATIONS_REFUSED, 1);
        if (context->n_may_register > 0) {
                metric_add(METRIC_REGISTRATIONS_SHARE, 1);
                record->detail = TEXT("more new devices than registry.user_share lets the user "
                                      "of the topic have");
                return false;
        }
        record->detail = context->is_registry_full
                                 ? TEXT("as many devices as registry.max_devices lets be")
                                 : TEXT("more new devices than registry.new_devices_per_minute "
                                        "lets in");
        return false;
}

static BatchWant batch_want_of(const Batch *batch, const BatchContext *context, Record *record) {
        if (!context->is_final || record->duplicate)
                return BATCH_WANTS_NOTHING;
        if (record->letter_id != 0 && record->seq != context->letter_seq)
                return BATCH_WANTS_LETTER;
        if (!resolve_depends_on_registry(record->reason))
                return BATCH_WANTS_NOTHING;
        if (record->received_us >= context->fresh_us)
                return BATCH_WANTS_REFRESH;
        if (record->retained) /* a device that was deleted does not come back by it */
                return BATCH_WANTS_NOTHING;
        if (record->reason != REASON_UNKNOWN_DEVICE || !record->device.data ||
            !record->may_register || !batch_may_register(batch, context, record))
                return BATCH_WANTS_NOTHING;
        return BATCH_WANTS_REGISTER;
}

static bool batch_is_ahead(const Batch *batch, const Record *record) {
        if (text_equal(batch->wanting.device, record->device))
                return true;
        for (size_t i = 0; i < batch->n_ahead; ++i)
                if (text_equal(batch->ahead[i]->device, record->device))
                        return true;
        return false;
}

/* Which others are created with this one? One by one, a crowd would hold up everybody. */
static int batch_look_ahead(Batch *batch, const BatchContext *context, size_t first, size_t n) {
        size_t n_max = context->n_may_register - 1;

        if (n_max > BATCH_AHEAD)
                n_max = BATCH_AHEAD;
        for (size_t i = first; i < n && batch->n_ahead < n_max; ++i) {
                Record *record = &batch->records[i];
                int r;

                r = understand(batch->arena,
                               &context->by,
                               &batch->read[i],
                               &batch->elements,
                               record);
                if (r != 0)
                        return err_up(r);
                if (!record->duplicate)
                        resolve(context->registry, record);
                if (batch_want_of(batch, context, record) == BATCH_WANTS_REGISTER &&
                    !batch_is_ahead(batch, record))
                        batch->ahead[batch->n_ahead++] = record;
        }
        return 0;
}

/* It has its number, and leaves nothing else. */
static void batch_ignore(Record *record) {
        *record = (Record){ .seq = record->seq,
                            .received_us = record->received_us,
                            .letter_id = record->letter_id,
                            .first_us = record->first_us,
                            .origin = record->origin,
                            .birth = record->birth,
                            .birth_said = record->birth_said,
                            .retained = record->retained,
                            .duplicate = true };
}

/* A letter is in the journal again after each start, until its message is stored: then its letter
 * is gone. What is merely shown has no way to know, and leaves it to the store. */
static void batch_judge_letter(const BatchContext *context, Record *record) {
        bool is_known = context->is_final && record->seq == context->letter_seq;

        if (record->letter_id == 0 || (context->is_final && !is_known) ||
            (is_known && context->letter_exists))
                return;
        batch_ignore(record);
}

/* What a broker kept fills a gap in what is known, if its thing exists; an event is no state, and
 * was taken, or refused, when it happened. An empty payload only tells the broker to forget. */
static void batch_judge_retained(const JournalRecord *entry, Record *record) {
        size_t n_payload = entry->door == DOOR_UPLINK ? record->payload.n : entry->payload.n;
        bool is_state = record->kind == KIND_DEVICE_STATUS || record->kind == KIND_TELEMETRY ||
                        record->kind == KIND_SENSOR_LOG || record->kind == KIND_VEHICLE_LOG;

        if ((entry->door == DOOR_MQTT || entry->door == DOOR_UPLINK) && n_payload == 0)
                record->retained = true;
        if (record->duplicate)
                return;
        if (record->retained && (!is_state || record->reason != REASON_NONE || n_payload == 0))
                batch_ignore(record);
}

/* One sensor more than its vehicle may have. What was let in when it was shown is in. */
static int batch_judge_sensor(Batch *batch, const BatchContext *context, Record *record) {
        char detail[BATCH_DETAIL_SIZE];
        int n;

        if (!context->sensors || record->kind != KIND_SENSOR_LOG || record->duplicate ||
            record->reason != REASON_NONE ||
            judge_ask(context->judge, record->seq) != VERDICT_NONE ||
            sensors_may_have(context->sensors, record->vehicle_id, record->sensor.sensor_id))
                return 0;
        n = snprintf(detail,
                     sizeof(detail),
                     "sensor_id: %d is new, and the vehicle has as many as registry.max_sensors "
                     "lets it",
                     record->sensor.sensor_id);
        record->reason = REASON_UNKNOWN_SENSOR;
        record->detail = arena_copy(batch->arena, detail, (size_t)n);
        return record->detail.data ? 0 : err_new(-ENOMEM);
}

/* What happened long ago is no news where nothing newer can tell. */
static bool batch_is_history(const Record *record) {
        if (record->is_history)
                return true;
        return record->letter_id != 0 && record->kind != KIND_DEVICE_STATUS &&
               record->kind != KIND_TELEMETRY && record->kind != KIND_SENSOR_LOG &&
               record->kind != KIND_VEHICLE_LOG;
}

/* What an older database lacked is no news to who has been heard of since. */
static bool batch_is_overtaken(const BatchContext *context,
                               const DeviceState *state,
                               const Record *record) {
        return judge_is_again(context->judge, record->seq) &&
               state->last_seen_us != CLOCK_UNKNOWN &&
               record_first_us(record) < state->last_seen_us;
}

/* What was judged when it was shown has moved the state by then. */
static int batch_move(Batch *batch,
                      const BatchContext *context,
                      Record *record,
                      bool is_judged,
                      const DeviceState **ret_state) {
        const Device *device;
        DeviceState *state;

        if (record->device_id == 0 || record->kind == KIND_COMMAND_STATE)
                return 0; /* nothing that a device said */
        device = registry_device(context->registry, record->device_id);
        if (!device)
                return 0;
        state = arena_alloc(batch->arena, sizeof(*state));
        if (!state)
                return err_new(-ENOMEM);
        *state = device->state;
        if (!is_judged && batch_is_overtaken(context, state, record)) {
                record->late |= record->kind == KIND_DEVICE_STATUS;
        } else if (!is_judged) {
                latest_move(state, record);
                registry_set_state(context->registry, record->device_id, state);
        }
        *ret_state = state;
        return 0;
}

/* What was judged when it was shown has been read by then, and could not be noted. A device in
 * whose name a message is has a clock of its own. */
static void batch_read_clock(const BatchContext *context, Record *record, bool is_judged) {
        const Vehicle *vehicle = NULL;
        VehicleClock clock;

        if (record->vehicle_id != 0 && record->device_id == 0)
                vehicle = registry_vehicle(context->registry, record->vehicle_id);
        if (!vehicle)
                return;
        clock = vehicle->clock;
        if (!is_judged)
                lateness_read_clock(&clock.now, record);
        record->clock = clock.now;
        record->notes_clock = clock.now.verdict != CLOCK_UNJUDGED &&
                              (is_judged || device_clock_is_news(&clock.now, &clock.noted));
        if (record->notes_clock)
                clock.noted = clock.now;
        registry_set_clock(context->registry, record->vehicle_id, &clock);
}

/* What is only shown leaves to the store whether this can be used after all. */
static bool batch_is_open(const BatchContext *context, const Record *record) {
        return !context->is_final && (resolve_depends_on_registry(record->reason) ||
                                      record->reason == REASON_UNKNOWN_SENSOR ||
                                      (record->letter_id != 0 && record->duplicate));
}

static int batch_note(const BatchContext *context, Record *record) {
        int r;

        r = lateness_note(context->latest, record);
        if (r == 0 && context->sensors && record->kind == KIND_SENSOR_LOG)
                r = sensors_add(context->sensors,
                                record->vehicle_id,
                                record->sensor.sensor_id,
                                record->seq);
        return r == 0 ? 0 : err_up(r);
}

static int batch_apply(Batch *batch,
                       const BatchContext *context,
                       Record *record,
                       size_t i,
                       Verdict unused) {
        Verdict verdict = judge_ask(context->judge, record->seq);
        int r = 0;

        batch->states[i] = NULL;
        if (record->reason != REASON_NONE || record->duplicate)
                return judge_tell(context->judge, record->seq, unused);
        if (verdict != VERDICT_NONE)
                record->late = verdict == VERDICT_LATE;
        else
                r = batch_note(context, record);
        if (batch_is_history(record))
                record->late = true;
        if (r == 0)
                r = batch_move(batch, context, record, verdict != VERDICT_NONE, &batch->states[i]);
        batch_read_clock(context, record, verdict != VERDICT_NONE);
        if (r == 0 && context->merged && record->merges && !record->late)
                r = merged_lay(context->merged, context->registry, batch->arena, record);
        if (r == 0)
                r = judge_tell(context->judge,
                               record->seq,
                               record->late ? VERDICT_LATE : VERDICT_NEWS);
        if (r == 0 && record->late && record->retained) { /* it was stored when it was news */
                batch->states[i] = NULL;
                batch_ignore(record);
        }
        return r == 0 ? 0 : err_up(r);
}

static BatchVerdict batch_verdict(const Record *record) {
        if (record->duplicate)
                return BATCH_ON_IGNORED;
        return record->reason == REASON_NONE ? BATCH_ON_TAKEN : BATCH_ON_REFUSED;
}

/* Record i, from what the journal has of it. If it wants something, nothing of it has been told. */
static int batch_take_in(Batch *batch, const BatchContext *context, size_t i) {
        Record *record = &batch->records[i];
        Verdict unused;
        int r;

        r = understand(batch->arena, &context->by, &batch->read[i], &batch->elements, record);
        if (r != 0)
                return err_up(r);
        batch_judge_letter(context, record);
        if (!record->duplicate)
                resolve(context->registry, record);
        r = batch_judge_sensor(batch, context, record);
        if (r != 0)
                return err_up(r);

        batch->want = batch_want_of(batch, context, record);
        if (batch->want != BATCH_WANTS_NOTHING)
                return 0;
        unused = batch_is_open(context, record) ? VERDICT_OPEN : VERDICT_NONE;
        batch_judge_retained(&batch->read[i], record);
        r = batch_apply(batch, context, record, i, unused);
        if (r != 0)
                return err_up(r);
        batch_decide(batch, i, unused == VERDICT_OPEN ? BATCH_ON_LEFT : batch_verdict(record));
        return 0;
}

int batch_load_on(Batch *batch, const BatchContext *context, const BatchSpan *span) {
        size_t n_max = batch->capacity - batch->n;
        JournalRecord *read = &batch->read[batch->n];
        size_t n, end;
        int r;

        if (span->n_max < n_max)
                n_max = span->n_max;
        batch_go(batch, context->is_final ? BATCH_ON_LOAD : BATCH_ON_SHOW);
        n = journal_read(context->journal, span->after_seq, read, n_max, BATCH_MAX_BYTES);
        end = batch->n + n;

        if (n > 0 && n < n_max && read[0].received_us > span->young_us) {
                batch->want = BATCH_WANTS_TIME;
                batch->wanting = (Record){ .seq = read[0].seq, .received_us = read[0].received_us };
                return 0;
        }
        elements_done(&batch->elements); /* the tables may be others */
        for (; batch->n < end && batch->read[batch->n].seq <= span->until_seq; ++batch->n) {
                batch->fates[batch->n] = BATCH_READ;
                r = batch_take_in(batch, context, batch->n);
                if (r != 0)
                        return err_up(r);
                if (batch->want == BATCH_WANTS_NOTHING)
                        continue;
                batch->wanting = batch->records[batch->n];
                r = batch->want == BATCH_WANTS_REGISTER
                            ? batch_look_ahead(batch, context, batch->n + 1, end)
                            : 0;
                return r == 0 ? 0 : err_up(r);
        }
        return 0;
}

int batch_load(Batch *batch, const BatchContext *context, const BatchSpan *span) {
        int r;

        batch_reset(batch);
        r = batch_load_on(batch, context, span);
        return r == 0 ? 0 : err_up(r);
}

/* The registry may be another one by now: do the names still say the same? */
static bool batch_is_as_resolved(const BatchContext *context,
                                 const JournalRecord *entry,
                                 const Record *record) {
        Record again = *record;

        again.user_id = again.vehicle_id = 0;
        again.device_id = entry->device_id;
        resolve(context->registry, &again);
        return again.reason == REASON_NONE && record_names_same(&again, record);
}

/* Has record i, which was decoded to be shown, to be decided again? */
static bool batch_is_settled(const Batch *batch, const BatchContext *context, size_t i) {
        if (origins_is_open(context->by.origins, &batch->records[i].origin, batch->records[i].seq))
                return false; /* stored by another gateway, as is known now, or too early */
        switch (batch->fates[i]) {
        case BATCH_ROW:
                return batch_is_as_resolved(context, &batch->read[i], &batch->records[i]);
        case BATCH_LETTER:
        case BATCH_NOTHING:
                return true;
        default:
                return false;
        }
}

int batch_settle(Batch *batch, const BatchContext *context) {
        batch_go(batch, BATCH_ON_SETTLE);
        elements_done(&batch->elements);
        for (size_t i = 0; i < batch->n; ++i) {
                int r;

                if (batch_is_settled(batch, context, i))
                        continue;
                r = batch_take_in(batch, context, i);
                if (r != 0)
                        return err_up(r);
                if (batch->want == BATCH_WANTS_NOTHING)
                        continue;
                batch->want = BATCH_WANTS_NOTHING; /* said again when it is the first one */
                batch->n = i;
                return 0;
        }
        return 0;
}

bool batch_is_final(const Batch *batch) {
        return batch->n == 0 || batch->state == BATCH_FINAL;
}

BatchFate batch_fate(const Batch *batch, size_t i) {
        assert(i < batch->n);
        return batch->fates[i];
}

void batch_set_aside(const Batch *batch, size_t i, Text detail) {
        Record *record = batch->rows[i];

        batch_decide(batch, i, BATCH_ON_REFUSED);
        record->reason = REASON_DB_REJECTED;
        record->detail = detail;
}

bool batch_is_full(const Batch *batch) {
        return batch->n == batch->capacity;
}

size_t batch_bytes(const Batch *batch) {
        return arena_bytes(batch->arena) +
               batch->capacity * (sizeof(batch->read[0]) + sizeof(batch->records[0]) +
                                  sizeof(batch->rows[0]) + sizeof(batch->states[0]) +
                                  sizeof(batch->fates[0]));
}

size_t batch_length(const Batch *batch) {
        return batch->n;
}

uint64_t batch_last_seq(const Batch *batch) {
        assert(batch->n > 0);
        return batch->records[batch->n - 1].seq;
}

Record *batch_record(const Batch *batch, size_t i) {
        assert(i < batch->n);
        return &batch->records[i];
}

Record *const *batch_records(const Batch *batch) {
        return batch->rows;
}

const DeviceState *batch_state(const Batch *batch, size_t i) {
        assert(i < batch->n);
        return batch->states[i];
}

BatchWant batch_wants(const Batch *batch) {
        return batch->want;
}

const Record *batch_wanting(const Batch *batch) {
        assert(batch->want != BATCH_WANTS_NOTHING);
        return &batch->wanting;
}

DbRange batch_range(const Batch *batch) {
        DbRange range = {
                .after_seq = batch_record(batch, 0)->seq - 1,
                .last_seq = batch_last_seq(batch),
                .from_us = INT64_MAX,
                .to_us = INT64_MIN,
        };

        for (size_t i = 0; i < batch->n; ++i) {
                const Record *record = &batch->records[i];
                int64_t first_us = record_first_us(record);

                first_us = first_us < record->received_us ? first_us : record->received_us;
                range.from_us = first_us < range.from_us ? first_us : range.from_us;
                range.to_us = record->received_us > range.to_us ? record->received_us : range.to_us;
        }
        return range;
}

Record *batch_find(const Batch *batch, uint64_t seq) {
        size_t low = 0, high = batch->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (batch->records[middle].seq < seq)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low < batch->n && batch->records[low].seq == seq ? batch->rows[low] : NULL;
}

size_t batch_devices(const Batch *batch, size_t from, size_t to, int64_t ret_ids[]) {
        size_t n = 0;

        for (size_t i = from; i < to; ++i)
                if (batch->states[i])
                        ret_ids[n++] = batch->records[i].device_id;
        return ids_sort_once(ret_ids, n);
}

const Record *batch_ahead(const Batch *batch, size_t i) {
        return i < batch->n_ahead ? batch->ahead[i] : NULL;
}
