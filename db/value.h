#pragma once

/*
 * DbValue: one value of a result, in text form, as what it is. What is null is 0, NaN, absent or
 * false, unless it says otherwise. Pure; borrowed from the result.
 */

#include "base/base.h"

struct pg_result;

int64_t db_value_int(const struct pg_result *result, int row, int column);
double db_value_number(const struct pg_result *result, int row, int column);
bool db_value_bool(const struct pg_result *result, int row, int column);
Text db_value_text(const struct pg_result *result, int row, int column);
const char *db_value_string(const struct pg_result *result, int row, int column); /* NULL: null */
