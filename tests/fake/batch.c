#include "tests/fake/batch.h"

uint64_t fake_batch_end = UINT64_MAX;
uint64_t fake_batch_wanting = UINT64_MAX;
size_t fake_batch_bytes = 1;
size_t fake_batch_decoded;

static void fake_batch_add(Batch *batch, uint64_t seq) {
        batch->records[batch->n] = (Record){ .seq = seq };
        batch->rows[batch->n] = &batch->records[batch->n];
        ++batch->n;
}

void fake_batch_init(Batch *batch, size_t n) {
        *batch = (Batch){ .n = n };
        batch->n = 0;
        for (size_t i = 0; i < n; ++i)
                fake_batch_add(batch, i + 1);
}

int batch_new(Batch **ret_batch, size_t capacity) {
        (void)capacity;
        *ret_batch = calloc(1, sizeof(**ret_batch));
        return *ret_batch ? 0 : -ENOMEM;
}

Batch *batch_free(Batch *batch) {
        free(batch);
        return NULL;
}

void batch_reset(Batch *batch) {
        memset(batch, 0xee, sizeof(*batch)); /* whoever still looks at its records shall see it */
        batch->n = 0;
}

int batch_load_on(Batch *batch, const BatchContext *context, const BatchSpan *span) {
        uint64_t end = span->until_seq < fake_batch_end ? span->until_seq : fake_batch_end;
        size_t n_max = batch->n + span->n_max;

        (void)context;
        for (uint64_t seq = span->after_seq + 1; seq <= end && batch->n < n_max; ++seq) {
                if (batch_is_full(batch))
                        break;
                fake_batch_add(batch, seq);
                ++fake_batch_decoded;
        }
        return 0;
}

int batch_load(Batch *batch, const BatchContext *context, const BatchSpan *span) {
        batch_reset(batch);
        return batch_load_on(batch, context, span);
}

int batch_settle(Batch *batch, const BatchContext *context) {
        (void)context;
        while (batch->n > 0 && batch->rows[batch->n - 1]->seq >= fake_batch_wanting)
                --batch->n;
        return 0;
}

bool batch_is_full(const Batch *batch) {
        return batch->n == FAKE_BATCH_MAX;
}

size_t batch_bytes(const Batch *batch) {
        (void)batch;
        return fake_batch_bytes;
}

bool batch_is_final(const Batch *batch) {
        (void)batch;
        return true;
}

BatchFate batch_fate(const Batch *batch, size_t i) {
        const Record *record = batch->rows[i];

        if (record->duplicate)
                return BATCH_NOTHING;
        return record->reason == REASON_NONE ? BATCH_ROW : BATCH_LETTER;
}

void batch_set_aside(const Batch *batch, size_t i, Text detail) {
        batch->rows[i]->reason = REASON_DB_REJECTED;
        batch->rows[i]->detail = detail;
}

BatchWant batch_wants(const Batch *batch) {
        (void)batch;
        return BATCH_WANTS_NOTHING;
}

uint64_t batch_last_seq(const Batch *batch) {
        return batch->rows[batch->n - 1]->seq;
}

size_t batch_length(const Batch *batch) {
        return batch->n;
}

Record *batch_record(const Batch *batch, size_t i) {
        return batch->rows[i];
}

Record *const *batch_records(const Batch *batch) {
        return batch->rows;
}

size_t batch_devices(const Batch *batch, size_t from, size_t to, int64_t ret_ids[]) {
        size_t n = 0;

        for (size_t i = from; i < to; ++i) /* ascending, as the tests make them */
                if (batch->records[i].device_id != 0)
                        ret_ids[n++] = batch->records[i].device_id;
        return n;
}
