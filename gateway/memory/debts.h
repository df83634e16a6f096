#pragma once

/*
 * Debts: devices whose state the database has still to get, and from when on to offer it again.
 *
 * Holds so many and refuses more; those devices' states are stored with their next message. Belongs
 * to the processor's thread.
 */

#include "base/base.h"

typedef struct Debts Debts;

MUST_CHECK int debts_new(Debts **ret_debts, size_t capacity);
Debts *debts_free(Debts *debts);

bool debts_owe(Debts *debts, int64_t device_id, int64_t due_us); /* monotonic; false: full */
void debts_pay(Debts *debts, int64_t device_id);
bool debts_holds(const Debts *debts, int64_t device_id);

size_t debts_length(const Debts *debts);
int64_t debts_device(const Debts *debts, size_t i);
int64_t debts_due_us(const Debts *debts, size_t i);

DEFINE_CLEANUP(Debts *, debts_free);
