#include "db/survey.h"

#include <libpq-fe.h>

#include "gateway/base/err.h"

DEFINE_CLEANUP(PGresult *, PQclear);

static int64_t survey_int(const PGresult *result, int column) {
        return PQntuples(result) > 0 ? strtoll(PQgetvalue(result, 0, column), NULL, 10) : 0;
}

static int survey_people(DbConn *conn, DbSurvey *survey) {
        CLEANUP(PQclear) PGresult *result = NULL;
        int r;

        r = db_conn_exec(conn,
                         &(DbQuery){ .sql = "SELECT sum(people), sum(people_refused),"
                                            " (array_agg(device_id ORDER BY people_refused DESC)"
                                            " FILTER (WHERE people_refused > 0))[1]"
                                            " FROM camera_states" },
                         &result);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        survey->n_people = survey_int(result, 0);
        survey->n_people_refused = survey_int(result, 1);
        survey->full_camera = survey_int(result, 2);
        return 0;
}

int db_survey(DbConn *conn, DbSurvey *ret_survey) {
        DbSurvey survey = { 0 };
        int r;

        r = survey_people(conn, &survey);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        *ret_survey = survey;
        return 0;
}
