#include "tests/fake/batch.h"

void fake_batch_init(Batch *batch, size_t n) {
        *batch = (Batch){ .n = n };
        for (size_t i = 0; i < n; ++i) {
                batch->records[i] = (Record){ .seq = i + 1 };
                batch->rows[i] = &batch->records[i];
        }
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
        (void)batch;
        (void)from;
        (void)to;
        (void)ret_ids;
        return 0;
}
