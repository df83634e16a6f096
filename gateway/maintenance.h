#pragma once

/*
 * Maintenance: makes partitions ahead and drops old ones, on a connection and a thread of its own.
 *
 * Once at start, then every hour and when the day changes. Away from the database: tries again each
 * minute. A clock that jumped, or that is not the database's, drops nothing: it is said in the log,
 * in tidegate_retention_held and in /readyz, and looked at again each minute. What lasts for
 * @hold_ms is given one day at a time.
 *
 * In between, every @survey_ms, it looks how much there is of what others make grow
 * (db/read/survey.h), and says where a limit is reached.
 */

#include "base/base.h"
#include "db/write/partitions.h"

typedef struct Maintenance Maintenance;
typedef struct MaintenanceOptions MaintenanceOptions;

struct MaintenanceOptions {
        const char *database_url;
        int days_ahead;
        int64_t hold_ms;
        int survey_ms;
        int many_letters; /* more are said to be many; 0: never */
        const DbRetention *retention;
        size_t n_retention;
};

MUST_CHECK int maintenance_new(Maintenance **ret_maintenance, const MaintenanceOptions *options);
Maintenance *maintenance_free(Maintenance *maintenance);

DEFINE_CLEANUP(Maintenance *, maintenance_free);
