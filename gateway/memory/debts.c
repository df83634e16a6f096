#include "gateway/memory/debts.h"

#include "base/err.h"

typedef struct Debt Debt;

struct Debt {
        int64_t device_id, due_us;
};

struct Debts {
        size_t capacity, n;
        Debt items[];
};

int debts_new(Debts **ret_debts, size_t capacity) {
        Debts *debts = calloc(1, sizeof(*debts) + capacity * sizeof(debts->items[0]));

        if (!debts)
                return err_new(-ENOMEM);
        debts->capacity = capacity;
        *ret_debts = debts;
        return 0;
}

Debts *debts_free(Debts *debts) {
        free(debts);
        return NULL;
}

static size_t debts_find(const Debts *debts, int64_t device_id) {
        size_t i = 0;

        while (i < debts->n && debts->items[i].device_id != device_id)
                ++i;
        return i;
}

bool debts_owe(Debts *debts, int64_t device_id, int64_t due_us) {
        size_t i = debts_find(debts, device_id);

        if (i == debts->capacity)
                return false;
        if (i == debts->n)
                ++debts->n;
        debts->items[i] = (Debt){ .device_id = device_id, .due_us = due_us };
        return true;
}

void debts_pay(Debts *debts, int64_t device_id) {
        size_t i = debts_find(debts, device_id);

        if (i < debts->n)
                debts->items[i] = debts->items[--debts->n];
}

bool debts_holds(const Debts *debts, int64_t device_id) {
        return debts_find(debts, device_id) < debts->n;
}

size_t debts_length(const Debts *debts) {
        return debts->n;
}

int64_t debts_device(const Debts *debts, size_t i) {
        assert(i < debts->n);
        return debts->items[i].device_id;
}

int64_t debts_due_us(const Debts *debts, size_t i) {
        assert(i < debts->n);
        return debts->items[i].due_us;
}
