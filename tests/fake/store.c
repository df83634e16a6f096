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

                if (store->side != RECORD_ROW && record->seq == store->poison_seq &&
                    !record_leaves_out(record, store->side))
                        return true;
                if (record->reason == REASON_NONE &&
                    (store->is_closed ||
                     (store->side == RECORD_ROW && record->seq == store->poison_seq)))
                        return true;
        }
        return false;
}

static bool fake_refuses_state(const DbStore *store) {
        for (size_t i = 0; i < store->batch->n_states; ++i)
                if (store->poison_device == -1 ||
                    store->batch->states[i].device_id == store->poison_device)
                        return true;
        return false;
}

bool fake_store_take(DbStore *store) {
        if (store->batch->is_trial || fake_refuses(store) || fake_refuses_state(store))
                return false;
        for (size_t i = 0; i < store->batch->n_states; ++i)
                store->states[store->n_states++] = store->batch->states[i].device_id;
        for (size_t i = 0; i < store->batch->n_records; ++i) {
                store->stored[store->n_stored] = store->batch->records[i]->seq;
                store->reasons[store->n_stored++] = store->batch->records[i]->reason;
        }
        return true;
}

int db_store_recall(DbStore *store, const DbBatch *batch) {
        (void)batch;
        return store->is_offline ? DB_E_OFFLINE : 0;
}

int db_store_poll(DbStore *store) {
        last = store;
        if (store->is_offline)
                return DB_E_OFFLINE;
        if (store->batch->is_trial && store->is_closed)
                return DB_E_REFUSED;
        if (fake_refuses(store))
                return DB_E_REJECTED;
        if (store->batch->is_trial)
                return DB_E_PASSED;
        return fake_store_take(store) ? 0 : DB_E_STATES;
}

RecordSide db_store_side(const DbStore *store) {
        return store->side;
}

const char *db_conn_sqlstate(const DbConn *conn) {
        (void)conn;
        return last->sqlstate;
}

const char *db_conn_error(const DbConn *conn) {
        (void)conn;
        return "refused by the fake";
}
