#include "db/value.h"

#include <libpq-fe.h>
#include <math.h>

int64_t db_value_int(const PGresult *result, int row, int column) {
        return strtoll(PQgetvalue(result, row, column), NULL, 10); /* null is "": 0 */
}

double db_value_number(const PGresult *result, int row, int column) {
        return PQgetisnull(result, row, column) ? (double)NAN
                                                : strtod(PQgetvalue(result, row, column), NULL);
}

bool db_value_bool(const PGresult *result, int row, int column) {
        return *PQgetvalue(result, row, column) == 't';
}

Text db_value_text(const PGresult *result, int row, int column) {
        if (PQgetisnull(result, row, column))
                return (Text){ 0 };
        return (Text){ .data = PQgetvalue(result, row, column),
                       .n = (size_t)PQgetlength(result, row, column) };
}

const char *db_value_string(const PGresult *result, int row, int column) {
        return PQgetisnull(result, row, column) ? NULL : PQgetvalue(result, row, column);
}
