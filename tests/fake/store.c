#include "tests/fake/store.h"

static const DbStore *last; /* whose refusal db_conn_sqlstate() reports */

int db_store_begin(DbStore *store, const DbBatch *batch) {
        ++store->n_begun;
        store->batch = batch;
        return store->is_offline ? DB_E_OFFLINE : 0;
}

static bool fake_refuses(const DbStore *store) {
        for (size_t i = 0; i < store->batch->n_records; ++i) {
                const Record *record = store->batch->records[i];

                if (record->seq == store->poison_seq && record->reason == REASON_NONE)
                        return true;
        }
        return false;
}

bool fake_store_take(DbStore *store) {
        if (fake_refuses(store))
                return false;
        for (size_t i = 0; i < store->batch->n_records; ++i) {
                store->stored[store->n_stored] = store->batch->records[i]->seq;
                store->reasons[store->n_stored++] = store->batch->records[i]->reason;
        }
        return true;
}

int db_store_poll(DbStore *store) {
        last = store;
        if (store->is_offline)
                return DB_E_OFFLINE;
        return fake_store_take(store) ? 0 : DB_E_REJECTED;
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return last->sqlstate;
}
