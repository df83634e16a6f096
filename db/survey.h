#pragma once

/*
 * DbSurvey: how much there is of what others make grow, as cheaply as it can be known.
 *
 * Blocks. Sums that are kept, and PostgreSQL's own estimates; no table of messages is read.
 */

#include "db/conn.h"
#include "gateway/base/base.h"

typedef struct DbSurvey DbSurvey;

struct DbSurvey {
        int64_t n_people;         /* that are counted, of all cameras */
        int64_t n_people_refused; /* names that were not, since ever */
        int64_t full_camera;      /* the device that had most of these; 0: none had any */
};

/* 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_survey(DbConn *conn, DbSurvey *ret_survey);
