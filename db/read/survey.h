#pragma once

/*
 * DbSurvey: how much there is of what others make grow, as cheaply as it can be known.
 *
 * Blocks. The survey itself reads no table of messages: sums that are kept, and what PostgreSQL's
 * statistics say.
 */

#include "base/base.h"
#include "db/conn.h"
#include "model/device_clock.h"

typedef struct DbSurvey DbSurvey;

struct DbSurvey {
        int64_t n_people;         /* that are counted, of all cameras */
        int64_t n_people_refused; /* names that were not, since ever */
        int64_t full_camera;      /* the device that had most of these; 0: none had any */
        int64_t n_letters;        /* dead letters, as PostgreSQL's statistics count them */
        int64_t letter_bytes;     /* of their files, with what was deleted and not reused yet */
        int64_t n_clocks[CLOCK_VERDICTS]; /* devices, by what their clocks are worth */
        int64_t n_vehicle_clocks[CLOCK_VERDICTS];
};

typedef struct DbLetterGroup DbLetterGroup;

struct DbLetterGroup {      /* of one reason, topic and name; strings are NUL-terminated */
        int64_t n, n_bytes; /* of payloads */
        int64_t first_us, last_us;
        const char *reason, *topic;
        const char *name; /* of the device, camera or vehicle that the payload names; may be "" */
};

typedef void (*DbLetterGroupFn)(void *arg, const DbLetterGroup *group);

/* Each: 0, DB_E_OFFLINE, DB_E_REJECTED. */
MUST_CHECK int db_survey(DbConn *conn, DbSurvey *ret_survey);
/* Who makes the letters, most of them first; @reason NULL = all, or several with commas. Reads the
 * whole table. */
MUST_CHECK int db_survey_letters(DbConn *conn,
                                 const char *reason,
                                 int limit,
                                 DbLetterGroupFn fn,
                                 void *arg);
