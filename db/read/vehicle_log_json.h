#pragma once

/* A row of vehicle_logs as viewers have it: what is null is left out, extra is beside the rest. */

#include "model/vehicle_log.h"

#define DB_VEHICLE_LOG_JSON                                        \
        "(jsonb_strip_nulls(jsonb_build_object(" VEHICLE_LOG_PAIRS \
        ")) || coalesce(extra, '{}'))::text"
