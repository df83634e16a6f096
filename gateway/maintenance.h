#pragma once

/*
 * Maintenance: makes partitions ahead and drops old ones, on a connection and a thread of its own.
 *
 * Once at start, then every hour and when the day changes. Away from the database: tries again each
 * minute.
 */

#include "db/partitions.h"
#include "gateway/base/base.h"

typedef struct Maintenance Maintenance;

MUST_CHECK int maintenance_new(Maintenance **ret_maintenance,
                               const char *database_url,
                               int days_ahead,
                               const DbRetention retention[],
                               size_t n_retention);
Maintenance *maintenance_free(Maintenance *maintenance);

DEFINE_CLEANUP(Maintenance *, maintenance_free);
