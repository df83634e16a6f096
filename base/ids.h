#pragma once

/*
 * Ids: plain arrays of ids in ascending order (base/idlist.h has things by theirs).
 *
 * Pure, any thread.
 */

#include "base/base.h"

void ids_sort(int64_t ids[], size_t n);
size_t ids_sort_once(int64_t ids[], size_t n);            /* each once: how many are left */
bool ids_have(const int64_t ids[], size_t n, int64_t id); /* of sorted ones */
